// SPDX-License-Identifier: GPL-2.0-only
// A card on a real tap, with the kernel's devices where they are there: both paths, and the switch
// between them while packets go both ways. In the lab all of it runs (net/in_lab); elsewhere what
// the machine has not is skipped.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sched.h>
#include <sys/socket.h>

#include <thread>

#include "base/error.h"
#include "fake_transport.h"
#include "net/net_card.h"
#include "net_driver.h"

// Options that a test does not name have their defaults.
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

namespace vireo::test {
namespace {

using namespace net;

constexpr uint16_t kTestFrames = 0x88b5; // ethertype of make_frame(): local experiments
constexpr char kTap[] = "vttest0";

constexpr uint64_t kSplit = kVersion1 | kMrgRxbuf | kEventIdx | kIndirectDesc | kStatus | kMac;
constexpr uint64_t kPacked = kSplit | kRingPacked;

class RealTap : public testing::Test {
protected:
    static void SetUpTestSuite() {
        // Interfaces of our own, whoever runs this.
        private_network_ = unshare(CLONE_NEWNET) == 0 || unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0;
    }

    ~RealTap() override {
        if (device_) {
            {
                const std::lock_guard held(device_->lock());
                device_->stop();
            }
            main_.quit();
            thread_.join();
        }
    }

    bool make(VhostMode vhost, const char* vhostdev = "/dev/vireo-net") {
        if (!private_network_ || access("/dev/net/tun", R_OK | W_OK) < 0) {
            return false;
        }
        NetdevOptions netdev = {.id = "n0", .ifname = kTap, .create = true, .vhost = vhost};
        netdev.vhostdev = vhostdev;
        device_ = make_net_card(memory_, main_, {&loop_.loop()}, {}, netdev, 0);
        device_->connect(transport_);
        thread_ = std::thread([this] { main_.run(); });
        wire_ = Fd(socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(kTestFrames)));
        sockaddr_ll address = {};
        address.sll_family = AF_PACKET;
        address.sll_protocol = htons(kTestFrames);
        address.sll_ifindex = static_cast<int>(if_nametoindex(kTap));
        EXPECT_EQ(bind(wire_.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
        const timeval patience = {.tv_sec = 60, .tv_usec = 0};
        setsockopt(wire_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
        return true;
    }

    void start(uint64_t features) {
        driver_ = std::make_unique<NetDriver>(memory_, features);
        const std::lock_guard held(device_->lock());
        device_->start(features, driver_->setups());
    }

    void set_path(NetDevice::Path path) {
        main_.call([&] {
            const std::lock_guard held(device_->lock());
            device_->set_path(path);
        });
    }

    // Packets `from` to `to` both ways, a few at a time, every byte looked at.
    void exchange(uint32_t from, uint32_t to) {
        for (uint32_t number = from; number < to; number += 16) {
            for (uint32_t i = number; i < number + 16; i++) {
                const Bytes frame = make_frame(i, 22 + i * 37 % 1490);
                driver_->post(80, 2048);
                ASSERT_EQ(write(wire_.get(), frame.data(), frame.size()),
                          static_cast<ssize_t>(frame.size()));
                ASSERT_TRUE(driver_->send(frame));
            }
            for (uint32_t i = number; i < number + 16; i++) {
                const Bytes expected = make_frame(i, 22 + i * 37 % 1490);
                Bytes seen;
                do {
                    // The host's kernel has things of its own to say on a new interface.
                    const auto packet = driver_->take();
                    ASSERT_TRUE(packet) << "packet " << i << " did not come in";
                    seen = packet->frame;
                } while (seen[12] != kTestFrames >> 8 || seen[13] != (kTestFrames & 0xff));
                ASSERT_EQ(seen, expected) << "packet " << i << " in";
                seen.resize(2000);
                const ssize_t n = read(wire_.get(), seen.data(), seen.size());
                ASSERT_GT(n, 0) << "packet " << i << " did not go out";
                seen.resize(static_cast<size_t>(n));
                // The tap pads nothing, the wire may.
                ASSERT_EQ(seen, expected) << "packet " << i << " out";
            }
            driver_->reclaim();
        }
    }

    uint64_t counter(unsigned queue, const std::string& name) {
        const std::lock_guard held(device_->lock());
        for (const auto& counter : device_->counters(queue)) {
            if (counter.name == name) {
                return counter.value;
            }
        }
        ADD_FAILURE() << "no counter " << name;
        return 0;
    }

    void switch_under_traffic(const char* vhostdev, uint64_t features) {
        if (access(vhostdev, R_OK | W_OK) < 0 || !make(VhostMode::kOn, vhostdev)) {
            GTEST_SKIP() << vhostdev << " is not there, or no tap";
        }
        if (features & ~device_->features()) {
            GTEST_SKIP() << vhostdev << " has no such rings";
        }
        start(features);
        constexpr unsigned kSwitches = 100;
        std::atomic<unsigned> switches = 0;
        std::atomic<uint32_t> exchanged = 0;
        std::atomic<bool> failed = false;
        std::thread switcher([&] {
            for (unsigned i = 0; i < kSwitches && !failed; i++) {
                // Some packets between two switches, a switch among them.
                const uint32_t before = exchanged;
                while (exchanged < before + 2 && !failed) {
                    std::this_thread::yield();
                }
                set_path(i % 2 ? NetDevice::Path::kVhost : NetDevice::Path::kUser);
                switches++;
            }
        });
        uint32_t number = 0;
        while (switches < kSwitches && !failed) {
            exchange(number, number + 16);
            number += 16;
            exchanged++;
            failed = HasFatalFailure();
        }
        switcher.join();
        EXPECT_EQ(switches, kSwitches);
        EXPECT_EQ(device_->path(0), "vhost");
        for (const unsigned queue : {0u, 1u}) {
            EXPECT_GT(counter(queue, "user-packets"), 0u);
            if (std::string(vhostdev) == "/dev/vireo-net") {
                EXPECT_GT(counter(queue, "vhost-packets"), 0u);
                EXPECT_GE(counter(queue, "packets"), number);
            }
            EXPECT_EQ(counter(queue, "drops"), 0u);
        }
        // All that was sent came back to the driver.
        while (driver_->in_flight()) {
            ASSERT_TRUE(driver_->wait_sent());
        }
    }

    inline static bool private_network_ = false;
    GuestMemory memory_{kGuestSize};
    EventLoop main_;
    LoopThread loop_{"net0"};
    FakeTransport transport_;
    std::unique_ptr<NetDevice> device_;
    std::unique_ptr<NetDriver> driver_;
    std::thread thread_;
    Fd wire_;
};

TEST_F(RealTap, UserPath) {
    for (const uint64_t features : {kSplit, kPacked, kSplit & ~kMrgRxbuf, uint64_t{0}}) {
        if (!device_ && !make(VhostMode::kOff)) {
            GTEST_SKIP() << "no tap here";
        }
        start(features);
        EXPECT_EQ(device_->path(0), "user");
        exchange(0, 320);
        const std::lock_guard held(device_->lock());
        device_->stop();
        device_->reset();
    }
}

TEST_F(RealTap, TheTapIsMadeAndGoes) {
    if (!make(VhostMode::kOff)) {
        GTEST_SKIP() << "no tap here";
    }
    EXPECT_TRUE(if_nametoindex(kTap));
    EXPECT_TRUE(device_->features() & kHostTso4);
    main_.quit();
    thread_.join();
    device_.reset();
    EXPECT_FALSE(if_nametoindex(kTap));
}

TEST_F(RealTap, ADeletedTapIsALinkThatIsDown) {
    if (!make(VhostMode::kOff)) {
        GTEST_SKIP() << "no tap here";
    }
    start(kSplit);
    exchange(0, 16);
    ASSERT_EQ(system((std::string("ip link del ") + kTap).c_str()), 0);
    transport_.wait_for_change();
    ASSERT_TRUE(driver_->send(make_frame(1, 100)));
    for (unsigned left = driver_->in_flight(); left; left = driver_->in_flight()) {
        ASSERT_TRUE(driver_->wait_sent());
    }
    const std::lock_guard held(device_->lock());
    EXPECT_FALSE(device_->link_up());
}

TEST_F(RealTap, AMissingModuleIsSaid) {
    if (!private_network_ || access("/dev/net/tun", R_OK | W_OK) < 0) {
        GTEST_SKIP() << "no tap here";
    }
    try {
        make(VhostMode::kOn, "/dev/no-such-vhost");
        FAIL();
    } catch (const UsageError& error) {
        EXPECT_STREQ(error.what(),
                     "-netdev tap,id=n0,vhost=on: /dev/no-such-vhost is missing; load the modules "
                     "(those that make it) or use vhost=off");
    }
    ASSERT_TRUE(make(VhostMode::kTry, "/dev/no-such-vhost"));
    EXPECT_EQ(device_->path(0), "user");
}

TEST_F(RealTap, SwitchOfPathOnVireoNetSplit) {
    switch_under_traffic("/dev/vireo-net", kSplit);
}

TEST_F(RealTap, SwitchOfPathOnVireoNetPacked) {
    switch_under_traffic("/dev/vireo-net", kPacked);
}

TEST_F(RealTap, SwitchOfPathOnVhostNet) {
    switch_under_traffic("/dev/vhost-net", kSplit);
}

TEST_F(RealTap, TheKernelSaysWhyAQueueBroke) {
    if (access("/dev/vireo-net", R_OK | W_OK) < 0 || !make(VhostMode::kOn)) {
        GTEST_SKIP() << "/dev/vireo-net is not there, or no tap";
    }
    start(kSplit);
    exchange(0, 16);
    ASSERT_TRUE(driver_->transmit.add({{.addr = 0xf00000000, .len = 100}}, 1, 1000000));
    driver_->transmit.show();
    EXPECT_EQ(transport_.wait_for_reset(), "queue 1: a buffer outside guest memory");
    {
        const std::lock_guard held(device_->lock());
        device_->stop();
        device_->reset();
    }
    start(kSplit);
    exchange(0, 64);
}

} // namespace
} // namespace vireo::test
