// SPDX-License-Identifier: GPL-2.0-only
// Packets and their headers, both ways, on the path that the VMM serves itself: a driver that cuts
// its buffers anywhere and writes any header, and a host that sends frames of any length. A pair of
// sockets stands for the tap.
//
// What goes out is what the driver wrote, less a header that the tap does not have. What comes in
// is what the host sent, behind a header that counts its buffers truly, in the order in which it
// was sent, or is counted as dropped.
#include <sys/socket.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <map>
#include <optional>
#include <vector>

#include "base/fd.h"
#include "input.h"
#include "net/receive.h"
#include "net/transmit.h"
#include "queue_driver.h"

namespace {

using namespace vireo;
using Bytes = std::vector<uint8_t>;

constexpr unsigned kLongHeader = 12, kShortHeader = 10; // with num_buffers, and without
constexpr unsigned kMaxSegments = 6;
constexpr uint16_t kQueueSize = 64;

void must(bool so, const char* what) {
    if (!so) {
        fprintf(stderr, "net frames: %s\n", what);
        abort();
    }
}

const GuestMemory& guest_memory() {
    static const GuestMemory memory(test::kGuestSize);
    return memory;
}

// One way of the card: its ring, and the driver's buffers, which are used one after the other.
class Way {
public:
    Way(uint64_t features, uint16_t index)
        : driver_(guest_memory(), features, index, index, kQueueSize),
          queue_(guest_memory(), features, driver_.setup(), counters_),
          next_(driver_.buffers()) {}

    struct Buffer {
        std::vector<vq_seg> segments;
        size_t size = 0;
    };

    // Buffers as the input cuts them; now and then one that lies outside of guest memory.
    Buffer cut(Input& input) {
        Buffer buffer;
        for (unsigned left = 1 + input.u8() % kMaxSegments; left; left--) {
            const uint16_t word = input.u16();
            const uint32_t length = 1 + word % 1700;
            if (next_ + length > driver_.buffers() + test::kPerQueue - test::kRings) {
                next_ = driver_.buffers();
            }
            const bool outside = word == 0xffff;
            buffer.segments.push_back({.addr = outside ? uint64_t{1} << 45 : next_, .len = length});
            buffer.size += length;
            next_ += outside ? 0 : length;
        }
        return buffer;
    }

    static std::optional<Bytes> contents(const Buffer& buffer) {
        Bytes bytes;
        for (const vq_seg& segment : buffer.segments) {
            const auto* at =
                reinterpret_cast<uint8_t*>(guest_memory().at(segment.addr, segment.len));
            if (!at) {
                return std::nullopt;
            }
            bytes.insert(bytes.end(), at, at + segment.len);
        }
        return bytes;
    }

    static void fill(const Buffer& buffer, uint8_t first, bool count) {
        for (const vq_seg& segment : buffer.segments) {
            auto* at = reinterpret_cast<uint8_t*>(guest_memory().at(segment.addr, segment.len));
            for (uint32_t i = 0; at && i < segment.len; i++) {
                at[i] = first;
                first = static_cast<uint8_t>(first + count);
            }
        }
    }

    test::QueueDriver& driver() { return driver_; }
    Virtqueue& queue() { return queue_; }

private:
    test::QueueDriver driver_;
    QueueCounters counters_;
    Virtqueue queue_;
    uint64_t next_;
};

class Card {
public:
    explicit Card(uint8_t options)
        : framing_{.guest_header = options & 2 ? kLongHeader : kShortHeader,
                   .host_header = static_cast<bool>(options & 4),
                   .mergeable = (options & 10) == 10,
                   .plugged = true},
          features_(feature(VQ_F_EVENT_IDX) | feature(VQ_F_INDIRECT_DESC) | feature(32) |
                    (options & 1 ? feature(VQ_F_RING_PACKED) : 0)),
          receive_way_(features_, 0),
          transmit_way_(features_, 1) {
        int ends[2];
        must(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0,
             "no sockets");
        tap_ = Fd(ends[0]);
        host_ = Fd(ends[1]);
        receive_.emplace(tap_.get());
        transmit_.emplace(tap_.get());
        receive_->set_framing(framing_);
        transmit_->set_framing(framing_);
    }

    // False: the driver broke a queue, and nothing more is served.
    bool step(Input& input) {
        switch (input.u8() % 4) {
            case 0:
                return send(input);
            case 1:
            case 2:
                return post(input);
            default:
                return arrive(input);
        }
    }

private:
    static uint64_t feature(unsigned bit) { return uint64_t{1} << bit; }

    bool send(Input& input) {
        Way::Buffer buffer = transmit_way_.cut(input);
        const uint8_t what = input.u8();
        Way::fill(buffer, what, true);
        const bool writable = what == 0xff && buffer.segments.size() > 1;
        if (!transmit_way_.driver().add(buffer.segments, buffer.segments.size() - writable, 1,
                                        what & 1 ? FD_INDIRECT : FD_DIRECT)) {
            return true;
        }
        const std::optional<Bytes> written = Way::contents(buffer);
        transmit_way_.driver().show();
        transmit_->serve(transmit_way_.queue(), UserQueue::kBudget);
        Bytes out(1 << 17);
        const ssize_t n = recv(host_.get(), out.data(), out.size(), 0);
        if (transmit_way_.queue().error()) {
            must(!written || writable, "a good packet broke the queue");
            must(n < 0, "a packet of a broken queue went out");
            return false;
        }
        must(written && !writable, "memory that is none, or the device's, was sent");
        must(transmit_way_.driver().reap().has_value(), "a packet was not given back");
        const size_t header = framing_.guest_header;
        if (written->size() < header + kEthernetHeader) {
            must(n < 0, "a runt went out");
            return true;
        }
        out.resize(n < 0 ? 0 : static_cast<size_t>(n));
        must(out == Bytes(written->begin() + framing_.hidden(), written->end()),
             "what went out is not what was written");
        return true;
    }

    bool post(Input& input) {
        const Way::Buffer buffer = receive_way_.cut(input);
        const bool readable = input.u8() == 0xff;
        Way::fill(buffer, 0xa5, false);
        if (posted_.size() < kQueueSize / kMaxSegments &&
            receive_way_.driver().add(buffer.segments, readable, ++token_)) {
            posted_[token_] = buffer;
            good_ = good_ && !readable && Way::contents(buffer);
            receive_way_.driver().show();
        }
        return serve();
    }

    // A frame that has its number in it.
    bool arrive(Input& input) {
        const size_t length = input.u16() % 3000;
        Bytes frame(length + (framing_.host_header ? framing_.guest_header : 0));
        sent_++;
        for (size_t i = 0; i < frame.size(); i++) {
            frame[i] = static_cast<uint8_t>((i & 3) == 3 ? i >> 2 : sent_ >> 8 * (i & 3));
        }
        if (frame.empty() || ::send(host_.get(), frame.data(), frame.size(), 0) < 0) {
            return true;
        }
        under_way_.push_back(std::move(frame));
        return serve();
    }

    bool serve() {
        receive_->serve(receive_way_.queue(), UserQueue::kBudget);
        if (receive_way_.queue().error()) {
            must(!good_, "good buffers broke the queue");
            return false;
        }
        while (const auto used = receive_way_.driver().reap()) {
            take(*used);
        }
        must(under_way_.size() >= receive_->counters().drops - dropped_,
             "more packets were dropped than sent");
        return true;
    }

    // A buffer that came back: perhaps the last of a packet.
    void take(const test::QueueDriver::Used& used) {
        const auto buffer = posted_.find(used.token);
        must(buffer != posted_.end(), "a buffer that nobody posted came back");
        const std::optional<Bytes> bytes = Way::contents(buffer->second);
        must(bytes && used.length <= bytes->size() && used.length, "more than there is room for");
        packet_.insert(packet_.end(), bytes->begin(), bytes->begin() + used.length);
        posted_.erase(buffer);
        buffers_++;
        const size_t header = framing_.guest_header;
        must(packet_.size() > header || framing_.mergeable, "a buffer without a packet");
        const unsigned expected = header == kLongHeader && packet_.size() >= kLongHeader
                                      ? static_cast<unsigned>(packet_[10] | packet_[11] << 8)
                                      : 1;
        must(framing_.mergeable || expected == 1, "a packet in two buffers that are not merged");
        must(buffers_ <= expected || packet_.size() < kLongHeader, "more buffers than announced");
        if (buffers_ == expected && packet_.size() >= header) {
            delivered();
            packet_.clear();
            buffers_ = 0;
        }
    }

    void delivered() {
        const size_t header = framing_.guest_header;
        const Bytes frame(packet_.begin() + header, packet_.end());
        while (!under_way_.empty()) {
            const Bytes& sent = under_way_.front();
            const size_t skip = framing_.host_header ? header : 0;
            const bool same =
                sent.size() >= skip && frame == Bytes(sent.begin() + skip, sent.end());
            bool head = true;
            if (same) {
                for (size_t i = 0; i < kShortHeader; i++) {
                    head = head && packet_[i] == (framing_.host_header ? sent[i] : 0);
                }
            }
            under_way_.pop_front();
            if (same) {
                must(head, "the header is not the one that was sent");
                return;
            }
            must(++dropped_ <= receive_->counters().drops, "a packet was lost, and not counted");
        }
        must(false, "a packet that nobody sent");
    }

    const NetFraming framing_;
    const uint64_t features_;
    Way receive_way_, transmit_way_;
    Fd tap_, host_;
    std::optional<NetReceive> receive_;
    std::optional<NetTransmit> transmit_;
    std::map<uintptr_t, Way::Buffer> posted_;
    std::deque<Bytes> under_way_; // sent by the host, and not seen yet
    uintptr_t token_ = 0;
    uint32_t sent_ = 0;
    uint64_t dropped_ = 0; // of those that were sent before the last one seen
    bool good_ = true;     // all buffers for packets
    Bytes packet_;         // as far as its buffers have come back
    unsigned buffers_ = 0;
};

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    Input input(data, size);
    Card card(input.u8());
    while (!input.empty() && card.step(input)) {
    }
    return 0;
}
