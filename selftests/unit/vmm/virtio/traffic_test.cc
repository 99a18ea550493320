// SPDX-License-Identifier: GPL-2.0-only
// Buffers through a virtio PCI function: notifications both ways, broken rings, queues that are
// reset, machines that stand still.
#include <linux/virtio_pci.h>

#include "virtio/echo_device.h"
#include "virtio_world.h"

namespace vireo {
namespace {

constexpr uint64_t kModern = feature(VIRTIO_F_VERSION_1);

// Ring features to run it with.
struct TrafficTest : testing::TestWithParam<uint64_t> {
    Ground ground;
    EchoDevice device{ground.ram, ground.main, ground.queues.loop()};
    Driver driver{ground, device, {.packed = true}};
    const uint64_t features = kModern | feature(VIRTIO_F_RING_RESET) | GetParam();
    Ring ring{ground, features};

    void start() {
        ASSERT_TRUE(driver.negotiate(features));
        driver.enable(0, ring.fd);
        driver.go();
        ASSERT_EQ(driver.status() & VIRTIO_CONFIG_S_NEEDS_RESET, 0);
    }

    // One buffer there and back, with its content.
    void echo(uint8_t value, fd_shape shape = FD_DIRECT) {
        memset(ring.payload(), value, 100);
        memset(ring.payload() + 100, 0, 100);
        if (ring.offer(100, 100, shape)) {
            ASSERT_TRUE(driver.ring_doorbell(0));
        }
        uint32_t length = 0;
        ASSERT_TRUE(ground.until([&] { return ring.reap(length); }));
        EXPECT_EQ(length, 100u);
        EXPECT_EQ(memcmp(ring.payload(), ring.payload() + 100, 100), 0);
    }

    bool needs_reset() {
        return ground.until([&] { return driver.status() & VIRTIO_CONFIG_S_NEEDS_RESET; });
    }
};

TEST_P(TrafficTest, BuffersComeBack) {
    start();
    for (unsigned i = 0; i < 100; i++) {
        echo(static_cast<uint8_t>(i),
             i % 2 && GetParam() & feature(VQ_F_INDIRECT_DESC) ? FD_INDIRECT : FD_DIRECT);
    }
    const std::lock_guard guard(device.lock());
    EXPECT_EQ(device.counters(0)[2].value, 100u);
    EXPECT_EQ(device.path(0), "user");
}

TEST_P(TrafficTest, WhatWasThereBeforeDriverOkIsFoundWithoutAKick) {
    ring.offer(10, 10);
    start();
    uint32_t length;
    EXPECT_TRUE(ground.until([&] { return ring.reap(length); }));
}

TEST_P(TrafficTest, IntxIsRaisedAndLoweredByTheIsr) {
    start();
    for (int i = 0; i < 3; i++) {
        fd_enable_call(&ring.fd);
        echo(1);
        ASSERT_TRUE(ground.until([&] { return ground.platform.lines[10]; }));
        EXPECT_EQ(driver.get(virtio_pci::kIsr, 1), 1u);
        EXPECT_FALSE(ground.platform.lines[10]);
    }
}

TEST_P(TrafficTest, MsixGivesTheCallToTheHypervisor) {
    driver.use_msix(0, 1);
    ASSERT_EQ(ground.platform.irqfds.size(), 1u);
    const int call = ground.platform.irqfds.begin()->first;
    EXPECT_EQ(ground.platform.routes.begin()->second.data, 0x41u);
    start();
    fd_enable_call(&ring.fd);
    echo(1);
    ground.settle();
    EXPECT_TRUE(ground.until([&] { return take_event(call); })) << "nobody else takes it";
    EXPECT_FALSE(ground.platform.lines[10]);
}

TEST_P(TrafficTest, ABufferOutsideMemoryBreaksTheQueueAndAResetRecoversIt) {
    start();
    echo(1);
    ring.offer(100, 100, FD_DIRECT, uint64_t{1} << 40);
    driver.ring_doorbell(0);
    ASSERT_TRUE(needs_reset());
    EXPECT_EQ(driver.broken, 1u);
    EXPECT_EQ(driver.get(virtio_pci::kIsr, 1) & 2u, 2u);

    driver.set_status(0);
    EXPECT_EQ(driver.status(), 0);
    ring = Ring(ground, features);
    start();
    echo(2);
    ground.settle();
    EXPECT_EQ(driver.broken, 1u);
}

TEST_P(TrafficTest, AReportOfALifeThatIsOverIsForgotten) {
    start();
    ring.offer(100, 100, FD_DIRECT, uint64_t{1} << 40);
    driver.ring_doorbell(0);
    // The queue's thread reports to the main loop, which does not run here.
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    for (bool active = true; active;) {
        ASSERT_LT(std::chrono::steady_clock::now(), end);
        ground.queues.loop().call([&] { active = device.active(0); });
    }
    driver.set_status(0);
    ring = Ring(ground, features);
    start();
    ground.settle();
    EXPECT_EQ(driver.broken, 0u);
    echo(3);
}

TEST_P(TrafficTest, AQueueIsResetAlone) {
    Ring other(ground, features, 4 << 20);
    ASSERT_TRUE(driver.negotiate(features));
    driver.enable(0, ring.fd);
    driver.enable(1, other.fd);
    driver.go();
    echo(1);
    driver.select(0);
    driver.set(offsetof(virtio_pci::Common, queue_reset), 2, 1);
    EXPECT_EQ(driver.get(offsetof(virtio_pci::Common, queue_reset), 2), 0u);
    EXPECT_EQ(driver.get(offsetof(virtio_pci::Common, queue_enable), 2), 0u);
    // The other one goes on.
    if (other.offer(10, 10)) {
        driver.ring_doorbell(1);
    }
    uint32_t length;
    ASSERT_TRUE(ground.until([&] { return other.reap(length); }));
    ring = Ring(ground, features);
    driver.enable(0, ring.fd);
    echo(2);
}

TEST_P(TrafficTest, AMachineThatStandsStillGoesOnWhereItStood) {
    start();
    for (uint8_t i = 0; i < 40; i++) {
        echo(i);
        driver.pci.pause();
        ring.offer(10, 10);
        driver.ring_doorbell(0);
        uint32_t length;
        ground.settle();
        ASSERT_FALSE(ring.reap(length)) << "it stands still";
        driver.pci.resume();
        ASSERT_TRUE(ground.until([&] { return ring.reap(length); }));
    }
}

TEST_P(TrafficTest, TheMachinesResetForgetsAll) {
    driver.use_msix(0, 1);
    start();
    echo(1);
    driver.pci.reset();
    EXPECT_TRUE(ground.platform.irqfds.empty());
    EXPECT_EQ(driver.pci.read_config(PCI_COMMAND, 2), 0u);
    driver.place();
    ring = Ring(ground, features);
    start();
    echo(2);
}

INSTANTIATE_TEST_SUITE_P(Rings, TrafficTest,
                         testing::Values(0, feature(VQ_F_EVENT_IDX) | feature(VQ_F_INDIRECT_DESC),
                                         feature(VQ_F_RING_PACKED),
                                         feature(VQ_F_RING_PACKED) | feature(VQ_F_EVENT_IDX) |
                                             feature(VQ_F_INDIRECT_DESC)),
                         [](const auto& info) {
                             const bool packed = info.param & feature(VQ_F_RING_PACKED);
                             const bool event = info.param & feature(VQ_F_EVENT_IDX);
                             return std::string(packed ? "Packed" : "Split") +
                                    (event ? "EventIdx" : "Plain");
                         });

// virtio 1.2, 2.7.2, legacy: one page number says where a queue is.
TEST(LegacyTraffic, BuffersComeBack) {
    Ground ground;
    EchoDevice device(ground.ram, ground.main, ground.queues.loop());
    Driver driver(ground, device, {.disable_modern = true});
    constexpr unsigned kSize = EchoDevice::kQueueSize;
    constexpr uint64_t kPage = 0x100;
    auto* base = ground.ram.at(kPage << 12, 1 << 16);
    auto* desc = reinterpret_cast<vq_split_desc*>(base);
    auto* avail = reinterpret_cast<vq_split_avail*>(base + kSize * 16);
    auto* used = reinterpret_cast<vq_split_used*>(base + 4096);

    driver.out(VIRTIO_PCI_STATUS, 1, VIRTIO_CONFIG_S_ACKNOWLEDGE);
    driver.out(VIRTIO_PCI_STATUS, 1, VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER);
    driver.out(VIRTIO_PCI_GUEST_FEATURES, 4, ~0u);
    driver.out(VIRTIO_PCI_QUEUE_SEL, 2, 1);
    EXPECT_EQ(driver.in(VIRTIO_PCI_QUEUE_NUM, 2), kSize);
    driver.out(VIRTIO_PCI_QUEUE_PFN, 4, kPage);
    EXPECT_EQ(driver.in(VIRTIO_PCI_QUEUE_PFN, 4), kPage);
    driver.out(VIRTIO_PCI_STATUS, 1, 7);
    EXPECT_EQ(driver.in(VIRTIO_PCI_STATUS, 1), 7u);
    EXPECT_EQ(driver.pci.features() >> 32, 0u);

    memset(base + 0x8000, 0x77, 32);
    desc[0] = {.addr = (kPage << 12) + 0x8000, .len = 32, .flags = VQ_DESC_F_NEXT, .next = 1};
    desc[1] = {.addr = (kPage << 12) + 0x9000, .len = 32, .flags = VQ_DESC_F_WRITE, .next = 0};
    avail->ring[0] = 0;
    __atomic_store_n(&avail->idx, 1, __ATOMIC_SEQ_CST);
    driver.out(VIRTIO_PCI_QUEUE_NOTIFY, 2, 1);
    ASSERT_TRUE(ground.until([&] { return __atomic_load_n(&used->idx, __ATOMIC_SEQ_CST) == 1; }));
    EXPECT_EQ(memcmp(base + 0x9000, base + 0x8000, 32), 0);
    ASSERT_TRUE(ground.until([&] { return ground.platform.lines[10]; }));
    EXPECT_EQ(driver.in(VIRTIO_PCI_ISR, 1), 1u);
    EXPECT_FALSE(ground.platform.lines[10]);

    driver.out(VIRTIO_PCI_QUEUE_PFN, 4, 0);
    EXPECT_EQ(driver.in(VIRTIO_PCI_QUEUE_PFN, 4), 0u);
    driver.out(VIRTIO_PCI_STATUS, 1, 0);
    EXPECT_EQ(driver.in(VIRTIO_PCI_STATUS, 1), 0u);
}

} // namespace
} // namespace vireo
