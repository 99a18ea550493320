// SPDX-License-Identifier: GPL-2.0-only
#ifndef VIREO_NET_USER_BACKEND_H
#define VIREO_NET_USER_BACKEND_H

#include <functional>

#include "net/endpoint.h"
#include "net/receive.h"
#include "net/transmit.h"
#include "virtio/backend.h"
#include "virtio/user_queue.h"

namespace vireo {

// The user path of one queue pair: both queues are run here, on the thread of one event loop,
// which waits for kicks and for the tap.
class NetUserBackend final : public QueueBackend {
public:
    // `pair`: its queues are 2 * pair, receive, and the next, transmit. `gone` says, on any thread
    // and once for each start, that the tap's interface was deleted.
    NetUserBackend(const GuestMemory& memory, EventLoop& loop, const NetEndpoint& endpoint,
                   unsigned pair, BrokenQueue broken, std::function<void()> gone);
    ~NetUserBackend() override;

    static constexpr const char* kPath = "user";
    const char* path() const override { return kPath; }
    uint64_t features() const override;
    void start(uint64_t features, std::span<const QueueSetup> queues) override;
    std::vector<uint32_t> stop() override;

    // Control side. Out: packets are lost both ways, the driver's are taken from it. Stopped.
    void set_plugged(bool plugged) { plugged_ = plugged; }
    void set_filter(const ReceiveFilter& filter);
    void discard() { receive_.discard(); } // stopped

    const NetCounters& counters(bool transmit) const;
    const QueueCounters& queue_counters(bool transmit) const;

private:
    UserQueue& queue(unsigned index) { return index % 2 ? transmit_queue_ : receive_queue_; }
    void tap_ready(uint32_t events);
    void watch() noexcept;
    void leave_tap() noexcept;

    EventLoop& loop_;
    const NetEndpoint& endpoint_;
    const int fd_;
    const std::function<void()> gone_;
    bool plugged_ = true;
    std::vector<unsigned> started_; // queue indices
    // On the loop's thread.
    NetReceive receive_;
    NetTransmit transmit_;
    bool watching_ = false;
    uint32_t watched_ = 0; // EPOLL bits
    UserQueue receive_queue_;
    UserQueue transmit_queue_;
};

} // namespace vireo

#endif // VIREO_NET_USER_BACKEND_H
