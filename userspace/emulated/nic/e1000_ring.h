// SPDX-License-Identifier: GPL-2.0-only
#ifndef VIREO_EMULATED_NIC_E1000_RING_H
#define VIREO_EMULATED_NIC_E1000_RING_H

#include <cstdint>

#include "emulated/nic/e1000.h"

namespace vireo {

// A ring of descriptors as its five registers have it, at this moment. The driver owns what lies
// from the tail on to the head, the card the rest. What points behind the end has no sense, and
// then the card has nothing.
struct E1000::Ring {
    uint64_t address;
    uint32_t size; // descriptors
    uint32_t head, tail;

    uint32_t owned() const {
        if (head >= size || tail >= size) {
            return 0;
        }
        return tail >= head ? tail - head : tail + size - head;
    }
    uint64_t descriptor() const { return address + uint64_t{head} * e1000::kDescriptorSize; }
    uint32_t next() const { return head + 1 == size ? 0 : head + 1; }
};

inline E1000::Ring E1000::ring(uint32_t base) const {
    return {.address = uint64_t{reg(base + 4)} << 32 | reg(base),
            .size = reg(base + 8) / e1000::kDescriptorSize,
            .head = reg(base + 0x10),
            .tail = reg(base + 0x18)};
}

} // namespace vireo

#endif // VIREO_EMULATED_NIC_E1000_RING_H
