// SPDX-License-Identifier: GPL-2.0-only
#include "emulated/nic/offload.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "net/framing.h"

namespace vireo {

namespace {

constexpr unsigned kIpv4Header = 20;
constexpr unsigned kIpv6Header = 40;
constexpr unsigned kTcpHeader = 20;
constexpr unsigned kUdpHeader = 8;
constexpr uint8_t kTcp = 6, kUdp = 17;
constexpr uint16_t kTypeIpv4 = 0x0800, kTypeIpv6 = 0x86dd, kTypeVlan = 0x8100;
constexpr uint8_t kFin = 0x01, kPsh = 0x08, kCwr = 0x80;

uint16_t load16(const uint8_t* at) {
    return static_cast<uint16_t>(at[0] << 8 | at[1]);
}
uint32_t load32(const uint8_t* at) {
    return uint32_t{load16(at)} << 16 | load16(at + 2);
}
void store16(uint8_t* at, uint16_t value) {
    at[0] = static_cast<uint8_t>(value >> 8);
    at[1] = static_cast<uint8_t>(value);
}
void store32(uint8_t* at, uint32_t value) {
    store16(at, static_cast<uint16_t>(value >> 16));
    store16(at + 2, static_cast<uint16_t>(value));
}

// Where the network header is. The frame has an Ethernet header at least.
size_t network_offset(std::span<const uint8_t> frame) {
    return load16(&frame[12]) == kTypeVlan ? kEthernetHeader + 4 : kEthernetHeader;
}

bool is_ipv4(const virtio_net_hdr& offload) {
    return (offload.gso_type & ~VIRTIO_NET_HDR_GSO_ECN) == VIRTIO_NET_HDR_GSO_TCPV4;
}

// Of the addresses, the length and the protocol (RFC 9293, 3.1; RFC 8200, 8.1).
uint32_t pseudo_header(const uint8_t* ip, bool v4, uint8_t protocol, size_t length) {
    const auto addresses = v4 ? std::span(ip + 12, 8) : std::span(ip + 8, 32);
    return uint32_t{checksum(addresses)} + protocol + static_cast<uint32_t>(length >> 16) +
           static_cast<uint32_t>(length & 0xffff);
}

// Slices of the table: by byte, and by how many more bytes follow.
constexpr unsigned kSlices = 8;
using CrcTable = std::array<std::array<uint32_t, 256>, kSlices>;

constexpr CrcTable make_crc_table() {
    CrcTable table = {};
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t crc = byte;
        for (int bit = 0; bit < 8; bit++) {
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
        }
        table[0][byte] = crc;
    }
    for (unsigned slice = 1; slice < kSlices; slice++) {
        for (unsigned byte = 0; byte < 256; byte++) {
            const uint32_t before = table[slice - 1][byte];
            table[slice][byte] = before >> 8 ^ table[0][before & 0xff];
        }
    }
    return table;
}

constexpr CrcTable kCrc = make_crc_table();

} // namespace

uint16_t checksum(std::span<const uint8_t> bytes, uint32_t sum) noexcept {
    // In the host's order, four bytes at a time; bytes are swapped in the end (RFC 1071, 2(B)).
    uint64_t total = 0;
    size_t i = 0;
    for (; i + 4 <= bytes.size(); i += 4) {
        uint32_t word;
        memcpy(&word, &bytes[i], 4);
        total += word;
    }
    if (i < bytes.size()) {
        uint32_t word = 0;
        memcpy(&word, &bytes[i], bytes.size() - i);
        total += word;
    }
    while (total >> 16) {
        total = (total & 0xffff) + (total >> 16);
    }
    uint32_t swapped =
        static_cast<uint32_t>((total >> 8 | total << 8) & 0xffff) + (sum & 0xffff) + (sum >> 16);
    while (swapped >> 16) {
        swapped = (swapped & 0xffff) + (swapped >> 16);
    }
    return static_cast<uint16_t>(swapped);
}

unsigned segments_of(std::span<const uint8_t> frame, const virtio_net_hdr& offload) noexcept {
    if (size_t{offload.csum_start} + offload.csum_offset + 2 > frame.size()) {
        return 0;
    }
    if (offload.gso_type == VIRTIO_NET_HDR_GSO_NONE) {
        return 1;
    }
    const size_t network = network_offset(frame);
    const size_t shortest = is_ipv4(offload) ? kIpv4Header : kIpv6Header;
    if (!offload.gso_size || offload.csum_start < network + shortest ||
        offload.hdr_len < offload.csum_start + kTcpHeader || offload.hdr_len > frame.size()) {
        return 0;
    }
    const size_t payload = frame.size() - offload.hdr_len;
    const size_t segments = (payload + offload.gso_size - 1) / offload.gso_size;
    return static_cast<unsigned>(std::max<size_t>(segments, 1));
}

size_t make_segment(std::span<const uint8_t> frame, const virtio_net_hdr& offload, unsigned index,
                    uint8_t* to) noexcept {
    uint8_t* const field = to + offload.csum_start + offload.csum_offset;
    if (offload.gso_type == VIRTIO_NET_HDR_GSO_NONE) {
        std::ranges::copy(frame, to);
        const uint16_t sum = checksum({to + offload.csum_start, frame.size() - offload.csum_start});
        // 0 would say that there is none (RFC 768).
        store16(field, sum == 0xffff ? sum : static_cast<uint16_t>(~sum));
        return frame.size();
    }
    const size_t header = offload.hdr_len;
    const size_t from = header + size_t{index} * offload.gso_size;
    const size_t bytes = std::min<size_t>(offload.gso_size, frame.size() - from);
    const bool last = from + bytes == frame.size();
    std::ranges::copy(frame.first(header), to);
    std::ranges::copy(frame.subspan(from, bytes), to + header);

    uint8_t* const ip = to + network_offset(frame);
    const size_t ip_length = static_cast<size_t>(to + header + bytes - ip);
    if (is_ipv4(offload)) {
        store16(ip + 2, static_cast<uint16_t>(ip_length));
        store16(ip + 4, static_cast<uint16_t>(load16(ip + 4) + index));
        store16(ip + 10, 0);
        const size_t size = std::min<size_t>((ip[0] & 0xf) * size_t{4}, header - (ip - to));
        store16(ip + 10, static_cast<uint16_t>(~checksum({ip, size})));
    } else {
        store16(ip + 4, static_cast<uint16_t>(ip_length - kIpv6Header));
    }
    uint8_t* const tcp = to + offload.csum_start;
    store32(tcp + 4, load32(tcp + 4) + static_cast<uint32_t>(index * size_t{offload.gso_size}));
    if (!last) {
        tcp[13] &= static_cast<uint8_t>(~(kFin | kPsh));
    }
    if (index) {
        tcp[13] &= static_cast<uint8_t>(~kCwr);
    }
    const size_t tcp_length = static_cast<size_t>(to + header + bytes - tcp);
    store16(field, 0);
    const uint16_t sum =
        checksum({tcp, tcp_length}, pseudo_header(ip, is_ipv4(offload), kTcp, tcp_length));
    store16(field, static_cast<uint16_t>(~sum));
    return header + bytes;
}

bool offload_ipv4(std::span<uint8_t> frame, const Ipv4Wishes& wishes,
                  virtio_net_hdr& offload) noexcept {
    const size_t network = network_offset(frame);
    if (frame.size() < network + kIpv4Header || load16(&frame[network - 2]) != kTypeIpv4 ||
        frame[network] >> 4 != 4) {
        return false;
    }
    uint8_t* const ip = &frame[network];
    const size_t header = (ip[0] & 0xf) * size_t{4};
    const size_t start = network + header;
    if (header < kIpv4Header || frame.size() < start) {
        return false;
    }
    if (wishes.mss) {
        store16(ip + 2, static_cast<uint16_t>(frame.size() - network));
    }
    const size_t length = load16(ip + 2);
    if (wishes.ip || wishes.mss) {
        store16(ip + 10, 0);
        store16(ip + 10, static_cast<uint16_t>(~checksum({ip, header})));
    }
    if (!wishes.transport && !wishes.mss) {
        return true;
    }
    const uint8_t protocol = ip[9];
    const size_t shortest = protocol == kTcp ? kTcpHeader : kUdpHeader;
    if ((protocol != kTcp && (protocol != kUdp || wishes.mss)) || frame.size() < start + shortest ||
        length < header + shortest || length > frame.size() - network) {
        return false;
    }
    offload.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
    offload.csum_start = static_cast<uint16_t>(start);
    offload.csum_offset = protocol == kTcp ? 16 : 6;
    store16(ip + header + offload.csum_offset,
            checksum({}, pseudo_header(ip, true, protocol, length - header)));
    const size_t headers = start + (protocol == kTcp ? (ip[header + 12] >> 4) * size_t{4} : 0);
    if (wishes.mss && frame.size() > headers + wishes.mss) {
        if (headers < start + kTcpHeader) {
            return false;
        }
        offload.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
        offload.gso_size = wishes.mss;
        offload.hdr_len = static_cast<uint16_t>(headers);
    }
    return true;
}

Verdict judge(std::span<const uint8_t> frame, bool checked) noexcept {
    Verdict verdict;
    const size_t network = network_offset(frame);
    const uint16_t type = load16(&frame[network - 2]);
    const std::span<const uint8_t> packet = frame.subspan(network);
    size_t header, length;
    uint8_t protocol;
    if (type == kTypeIpv4 && packet.size() >= kIpv4Header && packet[0] >> 4 == 4) {
        header = (packet[0] & 0xf) * size_t{4};
        length = load16(&packet[2]);
        protocol = packet[9];
        if (header < kIpv4Header || length < header || length > packet.size()) {
            return verdict;
        }
        verdict.ip = checksum(packet.first(header)) == 0xffff;
        if (load16(&packet[6]) & 0x3fff) {
            return verdict; // a fragment
        }
    } else if (type == kTypeIpv6 && packet.size() >= kIpv6Header && packet[0] >> 4 == 6) {
        header = kIpv6Header;
        length = header + load16(&packet[4]);
        protocol = packet[6];
        if (length > packet.size()) {
            return verdict;
        }
    } else {
        return verdict;
    }
    const std::span<const uint8_t> segment = packet.subspan(header, length - header);
    verdict.udp = protocol == kUdp;
    if ((protocol != kTcp || segment.size() < kTcpHeader) &&
        (protocol != kUdp || segment.size() < kUdpHeader)) {
        return verdict;
    }
    if (verdict.udp && load16(&segment[6]) == 0) {
        return verdict; // the sender made none
    }
    verdict.transport =
        checked || checksum(segment, pseudo_header(packet.data(), type == kTypeIpv4, protocol,
                                                   segment.size())) == 0xffff;
    return verdict;
}

uint32_t frame_check(std::span<const uint8_t> frame) noexcept {
    uint32_t crc = ~uint32_t{0};
    size_t i = 0;
    for (; i + 8 <= frame.size(); i += 8) {
        uint32_t low, high;
        memcpy(&low, &frame[i], 4);
        memcpy(&high, &frame[i + 4], 4);
        low ^= crc;
        crc = kCrc[7][low & 0xff] ^ kCrc[6][low >> 8 & 0xff] ^ kCrc[5][low >> 16 & 0xff] ^
              kCrc[4][low >> 24] ^ kCrc[3][high & 0xff] ^ kCrc[2][high >> 8 & 0xff] ^
              kCrc[1][high >> 16 & 0xff] ^ kCrc[0][high >> 24];
    }
    for (; i < frame.size(); i++) {
        crc = crc >> 8 ^ kCrc[0][(crc ^ frame[i]) & 0xff];
    }
    return ~crc;
}

uint32_t address_crc_reversed(std::span<const uint8_t> address) noexcept {
    uint32_t crc = address_crc(address);
    uint32_t reversed = 0;
    for (int bit = 0; bit < 32; bit++) {
        reversed = reversed << 1 | (crc >> bit & 1);
    }
    return reversed;
}

} // namespace vireo
