// SPDX-License-Identifier: GPL-2.0-only
#ifndef VIREO_TESTS_FAKE_PLATFORM_H
#define VIREO_TESTS_FAKE_PLATFORM_H

#include <map>
#include <vector>

#include "bus/platform.h"

namespace vireo {

// A hypervisor that takes notes.
class FakePlatform final : public Platform {
public:
    void send_msi(const Msi& msi) noexcept override { sent.push_back(msi); }
    unsigned add_msi_route() override { return next_route_++; }
    void remove_msi_route(unsigned route) noexcept override { routes.erase(route); }
    void set_msi_route(unsigned route, const Msi& msi) override { routes[route] = msi; }
    void attach_irqfd(unsigned route, int eventfd) override { irqfds[eventfd] = route; }
    void detach_irqfd(unsigned, int eventfd) noexcept override { irqfds.erase(eventfd); }
    void set_line(unsigned gsi, bool level) noexcept override {
        rises[gsi] += level && !lines[gsi];
        lines[gsi] = level;
    }
    void add_doorbell(const Doorbell& doorbell) override { doorbells.push_back(doorbell); }
    void remove_doorbell(const Doorbell& doorbell) noexcept override {
        std::erase_if(doorbells, [&](const Doorbell& d) {
            return d.eventfd == doorbell.eventfd && d.address == doorbell.address;
        });
    }

    std::vector<Msi> sent;
    std::map<unsigned, Msi> routes;
    std::map<int, unsigned> irqfds;
    std::map<unsigned, bool> lines;
    std::map<unsigned, unsigned> rises;
    std::vector<Doorbell> doorbells;

private:
    unsigned next_route_ = 0;
};

} // namespace vireo

#endif // VIREO_TESTS_FAKE_PLATFORM_H
