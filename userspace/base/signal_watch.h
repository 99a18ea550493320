// SPDX-License-Identifier: GPL-2.0-only
#ifndef VIREO_BASE_SIGNAL_WATCH_H
#define VIREO_BASE_SIGNAL_WATCH_H

#include <functional>
#include <initializer_list>

#include "base/event_loop.h"
#include "base/fd.h"

namespace vireo {

// Signals as events of a loop. On the loop's thread, or while nobody is in run().
class SignalWatch {
public:
    // `what` is for the message of an exception: "hear of the terminal's size". Blocks the signals.
    // Throws std::system_error.
    SignalWatch(EventLoop& loop, std::initializer_list<int> signals, const char* what,
                std::function<void(int signal)> handler);
    ~SignalWatch();

    SignalWatch(const SignalWatch&) = delete;
    SignalWatch& operator=(const SignalWatch&) = delete;

    // They wait until somebody watches them. For this thread and those that it makes from now on:
    // one that has them unblocked gets them in the old way.
    static void block(std::initializer_list<int> signals);

private:
    EventLoop& loop_;
    Fd fd_;
};

} // namespace vireo

#endif // VIREO_BASE_SIGNAL_WATCH_H
