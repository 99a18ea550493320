// SPDX-License-Identifier: GPL-2.0-only
#ifndef VIREO_VHOST_VHOST_NET_BACKEND_H
#define VIREO_VHOST_VHOST_NET_BACKEND_H

#include "vhost/vhost_queues.h"
#include "virtio/backend.h"

namespace vireo {

// The vhost path of one queue pair: /dev/vireo-net or /dev/vhost-net runs both queues, between
// guest memory and the tap. The VMM hears only of queues that broke. Made and destroyed on the main
// thread.
class VhostNetBackend final : public QueueBackend {
public:
    // `tap` stays its owner's; `header`: it has virtio-net headers. `pair`: its queues are
    // 2 * pair, receive, and the next, transmit.
    VhostNetBackend(const GuestMemory& memory, EventLoop& main, VhostDevice device, int tap,
                    bool header, unsigned pair, BrokenQueue broken);

    static constexpr const char* kPath = "vhost";
    const char* path() const override { return kPath; }
    uint64_t features() const override;
    void start(uint64_t features, std::span<const QueueSetup> queues) override;
    std::vector<uint32_t> stop() override { return queues_.stop(); }

    // What a queue has done; unset: the device does not say.
    std::optional<vireo_queue_stats> stats(bool transmit) const {
        return queues_.device().stats(transmit);
    }

private:
    VhostQueues queues_;
    const bool header_;
    const uint64_t offered_; // by the device
};

} // namespace vireo

#endif // VIREO_VHOST_VHOST_NET_BACKEND_H
