// SPDX-License-Identifier: GPL-2.0-only
#ifndef VIREO_EMULATED_ACPI_PM_H
#define VIREO_EMULATED_ACPI_PM_H

#include <cstdint>
#include <functional>
#include <mutex>

#include "bus/bus.h"
#include "bus/pci_device.h"

namespace vireo {

// ACPI power management (ACPI 6.4, 4.8.3.1 and 4.8.3.2): the power button, and the way to off.
//
//   0  PM1_STS: events; a 1 written clears     2  PM1_EN: which of them interrupt
//   4  PM1_CNT: ACPI mode (always on), sleep type, sleep
//
// Registers are accessed on vCPU threads, which call `power_off` when the guest goes off. The
// button is the control thread's.
class AcpiPm final : public BusDevice {
public:
    struct State {
        uint16_t status = 0, enabled = 0, control = 0;
    };

    AcpiPm(InterruptLine& interrupt, std::function<void()> power_off);
    ~AcpiPm() override;

    uint64_t read(uint64_t offset, unsigned size) override;
    void write(uint64_t offset, unsigned size, uint64_t value) override;
    void reset();

    void press_power_button();

private:
    void update_interrupt(); // mutex held

    InterruptLine& interrupt_;
    const std::function<void()> power_off_;
    std::mutex mutex_; // of what follows
    State state_;
    bool raised_ = false;
};

} // namespace vireo

#endif // VIREO_EMULATED_ACPI_PM_H
