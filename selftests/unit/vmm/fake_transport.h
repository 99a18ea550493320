// SPDX-License-Identifier: GPL-2.0-only
#ifndef VIREO_TESTS_FAKE_TRANSPORT_H
#define VIREO_TESTS_FAKE_TRANSPORT_H

#include <gtest/gtest.h>
#include <poll.h>

#include <atomic>
#include <mutex>
#include <string>

#include "base/event_fd.h"
#include "virtio/device.h"

namespace vireo::test {

// A transport that notes what its device reports, on whichever thread, for a test that waits.
class FakeTransport final : public VirtioTransport {
public:
    void config_changed() override {
        changes_++;
        changed_.signal();
    }
    void needs_reset(const std::string& why) override {
        const std::lock_guard lock(mutex_);
        why_ = why;
        reset_.signal();
    }

    unsigned changes() const { return changes_; }
    // Until the configuration has changed since the last call.
    void wait_for_change() {
        EXPECT_TRUE(wait(changed_)) << "the configuration never changed";
        changed_.take();
    }
    // Until the device asked for a reset: what was said.
    std::string wait_for_reset() {
        EXPECT_TRUE(wait(reset_)) << "the device never asked for a reset";
        const std::lock_guard lock(mutex_);
        return why_;
    }

private:
    static constexpr int kPatience = 60'000; // milliseconds until a test that hangs is given up

    static bool wait(const EventFd& event) {
        pollfd file = {.fd = event.get(), .events = POLLIN, .revents = 0};
        return poll(&file, 1, kPatience) > 0;
    }

    std::atomic<unsigned> changes_ = 0;
    EventFd changed_, reset_;
    std::mutex mutex_;
    std::string why_;
};

} // namespace vireo::test

#endif // VIREO_TESTS_FAKE_TRANSPORT_H
