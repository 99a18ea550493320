// SPDX-License-Identifier: GPL-2.0-only
#ifndef VIREO_VIRTIO_QUEUE_SETUP_H
#define VIREO_VIRTIO_QUEUE_SETUP_H

#include <cstdint>

namespace vireo {

// What a virtqueue is made of, as the driver and the transport set it up: all that a backend needs
// to serve it. Addresses are the guest's, and unchecked.
struct QueueSetup {
    uint16_t index; // of the device's queues
    uint16_t size;  // descriptors
    uint64_t desc;  // descriptor area (virtio 1.2, 2.6)
    uint64_t driver;
    uint64_t device;
    int kick; // eventfd that the driver's notifications signal; the transport's
    int call; // eventfd that interrupts the driver when signalled; the transport's
    // Where the ring stands, in the form of VHOST_GET_VRING_BASE (vq_get_base() in vq/vq.h). It is
    // what moves a queue between backends, and machines.
    uint32_t state;
};

// The state of a queue that nobody has served yet: both positions 0, both wrap counters 1
// (virtio 1.2, 2.8.1).
constexpr uint32_t fresh_state(bool packed) {
    return packed ? 0x8000'8000 : 0;
}

} // namespace vireo

#endif // VIREO_VIRTIO_QUEUE_SETUP_H
