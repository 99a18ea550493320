// SPDX-License-Identifier: GPL-2.0-only
#ifndef VIREO_KVM_VM_H
#define VIREO_KVM_VM_H

#include <array>
#include <mutex>
#include <optional>
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

    void add_memory(const GuestMemory& memory) const;
    void create_controllers() const;
    void update_routes(); // mutex held

    Fd fd_;
    // As after power-on.
    std::array<kvm_irqchip, 3> chips_{};
    kvm_pit_state2 timer_{};
    std::mutex mutex_;
    std::vector<Route> routes_; // a handle is an index, its interrupt follows the IOAPIC's
};

} // namespace vireo

#endif // VIREO_KVM_VM_H
