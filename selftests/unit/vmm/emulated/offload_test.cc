// SPDX-License-Identifier: GPL-2.0-only
#include "emulated/nic/offload.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string_view>

#include "packets.h"

namespace vireo {
namespace {

using namespace test;

TEST(OffloadTest, ChecksumIsThatOfTheRfc) {
    // RFC 1071, 3.
    const Bytes bytes = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};
    EXPECT_EQ(checksum(bytes), 0xddf2);
    std::mt19937 random(1);
    for (size_t size = 0; size < 70; size++) {
        Bytes data(size);
        for (uint8_t& byte : data) {
            byte = static_cast<uint8_t>(random() | 1);
        }
        EXPECT_EQ(checksum(data, 0x1ffff), slow_sum(data, 0x1ffff)) << size;
    }
}

TEST(OffloadTest, FrameCheckIsCrc32) {
    const std::string_view check = "123456789";
    EXPECT_EQ(frame_check({reinterpret_cast<const uint8_t*>(check.data()), check.size()}),
              0xcbf43926u);
}

TEST(OffloadTest, JudgesChecksums) {
    for (const bool v4 : {true, false}) {
        for (const uint8_t protocol : {kTcpProtocol, kUdpProtocol}) {
            Bytes frame = make_packet(v4, protocol, 333);
            Verdict verdict = judge(frame, false);
            EXPECT_EQ(verdict.ip, v4 ? std::optional(true) : std::nullopt);
            EXPECT_EQ(verdict.transport, true);
            EXPECT_EQ(verdict.udp, protocol == kUdpProtocol);
            frame.back() ^= 1;
            EXPECT_EQ(judge(frame, false).transport, false);
            EXPECT_EQ(judge(frame, true).transport, true) << "somebody else has looked";
            if (v4) {
                frame[14 + 8] ^= 1; // time to live
                EXPECT_EQ(judge(frame, false).ip, false);
                Bytes fragment = make_packet(v4, protocol, 333);
                fragment[14 + 6] |= 0x20;
                EXPECT_EQ(judge(fragment, false).transport, std::nullopt);
            }
        }
    }
    Bytes other(60);
    EXPECT_EQ(judge(other, false).ip, std::nullopt);
    // Lengths that are wrong.
    for (unsigned at = 14; at < 54; at++) {
        for (const bool v4 : {true, false}) {
            Bytes frame = make_packet(v4, kTcpProtocol, 10);
            frame[at] = 0xff;
            judge(frame, false);
            frame.resize(60);
            judge(frame, false);
        }
    }
}

TEST(OffloadTest, LeavesAChecksumInPlaceOfItsPart) {
    Bytes frame = make_packet(true, kUdpProtocol, 100);
    const Bytes whole = frame;
    virtio_net_hdr offload = {};
    frame[14 + 20 + 6] = 0xaa;
    ASSERT_TRUE(offload_ipv4(frame, {.ip = true, .transport = true}, offload));
    EXPECT_EQ(offload.csum_start, 34);
    EXPECT_EQ(offload.csum_offset, 6);
    ASSERT_EQ(segments_of(frame, offload), 1u);
    Bytes out(frame.size());
    EXPECT_EQ(make_segment(frame, offload, 0, out.data()), frame.size());
    EXPECT_EQ(out, whole);
}

TEST(OffloadTest, CutsSegments) {
    constexpr uint16_t kMss = 1000;
    for (const bool v4 : {true, false}) {
        Bytes frame = make_packet(v4, kTcpProtocol, 3500);
        const size_t transport = v4 ? 34 : 54;
        frame[transport + 13] = 0x80 | 0x18 | 0x01; // CWR, ACK, PSH, FIN
        virtio_net_hdr offload = {};
        offload.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
        offload.gso_type = v4 ? VIRTIO_NET_HDR_GSO_TCPV4 : VIRTIO_NET_HDR_GSO_TCPV6;
        offload.gso_size = kMss;
        offload.hdr_len = static_cast<uint16_t>(transport + 20);
        offload.csum_start = static_cast<uint16_t>(transport);
        offload.csum_offset = 16;
        ASSERT_EQ(segments_of(frame, offload), 4u);
        Bytes payload;
        for (unsigned i = 0; i < 4; i++) {
            Bytes segment(frame.size());
            segment.resize(make_segment(frame, offload, i, segment.data()));
            const Verdict verdict = judge(segment, false);
            EXPECT_TRUE(verdict.transport.value_or(false)) << i;
            EXPECT_TRUE(verdict.ip.value_or(!v4)) << i;
            EXPECT_EQ(word32(segment, transport + 4), word32(frame, transport + 4) + i * kMss);
            EXPECT_EQ(segment[transport + 13] & 0x89, (i == 0 ? 0x80 : 0) | (i == 3 ? 0x09 : 0));
            if (v4) {
                EXPECT_EQ(word16(segment, 18), word16(frame, 18) + i) << "identification";
            }
            payload.insert(payload.end(), segment.begin() + offload.hdr_len, segment.end());
        }
        EXPECT_EQ(payload, Bytes(frame.begin() + offload.hdr_len, frame.end()));
    }
}

TEST(OffloadTest, RefusesWhatDoesNotFit) {
    const Bytes frame = make_packet(true, kTcpProtocol, 100);
    virtio_net_hdr offload = {};
    offload.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
    offload.csum_start = 34;
    offload.csum_offset = static_cast<uint16_t>(frame.size() - 35);
    EXPECT_EQ(segments_of(frame, offload), 0u) << "the field is over the end";
    offload.csum_offset = 16;
    offload.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
    offload.gso_size = 10;
    offload.hdr_len = static_cast<uint16_t>(frame.size() + 1);
    EXPECT_EQ(segments_of(frame, offload), 0u);
    offload.hdr_len = 40;
    EXPECT_EQ(segments_of(frame, offload), 0u) << "less than the TCP header";
    offload.hdr_len = 54;
    EXPECT_EQ(segments_of(frame, offload), 10u);
    offload.gso_size = 0;
    EXPECT_EQ(segments_of(frame, offload), 0u);
}

} // namespace
} // namespace vireo
