// SPDX-License-Identifier: GPL-2.0-only
// What a driver may ask of a disk, with both engines, cached and direct, and both ring formats.
#include <gtest/gtest.h>

#include <algorithm>

#include "block/disk.h"

namespace vireo::test {
namespace {

struct Way {
    std::string name;
    AioMode aio;
    CacheMode cache;
    bool packed;
};

const Way kWays[] = {
    {"uring_cached_split", AioMode::kIoUring, CacheMode::kWriteback, false},
    {"uring_direct_packed", AioMode::kIoUring, CacheMode::kNone, true},
    {"threads_cached_packed", AioMode::kThreads, CacheMode::kWriteback, true},
    {"threads_direct_split", AioMode::kThreads, CacheMode::kNone, false},
};

class Requests : public testing::TestWithParam<Way> {
protected:
    void SetUp() override {
        path_ = directory_.path("disk.img");
        make_file(path_, kImageSize);
        if (GetParam().cache == CacheMode::kNone && !direct_io_works(directory_.path(""))) {
            GTEST_SKIP() << "no direct I/O in " << directory_.path("");
        }
        options_.drive.id = "drive0";
        options_.drive.file = path_;
        options_.drive.aio = GetParam().aio;
        options_.drive.cache = GetParam().cache;
        options_.drive.serial = "VIREO-0001";
        options_.packed = GetParam().packed;
    }

    void start() {
        disk_.emplace(options_);
        disk_->start();
        unit_ = disk_->device().image().limits().io_unit;
    }

    Bytes file(uint64_t offset, size_t size) { return read_file(path_, offset, size); }

    TemporaryDirectory directory_;
    std::string path_;
    Disk::Options options_;
    std::optional<Disk> disk_; // ends before its directory
    uint32_t unit_ = kSector;
};

void PrintTo(const Way& way, std::ostream* out) {
    *out << way.name;
}

INSTANTIATE_TEST_SUITE_P(Ways, Requests, testing::ValuesIn(kWays),
                         [](const auto& info) { return info.param.name; });

TEST_P(Requests, ReadGivesWhatTheFileHas) {
    write_file(path_, 64 * kSector, pattern(8192, 1));
    start();
    const Answer answer = disk_->read(64, 8192);
    EXPECT_EQ(answer.status, VIRTIO_BLK_S_OK);
    EXPECT_EQ(answer.used, 8193U);
    EXPECT_EQ(answer.in, pattern(8192, 1));
    EXPECT_EQ(disk_->counter("reads"), 1U);
    EXPECT_EQ(disk_->counter("bytes_read"), 8192U);
}

TEST_P(Requests, WriteReachesTheFile) {
    start();
    const Answer answer = disk_->write(128, pattern(4096, 2));
    EXPECT_EQ(answer.status, VIRTIO_BLK_S_OK);
    EXPECT_EQ(answer.used, 1U);
    EXPECT_EQ(file(128 * kSector, 4096), pattern(4096, 2));
    EXPECT_EQ(file(127 * kSector, kSector), Bytes(kSector));
    EXPECT_EQ(file(136 * kSector, kSector), Bytes(kSector));
    EXPECT_EQ(disk_->counter("bytes_written"), 4096U);
}

TEST_P(Requests, FirstAndLastSectorsAreThere) {
    start();
    const uint64_t last = (kImageSize - unit_) / kSector;
    for (const uint64_t sector : {uint64_t{0}, last}) {
        EXPECT_EQ(disk_->write(sector, pattern(unit_, 3)).status, VIRTIO_BLK_S_OK);
        EXPECT_EQ(disk_->read(sector, unit_).in, pattern(unit_, 3));
    }
}

TEST_P(Requests, OneRequestMayBeAllOfTheDisk) {
    start();
    const Bytes bytes = pattern(kImageSize, 4);
    EXPECT_EQ(disk_->write(0, bytes).status, VIRTIO_BLK_S_OK);
    const Answer answer = disk_->read(0, kImageSize);
    EXPECT_EQ(answer.status, VIRTIO_BLK_S_OK);
    EXPECT_TRUE(answer.in == bytes);
    EXPECT_EQ(answer.used, kImageSize + 1);
}

TEST_P(Requests, PastTheEndIsAnError) {
    start();
    const uint64_t sectors = kImageSize / kSector;
    for (const uint64_t sector :
         {sectors, sectors - 1, sectors + 1, UINT64_MAX, UINT64_MAX / kSector, UINT64_MAX - 7}) {
        const Answer read = disk_->read(sector, size_t{2} * 4096);
        EXPECT_EQ(read.status, VIRTIO_BLK_S_IOERR) << sector;
        EXPECT_EQ(read.used, 0U) << "nothing was written from the beginning on";
        EXPECT_EQ(disk_->write(sector, pattern(size_t{2} * 4096, 5)).status, VIRTIO_BLK_S_IOERR);
    }
    EXPECT_EQ(std::filesystem::file_size(path_), kImageSize);
    EXPECT_EQ(disk_->counter("errors"), 12U);
}

TEST_P(Requests, LengthsThatAreNoSectorsAreErrors) {
    start();
    for (const size_t length : {1, 511, 513, 4095}) {
        EXPECT_EQ(disk_->read(0, length).status, VIRTIO_BLK_S_IOERR) << length;
        EXPECT_EQ(disk_->write(0, pattern(length, 6)).status, VIRTIO_BLK_S_IOERR) << length;
    }
}

TEST_P(Requests, NoDataIsNoError) {
    start();
    EXPECT_EQ(disk_->read(0, 0).status, VIRTIO_BLK_S_OK);
    EXPECT_EQ(disk_->write(0, {}).status, VIRTIO_BLK_S_OK);
    EXPECT_EQ(disk_->read(kImageSize / kSector, 0).status, VIRTIO_BLK_S_OK);
    EXPECT_EQ(disk_->read(kImageSize / kSector + 1, 0).status, VIRTIO_BLK_S_IOERR);
}

TEST_P(Requests, DataOfTheWrongDirectionIsAnError) {
    start();
    Driver& driver = disk_->driver();
    EXPECT_EQ(driver.run(header(VIRTIO_BLK_T_IN, 0) + pattern(kSector, 7), 1).status,
              VIRTIO_BLK_S_IOERR);
    EXPECT_EQ(driver.run(header(VIRTIO_BLK_T_OUT, 0) + pattern(4096, 7), 4097).status,
              VIRTIO_BLK_S_IOERR);
    EXPECT_EQ(file(0, kSector), Bytes(kSector));
}

TEST_P(Requests, HeaderAndStatusMayBeCutAnywhere) {
    const Bytes bytes = pattern(4096, 8);
    write_file(path_, 0, bytes);
    start();
    // The header, and the first bytes of data.
    for (size_t at = 1; at < 40; at++) {
        const Bytes fresh = pattern(4096, static_cast<uint32_t>(100 + at));
        const Answer write = disk_->write(8, fresh, {.out_cuts = {at}, .in_cuts = {}});
        EXPECT_EQ(write.status, VIRTIO_BLK_S_OK) << at;
        EXPECT_EQ(file(4096, 4096), fresh) << at;
    }
    // Each byte of the header, and of the data's end with the status, alone.
    std::vector<size_t> header_bytes, end_bytes;
    for (size_t at = 1; at <= 16; at++) {
        header_bytes.push_back(at);
        end_bytes.push_back(4096 - 16 + at);
    }
    for (const fd_shape shape : {FD_DIRECT, FD_INDIRECT}) {
        const Answer read = disk_->read(
            0, 4096, {.out_cuts = {3, 8}, .in_cuts = {1, 512, 513, 4096}, .shape = shape});
        EXPECT_EQ(read.status, VIRTIO_BLK_S_OK);
        EXPECT_EQ(read.in, bytes);
    }
    const Answer read = disk_->read(0, 4096, {.out_cuts = header_bytes, .in_cuts = end_bytes});
    EXPECT_EQ(read.status, VIRTIO_BLK_S_OK);
    EXPECT_EQ(read.in, bytes);
    EXPECT_EQ(read.used, 4097U);
}

TEST_P(Requests, DataMayBeCutAtEveryByteOfASector) {
    const Bytes bytes = pattern(4096, 9);
    write_file(path_, 0, bytes);
    start();
    for (size_t at = 1; at <= 4096; at += at < 530 || at > 4080 ? 1 : 97) {
        const Answer read = disk_->read(0, 4096, {.out_cuts = {}, .in_cuts = {at}});
        ASSERT_EQ(read.status, VIRTIO_BLK_S_OK) << at;
        ASSERT_TRUE(read.in == bytes) << at;
        ASSERT_EQ(read.used, 4097U) << at;
    }
}

TEST_P(Requests, BuffersMayBeAnywhere) {
    start();
    for (const size_t off : {1, 7, 511, 512, 513, 2048}) {
        // More than a bounce buffer holds, so that it goes in parts.
        const size_t length = 300 * 1024;
        const Bytes bytes = pattern(length, static_cast<uint32_t>(off));
        const Layout layout = {.out_cuts = {17, 5000}, .in_cuts = {3, 70'001}, .misalign = off};
        EXPECT_EQ(disk_->write(1024, bytes, layout).status, VIRTIO_BLK_S_OK);
        EXPECT_TRUE(file(1024 * kSector, length) == bytes) << off;
        const Answer read = disk_->read(1024, length, layout);
        EXPECT_EQ(read.status, VIRTIO_BLK_S_OK);
        EXPECT_TRUE(read.in == bytes) << off;
        EXPECT_EQ(read.used, length + 1);
    }
}

TEST_P(Requests, MoreMisalignedOnesThanBounceBuffers) {
    start();
    Driver& driver = disk_->driver();
    constexpr size_t kCount = 40, kLength = 200 * 1024;
    for (unsigned round = 0; round < 3; round++) {
        driver.rewind();
        std::vector<size_t> numbers;
        for (size_t i = 0; i < kCount; i++) {
            const uint64_t sector = i * kLength / kSector;
            numbers.push_back(*driver.add(header(VIRTIO_BLK_T_OUT, sector) +
                                              pattern(kLength, static_cast<uint32_t>(i + round)),
                                          1, {.out_cuts = {16}, .in_cuts = {}, .misalign = 3}));
        }
        driver.show();
        ASSERT_EQ(driver.wait(kCount), kCount);
        for (size_t i = 0; i < kCount; i++) {
            EXPECT_EQ(driver.answer(numbers[i]).status, VIRTIO_BLK_S_OK);
            EXPECT_TRUE(file(i * kLength, kLength) ==
                        pattern(kLength, static_cast<uint32_t>(i + round)));
        }
    }
}

TEST_P(Requests, ManyPiecesInOneRequest) {
    start();
    std::vector<size_t> cuts;
    for (size_t at = 16; at < 16 + 100 * kSector; at += kSector) {
        cuts.push_back(at);
    }
    const Bytes bytes = pattern(104 * kSector, 10);
    EXPECT_EQ(disk_->write(0, bytes, {.out_cuts = cuts, .in_cuts = {}}).status, VIRTIO_BLK_S_OK);
    EXPECT_TRUE(file(0, bytes.size()) == bytes);
    const Answer read = disk_->read(0, bytes.size(), {.out_cuts = {}, .in_cuts = cuts});
    EXPECT_TRUE(read.in == bytes);
}

TEST_P(Requests, IdIsTheSerialNumber) {
    start();
    Bytes id(20);
    memcpy(id.data(), "VIREO-0001", 10);
    Driver& driver = disk_->driver();
    const Answer answer = driver.run(header(VIRTIO_BLK_T_GET_ID, 0), 21);
    EXPECT_EQ(answer.status, VIRTIO_BLK_S_OK);
    EXPECT_EQ(answer.used, 21U);
    EXPECT_EQ(answer.in, id);
    // Less room gives less, more gives no more.
    const Answer less =
        driver.run(header(VIRTIO_BLK_T_GET_ID, 0), 6, {.out_cuts = {}, .in_cuts = {2}});
    EXPECT_EQ(less.in, Bytes(id.begin(), id.begin() + 5));
    const Answer more = driver.run(header(VIRTIO_BLK_T_GET_ID, 0), 41);
    EXPECT_EQ(more.status, VIRTIO_BLK_S_OK);
    EXPECT_EQ(more.used, 20U);
    EXPECT_EQ(more.in, id + Bytes(20, 0xff));
}

TEST_P(Requests, TypesThatAreNotKnownAreRefused) {
    start();
    for (const uint32_t type : {2U, 3U, 5U, 9U, 12U, 14U, 0x80000000U, 0xffffffffU}) {
        const Answer answer = disk_->driver().run(header(type, 0), 513);
        EXPECT_EQ(answer.status, VIRTIO_BLK_S_UNSUPP) << type;
    }
    EXPECT_EQ(disk_->counter("unsupported"), 8U);
    EXPECT_EQ(disk_->read(0, 4096).status, VIRTIO_BLK_S_OK) << "and the queue goes on";
}

TEST_P(Requests, ShortHeaderIsAnError) {
    start();
    for (size_t length = 1; length < 16; length++) {
        Bytes out = header(VIRTIO_BLK_T_IN, 0);
        out.resize(length);
        EXPECT_EQ(disk_->driver().run(out, 1).status, VIRTIO_BLK_S_IOERR) << length;
        const Answer answer = disk_->driver().run(out, 513);
        EXPECT_EQ(answer.status, VIRTIO_BLK_S_IOERR);
        EXPECT_EQ(answer.used, 0U);
    }
    EXPECT_EQ(disk_->driver().run({}, 1).status, VIRTIO_BLK_S_IOERR);
}

TEST_P(Requests, WithoutRoomForAStatusItIsGivenBackUndone) {
    start();
    const Answer answer = disk_->driver().run(header(VIRTIO_BLK_T_OUT, 0) + pattern(4096, 11), 0);
    EXPECT_EQ(answer.used, 0U);
    EXPECT_EQ(file(0, 4096), Bytes(4096));
    EXPECT_EQ(disk_->read(0, 4096).status, VIRTIO_BLK_S_OK) << "and the queue goes on";
}

TEST_P(Requests, DiscardMakesHoles) {
    const Bytes before = pattern(kMiB, 12);
    write_file(path_, 0, before);
    start();
    if (!has_feature(disk_->features(), VIRTIO_BLK_F_DISCARD)) {
        GTEST_SKIP() << "no holes in " << path_;
    }
    const Answer answer = disk_->ranges(
        VIRTIO_BLK_T_DISCARD, range(128, 256, 0) + range(1024, 0, 0) + range(1536, 128, 0));
    EXPECT_EQ(answer.status, VIRTIO_BLK_S_OK);
    EXPECT_EQ(answer.used, 1U);
    const Fd fd(open(path_.c_str(), O_RDONLY | O_CLOEXEC));
    EXPECT_EQ(lseek(fd.get(), 0, SEEK_HOLE), 128 * kSector);
    EXPECT_EQ(lseek(fd.get(), 128 * kSector, SEEK_DATA), 384 * kSector);
    EXPECT_EQ(lseek(fd.get(), 384 * kSector, SEEK_HOLE), 1536 * kSector);
    EXPECT_EQ(file(384 * kSector, 4096),
              Bytes(before.begin() + 384 * kSector, before.begin() + 384 * kSector + 4096));
    EXPECT_EQ(std::filesystem::file_size(path_), kImageSize);
    EXPECT_EQ(disk_->counter("discards"), 1U);
}

TEST_P(Requests, WriteZeroesReadsAsZeroes) {
    for (const uint32_t unmap : {0U, 1U}) {
        write_file(path_, 0, pattern(kMiB, 13));
        options_.without = 0;
        start();
        const Answer answer =
            disk_->ranges(VIRTIO_BLK_T_WRITE_ZEROES, range(8, 512, unmap) + range(1024, 8, unmap));
        EXPECT_EQ(answer.status, VIRTIO_BLK_S_OK);
        EXPECT_EQ(file(8 * kSector, 512 * kSector), Bytes(512 * kSector));
        EXPECT_EQ(file(1024 * kSector, 4096), Bytes(4096));
        EXPECT_EQ(disk_->read(512, 4096).in, Bytes(4096));
        const Bytes before = pattern(kMiB, 13);
        EXPECT_EQ(file(0, 4096), Bytes(before.begin(), before.begin() + 4096));
        EXPECT_EQ(file(520 * kSector, 4096),
                  Bytes(before.begin() + 520 * kSector, before.begin() + 520 * kSector + 4096));
        const Fd fd(open(path_.c_str(), O_RDONLY | O_CLOEXEC));
        if (unmap && disk_->device().image().limits().discard) {
            EXPECT_EQ(lseek(fd.get(), 0, SEEK_HOLE), 4096);
        }
        disk_.reset();
    }
}

TEST_P(Requests, BadRangesDoNothing) {
    write_file(path_, 0, pattern(kMiB, 14));
    start();
    if (!has_feature(disk_->features(), VIRTIO_BLK_F_DISCARD)) {
        GTEST_SKIP() << "no holes in " << path_;
    }
    constexpr uint32_t kMost = BlkRules::kMaxRangeSectors;
    const Bytes good = range(0, 8, 0);
    Bytes many;
    for (unsigned i = 0; i <= BlkRules::kMaxRanges; i++) {
        many = many + good;
    }
    for (const uint32_t type : {VIRTIO_BLK_T_DISCARD, VIRTIO_BLK_T_WRITE_ZEROES}) {
        EXPECT_EQ(disk_->ranges(type, {}).status, VIRTIO_BLK_S_IOERR);
        EXPECT_EQ(disk_->ranges(type, Bytes(8)).status, VIRTIO_BLK_S_IOERR);
        EXPECT_EQ(disk_->ranges(type, good + Bytes(1)).status, VIRTIO_BLK_S_IOERR);
        EXPECT_EQ(disk_->ranges(type, many).status, VIRTIO_BLK_S_IOERR);
        EXPECT_EQ(disk_->ranges(type, good + range(kImageSize / kSector, 8, 0)).status,
                  VIRTIO_BLK_S_IOERR);
        EXPECT_EQ(disk_->ranges(type, good + range(UINT64_MAX - 3, 8, 0)).status,
                  VIRTIO_BLK_S_IOERR);
        EXPECT_EQ(disk_->ranges(type, good + range(0, kMost + 8, 0)).status, VIRTIO_BLK_S_IOERR);
        EXPECT_EQ(disk_->ranges(type, good + range(0, 8, 2)).status, VIRTIO_BLK_S_UNSUPP);
    }
    EXPECT_EQ(disk_->ranges(VIRTIO_BLK_T_DISCARD, good + range(0, 8, 1)).status,
              VIRTIO_BLK_S_UNSUPP);
    EXPECT_TRUE(file(0, kMiB) == pattern(kMiB, 14));
}

TEST_P(Requests, WhatWasNotNegotiatedIsNotServed) {
    options_.without = feature_bits({VIRTIO_BLK_F_DISCARD, VIRTIO_BLK_F_WRITE_ZEROES});
    start();
    EXPECT_EQ(disk_->ranges(VIRTIO_BLK_T_DISCARD, range(0, 8, 0)).status, VIRTIO_BLK_S_UNSUPP);
    EXPECT_EQ(disk_->ranges(VIRTIO_BLK_T_WRITE_ZEROES, range(0, 8, 0)).status, VIRTIO_BLK_S_UNSUPP);
}

TEST_P(Requests, ReadOnlyDiskIsNotChanged) {
    write_file(path_, 0, pattern(kMiB, 15));
    options_.drive.readonly = true;
    start();
    EXPECT_TRUE(has_feature(disk_->features(), VIRTIO_BLK_F_RO));
    EXPECT_FALSE(has_feature(disk_->features(), VIRTIO_BLK_F_DISCARD));
    EXPECT_FALSE(has_feature(disk_->features(), VIRTIO_BLK_F_WRITE_ZEROES));
    testing::internal::CaptureStderr();
    EXPECT_EQ(disk_->write(0, Bytes(4096)).status, VIRTIO_BLK_S_IOERR);
    EXPECT_EQ(testing::internal::GetCapturedStderr(), "") << "it is no failure of the host's";
    EXPECT_EQ(disk_->ranges(VIRTIO_BLK_T_DISCARD, range(0, 8, 0)).status, VIRTIO_BLK_S_UNSUPP);
    EXPECT_EQ(disk_->flush().status, VIRTIO_BLK_S_OK);
    EXPECT_EQ(disk_->read(0, 4096).status, VIRTIO_BLK_S_OK);
    EXPECT_TRUE(file(0, kMiB) == pattern(kMiB, 15));
}

TEST_P(Requests, FlushIsAnswered) {
    start();
    for (unsigned i = 0; i < 20; i++) {
        EXPECT_EQ(disk_->write(i * 8, pattern(4096, i)).status, VIRTIO_BLK_S_OK);
        EXPECT_EQ(disk_->flush().status, VIRTIO_BLK_S_OK);
    }
    EXPECT_EQ(disk_->counter("flushes"), 20U);
}

TEST_P(Requests, ManyAtOnceAreAllAnsweredOnce) {
    start();
    Driver& driver = disk_->driver();
    constexpr unsigned kBlocks = 1024;
    std::vector<uint32_t> seeds(kBlocks);
    uint32_t next = 1;
    for (unsigned round = 0; round < 12; round++) {
        driver.rewind();
        std::vector<std::pair<size_t, unsigned>> reads;
        unsigned block = round * 37;
        size_t n = 0;
        // Blocks of one round are apart from each other: their order is nobody's to say.
        for (;; n++) {
            block = (block + 1) % kBlocks;
            const uint64_t sector = uint64_t{block} * 8;
            std::optional<size_t> number;
            if (n % 3) {
                number = driver.add(header(VIRTIO_BLK_T_OUT, sector) + pattern(4096, next), 1);
                if (number) {
                    seeds[block] = next++;
                }
            } else if ((number = driver.add(header(VIRTIO_BLK_T_IN, sector), 4097))) {
                reads.emplace_back(*number, block);
            }
            if (!number) {
                break;
            }
            if (n % 16 == 0) {
                driver.show();
            }
        }
        driver.show();
        ASSERT_EQ(driver.wait(n), n);
        for (const auto& [number, read] : reads) {
            const Answer answer = driver.answer(number);
            ASSERT_EQ(answer.status, VIRTIO_BLK_S_OK);
            ASSERT_EQ(answer.in, seeds[read] ? pattern(4096, seeds[read]) : Bytes(4096));
        }
    }
    for (unsigned block = 0; block < kBlocks; block++) {
        if (seeds[block]) {
            EXPECT_EQ(file(uint64_t{block} * 4096, 4096), pattern(4096, seeds[block])) << block;
        }
    }
    EXPECT_LT(disk_->counter("calls"), disk_->counter("chains"));
}

} // namespace
} // namespace vireo::test
