// SPDX-License-Identifier: GPL-2.0-only
#ifndef VIREO_VHOST_VHOST_QUEUES_H
#define VIREO_VHOST_VHOST_QUEUES_H

#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "base/event_fd.h"
#include "base/event_loop.h"
#include "memory/guest_memory.h"
#include "vhost/vhost_device.h"
#include "virtio/backend.h"

namespace vireo {

// The queues of an open vhost device: set up, made live, stopped, and watched for those that stop
// on their own. What every backend in the kernel does, whatever it serves. Made and destroyed on
// the main thread; the rest with the control lock of the virtio device.
class VhostQueues {
public:
    // Lets the device serve a queue, or takes it back: then it is left alone. Throws.
    using SetLive = std::function<void(VhostDevice& device, unsigned queue, bool live)>;

    // `count` queues, which the virtio device counts from `first` on.
    VhostQueues(const GuestMemory& memory, EventLoop& main, VhostDevice device, unsigned first,
                unsigned count, SetLive set_live, BrokenQueue broken);
    ~VhostQueues();

    VhostQueues(const VhostQueues&) = delete;
    VhostQueues& operator=(const VhostQueues&) = delete;

    VhostDevice& device() { return device_; }
    const VhostDevice& device() const { return device_; }

    // As QueueBackend's. `kernel`: the features that the device is told of.
    void start(uint64_t features, uint64_t kernel, std::span<const QueueSetup> queues);
    std::vector<uint32_t> stop();

private:
    void halt() noexcept;
    void stopped_on_its_own(unsigned queue);

    const GuestMemory& memory_;
    EventLoop& main_;
    VhostDevice device_;
    const unsigned first_;
    const SetLive set_live_;
    const BrokenQueue broken_;
    const std::unique_ptr<EventFd[]> errors_;
    const unsigned count_;
    std::vector<unsigned> started_; // of the device's queues
};

} // namespace vireo

#endif // VIREO_VHOST_VHOST_QUEUES_H
