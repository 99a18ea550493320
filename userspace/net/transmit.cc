// SPDX-License-Identifier: GPL-2.0-only
#include "net/transmit.h"

#include "net/pieces.h"

namespace vireo {

namespace {

// Large packets use up a turn sooner.
constexpr uint64_t kByteBudget = 512 << 10;

} // namespace

NetTransmit::NetTransmit(int fd)
    : fd_(fd), pieces_(std::make_unique_for_overwrite<iovec[]>(Virtqueue::kMaxPieces)) {}

NetTransmit::Sent NetTransmit::send(Virtqueue& queue, const DescriptorChain& chain) noexcept {
    if (!chain.in.empty()) {
        queue.fail("a writable buffer on a transmit queue");
        return Sent::kBroken;
    }
    const size_t length = length_of(chain.out);
    const size_t header = framing_.guest_header;
    if (!framing_.plugged || length < header + kEthernetHeader || length > header + kMaxFrame) {
        count(counters_.drops);
        return Sent::kDone;
    }
    std::span<const iovec> pieces = chain.out;
    if (framing_.hidden()) {
        pieces = pieces_behind(pieces, framing_.hidden(), pieces_.get());
    }
    ssize_t written;
    do {
        written = writev(fd_, pieces.data(), static_cast<int>(pieces.size()));
    } while (written < 0 && errno == EINTR);
    if (written >= 0) {
        count(counters_.packets);
        count(counters_.bytes, length - header);
        bytes_ += length;
        return Sent::kDone;
    }
    if (errno == EAGAIN) {
        return Sent::kFull;
    }
    // The interface is down or gone, or the packet is malformed: it is lost like on a wire.
    gone_ = gone_ || interface_gone(errno);
    count(counters_.errors);
    return Sent::kDone;
}

UserQueue::Turn NetTransmit::serve(Virtqueue& queue, unsigned budget) noexcept {
    full_ = false;
    bytes_ = 0;
    for (unsigned taken = 0; taken < budget && bytes_ < kByteBudget;) {
        const std::span<const DescriptorChain> chains = queue.pop(budget - taken);
        if (chains.empty()) {
            return UserQueue::Turn::kEmpty;
        }
        taken += static_cast<unsigned>(chains.size());
        Sent sent = Sent::kDone;
        unsigned done = 0;
        for (; done < chains.size(); done++) {
            sent = send(queue, chains[done]);
            if (sent != Sent::kDone) {
                break;
            }
            queue.push(chains[done], 0);
        }
        queue.unpop(static_cast<unsigned>(chains.size()) - done);
        queue.publish();
        if (sent == Sent::kFull) {
            full_ = true;
            count(counters_.stalls);
        }
        if (sent != Sent::kDone) {
            return UserQueue::Turn::kWait;
        }
    }
    return UserQueue::Turn::kMore;
}

} // namespace vireo
