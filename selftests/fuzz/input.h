// SPDX-License-Identifier: GPL-2.0-only
// The fuzzer's bytes, read from both ends: from the front what the device is asked to do, from the
// back what the driver does to the ring meanwhile. So a change to one leaves the other in place.
#pragma once

#include <cstddef>
#include <cstdint>

class Input {
public:
    Input(const uint8_t* data, size_t size) : front_(data), back_(data + size) {}

    [[nodiscard]] bool empty() const { return front_ == back_; }
    uint8_t u8() { return empty() ? 0 : *front_++; }
    uint16_t u16() {
        const uint16_t low = u8();
        return uint16_t(low | u8() << 8);
    }
    uint32_t u32() {
        const uint32_t low = u16();
        return low | uint32_t(u16()) << 16;
    }
    uint8_t back_u8() { return empty() ? 0 : *--back_; }
    uint16_t back_u16() {
        const uint16_t low = back_u8();
        return uint16_t(low | back_u8() << 8);
    }

private:
    const uint8_t* front_;
    const uint8_t* back_;
};
