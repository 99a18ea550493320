// SPDX-License-Identifier: GPL-2.0-only
#include "block/user_backend.h"

#include <linux/virtio_blk.h>
#include <linux/virtio_config.h>

#include "virtio/features.h"

namespace vireo {

BlkUserBackend::BlkUserBackend(const GuestMemory& memory, std::span<EventLoop* const> loops,
                               unsigned queues, const BlkRules& rules, AioMode aio,
                               const BrokenQueue& broken) {
    queues_.reserve(queues);
    for (unsigned i = 0; i < queues; i++) {
        queues_.push_back(
            std::make_unique<BlkQueue>(memory, *loops[i % loops.size()], i, rules, aio, broken));
    }
}

uint64_t BlkUserBackend::features() const {
    return feature_bits({VIRTIO_F_VERSION_1, VIRTIO_F_RING_PACKED, VQ_F_EVENT_IDX,
                         VQ_F_INDIRECT_DESC, VIRTIO_F_RING_RESET, VIRTIO_BLK_F_SEG_MAX,
                         VIRTIO_BLK_F_GEOMETRY, VIRTIO_BLK_F_RO, VIRTIO_BLK_F_BLK_SIZE,
                         VIRTIO_BLK_F_FLUSH, VIRTIO_BLK_F_TOPOLOGY, VIRTIO_BLK_F_CONFIG_WCE,
                         VIRTIO_BLK_F_MQ, VIRTIO_BLK_F_DISCARD, VIRTIO_BLK_F_WRITE_ZEROES});
}

void BlkUserBackend::start(uint64_t features, std::span<const QueueSetup> queues) {
    try {
        for (const QueueSetup& setup : queues) {
            queues_[setup.index]->start(features, setup);
            started_.push_back(queues_[setup.index].get());
        }
    } catch (...) {
        stop();
        throw;
    }
}

std::vector<uint32_t> BlkUserBackend::stop() {
    std::vector<uint32_t> states;
    for (BlkQueue* queue : started_) {
        states.push_back(queue->stop());
    }
    started_.clear();
    return states;
}

} // namespace vireo
