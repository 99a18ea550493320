// SPDX-License-Identifier: GPL-2.0-only
// Frames from the driver and to it: the data sheet, 5 (C mode) and 9.2 (C+ mode).
#include <algorithm>
#include <cstring>

#include "emulated/nic/offload.h"
#include "emulated/nic/rtl8139_access.h"

namespace vireo {

using namespace rtl8139;

namespace {

constexpr size_t kCrc = 4;
constexpr size_t kVlanTag = 4;
constexpr size_t kAddresses = 12;
constexpr uint32_t kOldHeader = 4;
constexpr uint32_t kOldLargest = 1792; // of a frame in the ring, with its checksum
constexpr uint16_t kReadAhead = 16;

constexpr uint16_t swap(uint32_t value) {
    return static_cast<uint16_t>((value & 0xff) << 8 | (value >> 8 & 0xff));
}

} // namespace

// --- from the driver ---

bool Rtl8139::transmit() {
    if (!(get<uint8_t>(kCr) & kCrTransmit)) {
        return false;
    }
    return get<uint16_t>(kCpcr) & kPlusTransmit ? transmit_plus() : transmit_old();
}

bool Rtl8139::send_or_loop(std::span<const uint8_t> frame, const virtio_net_hdr& offload) {
    if ((get<uint32_t>(kTcr) & kTcrLoopback) == kTcrLoopback || phy_.loopback()) {
        if (readiness() == Readiness::kReady && frame.size() >= NicWire::kSmallestFrame) {
            receive(frame, false);
        }
    } else if (!send(frame, offload)) {
        return false;
    }
    state_.tally.sent++;
    return true;
}

// The four, one after the other; a driver gives one by writing its status.
bool Rtl8139::transmit_old() {
    for (;;) {
        const uint32_t at = kTsd + 4 * uint32_t{state_.next_old};
        const auto status = get<uint32_t>(at);
        if (status & kTsdDone) {
            return false;
        }
        const uint32_t length = status & kTsdLength;
        const std::span<uint8_t> frame(frame_.get(), length);
        if (dma_.read(get<uint32_t>(kTsad + 4 * uint32_t{state_.next_old}), frame) &&
            !send_or_loop(frame, {})) {
            return false;
        }
        put(at, status | kTsdDone | kTsdOk);
        raise(kTxOk);
        state_.next_old = (state_.next_old + 1) % kOldTransmits;
    }
}

bool Rtl8139::transmit_plus() {
    const uint64_t ring = uint64_t{get<uint32_t>(kTnpds + 4)} << 32 | get<uint32_t>(kTnpds);
    for (unsigned n = 0; n < kTransmitBudget; n++) {
        const uint64_t descriptor = ring + uint64_t{state_.next_transmit} * kDescriptorSize;
        std::array<uint32_t, 4> words;
        if (!dma_.load(descriptor, words) || !(words[0] & kOwned)) {
            if (n) {
                raise(kTxEmpty);
            }
            return false;
        }
        // A whole one that waited is in frame_ still, but is cheap to gather again.
        if (words[0] & kFirst) {
            state_.packet = 0;
            state_.broken = false;
        }
        const uint32_t before = state_.packet;
        take_data(words[0], uint64_t{words[3]} << 32 | words[2]);
        if (words[0] & kLast) {
            if (!finish(words[0], words[1])) {
                state_.packet = before;
                return false;
            }
            state_.packet = 0;
        }
        dma_.store(descriptor, words[0] & ~kOwned);
        raise(kTxOk);
        state_.next_transmit = words[0] & kRingEnd ? 0 : (state_.next_transmit + 1) % kDescriptors;
    }
    return true;
}

void Rtl8139::take_data(uint32_t command, uint64_t address) {
    const uint32_t length = command & kTxLength;
    const size_t room = NicWire::kLargestFrame - kVlanTag - state_.packet;
    if (state_.broken || length > room || !dma_.read(address, {&frame_[state_.packet], length})) {
        state_.broken = true;
        return;
    }
    state_.packet += length;
}

// False: the wire is full.
bool Rtl8139::finish(uint32_t command, uint32_t tag) {
    size_t length = state_.packet;
    if (state_.broken || length < kAddresses + 2) {
        state_.tally.send_errors++;
        return true;
    }
    virtio_net_hdr offload = {};
    if (tag & kTxTag) {
        std::copy_backward(&frame_[kAddresses], &frame_[length], &frame_[length + kVlanTag]);
        frame_[kAddresses] = 0x81;
        frame_[kAddresses + 1] = 0x00;
        frame_[kAddresses + 2] = static_cast<uint8_t>(tag);
        frame_[kAddresses + 3] = static_cast<uint8_t>(tag >> 8);
        length += kVlanTag;
    }
    const std::span<uint8_t> frame(frame_.get(), length);
    const bool segment = command & kTxSegment;
    const Ipv4Wishes wishes = {
        .ip = !segment && command & kTxIpSum,
        .transport = !segment && command & (kTxTcpSum | kTxUdpSum),
        .mss = static_cast<uint16_t>(segment ? command >> kMssShift & kMssMask : 0)};
    if ((wishes.ip || wishes.transport || segment) && !offload_ipv4(frame, wishes, offload)) {
        state_.tally.send_errors++;
        return true;
    }
    if (send_or_loop(frame, offload)) {
        return true;
    }
    // What was gathered before stays as it was, until the rest is gathered again.
    if (tag & kTxTag) {
        std::copy(&frame_[kAddresses + kVlanTag], &frame_[length], &frame_[kAddresses]);
    }
    return false;
}

// --- to the driver ---

uint32_t Rtl8139::ring_size() const {
    return 8192u << (get<uint32_t>(kRcr) >> kRingShift & 3);
}

// Bytes of C mode's ring that the driver has read, or that were never written.
uint32_t Rtl8139::ring_room() const {
    const uint32_t size = ring_size();
    const uint32_t read = (get<uint16_t>(kCapr) + kReadAhead) & (size - 1);
    const uint32_t written = get<uint16_t>(kCbr) & (size - 1);
    return size - ((written - read) & (size - 1));
}

EmulatedNic::Readiness Rtl8139::readiness() const {
    if (!(get<uint8_t>(kCr) & kCrReceive) || !dma_.master()) {
        return Readiness::kOff;
    }
    if (!(get<uint16_t>(kCpcr) & kPlusReceive)) {
        return ring_room() > kOldHeader + kOldLargest ? Readiness::kReady : Readiness::kFull;
    }
    return owned_receive() & kOwned ? Readiness::kReady : Readiness::kFull;
}

// How it came to be for this card: kRx... bits; 0: it is not.
uint32_t Rtl8139::fits(std::span<const uint8_t> frame) const {
    const auto control = get<uint32_t>(kRcr);
    const auto to = frame.first(6);
    if (std::ranges::all_of(to, [](uint8_t byte) { return byte == 0xff; })) {
        return bits_if(control & kAcceptBroadcast, kRxBroadcast);
    }
    if (to[0] & 1) {
        const uint32_t hash = address_crc_reversed(to) >> 26;
        const bool wanted =
            control & kAcceptMulticast && state_.bytes[kMar + hash / 8] >> (hash % 8) & 1;
        return bits_if(wanted || control & kAcceptAll, kRxMulticast);
    }
    const bool mine = std::ranges::equal(to, std::span(state_.bytes).subspan(kIdr, 6));
    return bits_if((mine && control & kAcceptMine) || control & kAcceptAll, kRxMine);
}

bool Rtl8139::receive(std::span<const uint8_t> frame, bool checked) {
    const uint32_t fit = fits(frame);
    if (!fit) {
        return false;
    }
    const bool plus = get<uint16_t>(kCpcr) & kPlusReceive;
    if (!(plus ? deliver_plus(frame, fit, checked) : deliver_old(frame, fit))) {
        put<uint32_t>(kMpc, (get<uint32_t>(kMpc) + 1) & 0xff'ffff);
        state_.tally.missed++;
        raise(kRxOverflow);
        return false;
    }
    state_.tally.received++;
    state_.tally.received_mine += fit == kRxMine;
    state_.tally.received_broadcast += fit == kRxBroadcast;
    state_.tally.received_multicast += fit == kRxMulticast;
    raise(kRxOk);
    return true;
}

// Into the ring of bytes, round its end, or, if the driver wants no break, over it.
void Rtl8139::write_ring(uint32_t position, std::span<const uint8_t> bytes) {
    const uint64_t ring = get<uint32_t>(kRbstart);
    const uint32_t size = ring_size();
    const size_t straight = size - position;
    if (bytes.size() <= straight || (get<uint32_t>(kRcr) & kNoWrap && size != 65536)) {
        dma_.write(ring + position, bytes);
        return;
    }
    dma_.write(ring + position, bytes.first(straight));
    dma_.write(ring, bytes.subspan(straight));
}

bool Rtl8139::deliver_old(std::span<const uint8_t> frame, uint32_t fit) {
    const auto length = static_cast<uint32_t>(frame.size() + kCrc);
    const uint32_t whole = (kOldHeader + length + 3) & ~3u;
    if (length > kOldLargest || whole >= ring_room()) {
        return false;
    }
    const uint32_t status = kOldOk | bits_if(fit == kRxBroadcast, kOldBroadcast) |
                            bits_if(fit == kRxMine, kOldMine) |
                            bits_if(fit == kRxMulticast, kOldMulticast);
    const uint32_t header = status | length << 16;
    const uint32_t crc = frame_check(frame);
    uint8_t* const out = received_.get();
    memcpy(out, &header, kOldHeader);
    std::ranges::copy(frame, out + kOldHeader);
    memcpy(out + kOldHeader + frame.size(), &crc, kCrc);
    const uint32_t position = get<uint16_t>(kCbr) & (ring_size() - 1);
    write_ring(position, {out, kOldHeader + length});
    put<uint16_t>(kCbr, static_cast<uint16_t>((position + whole) & (ring_size() - 1)));
    return true;
}

// The command of the next descriptor for a frame.
uint32_t Rtl8139::owned_receive() const {
    const uint64_t ring = uint64_t{get<uint32_t>(kRdsar + 4)} << 32 | get<uint32_t>(kRdsar);
    uint32_t command = 0;
    dma_.load(ring + uint64_t{state_.next_receive} * kDescriptorSize, command);
    return command;
}

bool Rtl8139::deliver_plus(std::span<const uint8_t> frame, uint32_t fit, bool checked) {
    const uint64_t ring = uint64_t{get<uint32_t>(kRdsar + 4)} << 32 | get<uint32_t>(kRdsar);
    const auto mode = get<uint16_t>(kCpcr);
    uint32_t result = fit;
    if (mode & kPlusChecksums) {
        const Verdict verdict = judge(frame, checked);
        if (verdict.ip) {
            result |= verdict.transport ? (verdict.udp ? kRxUdp : kRxTcp) : kRxIp;
            result |= bits_if(!*verdict.ip, kRxBadIp);
            if (verdict.transport && !*verdict.transport) {
                result |= verdict.udp ? kRxBadUdp : kRxBadTcp;
            }
        }
    }
    const bool strip = mode & kPlusVlan && frame[kAddresses] == 0x81 && frame[kAddresses + 1] == 0;
    const uint32_t tag =
        strip ? kRxTagged | swap(uint32_t{frame[14]} << 8 | frame[15]) : uint32_t{0};
    uint8_t* end = std::copy_n(frame.data(), kAddresses, received_.get());
    end = std::ranges::copy(frame.subspan(kAddresses + (strip ? kVlanTag : 0)), end).out;
    const uint32_t crc = frame_check({received_.get(), end});
    memcpy(end, &crc, kCrc);
    std::span<const uint8_t> rest(received_.get(), end + kCrc);
    const auto length = static_cast<uint32_t>(rest.size());

    for (uint32_t first = kFirst; !rest.empty(); first = 0) {
        const uint64_t descriptor = ring + uint64_t{state_.next_receive} * kDescriptorSize;
        std::array<uint32_t, 4> words;
        if (!dma_.load(descriptor, words) || !(words[0] & kOwned) || !(words[0] & kRxLength)) {
            return false;
        }
        const size_t here = std::min<size_t>(words[0] & kRxLength, rest.size());
        dma_.write(uint64_t{words[3]} << 32 | words[2], rest.first(here));
        rest = rest.subspan(here);
        const uint32_t last = bits_if(rest.empty(), kLast);
        // The length is the whole frame's, in the last of its descriptors.
        const uint32_t command = (words[0] & kRingEnd) | first | last | result |
                                 ((last ? length : static_cast<uint32_t>(here)) & kRxLength);
        dma_.store(descriptor + 4, tag);
        dma_.store(descriptor, command);
        state_.next_receive = words[0] & kRingEnd ? 0 : (state_.next_receive + 1) % kDescriptors;
    }
    return true;
}

} // namespace vireo
