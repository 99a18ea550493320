// SPDX-License-Identifier: GPL-2.0-only
// The user path of a queue pair: what goes in at one end comes out at the other.
#include "net/user_backend.h"

#include <gtest/gtest.h>

#include <tuple>

#include "cable.h"
#include "until.h"

namespace vireo::test {
namespace {

using namespace net;

constexpr uint64_t kModern = kVersion1 | kIndirectDesc | kEventIdx;

// What a guest and a tap may have agreed upon.
struct Agreed {
    const char* name;
    uint64_t features;
    bool header; // the tap has one
};

constexpr Agreed kAgreements[] = {
    {"split", kModern | kMrgRxbuf, true},
    {"packed", kModern | kMrgRxbuf | kRingPacked, true},
    {"in_order", kModern | kMrgRxbuf | kInOrder, true},
    {"packed_in_order", kModern | kMrgRxbuf | kRingPacked | kInOrder, true},
    {"no_event_idx", kVersion1 | kMrgRxbuf, true},
    {"one_buffer", kModern, true},
    {"legacy", 0, true},
    {"legacy_mergeable", kMrgRxbuf | kEventIdx, true},
    {"without_header", kModern | kMrgRxbuf, false},
    {"legacy_without_header", 0, false},
    {"packed_without_header", kModern | kRingPacked, false},
};

class UserPath : public testing::TestWithParam<Agreed> {
protected:
    explicit UserPath(uint64_t features = GetParam().features, bool header = GetParam().header,
                      uint16_t size = 256)
        : features_(features),
          cable_(1, header),
          driver_(memory_, features, 0, size),
          backend_(
              memory_, thread_.loop(), cable_, 0,
              [this](unsigned index, const std::string& what) {
                  broken_index_ = index;
                  broken_what_ = what;
                  broken_.signal();
              },
              [this] { gone_.signal(); }) {}

    void start() { backend_.start(features_, driver_.setups()); }

    // On the wire: with the virtio header that the tap has.
    Bytes on_wire(const Bytes& frame) const {
        Bytes packet(cable_.vnet_header() ? driver_.header() : 0);
        packet.insert(packet.end(), frame.begin(), frame.end());
        return packet;
    }

    void expect_packet(uint32_t number, size_t length) {
        const auto packet = driver_.take();
        ASSERT_TRUE(packet) << "packet " << number;
        EXPECT_EQ(packet->frame, make_frame(number, length)) << "packet " << number;
    }

    static bool signalled(const EventFd& event) {
        pollfd ready = {.fd = event.get(), .events = POLLIN, .revents = 0};
        return poll(&ready, 1, 60000) == 1 && event.take();
    }

    uint64_t value(const std::atomic<uint64_t>& counter) { return counter; }

    const uint64_t features_;
    GuestMemory memory_{kGuestSize};
    Cable cable_;
    NetDriver driver_;
    EventFd broken_, gone_;
    std::atomic<unsigned> broken_index_ = 99;
    std::string broken_what_;
    LoopThread thread_{"net0"};
    NetUserBackend backend_;
};

TEST_P(UserPath, FramesOfAllLengthsGoOut) {
    start();
    uint32_t number = 0;
    for (const size_t length : {22, 60, 61, 1514, 1515, 9014, 65000}) {
        for (const unsigned pieces : {1u, 2u, 3u, 7u}) {
            const Bytes frame = make_frame(++number, length);
            ASSERT_TRUE(driver_.send(frame, pieces));
            const auto seen = cable_.get();
            ASSERT_TRUE(seen);
            EXPECT_EQ(*seen, on_wire(frame)) << length << " bytes in " << pieces << " pieces";
            ASSERT_TRUE(driver_.wait_sent());
        }
    }
    EXPECT_EQ(value(backend_.counters(true).packets), number);
    EXPECT_EQ(value(backend_.counters(true).drops), 0u);
}

TEST_P(UserPath, FramesOfAllLengthsComeIn) {
    start();
    uint32_t number = 0;
    for (const size_t length : {22, 60, 61, 1514, 1515, 9014, 65000}) {
        for (const unsigned pieces : {1u, 2u, 3u, 7u}) {
            ASSERT_EQ(driver_.post(1, 70000, pieces), 1u);
            ASSERT_TRUE(cable_.put(on_wire(make_frame(++number, length))));
            expect_packet(number, length);
        }
    }
    EXPECT_EQ(value(backend_.counters(false).packets), number);
    EXPECT_EQ(value(backend_.counters(false).drops), 0u);
}

TEST_P(UserPath, AFullTapLosesNothing) {
    start();
    // Fill the wire, which nobody reads, and what the driver has.
    uint32_t sent = 0;
    while (!value(backend_.counters(true).stalls) || driver_.in_flight() < 64) {
        if (driver_.send(make_frame(sent, 9000))) {
            sent++;
        } else if (!driver_.reclaim()) {
            std::this_thread::yield();
        }
    }
    uint32_t seen = 0;
    while (seen < sent) {
        const auto packet = cable_.get();
        ASSERT_TRUE(packet) << seen << " of " << sent;
        ASSERT_EQ(*packet, on_wire(make_frame(seen, 9000)));
        seen++;
    }
}

TEST_P(UserPath, WithoutBuffersPacketsStayOutside) {
    start();
    constexpr uint32_t kPackets = 40;
    for (uint32_t i = 0; i < kPackets; i++) {
        ASSERT_TRUE(cable_.put(on_wire(make_frame(i, 100))));
    }
    // It sees them, and that it has no buffers.
    ASSERT_TRUE(until([&] { return value(backend_.counters(false).stalls) != 0; }));
    // What it did not take is there for another reader.
    backend_.stop();
    Bytes first(4096);
    const ssize_t n = read(cable_.fd(0), first.data(), first.size());
    ASSERT_GT(n, 0);
    first.resize(static_cast<size_t>(n));
    EXPECT_EQ(first, on_wire(make_frame(0, 100)));
    start();
    for (uint32_t i = 1; i < kPackets; i++) {
        ASSERT_EQ(driver_.post(1, 70000), 1u);
        expect_packet(i, 100);
    }
}

TEST_P(UserPath, StopAndStartGoOn) {
    start();
    uint32_t in = 0, out = 0;
    for (int round = 0; round < 20; round++) {
        ASSERT_EQ(driver_.post(3, 70000), 3u);
        for (int i = 0; i < 3; i++) {
            ASSERT_TRUE(cable_.put(on_wire(make_frame(in + i, 700))));
            ASSERT_TRUE(driver_.send(make_frame(out + i, 800)));
        }
        std::vector<QueueSetup> setups = driver_.setups();
        const std::vector<uint32_t> states = backend_.stop();
        ASSERT_EQ(states.size(), 2u);
        setups[0].state = states[0];
        setups[1].state = states[1];
        backend_.start(features_, setups);
        for (int i = 0; i < 3; i++) {
            expect_packet(in++, 700);
            const auto seen = cable_.get();
            ASSERT_TRUE(seen);
            EXPECT_EQ(*seen, on_wire(make_frame(out++, 800)));
            ASSERT_TRUE(driver_.wait_sent());
        }
    }
}

TEST_P(UserPath, RuntsAndGiantsAreDropped) {
    start();
    Bytes runt(13);
    ASSERT_TRUE(driver_.send(runt));
    ASSERT_TRUE(driver_.wait_sent());
    EXPECT_EQ(value(backend_.counters(true).drops), 1u);
    ASSERT_TRUE(driver_.send(Bytes(66000)));
    ASSERT_TRUE(driver_.wait_sent());
    EXPECT_EQ(value(backend_.counters(true).drops), 2u);
    ASSERT_EQ(driver_.post(1, 70000), 1u);
    ASSERT_TRUE(cable_.put(on_wire(runt)));
    ASSERT_TRUE(cable_.put(on_wire(make_frame(1, 70))));
    expect_packet(1, 70);
    EXPECT_EQ(value(backend_.counters(false).drops), 1u);
}

TEST_P(UserPath, BufferOfTheWrongDirectionBreaksTheQueue) {
    start();
    const uint64_t address = driver_.transmit.buffers();
    ASSERT_TRUE(driver_.transmit.add({{.addr = address, .len = 100}}, 0, 1));
    driver_.transmit.show();
    ASSERT_TRUE(signalled(broken_));
    EXPECT_EQ(broken_index_, 1u);
    EXPECT_EQ(broken_what_, "a writable buffer on a transmit queue");
    // The other queue goes on.
    ASSERT_EQ(driver_.post(1, 70000), 1u);
    ASSERT_TRUE(cable_.put(on_wire(make_frame(3, 300))));
    expect_packet(3, 300);
    ASSERT_TRUE(driver_.receive.add({{.addr = address, .len = 100}}, 1, 77));
    driver_.receive.show();
    ASSERT_TRUE(cable_.put(on_wire(make_frame(4, 300))));
    ASSERT_TRUE(signalled(broken_));
    EXPECT_EQ(broken_index_, 0u);
    EXPECT_EQ(broken_what_, "a readable buffer on a receive queue");
}

TEST_P(UserPath, ABufferOutsideMemoryBreaksTheQueue) {
    start();
    ASSERT_TRUE(driver_.transmit.add({{.addr = kGuestSize - 10, .len = 100}}, 1, 1));
    driver_.transmit.show();
    ASSERT_TRUE(signalled(broken_));
    EXPECT_EQ(broken_index_, 1u);
    EXPECT_EQ(broken_what_, "a buffer outside guest memory");
}

TEST_P(UserPath, APulledCableLosesBothWays) {
    backend_.set_plugged(false);
    start();
    ASSERT_EQ(driver_.post(2, 70000), 2u);
    ASSERT_TRUE(cable_.put(on_wire(make_frame(1, 70))));
    ASSERT_TRUE(driver_.send(make_frame(2, 70)));
    ASSERT_TRUE(driver_.wait_sent());
    ASSERT_TRUE(until([&] { return value(backend_.counters(false).drops) != 0; }));
    EXPECT_FALSE(cable_.get(0));
    std::vector<QueueSetup> setups = driver_.setups();
    const auto states = backend_.stop();
    setups[0].state = states[0];
    setups[1].state = states[1];
    backend_.set_plugged(true);
    backend_.start(features_, setups);
    ASSERT_TRUE(cable_.put(on_wire(make_frame(3, 70))));
    expect_packet(3, 70);
}

TEST_P(UserPath, ADeletedInterfaceIsNoticedOnce) {
    start();
    cable_.cut();
    ASSERT_TRUE(signalled(gone_));
    ASSERT_TRUE(driver_.send(make_frame(2, 70)));
    ASSERT_TRUE(driver_.wait_sent());
    backend_.stop();
    EXPECT_FALSE(gone_.take());
}

INSTANTIATE_TEST_SUITE_P(All, UserPath, testing::ValuesIn(kAgreements),
                         [](const auto& info) { return std::string(info.param.name); });

// Packets over several buffers.
class Merging : public UserPath {};

TEST_P(Merging, PacketsTakeTheBuffersThatTheyNeed) {
    start();
    uint32_t number = 0;
    // The header alone takes 12 bytes of the first.
    for (const size_t length : {22, 52, 53, 116, 117, 1000, 4084}) {
        while (driver_.post(80, 64)) {
        }
        ASSERT_TRUE(cable_.put(on_wire(make_frame(++number, length))));
        const auto packet = driver_.take();
        ASSERT_TRUE(packet);
        EXPECT_EQ(packet->frame, make_frame(number, length));
        EXPECT_EQ(packet->buffers, (driver_.header() + length + 63) / 64);
    }
}

TEST_P(Merging, ALargePacketAmongSmallOnes) {
    start();
    uint32_t number = 0;
    for (int round = 0; round < 30; round++) {
        for (const size_t length : {60, 60, 65000, 1514, 60, 30000, 65000, 60, 60, 60, 60}) {
            while (driver_.post(80, 1536)) {
            }
            ASSERT_TRUE(cable_.put(on_wire(make_frame(++number, length))));
            const auto packet = driver_.take();
            ASSERT_TRUE(packet);
            ASSERT_EQ(packet->frame, make_frame(number, length));
            ASSERT_EQ(packet->buffers, (driver_.header() + packet->frame.size() + 1535) / 1536);
        }
    }
    EXPECT_EQ(value(backend_.counters(false).drops), 0u);
}

TEST_P(Merging, APacketWaitsForItsLastBuffers) {
    start();
    for (uint32_t number = 0; number < 20; number++) {
        const uint64_t before = value(backend_.counters(false).stalls);
        ASSERT_EQ(driver_.post(2, 1000), 2u);
        ASSERT_TRUE(cable_.put(on_wire(make_frame(number, 3500))));
        ASSERT_TRUE(until([&] { return value(backend_.counters(false).stalls) != before; }));
        EXPECT_FALSE(driver_.take(0));
        // Across a stop, too.
        if (number % 2) {
            std::vector<QueueSetup> setups = driver_.setups();
            const auto states = backend_.stop();
            setups[0].state = states[0];
            setups[1].state = states[1];
            backend_.start(features_, setups);
        }
        ASSERT_EQ(driver_.post(1, 1000), 1u);
        ASSERT_EQ(driver_.post(1, 1000), 1u);
        expect_packet(number, 3500);
    }
    EXPECT_EQ(value(backend_.counters(false).drops), 0u);
}

TEST_P(Merging, APacketForMoreBuffersThanABatchIsDropped) {
    start();
    while (driver_.post(80, 64)) {
    }
    ASSERT_TRUE(cable_.put(on_wire(make_frame(1, 9000))));
    ASSERT_TRUE(cable_.put(on_wire(make_frame(2, 500))));
    expect_packet(2, 500);
    EXPECT_EQ(value(backend_.counters(false).drops), 1u);
}

INSTANTIATE_TEST_SUITE_P(All, Merging,
                         testing::Values(kAgreements[0], kAgreements[1], kAgreements[2],
                                         kAgreements[3], kAgreements[7], kAgreements[8]),
                         [](const auto& info) { return std::string(info.param.name); });

class OneBuffer : public UserPath {};

TEST_P(OneBuffer, AShortBufferDropsThePacketAndServesForTheNext) {
    start();
    ASSERT_EQ(driver_.post(1, 200), 1u);
    ASSERT_TRUE(cable_.put(on_wire(make_frame(1, 1000))));
    ASSERT_TRUE(cable_.put(on_wire(make_frame(2, 100))));
    expect_packet(2, 100);
    EXPECT_EQ(value(backend_.counters(false).drops), 1u);
}

INSTANTIATE_TEST_SUITE_P(All, OneBuffer,
                         testing::Values(kAgreements[5], kAgreements[6], kAgreements[9],
                                         kAgreements[10]),
                         [](const auto& info) { return std::string(info.param.name); });

} // namespace
} // namespace vireo::test
