// SPDX-License-Identifier: GPL-2.0-only
#ifndef VIREO_BASE_EVENT_FD_H
#define VIREO_BASE_EVENT_FD_H

#include "base/fd.h"

namespace vireo {

// An eventfd: kicks, calls, errors and wake-ups. It never blocks. Any thread.
class EventFd {
public:
    EventFd(); // throws std::system_error

    int get() const { return fd_.get(); }
    void signal() const noexcept;
    // True if it was signalled since the last time.
    bool take() const noexcept;

private:
    Fd fd_;
};

// The same for an eventfd that somebody else owns.
void signal_event(int fd) noexcept;
bool take_event(int fd) noexcept;

} // namespace vireo

#endif // VIREO_BASE_EVENT_FD_H
