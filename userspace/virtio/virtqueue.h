// SPDX-License-Identifier: GPL-2.0-only
#ifndef VIREO_VIRTIO_VIRTQUEUE_H
#define VIREO_VIRTIO_VIRTQUEUE_H

#include <sys/uio.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <span>

#include "base/counter.h"
#include "memory/guest_memory.h"
#include "virtio/queue_setup.h"
#include "vq/vq.h"

namespace vireo {

// A buffer that the driver made available: pieces of mapped guest memory, the device-readable ones
// first. It is a view: what it points to stays until the next Virtqueue::pop(). Whoever answers
// later copies the pieces.
struct DescriptorChain {
    std::span<const iovec> out; // the device reads
    std::span<const iovec> in;  // the device writes
    // What Virtqueue::push() needs to give it back.
    uint16_t id;
    uint16_t slots;
};

// What a queue has done, over all the times it was served. Written by the queue's thread, read by
// any (relaxed).
struct QueueCounters {
    std::atomic<uint64_t> kicks = 0;  // the driver notified us
    std::atomic<uint64_t> calls = 0;  // we notified the driver
    std::atomic<uint64_t> chains = 0; // given back
};

// The device's side of a virtqueue in this process: the engine (vq/vq.h), guest memory, and the
// call eventfd. It belongs to the one thread that runs the queue. Nothing is allocated after
// construction, nothing thrown.
class Virtqueue {
public:
    static constexpr unsigned kBatch = 64;       // chains in one pop()
    static constexpr unsigned kMaxPieces = 1024; // of one chain, indirect ones included

    // Throws std::system_error (EINVAL, EFAULT) if size, alignment, state or addresses cannot be.
    // The counters outlive it.
    Virtqueue(const GuestMemory& memory, uint64_t features, const QueueSetup& setup,
              QueueCounters& counters);

    Virtqueue(const Virtqueue&) = delete;
    Virtqueue& operator=(const Virtqueue&) = delete;

    // Take up to `max` chains that the driver made available, at most kBatch. Empty: there are
    // none, or the queue is broken. A chain that points outside guest memory breaks the queue once
    // those before it are taken.
    std::span<const DescriptorChain> pop(unsigned max = kBatch) noexcept;

    // Put the last `n` chains of the last pop() back, to be popped again.
    void unpop(unsigned n) noexcept;

    // Note that a chain is used, with `written` bytes from the beginning of its device-writable
    // pieces. The driver sees it at publish(). Any chain popped and not yet given back, also of an
    // earlier pop(). At most kBatch between two publish().
    void push(const DescriptorChain& chain, uint32_t written) noexcept;

    // Give all that was pushed back to the driver, at once, and call it if it wants that.
    void publish() noexcept;

    // Ask the driver for kicks; true: something came meanwhile, go on popping. `seen`: chains that
    // were put back and wait for more to come behind them.
    bool enable_kick(std::span<const DescriptorChain> seen = {}) noexcept;
    void disable_kick() noexcept;

    // Why the driver's ring cannot be served any more; nullptr while it can. It stays so.
    const char* error() const noexcept { return error_; }
    // The driver broke a rule that only the device knows, such as the order of a request's parts:
    // `why`, a phrase that lives on, is the error from now on.
    void fail(const char* why) noexcept;

    uint32_t state() const noexcept { return vq_get_base(&vq_); }
    unsigned in_flight() const noexcept { return vq_.inflight; }
    const QueueSetup& setup() const noexcept { return setup_; }
    QueueCounters& counters() noexcept { return counters_; }

private:
    bool expand(vq_chain& chain, const vq_batch& batch, std::span<const vq_seg>& segments) noexcept;
    bool translate(std::span<const vq_seg> segments) noexcept;
    bool take(vq_chain& chain, const vq_batch& batch) noexcept;

    const GuestMemory& memory_;
    const QueueSetup setup_;
    QueueCounters& counters_;
    vq vq_;
    const char* error_ = nullptr;
    // The last pop().
    unsigned popped_ = 0;
    unsigned pieces_used_ = 0;
    std::array<vq_chain, kBatch> chains_;
    std::array<DescriptorChain, kBatch> views_;
    // Pages that no driver has needed yet are not touched.
    std::unique_ptr<vq_seg[]> segments_; // kMaxPieces, of the batch's direct descriptors
    std::unique_ptr<vq_seg[]> table_;    // kMaxPieces, of the one chain being expanded
    std::unique_ptr<iovec[]> pieces_;    // kMaxPieces, of the batch
    // Pushed, and not yet published.
    unsigned staged_ = 0;
    std::array<vq_used, kBatch> used_;
};

} // namespace vireo

#endif // VIREO_VIRTIO_VIRTQUEUE_H
