// SPDX-License-Identifier: GPL-2.0-only
#include "net/user_backend.h"

#include <algorithm>

#include "net/features.h"

namespace vireo {

using namespace net;

NetUserBackend::NetUserBackend(const GuestMemory& memory, EventLoop& loop,
                               const NetEndpoint& endpoint, unsigned pair, BrokenQueue broken,
                               std::function<void()> gone)
    : loop_(loop),
      endpoint_(endpoint),
      fd_(endpoint.fd(pair)),
      gone_(std::move(gone)),
      receive_(fd_),
      transmit_(fd_),
      receive_queue_(
          memory, loop, 2 * pair,
          [this](Virtqueue& queue, unsigned budget) {
              const UserQueue::Turn turn = receive_.serve(queue, budget);
              watch();
              return turn;
          },
          broken),
      transmit_queue_(
          memory, loop, 2 * pair + 1,
          [this](Virtqueue& queue, unsigned budget) {
              const UserQueue::Turn turn = transmit_.serve(queue, budget);
              watch();
              return turn;
          },
          broken) {}

NetUserBackend::~NetUserBackend() {
    stop();
}

uint64_t NetUserBackend::features() const {
    return ~kAccessPlatform; // guest addresses are taken as they are
}

void NetUserBackend::start(uint64_t features, std::span<const QueueSetup> queues) {
    const NetFraming framing = {.guest_header = header_length(features),
                                .host_header = endpoint_.vnet_header(),
                                .mergeable = (features & kMrgRxbuf) != 0,
                                .plugged = plugged_};
    loop_.call([&] {
        receive_.set_framing(framing);
        transmit_.set_framing(framing);
        // Of a tap that is gone nothing more is to be heard.
        watching_ = !endpoint_.gone();
        watched_ = 0;
        if (watching_) {
            loop_.add(fd_, watched_, [this](uint32_t events) { tap_ready(events); });
        }
    });
    try {
        for (const QueueSetup& setup : queues) {
            queue(setup.index).start(features, setup);
            started_.push_back(setup.index);
        }
    } catch (...) {
        stop();
        throw;
    }
}

std::vector<uint32_t> NetUserBackend::stop() {
    std::vector<uint32_t> states;
    loop_.call([&] {
        leave_tap();
        if (receive_queue_.started()) {
            receive_.put_back(receive_queue_.queue());
        }
        for (const unsigned index : started_) {
            states.push_back(queue(index).stop());
        }
    });
    started_.clear();
    return states;
}

void NetUserBackend::set_filter(const ReceiveFilter& filter) {
    loop_.call([&] { receive_.set_filter(filter); });
}

const NetCounters& NetUserBackend::counters(bool transmit) const {
    return transmit ? transmit_.counters() : receive_.counters();
}

const QueueCounters& NetUserBackend::queue_counters(bool transmit) const {
    return transmit ? transmit_queue_.counters() : receive_queue_.counters();
}

void NetUserBackend::leave_tap() noexcept {
    if (std::exchange(watching_, false)) {
        loop_.remove(fd_);
    }
}

// Wait for what the queues need: without buffers nobody looks for packets, and for room only when
// there was none.
void NetUserBackend::watch() noexcept {
    if (!watching_) {
        return;
    }
    if (receive_.gone() || transmit_.gone()) {
        leave_tap();
        gone_();
        return;
    }
    const bool packets =
        receive_queue_.started() && receive_queue_.active() && receive_.wants_packets();
    const bool room = transmit_queue_.started() && transmit_queue_.active() && transmit_.full();
    const uint32_t wanted = (packets ? EPOLLIN : 0u) | (room ? EPOLLOUT : 0u);
    if (wanted != watched_) {
        loop_.modify(fd_, wanted);
        watched_ = wanted;
    }
}

void NetUserBackend::tap_ready(uint32_t events) {
    if (events & (EPOLLERR | EPOLLHUP)) {
        leave_tap();
        gone_();
        return;
    }
    if (events & EPOLLIN) {
        receive_queue_.turn();
    }
    if (events & EPOLLOUT) {
        transmit_queue_.turn();
    }
    // Of a queue that broke meanwhile.
    watch();
}

} // namespace vireo
