// SPDX-License-Identifier: GPL-2.0-only
#ifndef VIREO_NET_TRANSMIT_H
#define VIREO_NET_TRANSMIT_H

#include <sys/uio.h>

#include <memory>

#include "net/counters.h"
#include "net/framing.h"
#include "virtio/user_queue.h"

namespace vireo {

// From the guest to the tap, straight from guest memory: one packet a chain (virtio 1.2, 5.1.6.2).
// On the queue's thread.
class NetTransmit {
public:
    explicit NetTransmit(int fd);

    // While no queue is served.
    void set_framing(const NetFraming& framing) { framing_ = framing; }

    UserQueue::Turn serve(Virtqueue& queue, unsigned budget) noexcept;

    // The file takes no more at the moment: a turn is due when it does (EPOLLOUT). The chain is in
    // the ring still.
    bool full() const { return full_; }
    bool gone() const { return gone_; } // the interface was deleted

    const NetCounters& counters() const { return counters_; }

private:
    enum class Sent { kDone, kFull, kBroken };

    Sent send(Virtqueue& queue, const DescriptorChain& chain) noexcept;

    const int fd_;
    NetFraming framing_ = {};
    bool full_ = false;
    bool gone_ = false;
    uint64_t bytes_ = 0; // in this turn
    NetCounters counters_;
    std::unique_ptr<iovec[]> pieces_; // of a chain, without a header that the file does not have
};

} // namespace vireo

#endif // VIREO_NET_TRANSMIT_H
