// SPDX-License-Identifier: GPL-2.0-only
#ifndef VIREO_VIRTIO_USER_QUEUE_H
#define VIREO_VIRTIO_USER_QUEUE_H

#include <functional>
#include <memory>

#include "base/event_loop.h"
#include "virtio/backend.h"
#include "virtio/virtqueue.h"

namespace vireo {

// Runs one virtqueue on an event loop, in turns: after a kick, when a turn before had more than it
// may do at once, and when its owner has something for it. start(), halt() and stop() are the
// control side's (the device's control lock is held), all else happens on the loop's thread. The
// loop is never the main one, whose handlers take control locks.
class UserQueue {
public:
    // Chains that a turn takes at most, so that the other queues of the loop have theirs.
    static constexpr unsigned kBudget = 256;

    // How a turn ended.
    enum class Turn {
        kEmpty, // pop() gave nothing: kicks are asked for, and a kick brings the next turn
        kMore,  // the budget is used up: another turn soon
        kWait,  // for something else, after which the owner calls turn()
    };
    // Serve: pop, push and publish until there is nothing or `budget` chains were taken. The driver
    // has been asked not to kick. A queue with an error() at the end is broken: it has no turns any
    // more, and the owner hears of it, once. It throws nothing.
    using Serve = std::function<Turn(Virtqueue& queue, unsigned budget)>;

    UserQueue(const GuestMemory& memory, EventLoop& loop, unsigned index, Serve serve,
              BrokenQueue broken);
    ~UserQueue(); // stopped before, or the loop is not run any more

    UserQueue(const UserQueue&) = delete;
    UserQueue& operator=(const UserQueue&) = delete;

    // Control side. Throws std::system_error, and then nothing is started. `setup` is of this
    // queue.
    void start(uint64_t features, const QueueSetup& setup);
    // No more turns. What is in flight may be pushed and published on.
    void halt();
    // halt(), and nothing may be in flight. Where the ring stands. Started before.
    uint32_t stop();

    // Control side.
    bool started() const { return queue_ != nullptr; }

    // On the loop's thread: have a turn now. Nothing happens if it is halted, broken or stopped.
    void turn();
    // On the loop's thread, started: for requests that are answered outside of turns.
    Virtqueue& queue() { return *queue_; }
    bool active() const { return active_; } // has turns

    EventLoop& loop() { return loop_; }
    const QueueCounters& counters() const { return counters_; } // any thread

private:
    void kicked();

    const GuestMemory& memory_;
    EventLoop& loop_;
    const unsigned index_;
    const Serve serve_;
    const BrokenQueue broken_;
    QueueCounters counters_;
    std::unique_ptr<Virtqueue> queue_; // while it is started
    bool active_ = false;
    bool again_ = false; // the kick eventfd was signalled by ourselves
};

} // namespace vireo

#endif // VIREO_VIRTIO_USER_QUEUE_H
