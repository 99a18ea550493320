// SPDX-License-Identifier: GPL-2.0-only
// The paths of a disk: which is taken, what is said if it cannot be, and switches between them
// while requests are in flight. The latter wants /dev/vireo-blk: in_lab.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <sstream>
#include <thread>

#include "base/error.h"
#include "block/disk.h"

namespace vireo::test {
namespace {

using Path = VirtioDevice::Path;

constexpr const char* kDevice = "/dev/vireo-blk";
constexpr const char* kNone = "/dev/no-such-vhost";

class DiskPath : public testing::Test {
protected:
    DiskPath() {
        options_.drive.id = "drive0";
        options_.drive.file = directory_.path("disk.img");
        make_file(options_.drive.file, kImageSize);
    }

    std::string refusal() {
        try {
            const Disk disk(options_);
            return "";
        } catch (const UsageError& error) {
            return error.what();
        }
    }

    TemporaryDirectory directory_;
    Disk::Options options_;
};

TEST_F(DiskPath, AMissingModuleIsSaid) {
    options_.drive.vhost = VhostMode::kOn;
    options_.drive.vhostdev = kNone;
    EXPECT_EQ(refusal(), "-drive file=" + options_.drive.file +
                             ",vhost=on: /dev/no-such-vhost is missing; load the modules (those "
                             "that make it) or use vhost=off");
}

TEST_F(DiskPath, WhatIsNoVhostDeviceIsRefused) {
    options_.drive.vhost = VhostMode::kOn;
    options_.drive.vhostdev = "/dev/null";
    EXPECT_EQ(refusal(), "/dev/null: it is no vhost device");
}

TEST_F(DiskPath, AnImageOfAnotherFormatIsRefusedWithAWayOut) {
    options_.drive.vhost = VhostMode::kOn;
    options_.drive.format = "qcow2";
    const std::string file = options_.drive.file;
    EXPECT_EQ(refusal(), "-drive file=" + file +
                             ",vhost=on: the kernel serves no qcow2 image; let the host have it as "
                             "a block device (modprobe nbd; qemu-nbd -f qcow2 -c /dev/nbd0 " +
                             file + "), and use file=/dev/nbd0,format=raw,vhost=on");
}

TEST_F(DiskPath, TryFallsBack) {
    options_.drive.vhost = VhostMode::kTry;
    options_.drive.vhostdev = kNone;
    Disk disk(options_);
    EXPECT_EQ(disk.device().path(0), "user");
    disk.start();
    EXPECT_EQ(disk.write(0, pattern(4096, 1)).status, VIRTIO_BLK_S_OK);
    EXPECT_EQ(disk.counter("user-requests"), 1U);
    EXPECT_EQ(disk.counter("vhost-requests"), 0U);
}

TEST_F(DiskPath, ARefusedSwitchChangesNothing) {
    options_.drive.vhostdev = kNone;
    Disk disk(options_);
    disk.start();
    EXPECT_EQ(disk.write(0, pattern(4096, 1)).status, VIRTIO_BLK_S_OK);
    EXPECT_THROW(disk.set_path(Path::kVhost), UsageError);
    disk.set_path(Path::kUser);
    EXPECT_EQ(disk.device().path(0), "user");
    EXPECT_EQ(disk.read(0, 4096).in, pattern(4096, 1));
}

// An image, or a device, that is written and read from two queues while its path changes.
class Switched : public DiskPath {
protected:
    static constexpr unsigned kSwitches = 100;
    static constexpr unsigned kQueues = 2;
    static constexpr uint64_t kRegion = 32 << 10; // bytes that one request at a time is about
    static constexpr unsigned kDepth = 24;        // requests in flight in a queue

    static bool there() { return access(kDevice, R_OK | W_OK) == 0; }

    // The image, and what the lab has for us.
    std::vector<std::string> images() const {
        std::vector<std::string> files = {options_.drive.file};
        const char* more = std::getenv("VIREO_TEST_DISKS");
        std::istringstream words(more ? more : "");
        for (std::string word; words >> word;) {
            files.push_back(word);
        }
        return files;
    }

    // What a region holds.
    struct Written {
        uint64_t sector;
        size_t bytes = 0; // 0: nothing that is known
        uint32_t seed = 0;
    };

    // A queue's half of the disk.
    struct Half {
        unsigned queue;
        std::vector<Written> regions;
        std::mt19937 random{7};
        uint32_t seed = 0;
    };

    // Some requests at once, each about another region, and their answers.
    static void round(Disk& disk, Half& half) {
        Driver& driver = disk.driver(half.queue);
        driver.rewind();
        struct Sent {
            size_t number;
            Written written;
            bool read;
        };
        std::vector<Sent> sent;
        const size_t first = half.random() % half.regions.size();
        for (unsigned i = 0; i < kDepth; i++) {
            const size_t region = (first + i) % half.regions.size();
            Written& here = half.regions[region];
            const bool read = here.bytes && half.random() % 2;
            if (!read) {
                const uint64_t sectors = 1 + half.random() % (kRegion / kSector / 2);
                const uint64_t at = half.random() % (kRegion / kSector - sectors);
                here = {(half.queue * half.regions.size() + region) * (kRegion / kSector) + at,
                        sectors * kSector, ++half.seed * kQueues + half.queue};
            }
            Layout layout;
            layout.shape = i % 3 ? FD_DIRECT : FD_INDIRECT;
            layout.out_cuts = {16};
            layout.in_cuts = {here.bytes};
            const auto number =
                read ? driver.add(header(VIRTIO_BLK_T_IN, here.sector), here.bytes + 1, layout)
                     : driver.add(
                           header(VIRTIO_BLK_T_OUT, here.sector) + pattern(here.bytes, here.seed),
                           1, layout);
            ASSERT_TRUE(number) << "the ring is full";
            sent.push_back({*number, here, read});
        }
        const auto flush = driver.add(header(VIRTIO_BLK_T_FLUSH, 0), 1);
        ASSERT_TRUE(flush);
        driver.show();
        ASSERT_EQ(driver.wait(kDepth + 1), kDepth + 1) << "requests were lost";
        ASSERT_EQ(driver.answer(*flush).status, VIRTIO_BLK_S_OK);
        for (const Sent& each : sent) {
            const Answer answer = driver.answer(each.number);
            ASSERT_EQ(answer.status, VIRTIO_BLK_S_OK);
            ASSERT_EQ(answer.used, each.read ? each.written.bytes + 1 : 1);
            if (each.read) {
                ASSERT_TRUE(answer.in == pattern(each.written.bytes, each.written.seed))
                    << each.written.bytes << " bytes at sector " << each.written.sector;
            }
        }
    }

    void switch_under_load() {
        if (!there()) {
            GTEST_SKIP() << kDevice << " is not there";
        }
        for (const std::string& image : images()) {
            for (const CacheMode cache : {CacheMode::kWriteback, CacheMode::kNone}) {
                SCOPED_TRACE(image + (cache == CacheMode::kNone ? ", cache=none" : ""));
                options_.drive.file = image;
                options_.drive.cache = cache;
                if (cache == CacheMode::kNone && !image.starts_with("/dev/") &&
                    !direct_io_works(directory_.path("."))) {
                    continue;
                }
                switch_on_image();
            }
        }
    }

    void switch_on_image() {
        options_.drive.vhost = VhostMode::kOn;
        options_.drive.queues = kQueues;
        Disk disk(options_);
        ASSERT_EQ(disk.device().path(0), "vhost");
        ASSERT_EQ(disk.features() >> VQ_F_RING_PACKED & 1, options_.packed ? 1U : 0U);
        disk.start();
        std::atomic<unsigned> switches = 0;
        std::array<std::atomic<unsigned>, kQueues> rounds = {};
        std::atomic<bool> failed = false;
        std::vector<std::thread> drivers;
        for (unsigned queue = 0; queue < kQueues; queue++) {
            drivers.emplace_back([&, queue] {
                Half half = {.queue = queue, .regions = {}};
                half.regions.resize(kImageSize / kRegion / kQueues);
                while (switches < kSwitches && !failed) {
                    round(disk, half);
                    failed = failed || HasFailure();
                    rounds[queue]++;
                }
            });
        }
        for (unsigned i = 0; i < kSwitches && !failed; i++) {
            // Between two switches each queue answers something, and is then in the midst of more.
            const std::array<unsigned, kQueues> before = {rounds[0], rounds[1]};
            while ((rounds[0] == before[0] || rounds[1] == before[1]) && !failed) {
                std::this_thread::yield();
            }
            disk.set_path(i % 2 ? Path::kVhost : Path::kUser);
            switches++;
        }
        for (std::thread& driver : drivers) {
            driver.join();
        }
        ASSERT_FALSE(failed);
        std::printf("%s: %u switches, %u and %u rounds\n", options_.drive.file.c_str(), kSwitches,
                    rounds[0].load(), rounds[1].load());
        EXPECT_EQ(disk.device().path(0), "vhost");
        for (unsigned queue = 0; queue < kQueues; queue++) {
            const uint64_t user = disk.counter("user-requests", queue);
            const uint64_t vhost = disk.counter("vhost-requests", queue);
            EXPECT_GT(user, 0U);
            EXPECT_GT(vhost, 0U);
            EXPECT_EQ(user + vhost, rounds[queue] * (kDepth + 1));
            EXPECT_EQ(disk.counter("errors", queue), 0U);
        }
    }
};

TEST_F(Switched, SplitRings) {
    switch_under_load();
}

TEST_F(Switched, PackedRings) {
    options_.packed = true;
    switch_under_load();
}

// No difference that a driver can see but speed.
TEST_F(Switched, TheSameDiskOnBothPaths) {
    if (!there()) {
        GTEST_SKIP() << kDevice << " is not there";
    }
    for (const std::string& image : images()) {
        SCOPED_TRACE(image);
        options_.drive.file = image;
        options_.drive.serial = "SERIAL-1";
        options_.drive.vhost = VhostMode::kOn;
        Disk disk(options_);
        const BlkConfig config = disk.config();
        disk.start();
        Bytes before = pattern(kImageSize, 3);
        for (const Path path : {Path::kVhost, Path::kUser, Path::kVhost}) {
            SCOPED_TRACE(path == Path::kUser ? "user" : "vhost");
            disk.set_path(path);
            const BlkConfig now = disk.config();
            EXPECT_EQ(memcmp(&config, &now, sizeof(now)), 0);
            const Answer serial = disk.driver().run(header(VIRTIO_BLK_T_GET_ID, 0), 21);
            EXPECT_EQ(serial.status, VIRTIO_BLK_S_OK);
            EXPECT_EQ(std::string(serial.in.begin(), serial.in.begin() + 8), "SERIAL-1");
            EXPECT_EQ(disk.driver().run(header(999, 0), 1).status, VIRTIO_BLK_S_UNSUPP);
            EXPECT_EQ(disk.write(config.capacity, Bytes(512)).status, VIRTIO_BLK_S_IOERR);
            EXPECT_EQ(disk.write(3 * 8, Bytes(65536, 0xaa)).status, VIRTIO_BLK_S_OK);
            EXPECT_EQ(disk.flush().status, VIRTIO_BLK_S_OK);
            EXPECT_EQ(disk.ranges(VIRTIO_BLK_T_WRITE_ZEROES, range(4 * 8, 8, 0)).status,
                      VIRTIO_BLK_S_OK);
            const Answer back = disk.read(3 * 8, 65536);
            Bytes expected(65536, 0xaa);
            std::fill_n(expected.begin() + 4096, 4096, 0);
            EXPECT_TRUE(back.in == expected);
            if (disk.features() >> VIRTIO_BLK_F_DISCARD & 1) {
                EXPECT_EQ(disk.ranges(VIRTIO_BLK_T_DISCARD, range(0, 4096, 0)).status,
                          VIRTIO_BLK_S_OK);
            }
        }
    }
}

// virtio 1.2, 5.2.6.2: the mode is the driver's choice, on each path.
TEST_F(Switched, CacheModeStaysTheDrivers) {
    if (!there()) {
        GTEST_SKIP() << kDevice << " is not there";
    }
    options_.drive.vhost = VhostMode::kOn;
    Disk disk(options_);
    disk.start();
    const auto choose = [&](uint8_t writeback) {
        const std::lock_guard lock(disk.device().lock());
        disk.device().write_config(offsetof(BlkConfig, writeback), Bytes{writeback});
    };
    for (const Path path : {Path::kVhost, Path::kUser, Path::kVhost}) {
        for (const uint8_t writeback : {0, 1, 0}) {
            choose(writeback);
            EXPECT_EQ(disk.config().writeback, writeback);
            EXPECT_EQ(disk.write(0, pattern(4096, writeback)).status, VIRTIO_BLK_S_OK);
        }
        disk.set_path(path);
        EXPECT_EQ(disk.config().writeback, 0);
    }
    EXPECT_EQ(read_file(options_.drive.file, 0, 4096), pattern(4096, 0));
}

TEST_F(Switched, ABrokenRingIsSaid) {
    if (!there()) {
        GTEST_SKIP() << kDevice << " is not there";
    }
    options_.drive.vhost = VhostMode::kOn;
    for (const Path path : {Path::kVhost, Path::kUser}) {
        Disk disk(options_);
        disk.set_path(path);
        disk.start();
        EXPECT_EQ(disk.flush().status, VIRTIO_BLK_S_OK);
        // More buffers than the ring has room for (virtio 1.2, 2.7.6).
        const uint64_t index = disk.driver().setup().driver + 2;
        disk.driver().at(index)[1] += 0x10;
        disk.driver().kick();
        EXPECT_EQ(disk.wait_for_reset(), std::string("queue 0: ") + vq_strerror(VQ_ERR_AVAIL_IDX));
    }
}

} // namespace
} // namespace vireo::test
