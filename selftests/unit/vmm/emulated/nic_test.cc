// SPDX-License-Identifier: GPL-2.0-only
// What is true of each emulated card.
#include <gtest/gtest.h>

#include <random>

#include "fake_platform.h"
#include "nic_world.h"

namespace vireo {
namespace {

using namespace test;

constexpr std::string_view kModels[] = {"e1000", "rtl8139", "rtl8139c"};
constexpr MacAddress kOther = {0x52, 0x54, 0x00, 0xaa, 0xbb, 0xcc};
constexpr MacAddress kGroup = {0x01, 0x00, 0x5e, 0x01, 0x02, 0x03};
constexpr MacAddress kOtherGroup = {0x01, 0x00, 0x5e, 0x7f, 0x70, 0x11};
constexpr MacAddress kBroadcast = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

Bytes make_frame(const MacAddress& to, size_t size, uint8_t seed = 1) {
    Bytes frame(size);
    std::mt19937 random(seed);
    for (uint8_t& byte : frame) {
        byte = static_cast<uint8_t>(random());
    }
    std::ranges::copy(to, frame.begin());
    std::ranges::copy(kOther, frame.begin() + 6);
    frame[12] = 0x88;
    frame[13] = 0xb5;
    return frame;
}

// Each with a virtio-net header on the cable, and without.
class NicTest : public testing::TestWithParam<std::tuple<std::string_view, bool>> {
protected:
    NicTest() { driver->start(); }

    // From the tap; the card had a turn.
    void arrive(const Bytes& frame) {
        Bytes packet(header ? sizeof(virtio_net_hdr) : 0);
        packet.insert(packet.end(), frame.begin(), frame.end());
        ASSERT_TRUE(world.cable->put(packet));
        world.turn();
    }
    // What is on the tap, if anything; without its header, which says nothing.
    std::optional<Bytes> left() {
        auto packet = world.cable->get(0);
        if (packet && header) {
            EXPECT_EQ(Bytes(packet->begin(), packet->begin() + sizeof(virtio_net_hdr)),
                      Bytes(sizeof(virtio_net_hdr)));
            packet->erase(packet->begin(), packet->begin() + sizeof(virtio_net_hdr));
        }
        return packet;
    }
    bool interrupt() { return platform.lines[11]; }
    bool wanted(const MacAddress& to) {
        arrive(make_frame(to, 100));
        return driver->receive().has_value();
    }
    void expect_works() {
        const Bytes out = make_frame(kOther, 300, 7);
        ASSERT_TRUE(driver->send(out));
        world.turn();
        EXPECT_EQ(left(), out);
        const Bytes in = make_frame(kNicMac, 400, 8);
        arrive(in);
        EXPECT_EQ(driver->receive(), in);
    }

    const std::string_view model = std::get<0>(GetParam());
    const bool header = std::get<1>(GetParam());
    FakePlatform platform;
    NicWorld world{model, platform, header};
    std::unique_ptr<NicDriver> driver = make_nic_driver(model, world);
};

TEST_P(NicTest, HasTheAddressThatItWasGiven) {
    EXPECT_EQ(driver->address(), kNicMac);
    EXPECT_EQ(world.cable->given_mac, kNicMac);
    EXPECT_EQ(world.cable->guest_offloads, 0u) << "the host sends whole frames";
}

TEST_P(NicTest, SendsAndReceives) {
    for (const size_t size : {60, 61, 64, 127, 1000, 1513, 1514}) {
        const Bytes frame = make_frame(kOther, size, static_cast<uint8_t>(size));
        ASSERT_TRUE(driver->send(frame)) << size;
        world.turn();
        EXPECT_EQ(left(), frame) << size;
        const Bytes in = make_frame(kNicMac, size, static_cast<uint8_t>(size + 1));
        arrive(in);
        EXPECT_EQ(driver->receive(), in) << size;
    }
    EXPECT_EQ(driver->receive(), std::nullopt);
    EXPECT_EQ(left(), std::nullopt);
}

TEST_P(NicTest, ShortFramesAreFilledUp) {
    Bytes frame = make_frame(kNicMac, 42);
    arrive(frame);
    frame.resize(60);
    EXPECT_EQ(driver->receive(), frame);
}

TEST_P(NicTest, GoesRoundItsRings) {
    for (unsigned i = 0; i < 5 * driver->ring() + 3; i++) {
        const Bytes frame = make_frame(kOther, 60 + 37 * i % 1400, static_cast<uint8_t>(i));
        ASSERT_TRUE(driver->send(frame)) << i;
        world.turn();
        ASSERT_EQ(left(), frame) << i;
        const Bytes in = make_frame(kNicMac, 1500 - 31 * i % 1400, static_cast<uint8_t>(i + 1));
        arrive(in);
        ASSERT_EQ(driver->receive(), in) << i;
    }
}

TEST_P(NicTest, FramesWaitForBuffers) {
    constexpr unsigned kFrames = 40;
    for (unsigned i = 0; i < kFrames; i++) {
        arrive(make_frame(kNicMac, 1000, static_cast<uint8_t>(i)));
    }
    for (unsigned i = 0; i < kFrames; i++) {
        ASSERT_EQ(driver->receive(), make_frame(kNicMac, 1000, static_cast<uint8_t>(i))) << i;
        world.turn();
    }
    EXPECT_EQ(world.nic->received().packets, kFrames);
    EXPECT_EQ(world.nic->received().drops, 0u);
    EXPECT_GT(world.nic->received().stalls, 0u);
}

TEST_P(NicTest, AFullWireHoldsFrames) {
    // The socket takes so much, and the ring holds so much; then the driver has to wait.
    unsigned sent = 0;
    while (driver->send(make_frame(kOther, 1514, static_cast<uint8_t>(sent)))) {
        ASSERT_LT(++sent, 10000u);
    }
    ASSERT_GT(world.nic->sent().stalls, 0u);
    for (unsigned i = 0; i < sent; i++) {
        world.turn();
        ASSERT_EQ(left(), make_frame(kOther, 1514, static_cast<uint8_t>(i))) << i;
    }
    world.turn();
    EXPECT_EQ(left(), std::nullopt);
    expect_works();
}

TEST_P(NicTest, TakesWhatIsForIt) {
    EXPECT_TRUE(wanted(kNicMac));
    EXPECT_TRUE(wanted(kBroadcast));
    EXPECT_FALSE(wanted(kOther));
    EXPECT_FALSE(wanted(kGroup));
    EXPECT_EQ(world.nic->received().filtered, 2u);
    driver->set_filter(false, kGroup);
    EXPECT_TRUE(wanted(kGroup));
    EXPECT_FALSE(wanted(kOtherGroup));
    EXPECT_FALSE(wanted(kOther));
    driver->set_filter(true, {});
    EXPECT_TRUE(wanted(kOther));
    EXPECT_TRUE(wanted(kOtherGroup));
    driver->set_filter(false, {});
    EXPECT_FALSE(wanted(kOther));
    EXPECT_FALSE(wanted(kGroup));
}

TEST_P(NicTest, InterruptsAreMaskedAndAcknowledged) {
    arrive(make_frame(kNicMac, 100));
    EXPECT_FALSE(interrupt()) << "masked";
    driver->enable_interrupts();
    EXPECT_TRUE(interrupt()) << "the cause is there still";
    driver->take_causes();
    EXPECT_FALSE(interrupt());
    driver->send(make_frame(kOther, 100));
    world.turn();
    EXPECT_TRUE(interrupt());
    driver->take_causes();
    EXPECT_FALSE(interrupt());
}

TEST_P(NicTest, ACableThatIsOutLosesFrames) {
    driver->enable_interrupts();
    driver->take_causes();
    world.nic->set_link(false);
    world.turn();
    arrive(make_frame(kNicMac, 100));
    EXPECT_EQ(driver->receive(), std::nullopt);
    driver->send(make_frame(kOther, 100));
    world.turn();
    EXPECT_EQ(left(), std::nullopt);
    world.nic->set_link(true);
    world.turn();
    driver->take_causes();
    expect_works();
}

TEST_P(NicTest, AnInterfaceThatIsGoneIsACableThatIsOut) {
    world.cable->cut();
    world.turn();
    driver->send(make_frame(kOther, 100));
    world.turn();
    EXPECT_EQ(world.nic->sent().packets, 0u);
}

TEST_P(NicTest, PausedItTouchesNothing) {
    world.nic->pause();
    arrive(make_frame(kNicMac, 100, 3));
    EXPECT_EQ(driver->receive(), std::nullopt);
    world.nic->resume();
    world.turn();
    EXPECT_EQ(driver->receive(), make_frame(kNicMac, 100, 3));
}

TEST_P(NicTest, WithoutBusMasteringItTouchesNothing) {
    world.nic->write_config(PCI_COMMAND, 2, PCI_COMMAND_IO | PCI_COMMAND_MEMORY);
    const Bytes before = world.get(0, 1 << 20);
    arrive(make_frame(kNicMac, 100));
    EXPECT_EQ(world.get(0, 1 << 20), before);
}

TEST_P(NicTest, ResetForgetsTheDriver) {
    driver->enable_interrupts();
    arrive(make_frame(kNicMac, 100));
    EXPECT_TRUE(interrupt());
    world.nic->reset();
    EXPECT_FALSE(interrupt());
    world.turn();
    const Bytes before = world.get(0, 1 << 20);
    arrive(make_frame(kNicMac, 100));
    world.place();
    arrive(make_frame(kNicMac, 100));
    EXPECT_EQ(world.get(0, 1 << 20), before);
    driver->start();
    expect_works();
}

TEST_P(NicTest, ADriverMayBeginAnewInTheMiddle) {
    for (unsigned i = 0; i < 20; i++) {
        driver->send(make_frame(kOther, 1514));
        arrive(make_frame(kNicMac, 1000));
    }
    world.turn();
    driver->start();
    while (left()) {
        world.turn();
    }
    // Frames that waited for the one before come to this one.
    for (unsigned i = 0; i < 20; i++) {
        world.turn();
        while (driver->receive()) {
        }
    }
    expect_works();
}

TEST_P(NicTest, CountsWhatADriverCosts) {
    const auto counter = [&](std::string_view name) {
        for (const auto& [known, value] : world.nic->counters()) {
            if (name == known) {
                return value;
            }
        }
        return ~uint64_t{0};
    };
    driver->enable_interrupts();
    driver->take_causes();
    const uint64_t traps = counter("traps"), bytes = counter("dma-bytes");
    const uint64_t interrupts = counter("interrupts");
    arrive(make_frame(kNicMac, 1000));
    EXPECT_EQ(counter("interrupts"), interrupts + 1);
    driver->take_causes();
    EXPECT_GT(counter("traps"), traps);
    EXPECT_EQ(world.nic->received().bytes, 1000u);
    EXPECT_GE(counter("dma-bytes"), bytes + 1000);
}

// A driver that writes anything anywhere: the card stays inside of memory and comes to an end (the
// sanitizers look), and works for the next one.
TEST_P(NicTest, SurvivesNonsense) {
    std::mt19937 random(4711);
    for (unsigned round = 0; round < 20; round++) {
        for (unsigned i = 0; i < 500; i++) {
            const unsigned size = 1u << random() % 3;
            const uint32_t value = random() % 4 ? static_cast<uint32_t>(random()) : random() % 64;
            const bool ports = random() % 2;
            const uint32_t offset = random() % 0x6000;
            if (random() % 4 == 0) {
                ports ? world.in(offset % 256, size) : world.read(offset, size);
            } else if (ports) {
                world.out(offset % 256, size, value);
            } else {
                world.write(offset, value, size);
            }
            if (random() % 16 == 0) {
                const uint32_t at = static_cast<uint32_t>(random() % 0x4000);
                world.store(at, static_cast<uint32_t>(random()));
            }
        }
        arrive(make_frame(kNicMac, 100));
        world.turn();
    }
    while (world.cable->get(0)) {
        world.turn();
    }
    world.nic->reset();
    world.place();
    world.turn();
    driver->start();
    world.turn();
    expect_works();
}

INSTANTIATE_TEST_SUITE_P(Models, NicTest,
                         testing::Combine(testing::ValuesIn(kModels), testing::Bool()),
                         [](const auto& info) {
                             return std::string(std::get<0>(info.param)) +
                                    (std::get<1>(info.param) ? "_header" : "_plain");
                         });

} // namespace
} // namespace vireo
