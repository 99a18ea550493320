// SPDX-License-Identifier: GPL-2.0-only
#include "emulated/acpi_pm.h"

#include "boot/layout.h"

namespace vireo {

namespace {

constexpr uint16_t kPowerButton = 1 << 8; // PM1_STS, PM1_EN
constexpr uint16_t kEnableMask = 0x0721;  // timer, global lock, buttons, clock
constexpr uint16_t kSciEnabled = 1 << 0;  // PM1_CNT: ACPI mode
constexpr uint16_t kControlMask = 0x1c07; // what is kept of PM1_CNT
constexpr uint16_t kSleep = 1 << 13;      // PM1_CNT, write only
constexpr unsigned kSleepTypeShift = 10;

} // namespace

AcpiPm::AcpiPm(InterruptLine& interrupt, std::function<void()> power_off)
    : interrupt_(interrupt), power_off_(std::move(power_off)) {}

AcpiPm::~AcpiPm() {
    if (raised_) {
        interrupt_.lower();
    }
}

void AcpiPm::reset() {
    const std::lock_guard lock(mutex_);
    state_ = {};
    update_interrupt();
}

void AcpiPm::press_power_button() {
    const std::lock_guard lock(mutex_);
    state_.status |= kPowerButton;
    update_interrupt();
}

uint64_t AcpiPm::read(uint64_t offset, unsigned size) {
    const std::lock_guard lock(mutex_);
    const uint64_t all = state_.status | uint64_t{state_.enabled} << 16 |
                         uint64_t{static_cast<uint16_t>(state_.control | kSciEnabled)} << 32;
    return all >> (8 * offset) & ~uint64_t{0} >> (64 - 8 * size);
}

void AcpiPm::write(uint64_t offset, unsigned size, uint64_t value) {
    bool off = false;
    {
        const std::lock_guard lock(mutex_);
        for (unsigned i = 0; i < size; i++) {
            const auto byte = static_cast<uint16_t>(value >> (8 * i) & 0xff);
            const unsigned at = static_cast<unsigned>(offset) + i;
            const unsigned shift = 8 * (at % 2);
            const auto placed = static_cast<uint16_t>(byte << shift);
            const auto kept = static_cast<uint16_t>(~(0xff << shift));
            switch (at / 2) {
                case 0:
                    state_.status &= static_cast<uint16_t>(~placed);
                    break;
                case 1:
                    state_.enabled = ((state_.enabled & kept) | placed) & kEnableMask;
                    break;
                case 2:
                    state_.control = ((state_.control & kept) | placed) & kControlMask;
                    off |= (placed & kSleep) &&
                           state_.control >> kSleepTypeShift == layout::kPmSleepOff;
                    break;
            }
        }
        update_interrupt();
    }
    if (off) {
        power_off_();
    }
}

void AcpiPm::update_interrupt() {
    const bool wanted = state_.status & state_.enabled;
    if (wanted != raised_) {
        raised_ = wanted;
        wanted ? interrupt_.raise() : interrupt_.lower();
    }
}

} // namespace vireo
