// SPDX-License-Identifier: GPL-2.0-only
#include "virtio/virtqueue.h"

#include <cassert>

#include "base/error.h"
#include "base/event_fd.h"
#include "virtio/ring_areas.h"

namespace vireo {

namespace {

// The pieces of one indirect table: guest memory has it all in one place.
constexpr uint32_t kTablePieces = 1;

} // namespace

Virtqueue::Virtqueue(const GuestMemory& memory, uint64_t features, const QueueSetup& setup,
                     QueueCounters& counters)
    : memory_(memory),
      setup_(setup),
      counters_(counters),
      segments_(std::make_unique_for_overwrite<vq_seg[]>(kMaxPieces)),
      table_(std::make_unique_for_overwrite<vq_seg[]>(kMaxPieces)),
      pieces_(std::make_unique_for_overwrite<iovec[]>(kMaxPieces)) {
    const RingAreas ring = find_ring(memory, features, setup);
    vq_setup engine = {};
    engine.features = features;
    engine.num = setup.size;
    engine.desc = ring.desc;
    engine.driver = ring.driver;
    engine.device = ring.device;
    int error = vq_init(&vq_, &engine);
    if (error) {
        throw_error(-error, "serve queue {} with {} descriptors", setup.index, setup.size);
    }
    error = vq_set_base(&vq_, setup.state);
    if (!error) {
        error = vq_start(&vq_);
    }
    if (error) {
        throw_error(-error, "go on with queue {} in state {:#x}", setup.index, setup.state);
    }
}

void Virtqueue::fail(const char* why) noexcept {
    if (!error_) {
        error_ = why;
    }
}

// The segments of a chain; false: it broke the queue.
bool Virtqueue::expand(vq_chain& chain, const vq_batch& batch,
                       std::span<const vq_seg>& segments) noexcept {
    if (!chain.table_len) {
        segments = {&segments_[chain.first], size_t{chain.nout} + chain.nin};
        return true;
    }
    const vq_piece table = {.ptr = memory_.at(chain.table, chain.table_len),
                            .len = chain.table_len};
    if (!table.ptr) {
        fail("an indirect table outside guest memory");
        return false;
    }
    if (vq_expand(&vq_, &batch, &chain, &table, kTablePieces, table_.get(), kMaxPieces) < 0) {
        fail(vq_strerror(vq_.error));
        return false;
    }
    segments = {table_.get(), size_t{chain.nout} + chain.nin};
    return true;
}

bool Virtqueue::translate(std::span<const vq_seg> segments) noexcept {
    iovec* piece = &pieces_[pieces_used_];
    for (const vq_seg& segment : segments) {
        std::byte* host = memory_.at(segment.addr, segment.len);
        if (!host) {
            fail("a buffer outside guest memory");
            return false;
        }
        *piece++ = {.iov_base = host, .iov_len = segment.len};
    }
    return true;
}

// Make a view of a chain, the next; false: it is not to be given out in this batch.
bool Virtqueue::take(vq_chain& chain, const vq_batch& batch) noexcept {
    // As it is in the batch: with its table unread, should it be put back.
    vq_chain whole = chain;
    std::span<const vq_seg> segments;
    if (!expand(whole, batch, segments)) {
        return false;
    }
    if (segments.size() > kMaxPieces - pieces_used_) {
        return false; // the first of a batch has room for all that a chain may have
    }
    if (!translate(segments)) {
        return false;
    }
    const iovec* pieces = &pieces_[pieces_used_];
    pieces_used_ += static_cast<unsigned>(segments.size());
    views_[popped_++] = {.out = {pieces, whole.nout},
                         .in = {pieces + whole.nout, whole.nin},
                         .id = whole.id,
                         .slots = whole.slots};
    return true;
}

std::span<const DescriptorChain> Virtqueue::pop(unsigned max) noexcept {
    popped_ = 0;
    pieces_used_ = 0;
    if (error_) {
        return {};
    }
    vq_batch batch = {.chains = chains_.data(),
                      .segs = segments_.get(),
                      .max_chains = max < kBatch ? max : kBatch,
                      .max_segs = kMaxPieces,
                      .nchains = 0,
                      .nsegs = 0};
    const int n = vq_pop(&vq_, &batch);
    if (n < 0) {
        fail(vq_strerror(vq_.error));
        return {};
    }
    const unsigned chains = static_cast<unsigned>(n);
    while (popped_ < chains && take(chains_[popped_], batch)) {
    }
    if (popped_ < chains) {
        vq_unpop(&vq_, &chains_[popped_], chains - popped_);
    }
    if (popped_) {
        // Those before the bad one are served first; it is met again, at the head.
        error_ = nullptr;
    }
    return {views_.data(), popped_};
}

void Virtqueue::unpop(unsigned n) noexcept {
    assert(n <= popped_);
    popped_ -= n;
    vq_unpop(&vq_, &chains_[popped_], n);
}

void Virtqueue::push(const DescriptorChain& chain, uint32_t written) noexcept {
    if (staged_ == kBatch) {
        publish();
    }
    used_[staged_++] = {
        .len = written, .id = chain.id, .slots = chain.slots, .skip_ok = chain.in.empty()};
}

void Virtqueue::publish() noexcept {
    const int call = vq_publish(&vq_, used_.data(), staged_);
    if (call < 0) {
        // Mapped memory can always be reached.
        fail(vq_strerror(vq_.error));
        return;
    }
    count(counters_.chains, staged_);
    staged_ = 0;
    if (call) {
        count(counters_.calls);
        signal_event(setup_.call);
    }
}

bool Virtqueue::enable_kick(std::span<const DescriptorChain> seen) noexcept {
    uint32_t slots = 0;
    for (const DescriptorChain& chain : seen) {
        slots += chain.slots;
    }
    const int more = vq_enable_kick(&vq_, slots);
    if (more < 0) {
        fail(vq_strerror(vq_.error));
    }
    return more > 0;
}

void Virtqueue::disable_kick() noexcept {
    if (vq_disable_kick(&vq_) < 0) {
        fail(vq_strerror(vq_.error));
    }
}

} // namespace vireo
