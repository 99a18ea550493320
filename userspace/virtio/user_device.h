// SPDX-License-Identifier: GPL-2.0-only
#ifndef VIREO_VIRTIO_USER_DEVICE_H
#define VIREO_VIRTIO_USER_DEVICE_H

#include <memory>
#include <span>
#include <vector>

#include "virtio/device.h"
#include "virtio/user_queue.h"

namespace vireo {

// A device whose queues have one path, the VMM's own, on one event loop, and whose requests are
// answered in their turns: nothing is in flight between two.
class UserDevice : public VirtioDevice {
public:
    const Shape& shape() const override { return shape_; }
    void start(uint64_t features, std::span<const QueueSetup> queues) override;
    std::vector<QueueSetup> stop() override;
    void start_queue(const QueueSetup& queue) override;
    void stop_queue(uint16_t index) override;
    std::vector<Counter> counters(unsigned queue) const override;
    std::string path(unsigned) const override { return "user"; }

protected:
    // `loop` is not the main one.
    UserDevice(const GuestMemory& memory, EventLoop& main, EventLoop& loop, Shape shape);

    // For each queue of the shape, in their order, in the constructor.
    void add_queue(UserQueue::Serve serve);

    // Ring features that any user queue can serve, without the device's.
    static uint64_t ring_features();

    UserQueue& queue(unsigned index) { return *queues_[index]; }

    // Control side, called before the first queue is started, with what was negotiated; and after
    // the last one was stopped. Nothing happens on the loop meanwhile that has to do with queues.
    virtual void starting(uint64_t) {}
    virtual void stopped() {}

    EventLoop& loop_;

private:
    const GuestMemory& memory_;
    const Shape shape_;
    const BrokenQueue broken_;
    uint64_t features_ = 0; // negotiated
    std::vector<std::unique_ptr<UserQueue>> queues_;
    std::vector<QueueSetup> served_;
};

} // namespace vireo

#endif // VIREO_VIRTIO_USER_DEVICE_H
