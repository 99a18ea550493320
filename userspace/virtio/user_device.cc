// SPDX-License-Identifier: GPL-2.0-only
#include "virtio/user_device.h"

#include <linux/virtio_config.h>

#include <algorithm>
#include <utility>

#include "virtio/features.h"

namespace vireo {

UserDevice::UserDevice(const GuestMemory& memory, EventLoop& main, EventLoop& loop, Shape shape)
    : loop_(loop), memory_(memory), shape_(std::move(shape)), broken_(report_to(main)) {}

void UserDevice::add_queue(UserQueue::Serve serve) {
    const auto index = static_cast<unsigned>(queues_.size());
    queues_.push_back(
        std::make_unique<UserQueue>(memory_, loop_, index, std::move(serve), broken_));
}

uint64_t UserDevice::ring_features() {
    return feature_bits({VQ_F_INDIRECT_DESC, VQ_F_EVENT_IDX, VQ_F_RING_PACKED, VIRTIO_F_VERSION_1,
                         VIRTIO_F_RING_RESET});
}

void UserDevice::start(uint64_t features, std::span<const QueueSetup> queues) {
    features_ = features;
    starting(features);
    try {
        for (const QueueSetup& queue : queues) {
            start_queue(queue);
        }
    } catch (...) {
        stop();
        throw;
    }
}

std::vector<QueueSetup> UserDevice::stop() {
    for (QueueSetup& queue : served_) {
        queue.state = queues_[queue.index]->stop();
    }
    stopped();
    return std::exchange(served_, {});
}

void UserDevice::start_queue(const QueueSetup& queue) {
    queues_[queue.index]->start(features_, queue);
    served_.push_back(queue);
}

void UserDevice::stop_queue(uint16_t index) {
    queues_[index]->stop();
    std::erase_if(served_, [&](const QueueSetup& queue) { return queue.index == index; });
}

std::vector<VirtioDevice::Counter> UserDevice::counters(unsigned queue) const {
    const QueueCounters& counters = queues_[queue]->counters();
    return {{"kicks", counters.kicks}, {"calls", counters.calls}, {"chains", counters.chains}};
}

} // namespace vireo
