// SPDX-License-Identifier: GPL-2.0-only
#include "net/link_watch.h"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <utility>

#include "base/error.h"

namespace vireo {

LinkWatch::LinkWatch(EventLoop& main, std::function<void()> changed)
    : main_(main),
      socket_(socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_ROUTE)) {
    sockaddr_nl address = {};
    address.nl_family = AF_NETLINK;
    address.nl_groups = RTMGRP_LINK;
    if (!socket_ ||
        bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) < 0) {
        throw_errno("listen to changes of network interfaces");
    }
    main.add(socket_.get(), EPOLLIN, [this, changed = std::move(changed)](uint32_t) {
        // What the message says does not matter, nor that some may have been lost.
        char start;
        while (recv(socket_.get(), &start, sizeof(start), 0) >= 0 || errno == ENOBUFS) {
        }
        changed();
    });
}

LinkWatch::~LinkWatch() {
    main_.remove(socket_.get());
}

} // namespace vireo
