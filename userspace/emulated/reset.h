// SPDX-License-Identifier: GPL-2.0-only
#ifndef VIREO_EMULATED_RESET_H
#define VIREO_EMULATED_RESET_H

#include <functional>

#include "bus/bus.h"

namespace vireo {

// The chipset's reset control register, port 0xcf9, which is ACPI's reset register too. On vCPU
// threads, like the next one.
class ResetControl final : public BusDevice {
public:
    explicit ResetControl(std::function<void()> reset) : reset_(std::move(reset)) {}

    uint64_t read(uint64_t, unsigned) override { return 0; }
    void write(uint64_t, unsigned, uint64_t value) override {
        constexpr uint64_t kResetCpu = 1 << 2;
        if (value & kResetCpu) {
            reset_();
        }
    }

private:
    const std::function<void()> reset_;
};

// What a PC without a keyboard keeps of the i8042, ports 0x60 to 0x64: its command to pulse output
// lines, of which line 0 is the CPU's reset.
class I8042 final : public BusDevice {
public:
    explicit I8042(std::function<void()> reset) : reset_(std::move(reset)) {}

    uint64_t read(uint64_t offset, unsigned size) override;
    void write(uint64_t offset, unsigned size, uint64_t value) override;

private:
    const std::function<void()> reset_;
};

} // namespace vireo

#endif // VIREO_EMULATED_RESET_H
