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

// System control port A of a PS/2, port 0x92: a short way to reset the CPU, and the gate of address
// line 20, which is always open.
class Port92 final : public BusDevice {
public:
    explicit Port92(std::function<void()> reset) : reset_(std::move(reset)) {}

    uint64_t read(uint64_t, unsigned) override { return kLine20; }
    void write(uint64_t, unsigned, uint64_t value) override {
        constexpr uint64_t kResetCpu = 1 << 0;
        if (value & kResetCpu) {
            reset_();
        }
    }

private:
    static constexpr uint8_t kLine20 = 1 << 1;

    const std::function<void()> reset_;
};

} // namespace vireo

#endif // VIREO_EMULATED_RESET_H
