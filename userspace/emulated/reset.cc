// SPDX-License-Identifier: GPL-2.0-only
#include "emulated/reset.h"

namespace vireo {

namespace {

constexpr uint64_t kData = 0;
constexpr uint64_t kCommand = 4;
// The self-test was passed, the keyboard is not locked, no buffer is full.
constexpr uint64_t kReady = 1 << 2 | 1 << 4;

} // namespace

uint64_t I8042::read(uint64_t offset, unsigned size) {
    if (size == 1 && offset == kCommand) {
        return kReady;
    }
    return size == 1 && offset == kData ? 0 : ~uint64_t{0} >> (64 - 8 * size);
}

void I8042::write(uint64_t offset, unsigned size, uint64_t value) {
    // 0xf0 to 0xff: lines whose bit is 0 are pulsed.
    if (size == 1 && offset == kCommand && (value & 0xf1) == 0xf0) {
        reset_();
    }
}

} // namespace vireo
