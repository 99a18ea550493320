// SPDX-License-Identifier: GPL-2.0-only
#include "virtio/user_queue.h"

#include <cassert>
#include <utility>

#include "base/event_fd.h"

namespace vireo {

UserQueue::UserQueue(const GuestMemory& memory, EventLoop& loop, unsigned index, Serve serve,
                     BrokenQueue broken)
    : memory_(memory),
      loop_(loop),
      index_(index),
      serve_(std::move(serve)),
      broken_(std::move(broken)) {}

UserQueue::~UserQueue() {
    halt();
}

void UserQueue::start(uint64_t features, const QueueSetup& setup) {
    assert(!queue_ && setup.index == index_);
    loop_.call([&] {
        queue_ = std::make_unique<Virtqueue>(memory_, features, setup, counters_);
        try {
            loop_.add(setup.kick, EPOLLIN, [this](uint32_t) { kicked(); });
        } catch (...) {
            queue_.reset();
            throw;
        }
        active_ = true;
        again_ = true;
        // What was made available before is found without a kick.
        signal_event(setup.kick);
    });
}

void UserQueue::halt() {
    if (!queue_) {
        return;
    }
    loop_.call([&] {
        if (std::exchange(active_, false)) {
            loop_.remove(queue_->setup().kick);
        }
    });
}

uint32_t UserQueue::stop() {
    uint32_t state = 0;
    halt();
    loop_.call([&] {
        assert(!queue_->in_flight());
        state = queue_->state();
        queue_.reset();
    });
    return state;
}

void UserQueue::kicked() {
    take_event(queue_->setup().kick);
    if (!std::exchange(again_, false)) {
        count(counters_.kicks);
    }
    turn();
}

void UserQueue::turn() {
    if (!active_) {
        return;
    }
    queue_->disable_kick();
    Turn end = serve_(*queue_, kBudget);
    // Asked for before the ring is looked at once more: what comes after that brings a kick.
    if (!queue_->error() && end == Turn::kEmpty && queue_->enable_kick()) {
        end = Turn::kMore;
    }
    if (const char* error = queue_->error()) {
        active_ = false;
        loop_.remove(queue_->setup().kick);
        broken_(index_, error);
        return;
    }
    if (end == Turn::kMore) {
        // The loop comes back here after what else is ready.
        again_ = true;
        signal_event(queue_->setup().kick);
    }
}

} // namespace vireo
