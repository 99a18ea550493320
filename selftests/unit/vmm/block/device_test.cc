// SPDX-License-Identifier: GPL-2.0-only
// The configuration space, features, several queues, and queues that come and go.
#include <gtest/gtest.h>

#include "base/error.h"
#include "block/disk.h"

namespace vireo::test {
namespace {

class Device : public testing::Test {
protected:
    Device() {
        options_.drive.id = "drive0";
        options_.drive.file = directory_.path("disk.img");
        make_file(options_.drive.file, kImageSize);
    }

    void write_config(BlockDevice& device, uint32_t offset, const Bytes& data) {
        const std::lock_guard lock(device.lock());
        device.write_config(offset, data);
    }

    TemporaryDirectory directory_;
    Disk::Options options_;
};

TEST_F(Device, ConfigurationSpaceTellsOfTheImage) {
    const Disk disk(options_);
    const BlkConfig config = disk.config();
    EXPECT_EQ(config.capacity, kImageSize / kSector);
    EXPECT_EQ(config.seg_max, 254U);
    EXPECT_EQ(config.blk_size, 512U);
    EXPECT_EQ(512U << config.physical_block_exp, 4096U);
    EXPECT_EQ(config.heads, 16);
    EXPECT_EQ(config.sectors, 63);
    EXPECT_EQ(config.cylinders, kImageSize / kSector / (16 * 63));
    EXPECT_EQ(config.writeback, 1);
    EXPECT_EQ(config.num_queues, 1);
    EXPECT_EQ(config.max_zeroes_seg, BlkRules::kMaxRanges);
}

TEST_F(Device, ReadsPastTheConfigurationSpaceGiveZero) {
    Disk disk(options_);
    Bytes bytes(8, 0xff);
    disk.device().read_config(sizeof(BlkConfig) - 4, bytes);
    EXPECT_EQ(Bytes(bytes.begin() + 4, bytes.end()), Bytes(4));
    bytes.assign(8, 0xff);
    disk.device().read_config(UINT32_MAX, bytes);
    EXPECT_EQ(bytes, Bytes(8));
}

TEST_F(Device, LogicalBlockIsTheUsersChoice) {
    options_.drive.logical_block_size = 4096;
    Disk disk(options_);
    EXPECT_EQ(disk.config().blk_size, 4096U);
    EXPECT_EQ(disk.config().physical_block_exp, 0);
    disk.start();
    // virtio 1.2, 5.2.5: sectors are of 512 bytes nevertheless.
    EXPECT_EQ(disk.read(1, 512).status, VIRTIO_BLK_S_OK);
}

TEST_F(Device, OnlyTheCacheModeCanBeWritten) {
    Disk disk(options_);
    const BlkConfig before = disk.config();
    write_config(disk.device(), 0, Bytes(0x20, 0xff));
    write_config(disk.device(), 0x21, Bytes(0x40, 0xff));
    write_config(disk.device(), UINT32_MAX, Bytes(4, 0xff));
    BlkConfig after = disk.config();
    EXPECT_EQ(memcmp(&before, &after, sizeof(before)), 0);
    write_config(disk.device(), 0x1f, {0xff, 0, 0xff});
    EXPECT_EQ(disk.config().writeback, 0);
    disk.start();
    EXPECT_EQ(disk.write(0, pattern(4096, 1)).status, VIRTIO_BLK_S_OK);
    disk.stop();
    const std::lock_guard lock(disk.device().lock());
    disk.device().reset();
    EXPECT_EQ(disk.config().writeback, 1);
}

TEST_F(Device, FeaturesFollowTheOptions) {
    {
        const Disk disk(options_);
        EXPECT_FALSE(has_feature(disk.features(), VIRTIO_BLK_F_RO));
        EXPECT_FALSE(has_feature(disk.features(), VIRTIO_BLK_F_MQ));
        EXPECT_TRUE(has_feature(disk.features(), VIRTIO_BLK_F_FLUSH));
        EXPECT_TRUE(has_feature(disk.features(), VIRTIO_BLK_F_WRITE_ZEROES));
        EXPECT_FALSE(has_feature(disk.features(), VQ_F_IN_ORDER));
    }
    options_.drive.discard = false;
    options_.drive.queues = 3;
    Disk disk(options_);
    EXPECT_FALSE(has_feature(disk.features(), VIRTIO_BLK_F_DISCARD));
    EXPECT_TRUE(has_feature(disk.features(), VIRTIO_BLK_F_MQ));
    EXPECT_EQ(disk.config().num_queues, 3);
    EXPECT_EQ(disk.device().shape().queues, (std::vector<uint16_t>{256, 256, 256}));
    EXPECT_EQ(disk.device().shape().type, 2);
}

TEST_F(Device, WrongOptionsAreRefusedByName) {
    const auto refused = [](const DriveOptions& drive) -> std::string {
        try {
            const Disk disk(Disk::Options{.drive = drive});
        } catch (const UsageError& error) {
            return error.what();
        }
        return "accepted";
    };
    DriveOptions drive = options_.drive;
    drive.serial = std::string(21, 'x');
    EXPECT_NE(refused(drive).find("serial="), std::string::npos) << refused(drive);
    drive = options_.drive;
    drive.queue_size = 100;
    EXPECT_NE(refused(drive).find("queue-size=100"), std::string::npos) << refused(drive);
    drive = options_.drive;
    drive.format = "vmdk";
    EXPECT_NE(refused(drive).find("format=vmdk"), std::string::npos) << refused(drive);
}

TEST_F(Device, QueuesWorkBesideEachOther) {
    options_.drive.queues = 4;
    for (const bool packed : {false, true}) {
        options_.packed = packed;
        Disk disk(options_);
        disk.start();
        for (unsigned q = 0; q < 4; q++) {
            disk.driver(q).add(header(VIRTIO_BLK_T_OUT, q * 8) + pattern(4096, q), 1);
        }
        for (unsigned q = 0; q < 4; q++) {
            disk.driver(q).show();
        }
        for (unsigned q = 0; q < 4; q++) {
            EXPECT_EQ(disk.driver(q).wait(1), 1U);
            EXPECT_EQ(disk.driver(q).answer(0).status, VIRTIO_BLK_S_OK);
            EXPECT_EQ(disk.counter("writes", q), 1U);
            EXPECT_EQ(disk.device().path(q), "user");
            EXPECT_EQ(read_file(options_.drive.file, q * 4096, 4096), pattern(4096, q));
        }
        EXPECT_TRUE(disk.device().counters(4).empty());
    }
}

TEST_F(Device, AQueueMayStopAndComeBack) {
    options_.drive.queues = 2;
    Disk disk(options_);
    disk.start();
    EXPECT_EQ(disk.write(0, pattern(4096, 1)).status, VIRTIO_BLK_S_OK);
    {
        const std::lock_guard lock(disk.device().lock());
        disk.device().stop_queue(1);
    }
    disk.driver(1).add(header(VIRTIO_BLK_T_IN, 0), 4097);
    disk.driver(1).show();
    EXPECT_EQ(disk.read(0, 4096).in, pattern(4096, 1)) << "the other one is served on";
    EXPECT_FALSE(disk.driver(1).answered(0));
    {
        const std::lock_guard lock(disk.device().lock());
        disk.device().start_queue(disk.driver(1).setup());
    }
    EXPECT_EQ(disk.driver(1).wait(1), 1U);
    EXPECT_EQ(disk.driver(1).answer(0).in, pattern(4096, 1));
}

TEST_F(Device, BrokenQueueAsksForAResetAndTheOthersGoOn) {
    options_.drive.queues = 2;
    Disk disk(options_);
    disk.start();
    __atomic_store_n(&fd_avail(&disk.driver(1).ring())->idx, uint16_t{999}, __ATOMIC_SEQ_CST);
    disk.driver(1).kick();
    EXPECT_NE(disk.wait_for_reset().find("queue 1"), std::string::npos);
    EXPECT_EQ(disk.write(0, pattern(4096, 1)).status, VIRTIO_BLK_S_OK);
    disk.stop();
    const std::lock_guard lock(disk.device().lock());
    disk.device().reset();
    EXPECT_TRUE(disk.device().stop().empty());
}

TEST_F(Device, QueueThatCannotBeIsRefused) {
    Disk disk(options_);
    QueueSetup setup = disk.driver().setup();
    setup.desc = UINT64_MAX - 15;
    const std::lock_guard lock(disk.device().lock());
    EXPECT_THROW(disk.device().start(disk.features(), {&setup, 1}), std::system_error);
    EXPECT_TRUE(disk.device().stop().empty());
}

} // namespace
} // namespace vireo::test
