// SPDX-License-Identifier: GPL-2.0-only
#include "base/event_fd.h"

#include <sys/eventfd.h>

#include <cstdint>

#include "base/error.h"

namespace vireo {

void signal_event(int fd) noexcept {
    const uint64_t one = 1;
    // It fails only when the counter is full, and then it is signalled already.
    [[maybe_unused]] const ssize_t written = write(fd, &one, sizeof(one));
}

bool take_event(int fd) noexcept {
    uint64_t count;
    return read(fd, &count, sizeof(count)) == sizeof(count);
}

EventFd::EventFd() : fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (!fd_) {
        throw_errno("create an eventfd");
    }
}

void EventFd::signal() const noexcept {
    signal_event(fd_.get());
}

bool EventFd::take() const noexcept {
    return take_event(fd_.get());
}

} // namespace vireo
