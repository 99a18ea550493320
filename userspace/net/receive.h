// SPDX-License-Identifier: GPL-2.0-only
#ifndef VIREO_NET_RECEIVE_H
#define VIREO_NET_RECEIVE_H

#include <sys/uio.h>

#include <array>
#include <cstddef>
#include <memory>
#include <span>

#include "net/counters.h"
#include "net/framing.h"
#include "net/receive_filter.h"
#include "virtio/user_queue.h"

namespace vireo {

// From the tap to the guest: packets are read straight into guest memory, into one chain or, with
// mergeable buffers, as many as they take (virtio 1.2, 5.1.6.3 and 5.1.6.4). On the queue's thread.
//
// How long a packet is shows only once it has been read. So it is read into the chains that packets
// like those before it took, and behind these into memory of our own, whose contents are copied to
// further chains. When the driver has too few of them the packet is kept until it has more. While
// there is no chain at all, packets stay in the tap.
class NetReceive {
public:
    explicit NetReceive(int fd);

    // While no queue is served.
    void set_framing(const NetFraming& framing) { framing_ = framing; }
    // The packet that waits for buffers: nobody will want it.
    void discard() noexcept;

    void set_filter(const ReceiveFilter& filter) { filter_ = filter; }

    UserQueue::Turn serve(Virtqueue& queue, unsigned budget) noexcept;
    // Chains that were popped, and got no packet yet, go back to the ring: before the queue stops.
    void put_back(Virtqueue& queue) noexcept;

    // A packet in the file (EPOLLIN) brings the next turn; else the driver's next buffers do.
    bool wants_packets() const { return wants_packets_; }
    bool gone() const { return gone_; } // the interface was deleted

    const NetCounters& counters() const { return counters_; }

private:
    // What became of a packet.
    enum class Step {
        kDone,      // delivered, or lost
        kNoPacket,  // there is none
        kNoBuffers, // it is kept, or none was taken
        kBroken,
    };

    Step step(Virtqueue& queue) noexcept;
    bool read_packet(size_t& length) noexcept;
    Step deliver_kept(Virtqueue& queue) noexcept;
    bool stall(Virtqueue& queue) noexcept;
    void lose_packets(unsigned budget) noexcept;

    bool refill(Virtqueue& queue) noexcept;
    void take_none() noexcept;
    bool take_chain(Virtqueue& queue) noexcept;
    void finish(Virtqueue& queue, size_t length) noexcept;
    // Between the chains that were taken and our own memory; positions count from the header on.
    void put(size_t position, const void* from, size_t bytes) noexcept;
    void get(size_t position, void* to, size_t bytes) const noexcept;
    template <class Copy>
    void walk(size_t position, size_t bytes, Copy copy) const noexcept;
    bool wanted(size_t length) const noexcept;

    const int fd_;
    NetFraming framing_ = {};
    ReceiveFilter filter_;
    bool wants_packets_ = true;
    bool gone_ = false;
    uint64_t bytes_ = 0; // in this turn
    NetCounters counters_;

    // Popped, of which those from next_ on have no packet.
    std::span<const DescriptorChain> stock_;
    size_t next_ = 0;
    // Of the stock, for the packet under way: how many, their room together and each.
    unsigned taken_ = 0;
    size_t room_ = 0;
    std::array<size_t, Virtqueue::kBatch> rooms_;
    unsigned npieces_ = 0;
    std::unique_ptr<iovec[]> pieces_;  // of these chains, and one more
    std::unique_ptr<iovec[]> visible_; // the same without a header that the file does not have
    size_t expected_ = 0;              // room that a packet is likely to need

    std::unique_ptr<std::byte[]> spill_; // kSpill bytes: a packet, or what is behind room_ of it
    size_t kept_ = 0;                    // length of the whole packet that is there; 0: none
    size_t short_of_ = 0;                // chains that did not suffice for it
    bool more_behind_ = false;           // there were others, out of a batch's reach
};

} // namespace vireo

#endif // VIREO_NET_RECEIVE_H
