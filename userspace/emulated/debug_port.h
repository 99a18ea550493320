// SPDX-License-Identifier: GPL-2.0-only
#ifndef VIREO_EMULATED_DEBUG_PORT_H
#define VIREO_EMULATED_DEBUG_PORT_H

#include <cstdint>

#include "bus/bus.h"
#include "console/chardev.h"

namespace vireo {

// One port where firmware says what it does, byte by byte. Reading it tells that it is there. On
// vCPU threads; a byte that the chardev does not take at once is lost.
class DebugPort final : public BusDevice {
public:
    static constexpr uint8_t kPresent = 0xe9;

    explicit DebugPort(CharBackend& chardev) : chardev_(chardev) { chardev_.connect(nullptr); }

    uint64_t read(uint64_t, unsigned size) override {
        return size == 1 ? kPresent : ~uint64_t{0} >> (64 - 8 * size);
    }
    void write(uint64_t, unsigned size, uint64_t value) override {
        if (size == 1) {
            const auto byte = static_cast<uint8_t>(value);
            chardev_.write({&byte, 1});
        }
    }

private:
    CharBackend& chardev_;
};

} // namespace vireo

#endif // VIREO_EMULATED_DEBUG_PORT_H
