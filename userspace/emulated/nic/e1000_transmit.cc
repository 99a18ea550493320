// SPDX-License-Identifier: GPL-2.0-only
// Packets from the driver: the manual, 3.3 to 3.5.
#include <algorithm>
#include <cstring>

#include "emulated/nic/e1000_ring.h"
#include "emulated/nic/offload.h"
#include "net/framing.h"

namespace vireo {

using namespace e1000;

namespace {

constexpr size_t kVlanTag = 4;
constexpr size_t kAddresses = 12; // before a tag

void store16(uint8_t* at, uint16_t value) {
    at[0] = static_cast<uint8_t>(value >> 8);
    at[1] = static_cast<uint8_t>(value);
}

} // namespace

bool E1000::transmit() {
    for (unsigned n = 0; n < kTransmitBudget; n++) {
        const Ring ring = this->ring(kTdbal);
        std::array<uint32_t, 4> words;
        if (!(reg(kTctl) & kTctlEnable) || !ring.owned() || !dma_.load(ring.descriptor(), words)) {
            return false;
        }
        const bool extended = words[2] & kTxExtended;
        if (extended && (words[2] & kTxTypeMask) != kTxTypeData) {
            take_context(words);
        } else {
            if (!state_.packet.complete) {
                take_data(words);
            }
            if (words[2] & kTxEnd) {
                if (!state_.packet.complete) {
                    complete_packet(words);
                }
                if (!send_packet()) {
                    return false; // the descriptor is looked at again when there is room
                }
                state_.packet = {};
            }
        }
        if (words[2] & kTxReport) {
            dma_.store(ring.descriptor() + 12, static_cast<uint8_t>((words[3] & 0xf0) | kTxDone));
            state_.causes |= kTxWrittenBack;
        }
        reg(kTdh) = ring.next();
        if (reg(kTdh) == reg(kTdt)) {
            state_.causes |= kTxQueueEmpty;
        }
    }
    return true;
}

void E1000::take_context(const std::array<uint32_t, 4>& words) {
    state_.context = {.ip_start = static_cast<uint8_t>(words[0]),
                      .ip_field = static_cast<uint8_t>(words[0] >> 8),
                      .ip_end = static_cast<uint16_t>(words[0] >> 16),
                      .start = static_cast<uint8_t>(words[1]),
                      .field = static_cast<uint8_t>(words[1] >> 8),
                      .end = static_cast<uint16_t>(words[1] >> 16),
                      .header = static_cast<uint8_t>(words[3] >> 8),
                      .mss = static_cast<uint16_t>(words[3] >> 16),
                      .ipv4 = (words[2] & kTxContextIpv4) != 0};
}

// What a descriptor points at goes behind what is there of the packet.
void E1000::take_data(const std::array<uint32_t, 4>& words) {
    TxPacket& packet = state_.packet;
    const bool extended = words[2] & kTxExtended;
    if (packet.length == 0) {
        packet.options = extended ? static_cast<uint8_t>(words[3] >> 8) : uint8_t{0};
        packet.segment = extended && words[2] & kTxSegment;
    }
    const uint32_t length = words[2] & (extended ? kTxLengthMask : 0xffff);
    // A tag may still have to go in.
    const size_t room = NicWire::kLargestFrame - kVlanTag - packet.length;
    const uint64_t address = uint64_t{words[1]} << 32 | words[0];
    if (packet.broken || length > room || !dma_.read(address, {&frame_[packet.length], length})) {
        packet.broken = true;
        return;
    }
    packet.length += length;
}

// Sum up [start, end) and put it in its field, if all of that is in the packet.
void E1000::insert_sum(size_t start, size_t field, size_t end) {
    const size_t length = state_.packet.length;
    if (start < end && end <= length && field + 2 <= length) {
        store16(&frame_[field], static_cast<uint16_t>(~checksum({&frame_[start], end - start})));
    }
}

// All bytes are there; the last descriptor says what is to be done to them.
void E1000::complete_packet(const std::array<uint32_t, 4>& words) {
    TxPacket& packet = state_.packet;
    const TxContext& context = state_.context;
    virtio_net_hdr& offload = packet.offload;
    packet.complete = true;
    if (packet.broken || packet.length < kEthernetHeader) {
        packet.broken = true;
        return;
    }
    const auto end_of = [&](uint16_t end) { return end ? end + size_t{1} : packet.length; };
    if (!(words[2] & kTxExtended)) {
        if (words[2] & kTxSegment) { // of a legacy descriptor: a checksum
            insert_sum(words[3] >> 8 & 0xff, words[2] >> 16 & 0xff, packet.length);
        }
    } else {
        if (packet.segment) {
            // Lengths are of the whole; who cuts it sets those of the pieces. The driver's sum of
            // the pseudo header has no length (3.5.7).
            if (context.start + size_t{20} > packet.length || context.header < context.start ||
                context.field < context.start || context.field + size_t{2} > packet.length) {
                packet.broken = true;
                return;
            }
            const size_t network = packet.length - context.ip_start;
            const size_t at = context.ip_start + (context.ipv4 ? size_t{2} : size_t{4});
            if (at + 2 > packet.length) {
                packet.broken = true;
                return;
            }
            store16(&frame_[at], static_cast<uint16_t>(context.ipv4 ? network : network - 40));
            const auto length = static_cast<uint32_t>(packet.length - context.start);
            uint8_t* const field = &frame_[context.field];
            store16(field, checksum({field, 2}, length));
            offload.gso_type = context.ipv4 ? VIRTIO_NET_HDR_GSO_TCPV4 : VIRTIO_NET_HDR_GSO_TCPV6;
            offload.gso_size = context.mss;
            offload.hdr_len = context.header;
            reg(kTsctc)++;
            // It may be one segment after all, and then is not to be cut.
            if (packet.length <= context.header + uint32_t{context.mss}) {
                offload.gso_type = VIRTIO_NET_HDR_GSO_NONE;
                offload.gso_size = offload.hdr_len = 0;
            }
        }
        if (packet.options & kTxIpSum) {
            const size_t field = context.ip_field;
            if (field + 2 <= packet.length && packet.segment) {
                store16(&frame_[field], 0);
            }
            insert_sum(context.ip_start, field, end_of(context.ip_end));
        }
        if (packet.options & kTxTransportSum || packet.segment) {
            if (packet.segment || (context.end == 0 && context.field >= context.start &&
                                   context.field + 2u <= packet.length)) {
                offload.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
                offload.csum_start = context.start;
                offload.csum_offset = static_cast<uint16_t>(context.field - context.start);
            } else {
                insert_sum(context.start, context.field, end_of(context.end));
            }
        }
    }
    if (words[2] & kTxVlan && reg(kCtrl) & kCtrlVlanMode) {
        uint8_t* const tag = &frame_[kAddresses];
        memmove(tag + kVlanTag, tag, packet.length - kAddresses);
        store16(tag, static_cast<uint16_t>(reg(kVet)));
        store16(tag + 2, static_cast<uint16_t>(words[3] >> 16));
        packet.length += kVlanTag;
        offload.csum_start =
            static_cast<uint16_t>(offload.csum_start + (offload.flags ? kVlanTag : size_t{0}));
        offload.hdr_len =
            static_cast<uint16_t>(offload.hdr_len + (offload.hdr_len ? kVlanTag : size_t{0}));
    }
}

// False: the wire is full.
bool E1000::send_packet() {
    const TxPacket& packet = state_.packet;
    if (packet.broken) {
        return true;
    }
    const std::span<const uint8_t> frame(frame_.get(), packet.length);
    if ((reg(kRctl) & kRctlLoopback) || phy_.loopback()) {
        if (readiness() == Readiness::kReady && frame.size() <= NicWire::kLargestFrame) {
            std::array<uint8_t, NicWire::kSmallestFrame> small = {};
            if (frame.size() < small.size()) {
                std::ranges::copy(frame, small.begin());
                receive(small, false);
            } else {
                receive(frame, false);
            }
        }
    } else if (!send(frame, packet.offload)) {
        return false;
    }
    reg(kGptc)++;
    reg(kTpt)++;
    add_long(kGotcl, packet.length + 4);
    add_long(kTotl, packet.length + 4);
    count_sizes(kPtc64, packet.length + 4);
    if (frame[0] & 1) {
        const bool broadcast = std::all_of(frame.begin(), frame.begin() + 6,
                                           [](uint8_t byte) { return byte == 0xff; });
        reg(broadcast ? kBptc : kMptc)++;
    }
    return true;
}

} // namespace vireo
