// SPDX-License-Identifier: GPL-2.0-only
// What a kick or a call is in this program: it wakes the other side's thread out of a real sleep,
// and is remembered if that is not asleep, as an eventfd does.
//
// Unlike an eventfd its state can be looked at without a race, so that two threads which both sleep
// for good can be told from two that are only slow.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>

class Bell {
public:
    void ring() {
        const std::lock_guard lock(mutex_);
        pending_ = true;
        rung_++;
        waiter_.notify_one();
    }

    void wait() {
        std::unique_lock lock(mutex_);
        asleep_ = true;
        waits_++;
        waiter_.wait(lock, [this] { return pending_; });
        asleep_ = false;
        pending_ = false;
    }

    [[nodiscard]] uint64_t rung() const { return rung_; }
    [[nodiscard]] uint64_t waits() const { return waits_; }

    // Does each of two threads sleep, with nothing under way that could wake it?
    static bool both_asleep(Bell& a, Bell& b) {
        const std::scoped_lock lock(a.mutex_, b.mutex_);
        return a.asleep_ && b.asleep_ && !a.pending_ && !b.pending_;
    }

private:
    std::mutex mutex_;
    std::condition_variable waiter_;
    bool pending_ = false;
    bool asleep_ = false;
    uint64_t rung_ = 0, waits_ = 0;
};
