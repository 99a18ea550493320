// SPDX-License-Identifier: GPL-2.0-only
// A guest's network driver, as far as its two data queues go, for tests of whoever runs them.
#ifndef VIREO_TESTS_NET_DRIVER_H
#define VIREO_TESTS_NET_DRIVER_H

#include <algorithm>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <vector>

#include "net/features.h"
#include "queue_driver.h"

namespace vireo::test {

using Bytes = std::vector<uint8_t>;

// A frame that names its number, and has other bytes for each number all through.
inline Bytes make_frame(uint32_t number, size_t length) {
    Bytes frame(std::max<size_t>(length, 22));
    static constexpr uint8_t kHead[] = {0x52, 0x54, 0, 1, 2, 3, 0x52, 0x54, 0, 4, 5, 6, 0x88, 0xb5};
    std::copy(std::begin(kHead), std::end(kHead), frame.begin());
    memcpy(&frame[14], &number, sizeof(number));
    uint32_t state = number * 2654435761u + 1;
    for (size_t i = 18; i < frame.size(); i++) {
        state = state * 1664525 + 1013904223;
        frame[i] = static_cast<uint8_t>(state >> 24);
    }
    return frame;
}

// Its number, if all of it is as make_frame() wrote it.
inline std::optional<uint32_t> frame_number(const Bytes& frame) {
    if (frame.size() < 22) {
        return std::nullopt;
    }
    uint32_t number;
    memcpy(&number, &frame[14], sizeof(number));
    return frame == make_frame(number, frame.size()) ? std::optional(number) : std::nullopt;
}

class NetDriver {
public:
    NetDriver(const GuestMemory& memory, uint64_t features, unsigned pair = 0, uint16_t size = 256)
        : header_(net::header_length(features)),
          mergeable_(features & net::kMrgRxbuf),
          receive(memory, features, static_cast<uint16_t>(2 * pair), 2 * pair, size),
          transmit(memory, features, static_cast<uint16_t>(2 * pair + 1), 2 * pair + 1, size) {}

    std::vector<QueueSetup> setups() const { return {receive.setup(), transmit.setup()}; }

    // Post receive buffers, `count` of them, of `pieces` pieces each; fewer if the ring is full.
    unsigned post(unsigned count, uint32_t bytes, unsigned pieces = 1) {
        unsigned done = 0;
        for (; done < count; done++) {
            const unsigned slot = free_slot();
            if (slot == kSlots) {
                break;
            }
            const uint64_t address = receive.buffers() + slot * kSlot;
            std::vector<vq_seg> segments;
            for (unsigned i = 0; i < pieces; i++) {
                const uint32_t from = bytes * i / pieces, to = bytes * (i + 1) / pieces;
                segments.push_back({.addr = address + from, .len = to - from});
            }
            if (!receive.add(segments, 0, slot + 1)) {
                break;
            }
            posted_[slot] = bytes;
        }
        receive.show();
        return done;
    }

    struct Packet {
        Bytes header;
        Bytes frame;
        unsigned buffers;
    };
    // The next packet; without one, after so many seconds: nothing.
    std::optional<Packet> take(int seconds = 60) {
        Packet packet = {};
        unsigned total = 1;
        Bytes all;
        while (packet.buffers < total) {
            const auto used = seconds ? receive.wait(seconds) : receive.reap();
            if (!used) {
                if (packet.buffers) {
                    throw std::runtime_error("a packet without its last buffers");
                }
                return std::nullopt;
            }
            const unsigned slot = static_cast<unsigned>(used->token - 1);
            if (used->length > posted_[slot]) {
                throw std::runtime_error("more written than there was room");
            }
            posted_[slot] = 0;
            const auto* bytes = reinterpret_cast<const uint8_t*>(
                receive.at(receive.buffers() + slot * kSlot, kSlot));
            all.insert(all.end(), bytes, bytes + used->length);
            if (!packet.buffers++ && header_ == 12) {
                uint16_t buffers;
                memcpy(&buffers, &all.at(10), sizeof(buffers));
                if (!buffers || (!mergeable_ && buffers != 1)) {
                    throw std::runtime_error("num_buffers is " + std::to_string(buffers));
                }
                total = buffers;
            }
        }
        packet.header.assign(all.begin(), all.begin() + header_);
        packet.frame.assign(all.begin() + header_, all.end());
        return packet;
    }

    // Send a frame, from `pieces` pieces. False: the ring is full.
    bool send(const Bytes& frame, unsigned pieces = 1, bool show = true) {
        const uint64_t address = transmit.buffers() + next_ % kTransmitSlots * kSlot;
        const uint32_t bytes = header_ + static_cast<uint32_t>(frame.size());
        auto* to = transmit.at(address, bytes);
        std::vector<vq_seg> segments;
        for (unsigned i = 0; i < pieces; i++) {
            const uint32_t from = bytes * i / pieces, end = bytes * (i + 1) / pieces;
            segments.push_back({.addr = address + from, .len = end - from});
        }
        if (in_flight_ == kTransmitSlots || !transmit.add(segments, pieces, next_ + 1)) {
            return false;
        }
        memset(to, 0, header_);
        memcpy(to + header_, frame.data(), frame.size());
        next_++;
        in_flight_++;
        if (show) {
            transmit.show();
        }
        return true;
    }
    // How many sent buffers came back by now.
    unsigned reclaim() {
        unsigned n = 0;
        for (; transmit.reap(); n++) {
        }
        in_flight_ -= n;
        return n;
    }
    // Wait until one comes back.
    bool wait_sent() {
        const bool back = transmit.wait().has_value();
        in_flight_ -= back;
        return back;
    }
    unsigned in_flight() const { return in_flight_; }

    unsigned header() const { return header_; }

private:
    static constexpr uint64_t kSlot = 72 << 10; // the largest packet
    static constexpr unsigned kSlots = 80;
    static constexpr unsigned kTransmitSlots = 64;
    static_assert(kSlots * kSlot <= kPerQueue - kRings);

    unsigned free_slot() const {
        return static_cast<unsigned>(std::find(std::begin(posted_), std::end(posted_), 0u) -
                                     std::begin(posted_));
    }

    const unsigned header_;
    const bool mergeable_;
    uint32_t posted_[kSlots] = {};
    uintptr_t next_ = 0;
    unsigned in_flight_ = 0;

public:
    QueueDriver receive;
    QueueDriver transmit;
};

} // namespace vireo::test

#endif // VIREO_TESTS_NET_DRIVER_H
