// SPDX-License-Identifier: GPL-2.0-only
#ifndef VIREO_KVM_VM_H
#define VIREO_KVM_VM_H

#include <array>
#include <cstddef>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "base/fd.h"
#include "bus/platform.h"
#include "kvm/abi.h"
#include "kvm/kvm.h"
#include "memory/guest_memory.h"

namespace vireo {

// A virtual machine of KVM: memory, the interrupt controllers and timer of a PC (two 8259s, an
// IOAPIC with 24 lines, an i8254), interrupts that eventfds send, doorbells that signal eventfds.
// Any thread, once it is made.
class Vm final : public Platform {
public:
    static constexpr unsigned kLines = 24; // of the IOAPIC: global system interrupts 0 to 23

    // Guest memory outlives it. Throws std::system_error.
    Vm(const Kvm& kvm, const GuestMemory& memory);

    Vm(const Vm&) = delete;
    Vm& operator=(const Vm&) = delete;

    Fd create_vcpu(unsigned id) const;

    // A memory that the guest cannot write to: what it tries is lost, or a device's (the memory
    // bus). Whole pages; they stay. Throws std::system_error. Before vCPUs run.
    void add_rom(uint64_t address, std::span<std::byte> rom);

    // Interrupt controllers and timer as after power-on. While no vCPU runs.
    void reset();

    void send_msi(const Msi& msi) noexcept override;
    unsigned add_msi_route() override;
    void remove_msi_route(unsigned route) noexcept override;
    void set_msi_route(unsigned route, const Msi& msi) override;
    void attach_irqfd(unsigned route, int eventfd) override;
    void detach_irqfd(unsigned route, int eventfd) noexcept override;
    void set_line(unsigned gsi, bool level) noexcept override;
    void add_doorbell(const Doorbell& doorbell) override;
    void remove_doorbell(const Doorbell& doorbell) noexcept override;

private:
    struct Route {
        bool used = false;
        std::optional<Msi> message; // what KVM has been told
    };

    void add_memory(const GuestMemory& memory);
    void add_slot(uint64_t address, std::span<std::byte> memory, uint32_t flags);
    void create_controllers() const;
    void update_routes(); // mutex held

    Fd fd_;
    uint32_t slots_ = 0; // of memory
    // As after power-on.
    std::array<kvm_irqchip, 3> chips_{};
    kvm_pit_state2 timer_{};
    std::mutex mutex_;
    std::vector<Route> routes_; // a handle is an index, its interrupt follows the IOAPIC's
};

} // namespace vireo

#endif // VIREO_KVM_VM_H
