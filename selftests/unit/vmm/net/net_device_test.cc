// SPDX-License-Identifier: GPL-2.0-only
// The network card as a transport sees it: configuration, features, queues, the control queue.
#include "net/net_device.h"

#include <gtest/gtest.h>

#include <thread>

#include "base/error.h"
#include "cable.h"
#include "fake_transport.h"
#include "until.h"

// Options that a test does not name have their defaults.
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

namespace vireo::test {
namespace {

using namespace net;

constexpr MacAddress kMacAddress = {0x52, 0x54, 0, 0x12, 0x34, 0x56};

class Card : public testing::Test {
protected:
    template <class Work>
    auto with(Work work) {
        const std::lock_guard held(device_->lock());
        return work(*device_);
    }

    ~Card() override {
        if (device_) {
            with([](NetDevice& device) { device.stop(); });
        }
        main_.quit();
        if (thread_.joinable()) {
            thread_.join();
        }
    }

    void make(const NicOptions& options, unsigned pairs = 1, bool header = true) {
        auto cable = std::make_unique<Cable>(pairs, header);
        cable_ = cable.get();
        make(options, std::move(cable));
    }
    void make(const NicOptions& options, std::unique_ptr<Cable> cable) {
        cable_ = cable.get();
        device_ = std::make_unique<NetDevice>(
            NetDevice::Parts{
                .memory = memory_,
                .main = main_,
                .loops = {&loop_.loop(), &loop2_.loop()},
                .endpoint = std::move(cable),
                .make_vhost = [](unsigned, BrokenQueue) -> std::unique_ptr<VhostNetBackend> {
                    throw UsageError("no such device here");
                }},
            options, kMacAddress);
        device_->connect(transport_);
        thread_ = std::thread([this] { main_.run(); });
    }

    Bytes config(uint32_t offset, size_t bytes) {
        Bytes data(bytes, 0xee);
        with([&](NetDevice& device) { device.read_config(offset, data); });
        return data;
    }

    // A driver that uses the first `pairs` pairs; with MQ or one pair, and the control queue.
    void start(uint64_t features, unsigned pairs = 1) {
        std::vector<QueueSetup> setups;
        for (unsigned i = 0; i < pairs; i++) {
            drivers_.push_back(std::make_unique<NetDriver>(memory_, features, i));
            for (const QueueSetup& setup : drivers_.back()->setups()) {
                setups.push_back(setup);
            }
        }
        const uint16_t index = static_cast<uint16_t>(features & kMq ? 2 * pairs : 2);
        control_ = std::make_unique<QueueDriver>(memory_, features, index, 2 * pairs, 64);
        setups.push_back(control_->setup());
        with([&](NetDevice& device) { device.start(features, setups); });
    }

    uint8_t command(const Bytes& bytes) {
        const uint64_t at = control_->buffers();
        memcpy(control_->at(at, bytes.size()), bytes.data(), bytes.size());
        auto* answer = reinterpret_cast<uint8_t*>(control_->at(at + 4096, 1));
        *answer = 0xff;
        EXPECT_TRUE(control_->add(
            {{.addr = at, .len = static_cast<u32>(bytes.size())}, {.addr = at + 4096, .len = 1}}, 1,
            1));
        control_->show();
        const auto used = control_->wait();
        EXPECT_TRUE(used && used->length == 1);
        return *answer;
    }

    void expect_through(unsigned pair, uint32_t number) {
        ASSERT_EQ(drivers_[pair]->post(1, 4096), 1u);
        Bytes packet(drivers_[pair]->header());
        const Bytes frame = make_frame(number, 200);
        packet.insert(packet.end(), frame.begin(), frame.end());
        ASSERT_TRUE(cable_->put(packet, pair));
        const auto seen = drivers_[pair]->take();
        ASSERT_TRUE(seen);
        EXPECT_EQ(seen->frame, frame);
        ASSERT_TRUE(drivers_[pair]->send(frame));
        EXPECT_EQ(cable_->get(60, pair), packet);
        ASSERT_TRUE(drivers_[pair]->wait_sent());
    }

    uint64_t counter(unsigned queue, const std::string& name) {
        for (const auto& counter : with([&](NetDevice& d) { return d.counters(queue); })) {
            if (counter.name == name) {
                return counter.value;
            }
        }
        ADD_FAILURE() << "no counter " << name;
        return 0;
    }

    GuestMemory memory_{kGuestSize};
    EventLoop main_;
    LoopThread loop_{"net0"}, loop2_{"net1"};
    FakeTransport transport_;
    Cable* cable_ = nullptr;
    std::vector<std::unique_ptr<NetDriver>> drivers_;
    std::unique_ptr<QueueDriver> control_;
    std::thread thread_;
    std::unique_ptr<NetDevice> device_;
};

constexpr uint64_t kDriver = kVersion1 | kMrgRxbuf | kEventIdx | kStatus | kMac | kCtrlVq |
                             kCtrlRx | kCtrlRxExtra | kCtrlVlan | kCtrlMacAddr | kGuestCsum |
                             kGuestTso4 | kCtrlGuestOffloads;

TEST_F(Card, Configuration) {
    make({.mq = true, .mtu = 9000}, 3);
    const Bytes expected = {0x52, 0x54, 0, 0x12, 0x34, 0x56, 1, 0, 3, 0, 0x28, 0x23};
    EXPECT_EQ(config(0, 12), expected);
    for (uint32_t offset = 0; offset < 12; offset++) {
        EXPECT_EQ(config(offset, 1)[0], expected[offset]);
    }
    EXPECT_EQ(config(10, 4), (Bytes{0x28, 0x23, 0, 0}));
    with([](NetDevice& device) { device.set_link(false); });
    EXPECT_EQ(config(6, 2), (Bytes{0, 0}));
}

TEST_F(Card, Shape) {
    make({.mq = true, .queue_size = 512}, 3);
    EXPECT_EQ(device_->shape().type, 1);
    EXPECT_EQ(device_->shape().pci_class, 0x020000u);
    EXPECT_EQ(device_->shape().queues, (std::vector<uint16_t>{512, 512, 512, 512, 512, 512, 64}));
}

TEST_F(Card, ShapeWithoutMultiqueueOrControl) {
    make({.ctrl_vq = false}, 3);
    EXPECT_EQ(device_->shape().queues.size(), 2u);
    EXPECT_FALSE(device_->features() & (kMq | kCtrlVq | kCtrlRx | kCtrlMacAddr));
}

TEST_F(Card, OffersWhatTheTapCan) {
    make({});
    const uint64_t always = kMac | kStatus | kVersion1 | kMrgRxbuf | kCtrlVq | kRingPacked |
                            kEventIdx | kIndirectDesc | kRingReset;
    EXPECT_EQ(device_->features() & always, always);
    EXPECT_EQ(device_->features() & (kHostSegmentation | kGuestOffloads),
              kHostSegmentation | kGuestOffloads);
    EXPECT_FALSE(device_->features() & (kMq | kMtu | kAccessPlatform));
}

TEST_F(Card, OffersNoOffloadsWithoutAHeader) {
    make({}, 1, false);
    EXPECT_FALSE(device_->features() &
                 (kHostSegmentation | kGuestOffloads | kCsum | kCtrlGuestOffloads));
}

TEST_F(Card, OffloadsDependOnChecksums) {
    make({.csum = false, .guest_csum = false});
    EXPECT_FALSE(device_->features() &
                 (kHostSegmentation | kGuestOffloads | kCsum | kCtrlGuestOffloads));
}

TEST_F(Card, OffloadsAreSwitchedSingly) {
    make({.host_tso4 = false, .guest_tso6 = false, .guest_ufo = false, .host_uso = false});
    EXPECT_EQ(device_->features() & kHostSegmentation, kHostTso6 | kHostEcn | kHostUfo);
    EXPECT_EQ(device_->features() & kGuestOffloads,
              kGuestCsum | kGuestTso4 | kGuestEcn | kGuestUso4 | kGuestUso6);
}

TEST_F(Card, SaysWhatTheTapCannot) {
    auto cable = std::make_unique<Cable>();
    cable->can = kCsum | kGuestCsum;
    try {
        make({.guest_uso4 = true}, std::move(cable));
        FAIL();
    } catch (const UsageError& error) {
        EXPECT_STREQ(error.what(),
                     "-device virtio-net-pci,guest_uso4=on: cable0 cannot do it; "
                     "newer kernels may, or leave it out");
    }
}

TEST_F(Card, TellsTheTapWhatWasNegotiated) {
    make({});
    start(kDriver);
    EXPECT_EQ(cable_->header_length, 12u);
    EXPECT_EQ(cable_->guest_offloads, kGuestCsum | kGuestTso4);
    EXPECT_EQ(cable_->active, 1u);
    expect_through(0, 1);
}

TEST_F(Card, LegacyDriver) {
    make({});
    start(kMac | kStatus);
    EXPECT_EQ(cable_->header_length, 10u);
    expect_through(0, 1);
    const Bytes mac = {2, 4, 6, 8, 10, 12};
    with([&](NetDevice& device) { device.write_config(0, mac); });
    EXPECT_EQ(config(0, 6), mac);
    with([&](NetDevice& device) { device.write_config(4, Bytes{1, 2, 3, 4}); });
    EXPECT_EQ(config(0, 8), (Bytes{2, 4, 6, 8, 1, 2, 1, 0}));
    with([&](NetDevice& device) {
        device.stop();
        device.reset();
    });
    EXPECT_EQ(config(0, 6), Bytes(kMacAddress.begin(), kMacAddress.end()));
}

TEST_F(Card, AModernDriverDoesNotWriteTheConfiguration) {
    make({});
    start(kDriver);
    with([&](NetDevice& device) { device.write_config(0, Bytes{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}); });
    EXPECT_EQ(config(0, 6), Bytes(kMacAddress.begin(), kMacAddress.end()));
}

TEST_F(Card, ControlQueue) {
    for (const uint64_t ring : {uint64_t{0}, kRingPacked}) {
        if (!device_) {
            make({});
        }
        drivers_.clear();
        start(kDriver | ring);
        EXPECT_EQ(command({1, 1, 2, 3, 4, 5, 6, 7}), VIRTIO_NET_OK);
        EXPECT_EQ(config(0, 6), (Bytes{2, 3, 4, 5, 6, 7}));
        EXPECT_EQ(cable_->given_mac, (MacAddress{2, 3, 4, 5, 6, 7}));
        EXPECT_EQ(command({5, 0, 2, 0, 0, 0, 0, 0, 0, 0}), VIRTIO_NET_OK);
        EXPECT_EQ(cable_->guest_offloads, kGuestCsum);
        EXPECT_EQ(command({4, 0, 2, 0}), VIRTIO_NET_ERR);
        EXPECT_EQ(counter(2, "chains"), ring ? 6u : 3u);
        with([](NetDevice& device) {
            device.stop();
            device.reset();
        });
        EXPECT_EQ(cable_->given_mac, kMacAddress);
    }
}

TEST_F(Card, ACommandWithoutRoomForItsAnswerBreaksTheQueue) {
    make({});
    start(kDriver);
    ASSERT_TRUE(control_->add({{.addr = control_->buffers(), .len = 3}}, 1, 1));
    control_->show();
    EXPECT_EQ(transport_.wait_for_reset(), "queue 2: a command without room for the answer");
}

TEST_F(Card, TheFilterIsApplied) {
    make({});
    start(kDriver);
    EXPECT_EQ(command({0, 0, 0}), VIRTIO_NET_OK); // not promiscuous
    ASSERT_EQ(drivers_[0]->post(2, 4096), 2u);
    Bytes packet(12);
    const Bytes frame = make_frame(1, 100); // to 52:54:00:01:02:03
    packet.insert(packet.end(), frame.begin(), frame.end());
    ASSERT_TRUE(cable_->put(packet));
    ASSERT_TRUE(until([&] { return counter(0, "filtered") != 0; }));
    EXPECT_EQ(command({1, 1, 0x52, 0x54, 0, 1, 2, 3}), VIRTIO_NET_OK);
    ASSERT_TRUE(cable_->put(packet));
    EXPECT_TRUE(drivers_[0]->take());
    EXPECT_EQ(counter(0, "packets"), 1u);
    EXPECT_EQ(counter(0, "user-packets"), 1u);
    EXPECT_EQ(counter(0, "vhost-packets"), 0u);
}

TEST_F(Card, PairsAreSwitchedOnAndOff) {
    make({.mq = true}, 3);
    start(kDriver | kMq, 3);
    EXPECT_EQ(cable_->active, 1u);
    expect_through(0, 1);
    EXPECT_EQ(command({4, 0, 3, 0}), VIRTIO_NET_OK);
    EXPECT_EQ(cable_->active, 3u);
    for (unsigned pair = 0; pair < 3; pair++) {
        expect_through(pair, 10 + pair);
    }
    EXPECT_EQ(command({4, 0, 2, 0}), VIRTIO_NET_OK);
    EXPECT_EQ(cable_->active, 2u);
    expect_through(1, 20);
    // A stopped machine goes on with what was set.
    with([&](NetDevice& device) {
        const auto setups = device.stop();
        EXPECT_EQ(setups.size(), 7u);
        device.start(kDriver | kMq, setups);
    });
    EXPECT_EQ(cable_->active, 2u);
    expect_through(1, 30);
    EXPECT_EQ(command({4, 0, 3, 0}), VIRTIO_NET_OK);
    expect_through(2, 40);
    EXPECT_EQ(command({4, 0, 4, 0}), VIRTIO_NET_ERR);
}

TEST_F(Card, WithoutMultiqueueTheControlQueueIsTheThird) {
    make({.mq = true}, 3);
    start(kDriver);
    EXPECT_EQ(command({0, 0, 0}), VIRTIO_NET_OK);
}

TEST_F(Card, AQueueIsResetAlone) {
    make({});
    start(kDriver);
    expect_through(0, 1);
    with([&](NetDevice& device) { device.stop_queue(1); });
    // Receiving goes on.
    ASSERT_EQ(drivers_[0]->post(1, 4096), 1u);
    ASSERT_TRUE(cable_->put(Bytes(112, 1)));
    ASSERT_TRUE(drivers_[0]->take());
    QueueDriver fresh(memory_, kDriver, 1, 9, 128);
    with([&](NetDevice& device) { device.start_queue(fresh.setup()); });
    ASSERT_TRUE(fresh.add({{.addr = fresh.buffers(), .len = 112}}, 1, 5));
    fresh.show();
    EXPECT_TRUE(cable_->get());
    const auto used = fresh.wait();
    ASSERT_TRUE(used);
    EXPECT_EQ(used->token, 5u);
    with([&](NetDevice& device) { EXPECT_EQ(device.stop().size(), 3u); });
}

TEST_F(Card, LinkDownAndUp) {
    make({});
    start(kDriver);
    with([](NetDevice& device) { device.set_link(false); });
    EXPECT_EQ(transport_.changes(), 1u);
    EXPECT_EQ(config(6, 2), (Bytes{0, 0}));
    ASSERT_TRUE(drivers_[0]->send(make_frame(1, 100)));
    ASSERT_TRUE(drivers_[0]->wait_sent());
    EXPECT_FALSE(cable_->get(0));
    with([](NetDevice& device) { device.set_link(true); });
    EXPECT_EQ(transport_.changes(), 2u);
    expect_through(0, 2);
}

TEST_F(Card, ADeletedTapIsALinkThatIsDown) {
    make({});
    start(kDriver);
    cable_->cut();
    ASSERT_TRUE(until([&] { return transport_.changes() != 0; }));
    EXPECT_EQ(config(6, 2), (Bytes{0, 0}));
    ASSERT_TRUE(drivers_[0]->send(make_frame(1, 100)));
    ASSERT_TRUE(drivers_[0]->wait_sent());
}

TEST_F(Card, ABrokenQueueNeedsAReset) {
    make({});
    start(kDriver);
    ASSERT_TRUE(drivers_[0]->transmit.add({{.addr = 0xf00000000, .len = 100}}, 1, 1));
    drivers_[0]->transmit.show();
    EXPECT_EQ(transport_.wait_for_reset(), "queue 1: a buffer outside guest memory");
    with([](NetDevice& device) {
        device.stop();
        device.reset();
    });
    drivers_.clear();
    start(kDriver);
    expect_through(0, 7);
}

TEST_F(Card, AQueueOutsideMemoryIsRefused) {
    make({});
    NetDriver driver(memory_, kDriver);
    auto setups = driver.setups();
    setups[1].device = kGuestSize - 4;
    with([&](NetDevice& device) {
        EXPECT_THROW(device.start(kDriver, setups), std::system_error);
        EXPECT_TRUE(device.stop().empty());
    });
}

TEST_F(Card, APathThatIsNotThereLeavesAllAsItWas) {
    make({});
    start(kDriver);
    with([](NetDevice& device) {
        EXPECT_THROW(device.set_path(NetDevice::Path::kVhost), UsageError);
        EXPECT_EQ(device.path(0), "user");
    });
    expect_through(0, 1);
}

} // namespace
} // namespace vireo::test
