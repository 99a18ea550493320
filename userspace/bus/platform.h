// SPDX-License-Identifier: GPL-2.0-only
#ifndef VIREO_BUS_PLATFORM_H
#define VIREO_BUS_PLATFORM_H

#include <cstdint>

namespace vireo {

// What a bus device asks of the hypervisor: interrupts, and doorbells that end in an eventfd
// without an exit to the VMM. KVM is one (kvm/vm.h); tests have another that takes notes. Any
// thread. Unless said otherwise, errors throw std::system_error: they are the VMM's faults or the
// host's limits, not the guest's.
class Platform {
public:
    virtual ~Platform() = default;

    // A message-signalled interrupt. Address and data are the guest's; what makes no sense is
    // delivered to nobody.
    struct Msi {
        uint64_t address;
        uint32_t data;
    };
    virtual void send_msi(const Msi& msi) noexcept = 0;

    // An MSI that is sent whenever an eventfd is signalled (irqfd). A route is a handle: it may be
    // attached to one eventfd, detached, and given another message while attached.
    virtual unsigned add_msi_route() = 0;
    virtual void remove_msi_route(unsigned route) noexcept = 0;
    virtual void set_msi_route(unsigned route, const Msi& msi) = 0;
    virtual void attach_irqfd(unsigned route, int eventfd) = 0;
    virtual void detach_irqfd(unsigned route, int eventfd) noexcept = 0;

    // A line of the interrupt controllers: global system interrupt, level.
    virtual void set_line(unsigned gsi, bool level) noexcept = 0;

    // A doorbell: a write of `size` bytes (0: any) to a port or a memory address signals the
    // eventfd. With `match`, only the write of `value`.
    struct Doorbell {
        bool port;
        uint64_t address;
        unsigned size;
        bool match;
        uint64_t value;
        int eventfd;
    };
    virtual void add_doorbell(const Doorbell& doorbell) = 0;
    virtual void remove_doorbell(const Doorbell& doorbell) noexcept = 0;
};

} // namespace vireo

#endif // VIREO_BUS_PLATFORM_H
