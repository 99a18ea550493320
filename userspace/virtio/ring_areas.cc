// SPDX-License-Identifier: GPL-2.0-only
#include "virtio/ring_areas.h"

#include <algorithm>

#include "base/error.h"
#include "vq/vq.h"

namespace vireo {

RingAreas find_ring(const GuestMemory& memory, uint64_t features, const QueueSetup& setup) {
    const auto find = [&](uint64_t address, vq_area area, const char* name) {
        // A size of 0 has no bytes, and is refused later.
        const size_t bytes = std::max<size_t>(vq_area_bytes(features, setup.size, area), 1);
        std::byte* host = memory.at(address, bytes);
        if (!host) {
            throw_error(EFAULT, "find the {} of queue {} in guest memory at {:#x}", name,
                        setup.index, address);
        }
        return host;
    };
    return {.desc = find(setup.desc, VQ_AREA_DESC, "descriptors"),
            .driver = find(setup.driver, VQ_AREA_DRIVER, "driver area"),
            .device = find(setup.device, VQ_AREA_DEVICE, "device area")};
}

} // namespace vireo
