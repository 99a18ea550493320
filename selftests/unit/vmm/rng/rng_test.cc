// SPDX-License-Identifier: GPL-2.0-only
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <system_error>

#include "rng/rng_device.h"
#include "virtio_world.h"

namespace vireo {
namespace {

struct RngTest : testing::Test {
    Ground ground;
    std::optional<RngDevice> device;
    std::optional<Driver> driver;
    std::optional<Ring> ring;

    void start(const std::string& file, uint64_t features = 0) {
        features |= feature(VIRTIO_F_VERSION_1);
        device.emplace(ground.ram, ground.main, ground.queues.loop(),
                       RngOptions{.id = "rng0", .file = file, .virtio = {}});
        driver.emplace(ground, *device, VirtioOptions{.packed = true});
        ring.emplace(ground, features);
        ASSERT_TRUE(driver->negotiate(features));
        driver->enable(0, ring->fd);
        driver->go();
    }
    uint32_t ask(uint32_t bytes, uint32_t readable = 0) {
        if (ring->offer(readable, bytes)) {
            driver->ring_doorbell(0);
        }
        uint32_t length = ~0u;
        EXPECT_TRUE(ground.until([&] { return ring->reap(length); }));
        return length;
    }
};

TEST_F(RngTest, BuffersAreFilledAndCounted) {
    for (const uint64_t features : {uint64_t{0}, feature(VQ_F_RING_PACKED)}) {
        driver.reset();
        start("/dev/urandom", features);
        memset(ring->payload(), 0, 5000);
        EXPECT_EQ(ask(4096), 4096u);
        EXPECT_GT(std::ranges::count_if(std::span(ring->payload(), 4096),
                                        [](std::byte b) { return b != std::byte{0}; }),
                  3000);
        EXPECT_EQ(ring->payload()[4096], std::byte{0});
        const std::lock_guard guard(device->lock());
        const auto counters = device->counters(0);
        EXPECT_EQ(counters.back().name, "bytes");
        EXPECT_EQ(counters.back().value, 4096u);
    }
}

TEST_F(RngTest, AHugeBufferIsFilledInPart) {
    start("/dev/zero");
    EXPECT_EQ(ask(4 << 20), 64u * 1024);
}

TEST_F(RngTest, ABufferThatCannotBeWrittenComesBackEmpty) {
    start("/dev/zero");
    EXPECT_EQ(ask(0, 64), 0u);
    EXPECT_EQ(ask(16), 16u);
}

TEST_F(RngTest, AFileThatEndsGivesNothing) {
    start("/dev/null");
    EXPECT_EQ(ask(16), 0u);
}

TEST_F(RngTest, ASlowSourceIsWaitedFor) {
    std::string directory = "/tmp/vireo-rng-XXXXXX";
    ASSERT_TRUE(mkdtemp(directory.data()));
    const std::string path = directory + "/source";
    ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
    const Fd writer(open(path.c_str(), O_RDWR | O_CLOEXEC));
    start(path);
    if (ring->offer(0, 100)) {
        driver->ring_doorbell(0);
    }
    uint32_t length;
    // Reset while it waits, and once more.
    driver->pci.pause();
    ASSERT_FALSE(ring->reap(length));
    driver->pci.resume();
    ASSERT_EQ(write(writer.get(), "0123456789", 10), 10);
    ASSERT_TRUE(ground.until([&] { return ring->reap(length); }));
    EXPECT_EQ(length, 10u);
    std::filesystem::remove_all(directory);
}

TEST_F(RngTest, ConfigurationIsEmptyAndAMissingFileIsSaid) {
    start("/dev/zero");
    EXPECT_EQ(driver->get(virtio_pci::kDeviceConfig, 4), 0u);
    EXPECT_THROW(RngDevice(ground.ram, ground.main, ground.queues.loop(),
                           RngOptions{.id = "r", .file = "/nonexistent", .virtio = {}}),
                 std::system_error);
}

} // namespace
} // namespace vireo
