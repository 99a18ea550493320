// SPDX-License-Identifier: GPL-2.0-only
// Frames with whole and right headers, put together the slow way.
#ifndef VIREO_TESTS_PACKETS_H
#define VIREO_TESTS_PACKETS_H

#include <cstdint>
#include <span>

#include "net_driver.h"

namespace vireo::test {

inline constexpr uint8_t kTcpProtocol = 6, kUdpProtocol = 17;

inline uint16_t word16(const Bytes& bytes, size_t at) {
    return static_cast<uint16_t>(bytes[at] << 8 | bytes[at + 1]);
}
inline uint32_t word32(const Bytes& bytes, size_t at) {
    return uint32_t{word16(bytes, at)} << 16 | word16(bytes, at + 2);
}
inline void put16(Bytes& bytes, size_t at, size_t value) {
    bytes[at] = static_cast<uint8_t>(value >> 8);
    bytes[at + 1] = static_cast<uint8_t>(value);
}

inline uint16_t slow_sum(std::span<const uint8_t> bytes, uint32_t sum = 0) {
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    for (size_t i = 0; i < bytes.size(); i++) {
        sum += i % 2 ? bytes[i] : bytes[i] << 8;
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return static_cast<uint16_t>(sum);
}

// Of the addresses, the protocol and the length.
inline uint16_t slow_pseudo_sum(const Bytes& frame, bool v4, uint8_t protocol, size_t length) {
    const auto addresses = std::span(frame).subspan(v4 ? 26 : 22, v4 ? 8 : 32);
    return slow_sum(addresses, static_cast<uint32_t>(protocol + length));
}

inline Bytes make_packet(bool v4, uint8_t protocol, size_t payload) {
    const size_t ip = v4 ? 20 : 40;
    const size_t transport = protocol == kTcpProtocol ? 20 : 8;
    Bytes frame(14 + ip + transport + payload);
    for (size_t i = 0; i < frame.size(); i++) {
        frame[i] = static_cast<uint8_t>(i * 7 + 1);
    }
    frame[0] = 0x52;
    frame[6] = 0x52;
    put16(frame, 12, v4 ? 0x0800 : 0x86dd);
    const size_t start = 14 + ip;
    const size_t length = transport + payload;
    if (v4) {
        frame[14] = 0x45;
        put16(frame, 16, ip + length);
        put16(frame, 20, 0x4000);
        frame[23] = protocol;
        put16(frame, 24, 0);
        put16(frame, 24, static_cast<uint16_t>(~slow_sum(std::span(frame).subspan(14, 20))));
    } else {
        frame[14] = 0x60;
        put16(frame, 18, length);
        frame[20] = protocol;
    }
    size_t field = start + 16;
    if (protocol == kTcpProtocol) {
        frame[start + 12] = 0x50;
    } else {
        put16(frame, start + 4, length);
        field = start + 6;
    }
    put16(frame, field, 0);
    const uint16_t sum =
        slow_sum(std::span(frame).subspan(start), slow_pseudo_sum(frame, v4, protocol, length));
    put16(frame, field, static_cast<uint16_t>(~sum));
    return frame;
}

} // namespace vireo::test

#endif // VIREO_TESTS_PACKETS_H
