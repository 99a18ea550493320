// SPDX-License-Identifier: GPL-2.0-only
#ifndef VIREO_NET_LINK_WATCH_H
#define VIREO_NET_LINK_WATCH_H

#include <functional>

#include "base/event_loop.h"
#include "base/fd.h"

namespace vireo {

// Calls back whenever some interface of this network namespace has changed or gone, whoever runs
// the queues: whether it was ours, the endpoint knows. On the main thread.
class LinkWatch {
public:
    LinkWatch(EventLoop& main, std::function<void()> changed); // throws std::system_error
    ~LinkWatch();

    LinkWatch(const LinkWatch&) = delete;
    LinkWatch& operator=(const LinkWatch&) = delete;

private:
    EventLoop& main_;
    Fd socket_;
};

} // namespace vireo

#endif // VIREO_NET_LINK_WATCH_H
