// SPDX-License-Identifier: GPL-2.0-only
#ifndef VIREO_VIRTIO_RING_AREAS_H
#define VIREO_VIRTIO_RING_AREAS_H

#include <cstdint>

#include "memory/guest_memory.h"
#include "virtio/queue_setup.h"

namespace vireo {

// Where the three areas of a ring (virtio 1.2, 2.6) are mapped in this process.
struct RingAreas {
    std::byte* desc;
    std::byte* driver;
    std::byte* device;
};

// Throws std::system_error (EFAULT) unless each area is all RAM. What else cannot be (size,
// alignment) is for whoever serves the ring to refuse.
RingAreas find_ring(const GuestMemory& memory, uint64_t features, const QueueSetup& setup);

} // namespace vireo

#endif // VIREO_VIRTIO_RING_AREAS_H
