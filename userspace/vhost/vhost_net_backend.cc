// SPDX-License-Identifier: GPL-2.0-only
#include "vhost/vhost_net_backend.h"

#include <linux/virtio_config.h>

#include <system_error>
#include <utility>

#include "base/log.h"
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
    : memory_(memory),
      main_(main),
      device_(std::move(device)),
      tap_(tap),
      header_(header),
      pair_(pair),
      broken_(std::move(broken)),
      offered_(device_.features()) {
    for (unsigned queue = 0; queue < kQueues; queue++) {
        main_.add(errors_[queue].get(), EPOLLIN,
                  [this, queue](uint32_t) { stopped_on_its_own(queue); });
    }
}

VhostNetBackend::~VhostNetBackend() {
    halt();
    for (const EventFd& error : errors_) {
        main_.remove(error.get());
    }
}

uint64_t VhostNetBackend::features() const {
    // Translated addresses need somebody who answers the device's questions.
    return (offered_ | ~kRing) & ~feature_bit(VIRTIO_F_ACCESS_PLATFORM);
}

void VhostNetBackend::start(uint64_t features, std::span<const QueueSetup> queues) {
    device_.set_features((features & kRing) |
                         (header_ ? 0 : feature_bit(VHOST_NET_F_VIRTIO_NET_HDR)));
    device_.set_memory(memory_);
    try {
        for (const QueueSetup& setup : queues) {
            const unsigned queue = setup.index % kQueues;
            errors_[queue].take(); // of the time before
            started_.push_back(queue);
            device_.set_queue(queue, features, memory_, setup, errors_[queue].get());
            device_.set_net_backend(queue, tap_);
        }
    } catch (...) {
        halt();
        throw;
    }
}

void VhostNetBackend::halt() noexcept {
    for (const unsigned queue : started_) {
        try {
            device_.set_net_backend(queue, -1);
        } catch (const std::system_error& error) {
            say("{}", error.what());
        }
        device_.release_queue(queue);
    }
    started_.clear();
}

std::vector<uint32_t> VhostNetBackend::stop() {
    std::vector<uint32_t> states;
    // All at first: the other queue may be the one that is busy.
    for (const unsigned queue : started_) {
        device_.set_net_backend(queue, -1);
    }
    for (const unsigned queue : started_) {
        states.push_back(device_.queue_state(queue));
        device_.release_queue(queue);
    }
    started_.clear();
    return states;
}

// On the main thread. The queue was perhaps stopped and started since; then start() has taken the
// signal away.
void VhostNetBackend::stopped_on_its_own(unsigned queue) {
    if (!errors_[queue].take()) {
        return;
    }
    const auto stats = device_.stats(queue);
    broken_(pair_ * kQueues + queue,
            stats ? vhost_error_text(stats->last_error)
                  : std::string("the kernel stopped it, and does not say why"));
}

} // namespace vireo
