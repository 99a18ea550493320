// SPDX-License-Identifier: GPL-2.0-only
#include "e1000_driver.h"
#include "rtl8139_driver.h"

namespace vireo::test {

std::unique_ptr<NicDriver> make_nic_driver(std::string_view model, NicWorld& world) {
    if (model == "e1000") {
        return std::make_unique<E1000Driver>(world);
    }
    if (model == "rtl8139") {
        return std::make_unique<Rtl8139PlusDriver>(world);
    }
    if (model == "rtl8139c") {
        return std::make_unique<Rtl8139OldDriver>(world);
    }
    throw std::runtime_error("a model without a driver");
}

} // namespace vireo::test
