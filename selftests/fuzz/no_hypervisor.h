// SPDX-License-Identifier: GPL-2.0-only
#ifndef VIREO_FUZZ_NO_HYPERVISOR_H
#define VIREO_FUZZ_NO_HYPERVISOR_H

#include "bus/platform.h"

namespace vireo {

// A hypervisor for a device of which only its own state is looked at.
class NoHypervisor final : public Platform {
public:
    void send_msi(const Msi&) noexcept override {}
    unsigned add_msi_route() override { return 0; }
    void remove_msi_route(unsigned) noexcept override {}
    void set_msi_route(unsigned, const Msi&) override {}
    void attach_irqfd(unsigned, int) override {}
    void detach_irqfd(unsigned, int) noexcept override {}
    void set_line(unsigned, bool) noexcept override {}
    void add_doorbell(const Doorbell&) override {}
    void remove_doorbell(const Doorbell&) noexcept override {}
};

} // namespace vireo

#endif // VIREO_FUZZ_NO_HYPERVISOR_H
