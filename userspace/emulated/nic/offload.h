// SPDX-License-Identifier: GPL-2.0-only
// What a card that offloads does to frames, where the host does not do it for it. Offsets and
// lengths come from guests: functions say when they make no sense.
#ifndef VIREO_EMULATED_NIC_OFFLOAD_H
#define VIREO_EMULATED_NIC_OFFLOAD_H

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "net/features.h"

namespace vireo {

// The Internet checksum (RFC 1071), not complemented; `sum` is one to go on from, of bytes before,
// which were an even number. A sum of big-endian words.
uint16_t checksum(std::span<const uint8_t> bytes, uint32_t sum = 0) noexcept;

// How many frames a frame becomes: 1 without segmentation, 0: `offload` does not fit it.
unsigned segments_of(std::span<const uint8_t> frame, const virtio_net_hdr& offload) noexcept;
// Number `index` of these, complete, to `to`, which has room for the frame; its length.
size_t make_segment(std::span<const uint8_t> frame, const virtio_net_hdr& offload, unsigned index,
                    uint8_t* to) noexcept;

// What a card does to a frame of IPv4 whose headers it finds by itself: the header's checksum, that
// of TCP or UDP, segments of `mss` bytes (0: none). The first is done here; the rest is put into
// `offload`, for which the frame is prepared. False: the frame is nothing of the kind.
struct Ipv4Wishes {
    bool ip = false, transport = false;
    uint16_t mss = 0;
};
bool offload_ipv4(std::span<uint8_t> frame, const Ipv4Wishes& wishes,
                  virtio_net_hdr& offload) noexcept;

// What a card finds out about a received frame of IPv4 or IPv6, tags excepted. nullopt: it did not
// look, since there is no such header.
struct Verdict {
    std::optional<bool> ip;        // the header's checksum is good
    std::optional<bool> transport; // TCP's or UDP's is
    bool udp = false;
};
// `checked`: somebody else has looked at the transport's.
Verdict judge(std::span<const uint8_t> frame, bool checked) noexcept;

// CRC-32 of Ethernet (IEEE 802.3, 3.2.9): of a frame, as its check sequence in host order; and of
// addresses, as cards hash them, without the complement.
uint32_t frame_check(std::span<const uint8_t> frame) noexcept;
inline uint32_t address_crc(std::span<const uint8_t> address) noexcept {
    return ~frame_check(address);
}
// The same with its bits turned round, so that the first bits are the highest.
uint32_t address_crc_reversed(std::span<const uint8_t> address) noexcept;

} // namespace vireo

#endif // VIREO_EMULATED_NIC_OFFLOAD_H
