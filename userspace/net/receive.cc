// SPDX-License-Identifier: GPL-2.0-only
#include "net/receive.h"

#include <algorithm>
#include <climits>
#include <cstring>

#include "net/features.h"
#include "net/pieces.h"

namespace vireo {

namespace {

constexpr size_t kSpill = 12 + kMaxFrame + 1; // one more tells what is too long
constexpr uint64_t kByteBudget = 512 << 10;

} // namespace

NetReceive::NetReceive(int fd)
    : fd_(fd),
      pieces_(std::make_unique_for_overwrite<iovec[]>(Virtqueue::kMaxPieces + 1)),
      visible_(std::make_unique_for_overwrite<iovec[]>(Virtqueue::kMaxPieces + 1)),
      spill_(std::make_unique_for_overwrite<std::byte[]>(kSpill)) {}

void NetReceive::discard() noexcept {
    if (kept_) {
        count(counters_.drops);
        kept_ = 0;
    }
}

void NetReceive::put_back(Virtqueue& queue) noexcept {
    queue.unpop(static_cast<unsigned>(stock_.size() - next_));
    stock_ = {};
    next_ = 0;
}

// Pop again, so that the stock has all that there is, up to a batch. False: there is no more than
// before. The driver may have changed its descriptors meanwhile, which is its own loss: nothing is
// kept of what was known about them.
bool NetReceive::refill(Virtqueue& queue) noexcept {
    const size_t before = stock_.size() - next_;
    put_back(queue);
    stock_ = queue.pop();
    return stock_.size() > before;
}

void NetReceive::take_none() noexcept {
    taken_ = 0;
    room_ = 0;
    npieces_ = 0;
}

// Add the next chain of the stock to those for this packet. False: the queue is broken.
bool NetReceive::take_chain(Virtqueue& queue) noexcept {
    const DescriptorChain& chain = stock_[next_ + taken_];
    if (!chain.out.empty() || chain.in.empty()) {
        queue.fail(chain.out.empty() ? "a buffer without room on a receive queue"
                                     : "a readable buffer on a receive queue");
        return false;
    }
    size_t room = 0;
    for (const iovec& piece : chain.in) {
        pieces_[npieces_++] = piece;
        room += piece.iov_len;
    }
    rooms_[taken_++] = room;
    room_ += room;
    return true;
}

template <class Copy>
void NetReceive::walk(size_t position, size_t bytes, Copy copy) const noexcept {
    for (unsigned i = 0; bytes && i < npieces_; i++) {
        const iovec& piece = pieces_[i];
        if (position >= piece.iov_len) {
            position -= piece.iov_len;
            continue;
        }
        const size_t n = std::min(bytes, piece.iov_len - position);
        copy(static_cast<std::byte*>(piece.iov_base) + position, n);
        bytes -= n;
        position = 0;
    }
}

void NetReceive::put(size_t position, const void* from, size_t bytes) noexcept {
    const std::byte* next = static_cast<const std::byte*>(from);
    walk(position, bytes, [&](std::byte* guest, size_t n) {
        memcpy(guest, next, n);
        next += n;
    });
}

void NetReceive::get(size_t position, void* to, size_t bytes) const noexcept {
    std::byte* next = static_cast<std::byte*>(to);
    walk(position, bytes, [&](const std::byte* guest, size_t n) {
        memcpy(next, guest, n);
        next += n;
    });
}

bool NetReceive::wanted(size_t length) const noexcept {
    std::array<uint8_t, ReceiveFilter::kFrameHead> frame = {};
    const size_t head = std::min(frame.size(), length - framing_.guest_header);
    // The beginning is in guest memory, but for what did not fit there.
    const size_t start = framing_.guest_header;
    const size_t there = room_ > start ? std::min(head, room_ - start) : 0;
    get(start, frame.data(), there);
    memcpy(frame.data() + there, &spill_[start + there], head - there);
    return filter_.accepts(frame);
}

// The packet is in the chains that were taken: give back those that it needs, the rest is for the
// next.
void NetReceive::finish(Virtqueue& queue, size_t length) noexcept {
    uint16_t buffers = 0;
    for (size_t room = 0; room < length; buffers++) {
        room += rooms_[buffers];
    }
    virtio_net_hdr_mrg_rxbuf header = {};
    header.num_buffers = buffers;
    // num_buffers is there, and counts, whenever the header has it (virtio 1.2, 5.1.6.4.1).
    if (framing_.hidden()) {
        put(0, &header, framing_.guest_header);
    } else if (framing_.guest_header == sizeof(header)) {
        put(offsetof(virtio_net_hdr_mrg_rxbuf, num_buffers), &header.num_buffers,
            sizeof(header.num_buffers));
    }
    count(counters_.packets);
    count(counters_.bytes, length - framing_.guest_header);
    for (unsigned i = 0; i < buffers; i++) {
        const size_t here = std::min(rooms_[i], length);
        queue.push(stock_[next_ + i], static_cast<uint32_t>(here));
        length -= here;
    }
    next_ += buffers;
}

// The next packet from the file, to the chains that were taken and behind them. False: there is
// none.
bool NetReceive::read_packet(size_t& length) noexcept {
    const size_t hidden = framing_.hidden();
    std::span<iovec> pieces = {pieces_.get(), npieces_};
    if (hidden) {
        pieces = pieces_behind(pieces, hidden, visible_.get());
    }
    if (pieces.size() >= IOV_MAX) {
        // No place for what comes behind them: by way of our own memory.
        pieces = pieces.first(0);
        take_none();
    }
    size_t n = pieces.size();
    const size_t behind = std::max(room_, hidden);
    if (behind < kSpill) {
        pieces.data()[n++] = {.iov_base = &spill_[behind], .iov_len = kSpill - behind};
    }
    ssize_t got;
    do {
        got = readv(fd_, pieces.data(), static_cast<int>(n));
    } while (got < 0 && errno == EINTR);
    if (got < 0) {
        if (errno != EAGAIN) {
            gone_ = gone_ || interface_gone(errno);
            count(counters_.errors);
        }
        return false;
    }
    length = static_cast<size_t>(got) + hidden;
    return true;
}

// The cable is out.
void NetReceive::lose_packets(unsigned budget) noexcept {
    kept_ = 0;
    take_none();
    for (size_t length; budget && read_packet(length); budget--) {
        count(counters_.drops);
    }
}

// The packet that is kept, to as many chains as it takes.
NetReceive::Step NetReceive::deliver_kept(Virtqueue& queue) noexcept {
    const unsigned limit = framing_.mergeable ? Virtqueue::kBatch : 1;
    take_none();
    while (room_ < kept_) {
        if (taken_ == limit) {
            count(counters_.drops);
            kept_ = 0;
            return Step::kDone;
        }
        if (next_ + taken_ < stock_.size()) {
            if (!take_chain(queue)) {
                return Step::kBroken;
            }
            continue;
        }
        take_none();
        if (refill(queue)) {
            continue;
        }
        if (queue.error()) {
            return Step::kBroken;
        }
        // What a batch may have is not enough, as it was not before: there is no use in waiting.
        if (more_behind_ && stock_.size() <= short_of_) {
            count(counters_.drops);
            kept_ = 0;
            return Step::kDone;
        }
        short_of_ = stock_.size();
        return Step::kNoBuffers;
    }
    put(0, spill_.get(), kept_);
    finish(queue, kept_);
    kept_ = 0;
    return Step::kDone;
}

NetReceive::Step NetReceive::step(Virtqueue& queue) noexcept {
    if (kept_) {
        return deliver_kept(queue);
    }
    if (next_ == stock_.size() && !refill(queue)) {
        return queue.error() ? Step::kBroken : Step::kNoBuffers;
    }
    take_none();
    do {
        if (!take_chain(queue)) {
            return Step::kBroken;
        }
    } while (framing_.mergeable && room_ < expected_ && next_ + taken_ < stock_.size());
    size_t length;
    if (!read_packet(length)) {
        return Step::kNoPacket;
    }
    bytes_ += length;
    // Packets like the last one will come, or smaller ones again.
    expected_ = std::max(length, expected_ - expected_ / 8);
    if (length < framing_.guest_header + kEthernetHeader || length >= kSpill) {
        count(counters_.drops);
        return Step::kDone;
    }
    if (!wanted(length)) {
        count(counters_.filtered);
        return Step::kDone;
    }
    if (length <= room_) {
        finish(queue, length);
        return Step::kDone;
    }
    get(0, spill_.get(), room_);
    kept_ = length;
    // What was found behind the buffers is about this packet from now on, and not about those
    // before.
    more_behind_ = false;
    return deliver_kept(queue);
}

// The driver has too few buffers, or none. True: there are more by now.
bool NetReceive::stall(Virtqueue& queue) noexcept {
    const std::span<const DescriptorChain> seen = stock_.subspan(next_);
    put_back(queue);
    queue.publish();
    more_behind_ = queue.enable_kick(seen);
    if (more_behind_) {
        queue.disable_kick();
    }
    return more_behind_;
}

UserQueue::Turn NetReceive::serve(Virtqueue& queue, unsigned budget) noexcept {
    wants_packets_ = true;
    if (!framing_.plugged) {
        lose_packets(budget);
        return UserQueue::Turn::kWait;
    }
    bytes_ = 0;
    for (unsigned n = 0; n < budget && bytes_ < kByteBudget; n++) {
        const Step result = step(queue);
        if (result == Step::kNoPacket || result == Step::kBroken) {
            break;
        }
        if (result == Step::kNoBuffers && !stall(queue)) {
            count(counters_.stalls);
            wants_packets_ = false;
            return UserQueue::Turn::kWait;
        }
    }
    queue.publish();
    // Packets that are still there bring the next turn; one that is kept does not.
    return kept_ ? UserQueue::Turn::kMore : UserQueue::Turn::kWait;
}

} // namespace vireo
