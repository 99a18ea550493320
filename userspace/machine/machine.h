// SPDX-License-Identifier: GPL-2.0-only
#ifndef VIREO_MACHINE_MACHINE_H
#define VIREO_MACHINE_MACHINE_H

#include <atomic>
#include <functional>
#include <optional>
#include <string>

#include "base/event_loop.h"
#include "boot/firmware.h"
#include "machine/board.h"
#include "machine/control.h"
#include "machine/cpus.h"
#include "machine/devices.h"
#include "machine/options.h"
#include "memory/guest_memory.h"

namespace vireo {

// A virtual machine, built of its options, and its control. Everything is the main thread's. It is
// made before the main loop runs, and goes after it.
class Machine final : public MachineControl, private VcpuOwner {
public:
    // Throws UsageError, std::system_error.
    Machine(const MachineOptions& options, EventLoop& main);
    ~Machine() override;

    // Wait for those clients that shall see all, and begin, unless -S.
    void start();

    // What the process ends with: 0 unless the machine failed.
    int exit_status() const { return failed_ ? 1 : 0; }

    State state() const override { return state_; }
    std::vector<Cpu> cpus() const override;
    std::vector<Device> devices() const override { return devices_.list(); }
    void stop() override;
    void cont() override;
    void reset() override;
    void power_down() override;
    void quit() override;
    void set_link(const std::string& device, bool up) override;
    void set_path(const std::string& device, const std::string& path) override;
    void on_event(std::function<void(const MachineEvent&)> listener) override;

private:
    // What a guest asked for, on a vCPU's thread; the first counts until it is done.
    enum class Request { kNone, kPowerOff, kReset };
    void request(Request what);
    void serve_request();

    void vcpu_shut_down(unsigned index) override;
    void vcpu_failed(unsigned index, const std::string& why) override;

    void boot();
    void reset(bool by_guest);
    void shut_down(bool by_guest);
    void failed(unsigned index, const std::string& why);
    void pause_all();
    void tell(const MachineEvent& event);

    const MachineOptions options_;
    EventLoop& main_;
    const GuestMemory memory_;
    const Kvm kvm_;
    Vm vm_;
    std::optional<Firmware> firmware_; // unless a kernel is entered at once
    Board board_;
    Devices devices_;
    Cpus cpus_;
    State state_ = State::kPrelaunch;
    bool failed_ = false;
    std::atomic<Request> request_ = Request::kNone;
    std::function<void(const MachineEvent&)> listener_;
};

} // namespace vireo

#endif // VIREO_MACHINE_MACHINE_H
