// SPDX-License-Identifier: GPL-2.0-only
#include "base/signal_watch.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <vector>

namespace vireo {
namespace {

TEST(SignalWatch, SignalsAreEventsOfTheLoop) {
    EventLoop loop;
    std::vector<int> heard;
    // It came before anybody watched.
    SignalWatch::block({SIGUSR1, SIGUSR2});
    kill(getpid(), SIGUSR2);
    {
        const SignalWatch watch(loop, {SIGUSR1, SIGUSR2}, "hear of users", [&](int signal) {
            heard.push_back(signal);
            loop.quit();
        });
        loop.run();
        EXPECT_EQ(heard, std::vector<int>({SIGUSR2}));
        kill(getpid(), SIGUSR1);
        loop.run();
        EXPECT_EQ(heard, std::vector<int>({SIGUSR2, SIGUSR1}));
    }
    // Nobody watches any more: it waits, and ends nobody.
    kill(getpid(), SIGUSR1);
    loop.post([&] { loop.quit(); });
    loop.run();
    EXPECT_EQ(heard.size(), 2u);
    sigset_t pending;
    sigpending(&pending);
    EXPECT_TRUE(sigismember(&pending, SIGUSR1));
}

} // namespace
} // namespace vireo
