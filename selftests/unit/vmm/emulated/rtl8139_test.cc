// SPDX-License-Identifier: GPL-2.0-only
// What only this card does.
#include "emulated/nic/rtl8139.h"

#include <gtest/gtest.h>
#include <linux/mii.h>

#include "emulated/nic/offload.h"
#include "fake_platform.h"
#include "packets.h"
#include "rtl8139_driver.h"
#include "until.h"

namespace vireo {
namespace {

using namespace rtl8139;
using namespace test;

class Rtl8139Test : public testing::Test {
protected:
    Rtl8139Test() { driver.start(); }

    Bytes taken() {
        world.turn();
        return world.cable->get(0).value_or(Bytes{});
    }
    Bytes for_card(size_t payload) {
        Bytes frame = make_packet(true, kTcpProtocol, payload);
        std::ranges::copy(kNicMac, frame.begin());
        return frame;
    }

    FakePlatform platform;
    NicWorld world{"rtl8139", platform, false};
    Rtl8139PlusDriver driver{world};
};

TEST_F(Rtl8139Test, TheChipTellsWhatItIs) {
    EXPECT_EQ(world.nic->read_config(PCI_REVISION_ID, 1), 0x20u);
    EXPECT_EQ(world.in(kTcr, 4) & kTcrVersion, kVersionCPlus);
    FakePlatform other;
    NicWorld old("rtl8139c", other, false);
    EXPECT_LT(old.nic->read_config(PCI_REVISION_ID, 1), 0x20u);
    EXPECT_EQ(old.in(kTcr, 4) & kTcrVersion, kVersionC);
    old.out(kCpcr, 2, kPlusTransmit | kPlusReceive);
    EXPECT_EQ(old.in(kCpcr, 2), 0u) << "it has no such mode";
}

TEST_F(Rtl8139Test, BuffersGivenWithoutAWordAreFound) {
    unsigned sent = 0;
    for (; sent < 2 * Rtl8139PlusDriver::kRing; sent++) {
        ASSERT_TRUE(world.cable->put(for_card(100)));
        world.turn();
    }
    ASSERT_GT(world.nic->received().stalls, 0u);
    ASSERT_EQ(world.nic->received().packets, sent / 2);
    driver.give_all();
    EXPECT_TRUE(until([&] {
        world.turn();
        return world.nic->received().packets == sent;
    }));
}

TEST_F(Rtl8139Test, MakesChecksums) {
    for (const uint8_t protocol : {kTcpProtocol, kUdpProtocol}) {
        const Bytes frame = make_packet(true, protocol, 501);
        Bytes open = frame;
        put16(open, 24, 0);
        put16(open, protocol == kTcpProtocol ? 50 : 40, 0x1234);
        ASSERT_TRUE(driver.send(open, kTxIpSum | kTxTcpSum | kTxUdpSum));
        EXPECT_EQ(taken(), frame);
    }
    // Of what is no IP nothing can be made.
    ASSERT_TRUE(driver.send(Bytes(100, 0x11), kTxIpSum | kTxTcpSum));
    EXPECT_EQ(taken(), Bytes{});
}

TEST_F(Rtl8139Test, CutsSegments) {
    ASSERT_TRUE(driver.send(for_card(3000), kTxSegment | 1200u << kMssShift));
    for (const size_t payload : {1200, 1200, 600}) {
        const Bytes segment = taken();
        EXPECT_EQ(segment.size(), 54 + payload);
        EXPECT_TRUE(judge(segment, false).ip.value_or(false));
        EXPECT_TRUE(judge(segment, false).transport.value_or(false));
    }
    EXPECT_EQ(taken(), Bytes{});
}

TEST_F(Rtl8139Test, LooksAtChecksums) {
    Bytes frame = for_card(100);
    ASSERT_TRUE(world.cable->put(frame));
    world.turn();
    ASSERT_EQ(driver.receive(), frame);
    EXPECT_EQ(driver.command & (kRxIp | kRxBadIp | kRxBadTcp | kRxBadUdp), uint32_t{kRxTcp});
    frame.back() ^= 1;
    ASSERT_TRUE(world.cable->put(frame));
    world.turn();
    ASSERT_EQ(driver.receive(), frame);
    EXPECT_TRUE(driver.command & kRxBadTcp);
}

TEST_F(Rtl8139Test, VlanTagsGoInAndOut) {
    driver.set_modes(kPlusTransmit | kPlusReceive | kPlusVlan);
    const Bytes frame = for_card(100);
    Bytes tagged = frame;
    const Bytes tag = {0x81, 0x00, 0x01, 0x23};
    tagged.insert(tagged.begin() + 12, tag.begin(), tag.end());
    ASSERT_TRUE(driver.send(frame, 0, kTxTag | 0x2301));
    EXPECT_EQ(taken(), tagged);
    ASSERT_TRUE(world.cable->put(tagged));
    world.turn();
    EXPECT_EQ(driver.receive(), frame);
    EXPECT_EQ(driver.tag, kRxTagged | 0x2301);
}

TEST_F(Rtl8139Test, ATaggedFrameWaitsForTheWireAsItWas) {
    Bytes frame = for_card(1000);
    Bytes tagged = frame;
    const Bytes tag = {0x81, 0x00, 0x01, 0x23};
    tagged.insert(tagged.begin() + 12, tag.begin(), tag.end());
    unsigned sent = 0;
    while (driver.send_pieces(frame, kTxTag | 0x2301)) {
        ASSERT_LT(++sent, 10000u);
    }
    ASSERT_GT(world.nic->sent().stalls, 0u);
    for (unsigned i = 0; i < sent; i++) {
        ASSERT_EQ(taken(), tagged) << i;
    }
}

TEST_F(Rtl8139Test, TheTimerInterrupts) {
    world.out(kImr, 2, kTimeout);
    world.out(kTctr, 4, 0);
    world.out(kTimerInt, 4, 33000); // a millisecond
    EXPECT_TRUE(until([&] {
        world.turn();
        return platform.lines[11];
    }));
    EXPECT_GE(world.in(kTctr, 4), 33000u);
    EXPECT_EQ(driver.take_causes() & kTimeout, uint32_t{kTimeout});
    EXPECT_FALSE(platform.lines[11]);
}

TEST_F(Rtl8139Test, CountersGoToMemory) {
    ASSERT_TRUE(driver.send(for_card(100)));
    taken();
    ASSERT_TRUE(world.cable->put(for_card(100)));
    world.turn();
    world.out(kDtccr + 4, 4, 0);
    world.out(kDtccr, 4, 0x8000 | 8);
    EXPECT_EQ(world.in(kDtccr, 4) & 8, 0u) << "done";
    EXPECT_EQ(world.load<uint64_t>(0x8000), 1u) << "sent";
    EXPECT_EQ(world.load<uint64_t>(0x8008), 1u) << "received";
    EXPECT_EQ(world.load<uint64_t>(0x8000 + 40), 1u) << "with its address";
}

TEST_F(Rtl8139Test, TheTransceiverTellsOfTheLink) {
    EXPECT_TRUE(world.in(kBmsr, 2) & BMSR_LSTATUS);
    EXPECT_FALSE(world.in(kMsr, 1) & kMsrNoLink);
    world.nic->set_link(false);
    EXPECT_TRUE(world.in(kMsr, 1) & kMsrNoLink);
    EXPECT_TRUE(world.in(kCscr, 2) & kCscrLinkChanged);
    EXPECT_FALSE(world.in(kCscr, 2) & kCscrLinkChanged) << "told once";
    EXPECT_TRUE(world.in(kIsr, 2) & kLinkChange);
}

TEST_F(Rtl8139Test, ConfigurationIsLocked) {
    world.out(kConfig1, 1, 0x55);
    EXPECT_EQ(world.in(kConfig1, 1), 0u);
    world.out(k9346, 1, kModeUnlocked);
    world.out(kConfig1, 1, 0x55);
    EXPECT_EQ(world.in(kConfig1, 1), 0x55u);
}

// Of any width, where the driver likes it.
TEST_F(Rtl8139Test, RegistersByPieces) {
    world.out(kMar, 4, 0x04030201);
    world.out(kMar + 4, 2, 0x0605);
    world.out(kMar + 6, 1, 0x07);
    EXPECT_EQ(world.in(kMar, 4), 0x04030201u);
    EXPECT_EQ(world.in(kMar + 3, 4), 0x07060504u);
    world.out(kImr, 4, 0xffff'0000 | kTxOk); // IMR and ISR
    EXPECT_EQ(world.in(kImr, 2), uint32_t{kTxOk});
    world.out(kRcr + 1, 1, 0x18);
    EXPECT_EQ(world.in(kRcr, 4) & 0xff00, 0x1800u);
    EXPECT_EQ(world.in(kRcr, 4) & 0xff,
              uint32_t{kAcceptMine | kAcceptBroadcast | kAcceptMulticast});
}

} // namespace
} // namespace vireo
