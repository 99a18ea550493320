// SPDX-License-Identifier: GPL-2.0-only
// What only the gigabit card does.
#include "emulated/nic/e1000.h"

#include <gtest/gtest.h>
#include <linux/mii.h>

#include "e1000_driver.h"
#include "emulated/nic/offload.h"
#include "fake_platform.h"
#include "packets.h"
#include "until.h"

namespace vireo {
namespace {

using namespace e1000;
using namespace test;

constexpr uint64_t kData = 0x200000;

class E1000Test : public testing::Test {
protected:
    explicit E1000Test(bool header = true) : world("e1000", platform, header) { driver.start(); }

    // What is on the tap.
    Bytes taken() {
        world.turn();
        return world.cable->get(0).value_or(Bytes{});
    }
    virtio_net_hdr header_of(const Bytes& packet) {
        virtio_net_hdr header = {};
        if (packet.size() >= sizeof(header)) {
            memcpy(&header, packet.data(), sizeof(header));
        }
        return header;
    }
    Bytes frame_of(const Bytes& packet) {
        return {packet.begin() + std::min(packet.size(), sizeof(virtio_net_hdr)), packet.end()};
    }
    void arrive(const Bytes& frame, uint8_t flags = 0) {
        virtio_net_hdr header = {};
        header.flags = flags;
        Bytes packet(sizeof(header));
        memcpy(packet.data(), &header, sizeof(header));
        packet.insert(packet.end(), frame.begin(), frame.end());
        ASSERT_TRUE(world.cable->put(packet));
        world.turn();
    }
    uint16_t phy(unsigned index) {
        world.write(kMdic, kMdicRead | kPhyAddress << 21 | index << 16);
        const uint32_t result = world.read(kMdic);
        EXPECT_EQ(result & (kMdicReady | kMdicError), uint32_t{kMdicReady});
        return static_cast<uint16_t>(result);
    }
    void context(const Bytes& frame, size_t transport, uint16_t mss, bool v4, bool tcp) {
        const size_t field = transport + (tcp ? 16 : 6);
        const size_t header = transport + 20;
        driver.describe({static_cast<uint32_t>(14 | 24 << 8 | (transport - 1) << 16),
                         static_cast<uint32_t>(transport | field << 8),
                         static_cast<uint32_t>(frame.size() - header) | kTxExtended |
                             (tcp ? uint32_t{kTxEnd} : 0) | (v4 ? uint32_t{kTxContextIpv4} : 0) |
                             (mss ? uint32_t{kTxSegment} : 0),
                         static_cast<uint32_t>(header << 8 | uint32_t{mss} << 16)});
    }
    // In two pieces.
    void data(const Bytes& frame, uint32_t command, uint32_t options) {
        world.put(kData, frame);
        const auto first = static_cast<uint32_t>(frame.size() / 3);
        const auto rest = static_cast<uint32_t>(frame.size()) - first;
        driver.describe({kData, 0, first | kTxExtended | kTxTypeData | command, options << 8});
        driver.describe({static_cast<uint32_t>(kData) + first, 0,
                         rest | kTxExtended | kTxTypeData | command | kTxEnd | kTxReport,
                         options << 8 | 0x0123u << 16});
        driver.go();
    }
    // As Linux leaves it: no lengths, and a sum of the rest of the pseudo header.
    static Bytes for_segmentation(bool v4, size_t payload) {
        Bytes frame = make_packet(v4, kTcpProtocol, payload);
        put16(frame, v4 ? 16 : 18, 0);
        if (v4) {
            put16(frame, 24, 0);
        }
        put16(frame, (v4 ? 34 : 54) + 16, slow_pseudo_sum(frame, v4, kTcpProtocol, 0));
        return frame;
    }

    FakePlatform platform;
    NicWorld world;
    E1000Driver driver{world};
};

class E1000PlainTest : public E1000Test {
protected:
    E1000PlainTest() : E1000Test(false) {}
};

TEST_F(E1000Test, TheEepromAddsUp) {
    uint16_t sum = 0;
    for (unsigned word = 0; word < 64; word++) {
        sum = static_cast<uint16_t>(sum + driver.eeprom(word));
        world.write(kEerd, word << 8 | kEerdStart);
        EXPECT_EQ(world.read(kEerd) & kEerdDone, uint32_t{kEerdDone});
        EXPECT_EQ(world.read(kEerd) >> 16, driver.eeprom(word)) << word;
    }
    EXPECT_EQ(sum, 0xbaba);
}

TEST_F(E1000Test, TheTransceiverTellsOfTheLink) {
    EXPECT_EQ(phy(MII_PHYSID1), 0x0141);
    EXPECT_EQ(phy(MII_PHYSID2) & 0xfff0, 0x0c20);
    EXPECT_TRUE(phy(MII_BMSR) & BMSR_LSTATUS);
    world.nic->set_link(false);
    EXPECT_EQ(world.read(kIcr) & kLinkChange, uint32_t{kLinkChange});
    EXPECT_FALSE(world.read(kStatus) & kStatusLinkUp);
    world.nic->set_link(true);
    EXPECT_TRUE(world.read(kStatus) & kStatusLinkUp);
    EXPECT_FALSE(phy(MII_BMSR) & BMSR_LSTATUS) << "that it was down is told once";
    EXPECT_TRUE(phy(MII_BMSR) & BMSR_LSTATUS);
    world.write(kMdic, kMdicRead | 5u << 21 | MII_BMSR << 16);
    EXPECT_TRUE(world.read(kMdic) & kMdicError) << "nobody has that address";
}

TEST_F(E1000Test, LeavesChecksumsToTheHost) {
    for (const bool tcp : {true, false}) {
        Bytes frame = make_packet(true, tcp ? kTcpProtocol : kUdpProtocol, 700);
        context(frame, 34, 0, true, tcp);
        data(frame, 0, kTxTransportSum);
        const Bytes packet = taken();
        EXPECT_EQ(frame_of(packet), frame);
        const virtio_net_hdr header = header_of(packet);
        EXPECT_EQ(header.flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
        EXPECT_EQ(header.csum_start, 34);
        EXPECT_EQ(header.csum_offset, tcp ? 16 : 6);
        EXPECT_EQ(header.gso_type, VIRTIO_NET_HDR_GSO_NONE);
    }
}

TEST_F(E1000Test, LeavesSegmentsToTheHost) {
    for (const bool v4 : {true, false}) {
        const size_t transport = v4 ? 34 : 54;
        const Bytes frame = for_segmentation(v4, 5000);
        context(frame, transport, 1400, v4, true);
        data(frame, kTxSegment, kTxTransportSum | (v4 ? uint32_t{kTxIpSum} : 0));
        const Bytes packet = taken();
        const virtio_net_hdr header = header_of(packet);
        EXPECT_EQ(header.gso_type, v4 ? VIRTIO_NET_HDR_GSO_TCPV4 : VIRTIO_NET_HDR_GSO_TCPV6);
        EXPECT_EQ(header.gso_size, 1400);
        EXPECT_EQ(header.hdr_len, transport + 20);
        EXPECT_EQ(header.csum_start, transport);
        EXPECT_EQ(header.csum_offset, 16);
        // Lengths are right, so is the header's sum, and TCP's field has that of the pseudo header.
        Bytes wanted = make_packet(v4, kTcpProtocol, 5000);
        put16(wanted, transport + 16,
              slow_pseudo_sum(wanted, v4, kTcpProtocol, wanted.size() - transport));
        EXPECT_EQ(frame_of(packet), wanted);
    }
}

TEST_F(E1000PlainTest, CutsSegmentsWhereTheHostDoesNot) {
    for (const bool v4 : {true, false}) {
        const size_t transport = v4 ? 34 : 54;
        const Bytes frame = for_segmentation(v4, 5000);
        context(frame, transport, 1400, v4, true);
        data(frame, kTxSegment, kTxTransportSum | (v4 ? uint32_t{kTxIpSum} : 0));
        for (const size_t payload : {1400, 1400, 1400, 800}) {
            const Bytes segment = taken();
            EXPECT_EQ(segment.size(), transport + 20 + payload);
            EXPECT_TRUE(judge(segment, false).transport.value_or(false));
            EXPECT_TRUE(judge(segment, false).ip.value_or(!v4));
        }
        EXPECT_EQ(taken(), Bytes{});
    }
}

TEST_F(E1000PlainTest, SumsUpWhereTheHostDoesNot) {
    const Bytes frame = make_packet(true, kUdpProtocol, 700);
    Bytes open = frame;
    put16(open, 40, slow_pseudo_sum(frame, true, kUdpProtocol, 708));
    context(open, 34, 0, true, false);
    data(open, 0, kTxTransportSum);
    EXPECT_EQ(taken(), frame);
}

TEST_F(E1000PlainTest, AFullWireLosesNoSegment) {
    const Bytes frame = for_segmentation(true, 50000);
    unsigned packets = 0;
    do {
        context(frame, 34, 1400, true, true);
        data(frame, kTxSegment, kTxTransportSum | kTxIpSum);
        ASSERT_LT(++packets, 1000u);
    } while (world.read(kTdh) == driver.tail);
    ASSERT_GT(world.nic->sent().stalls, 0u);
    constexpr unsigned kSegments = (50000 + 1399) / 1400;
    uint32_t expected = word32(frame, 38);
    for (unsigned i = 0; i < packets * kSegments; i++) {
        const Bytes segment = taken();
        ASSERT_TRUE(judge(segment, false).transport.value_or(false)) << i;
        ASSERT_EQ(word32(segment, 38), expected + i % kSegments * 1400) << i;
    }
    EXPECT_EQ(taken(), Bytes{});
}

TEST_F(E1000Test, VlanTagsGoInAndOut) {
    world.write(kCtrl, world.read(kCtrl) | kCtrlVlanMode);
    Bytes frame = make_packet(true, kUdpProtocol, 100);
    context(frame, 34, 0, true, false);
    data(frame, kTxVlan, kTxTransportSum);
    const Bytes packet = taken();
    EXPECT_EQ(header_of(packet).csum_start, 38);
    Bytes tagged = frame;
    const Bytes tag = {0x81, 0x00, 0x01, 0x23};
    tagged.insert(tagged.begin() + 12, tag.begin(), tag.end());
    EXPECT_EQ(frame_of(packet), tagged);

    std::ranges::copy(kNicMac, frame.begin());
    std::ranges::copy(kNicMac, tagged.begin());
    arrive(tagged);
    EXPECT_EQ(driver.receive(), frame);
    EXPECT_TRUE(driver.status & kRxVlan);
    EXPECT_EQ(driver.special, 0x0123);
    // A filter.
    world.write(kRctl, world.read(kRctl) | kRctlVlanFilter);
    arrive(tagged);
    EXPECT_EQ(driver.receive(), std::nullopt);
    world.write(kVfta + 0x123 / 32 * 4, 1u << 0x123 % 32);
    arrive(tagged);
    EXPECT_EQ(driver.receive(), frame);
}

TEST_F(E1000Test, LooksAtChecksums) {
    Bytes frame = make_packet(true, kTcpProtocol, 100);
    std::ranges::copy(kNicMac, frame.begin());
    arrive(frame);
    ASSERT_TRUE(driver.receive());
    EXPECT_TRUE(driver.status & kRxIgnoreSums);
    EXPECT_EQ(driver.crc, frame_check(frame));
    world.write(kRxcsum, kRxcsumIp | kRxcsumTransport);
    arrive(frame);
    ASSERT_TRUE(driver.receive());
    EXPECT_EQ(driver.status & (kRxIgnoreSums | kRxIpSum | kRxTransportSum),
              kRxIpSum | kRxTransportSum);
    EXPECT_EQ(driver.errors, 0);
    frame.back() ^= 1;
    arrive(frame);
    ASSERT_TRUE(driver.receive());
    EXPECT_EQ(driver.errors, kRxBadTransport);
    arrive(frame, VIRTIO_NET_HDR_F_DATA_VALID);
    ASSERT_TRUE(driver.receive());
    EXPECT_EQ(driver.errors, 0) << "the host has looked";
}

TEST_F(E1000Test, LongFramesTakeSeveralBuffers) {
    world.write(kRctl, kRctlEnable | kRctlLong | 3u << kRctlSizeShift); // 256 bytes each
    Bytes frame = make_packet(true, kTcpProtocol, 1000);
    std::ranges::copy(kNicMac, frame.begin());
    arrive(frame);
    Bytes all;
    for (bool last = false; !last;) {
        const auto piece = driver.receive();
        ASSERT_TRUE(piece);
        last = driver.status & kRxEnd;
        all.insert(all.end(), piece->begin(), piece->end());
        if (!last) {
            const auto* crc = reinterpret_cast<const uint8_t*>(&driver.crc);
            all.insert(all.end(), crc, crc + 4); // which they are in the last one alone
        }
    }
    EXPECT_EQ(all, frame);
    // More than there are buffers.
    Bytes large = make_packet(true, kTcpProtocol, 3000);
    std::ranges::copy(kNicMac, large.begin());
    arrive(large);
    EXPECT_EQ(driver.receive(), std::nullopt);
    EXPECT_EQ(world.read(kMpc), 1u);
    EXPECT_EQ(world.read(kMpc), 0u) << "a read clears";
    EXPECT_TRUE(world.read(kIcr) & kRxOverrun);
}

TEST_F(E1000Test, InterruptsAreSpaced) {
    driver.enable_interrupts();
    world.write(kItr, 0xffff); // 16 ms
    Bytes frame = make_packet(true, kTcpProtocol, 100);
    std::ranges::copy(kNicMac, frame.begin());
    arrive(frame);
    ASSERT_TRUE(platform.lines[11]);
    driver.take_causes();
    ASSERT_TRUE(driver.receive());
    const unsigned before = platform.rises[11];
    arrive(frame);
    // It comes when the time is over, and this end has to run the loop meanwhile.
    EXPECT_TRUE(until([&] {
        world.turn();
        return platform.rises[11] == before + 1;
    }));
}

// One that waits for its time when the machine is reset is forgotten, and those after it are not.
TEST_F(E1000Test, AResetEndsTheWait) {
    const auto second_comes = [&] {
        driver.enable_interrupts();
        world.write(kItr, 0x4000); // 4 ms
        world.write(kIcs, kRxTimer);
        driver.take_causes();
        const unsigned before = platform.rises[11];
        world.write(kIcs, kRxTimer);
        return [this, before] {
            return until([&] {
                world.turn();
                return platform.rises[11] == before + 1;
            });
        };
    };
    second_comes();
    world.nic->reset();
    world.place();
    driver.start();
    EXPECT_TRUE(second_comes()());
}

TEST_F(E1000Test, TheLoopReturnsFrames) {
    world.write(kRctl, world.read(kRctl) | kRctlLoopback);
    Bytes frame = make_packet(true, kTcpProtocol, 100);
    std::ranges::copy(kNicMac, frame.begin());
    ASSERT_TRUE(driver.send(frame));
    EXPECT_EQ(taken(), Bytes{});
    EXPECT_EQ(driver.receive(), frame);
}

TEST_F(E1000Test, RegistersByPorts) {
    world.out(0, 4, kTctl);
    EXPECT_EQ(world.in(4, 4), world.read(kTctl));
    world.out(0, 4, kRa + 8);
    world.out(4, 4, 0x12345678);
    EXPECT_EQ(world.read(kRa + 8), 0x12345678u);
    EXPECT_EQ(world.read(kRa + 9, 1), 0x56u);
    world.out(0, 4, 0xffff'fffc);
    world.out(4, 4, 0x12345678);
    EXPECT_EQ(world.in(4, 4), 0u);
}

// Rings that make no sense: nothing is sent, nothing hangs.
TEST_F(E1000Test, RingsWithoutSense) {
    const Bytes frame = make_packet(true, kTcpProtocol, 100);
    struct {
        uint32_t offset, value;
    } const kNonsense[] = {
        {kTdlen, 0}, {kTdh, 1000}, {kTdt, 1000}, {kTdbah, 0xffff'ffff}, {kTdbal, 0x7fff'fff0},
    };
    for (const auto& [offset, value] : kNonsense) {
        driver.start();
        world.write(offset, value);
        world.store(E1000Driver::kTxRing + 8, uint32_t{kTxEnd | 100});
        world.write(kTdt, offset == kTdt ? value : 3);
        EXPECT_EQ(taken(), Bytes{}) << offset;
    }
    // A packet without an end, longer than any.
    driver.start();
    for (unsigned i = 0; i < 100; i++) {
        driver.describe({kData, 0, 0xfffff | kTxExtended | kTxTypeData, 0});
        driver.go();
        world.turn();
    }
    EXPECT_EQ(world.read(kTdh), driver.tail);
    EXPECT_EQ(taken(), Bytes{});
    // Data that is nowhere.
    driver.start();
    driver.describe({0xffff'f000, 0xffff'ffff, 100 | kTxEnd, 0});
    driver.go();
    EXPECT_EQ(taken(), Bytes{});
    EXPECT_EQ(world.read(kTdh), driver.tail);
}

} // namespace
} // namespace vireo
