// SPDX-License-Identifier: GPL-2.0-only
#include "vhost/vhost_net_backend.h"

#include <linux/virtio_config.h>

#include <utility>

#include "virtio/features.h"
#include "vq/ring.h"

namespace vireo {

namespace {

constexpr unsigned kQueues = 2;
constexpr unsigned kMrgRxbuf = 15;

// What the kernel has to know of to serve a ring. All other features are between the driver and the
// VMM or the tap, and pass by: so does RING_RESET, which is a queue stopped and started. Bit 27 is
// another thing here, VHOST_NET_F_VIRTIO_NET_HDR, and the driver's ANY_LAYOUT of that number needs
// nothing of the kernel.
constexpr uint64_t kRing =
    feature_bits({kMrgRxbuf, VQ_F_NOTIFY_ON_EMPTY, VQ_F_INDIRECT_DESC, VQ_F_EVENT_IDX,
                  VIRTIO_F_VERSION_1, VIRTIO_F_ACCESS_PLATFORM, VQ_F_RING_PACKED, VQ_F_IN_ORDER});

} // namespace

VhostNetBackend::VhostNetBackend(const GuestMemory& memory, EventLoop& main, VhostDevice device,
                                 int tap, bool header, unsigned pair, BrokenQueue broken)
    : queues_(
          memory, main, std::move(device), pair * kQueues, kQueues,
          [tap](VhostDevice& vhost, unsigned queue, bool live) {
              vhost.set_net_backend(queue, live ? tap : -1);
          },
          std::move(broken)),
      header_(header),
      offered_(queues_.device().features()) {}

uint64_t VhostNetBackend::features() const {
    // Translated addresses need somebody who answers the device's questions.
    return (offered_ | ~kRing) & ~feature_bit(VIRTIO_F_ACCESS_PLATFORM);
}

void VhostNetBackend::start(uint64_t features, std::span<const QueueSetup> queues) {
    queues_.start(features,
                  (features & kRing) | (header_ ? 0 : feature_bit(VHOST_NET_F_VIRTIO_NET_HDR)),
                  queues);
}

} // namespace vireo
