// SPDX-License-Identifier: GPL-2.0-only
// An IDE disk and its channel, by a driver that polls.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <latch>
#include <thread>

#include "emulated/ide_world.h"

namespace vireo {
namespace {

using namespace ata;

constexpr uint32_t kSectors = IdeWorld::kDiskSize / 512;
constexpr uint8_t kGood = kReady | kSeekDone;

class IdeDisk : public testing::Test, protected IdeWorld {
protected:
    uint64_t counter(const std::atomic<uint64_t> AtaDrive::Counters::* which) {
        return ide.drive(0)->counters.*which;
    }
    bool interrupted() { return platform.lines[14]; }
    void wait_interrupt() {
        ASSERT_TRUE(test::until([this] { return !(alternate() & kBusy); }));
        EXPECT_TRUE(interrupted());
        EXPECT_EQ(dma_status() & 4, 4) << "the bus master sees it too";
    }
};

TEST_F(IdeDisk, IdentifiesItself) {
    command(kIdentify);
    EXPECT_EQ(settled(), kGood | kDrq);
    EXPECT_TRUE(interrupted());
    EXPECT_EQ(in(kStatus), kGood | kDrq);
    EXPECT_FALSE(interrupted()) << "reading the status takes it back";
    const std::string id = read_data(512);
    EXPECT_EQ(alternate(), kGood);
    const auto word = [&](unsigned n) {
        return static_cast<uint8_t>(id[2 * n]) | static_cast<uint8_t>(id[2 * n + 1]) << 8;
    };
    EXPECT_EQ(word(60) | word(61) << 16, static_cast<int>(kSectors));
    EXPECT_EQ(word(100) | word(101) << 16, static_cast<int>(kSectors));
    EXPECT_EQ(id.substr(20, 10), "ESIRLA1-  ") << "bytes of a word are swapped";
    EXPECT_EQ(word(83) & 1 << 10, 1 << 10) << "48-bit addresses";
    EXPECT_EQ(word(82) & 1, 0) << "no SMART";
}

TEST_F(IdeDisk, ReadsByWordsBlockByBlock) {
    command(kReadSectors, 5, 3);
    for (uint32_t sector = 5; sector < 8; sector++) {
        EXPECT_EQ(settled(), kGood | kDrq);
        EXPECT_TRUE(interrupted());
        in(kStatus);
        EXPECT_EQ(read_data(512), sectors(sector, 1));
    }
    EXPECT_EQ(settled(), kGood);
    EXPECT_FALSE(interrupted()) << "the last block had its interrupt";
    EXPECT_EQ(counter(&AtaDrive::Counters::pio_bytes), 3 * 512u);
}

TEST_F(IdeDisk, ReadsMultipleAndMoreThanItsBuffer) {
    command(kSetMultiple, 0, 8);
    ASSERT_EQ(settled(), kGood);
    constexpr uint16_t kMany = 1000;
    command_ext(kReadMultipleExt, 24, kMany);
    std::string all;
    while (settled() & kDrq) {
        all += read_data(8 * 512);
    }
    EXPECT_EQ(all.substr(0, size_t{kMany} * 512), sectors(24, kMany));
    EXPECT_EQ(settled(), kGood);
}

TEST_F(IdeDisk, WritesByWords) {
    const std::string data = sectors(777, 2);
    command(kWriteSectors, 10, 2);
    EXPECT_EQ(settled(), kGood | kDrq);
    EXPECT_FALSE(interrupted()) << "none before the first block";
    write_data(data.substr(0, 512));
    EXPECT_TRUE(interrupted());
    write_data(data.substr(512));
    wait_interrupt();
    EXPECT_EQ(in(kStatus), kGood);
    EXPECT_EQ(image.content(10 * 512, 1024), data);
    EXPECT_EQ(image.content(12 * 512, 512), sectors(12, 1));
}

TEST_F(IdeDisk, MovesDataAlongATable) {
    // Pieces of odd places and lengths, over more than one buffer.
    set_table({{kData, 6},
               {kData + 0x20002, 0xfffa},
               {kData + 0x40000, 0},
               {kData + 0x60000, 0},
               {kData + 0x80000, 0}});
    command_ext(kReadDmaExt, 100, 512);
    start_dma(true);
    wait_interrupt();
    EXPECT_EQ(in(kStatus), kGood);
    EXPECT_EQ(dma_status() & 7, 4) << "the table was as long as the data";
    const std::string expected = sectors(100, 512);
    EXPECT_EQ(memcmp(memory.at(kData, 6), expected.data(), 6), 0);
    EXPECT_EQ(memcmp(memory.at(kData + 0x20002, 0xfffa), &expected[6], 0xfffa), 0);
    EXPECT_EQ(memcmp(memory.at(kData + 0x80000, 0x10000), &expected[0x30000], 0x10000), 0);
    EXPECT_EQ(counter(&AtaDrive::Counters::dma_bytes), 512 * 512u);
}

TEST_F(IdeDisk, WritesFromATable) {
    const std::string data = sectors(4242, 300);
    memory.write(kData, data.data(), data.size());
    set_table({{kData, 0}, {kData + 0x10000, 0}, {kData + 0x20000, 0}});
    start_dma(false); // before the command: the bus master waits
    command_ext(kWriteDmaExt, 7, 300);
    wait_interrupt();
    EXPECT_EQ(in(kStatus), kGood);
    EXPECT_EQ(dma_status() & 7, 5) << "the table goes on";
    EXPECT_EQ(image.content(7 * 512, data.size()), data);
    stop_dma();
    EXPECT_EQ(dma_status() & 1, 0);
}

TEST_F(IdeDisk, ATableThatEndsTooSoonFailsTheCommand) {
    set_table({{kData, 512}});
    command(kReadDma, 0, 2);
    start_dma(true);
    wait_interrupt();
    EXPECT_TRUE(in(kStatus)&kErr);
    EXPECT_EQ(in(kError), kAborted);
    EXPECT_EQ(dma_status() & 3, 0);
}

TEST_F(IdeDisk, ATableOutsideOfMemoryFailsTheCommand) {
    for (const uint32_t address : {0xf000'0000u, 4u << 20, (4u << 20) - 256}) {
        set_table({{address, 512}});
        command(kReadDma, 0, 1);
        start_dma(true);
        wait_interrupt();
        EXPECT_TRUE(in(kStatus)&kErr);
        EXPECT_EQ(dma_status() & 3, 2) << "the bus master's error";
        stop_dma();
    }
    ports.write(master() + 4, 4, 0xfff0'0000);
    command(kWriteDma, 0, 1);
    start_dma(false);
    wait_interrupt();
    EXPECT_TRUE(in(kStatus)&kErr);
    EXPECT_EQ(image.content(0, 512), sectors(0, 1));
}

TEST_F(IdeDisk, ATableWithoutAnEndEnds) {
    // 64 KiB of entries of two bytes: a table has no more, and they are read again by no one.
    for (uint32_t at = 0; at < 0x10000; at += 8) {
        const Piece piece = {kData, 2};
        memory.write(0x100000 + at, &piece, sizeof(piece));
    }
    ports.write(master() + 4, 4, 0x100000 + 0x8000); // its window wraps
    command(kReadDma, 0, 64);
    start_dma(true);
    wait_interrupt();
    EXPECT_TRUE(in(kStatus)&kErr);
}

TEST_F(IdeDisk, TheWrongDirectionMovesNothing) {
    set_table({{kData, 512}});
    const std::string before = sectors(31337, 1);
    memory.write(kData, before.data(), before.size());
    command(kReadDma, 1, 1);
    start_dma(false);
    wait_interrupt();
    EXPECT_TRUE(in(kStatus)&kErr);
    EXPECT_EQ(memcmp(memory.at(kData, 512), before.data(), 512), 0);
}

TEST_F(IdeDisk, AddressesBehindTheEndAreRefused) {
    command(kReadSectors, kSectors, 1);
    EXPECT_EQ(settled(), kGood | kErr);
    EXPECT_EQ(in(kError), kNotFound);
    command(kReadSectors, kSectors - 1, 2);
    EXPECT_TRUE(settled() & kErr);
    command_ext(kReadDmaExt, uint64_t{1} << 47, 1);
    EXPECT_TRUE(settled() & kErr);
    command_ext(kReadSectorsExt, 0, 0); // 65536 sectors
    EXPECT_TRUE(settled() & kErr);
    command(kReadSectors, kSectors - 1, 1);
    EXPECT_EQ(settled(), kGood | kDrq);
    EXPECT_EQ(read_data(512), sectors(kSectors - 1, 1));
}

TEST_F(IdeDisk, EachByteOfALongAddressCounts) {
    constexpr uint64_t kFar[] = {
        0, 1, 1 << 8, 1 << 16, 1 << 24, uint64_t{1} << 32, uint64_t{1} << 40};
    const Fd file(memfd_create("far", MFD_CLOEXEC));
    ASSERT_EQ(ftruncate(file.get(), static_cast<off_t>((kFar[6] + 1) * 512)), 0);
    DriveOptions far;
    far.id = "disk1";
    far.file = fmt::format("/proc/self/fd/{}", file.get());
    far.aio = AioMode::kThreads;
    ide.add(1, far);
    for (uint32_t i = 0; i < std::size(kFar); i++) {
        command_ext(kWriteSectorsExt, kFar[i], 1, kDrive1);
        ASSERT_EQ(settled(), kGood | kDrq);
        write_data(sectors(1000 + i, 1));
        ASSERT_EQ(settled(), kGood);
    }
    for (uint32_t i = 0; i < std::size(kFar); i++) {
        std::string found(512, 0);
        ASSERT_EQ(pread(file.get(), found.data(), 512, static_cast<off_t>(kFar[i] * 512)), 512);
        EXPECT_EQ(found, sectors(1000 + i, 1)) << "written to sector " << kFar[i];
        command_ext(kReadSectorsExt, kFar[i], 1, kDrive1);
        ASSERT_EQ(settled(), kGood | kDrq);
        EXPECT_EQ(read_data(512), sectors(1000 + i, 1)) << "read from sector " << kFar[i];
    }
}

TEST_F(IdeDisk, CylindersHeadsAndSectorsAreAnAddressToo) {
    const auto chs = [&](uint16_t cylinder, uint8_t head, uint8_t sector) {
        out(kDevice, head);
        out(kCount, 1);
        out(kLow, sector);
        out(kMid, static_cast<uint8_t>(cylinder));
        out(kHigh, static_cast<uint8_t>(cylinder >> 8));
        out(kCommand, kReadSectors);
        return settled();
    };
    EXPECT_EQ(chs(1, 2, 3), kGood | kDrq);
    EXPECT_EQ(read_data(512), sectors((16 + 2) * 63 + 2, 1));
    EXPECT_TRUE(chs(0, 0, 0) & kErr) << "sectors count from 1";
    EXPECT_TRUE(chs(0, 0, 64) & kErr);
}

TEST_F(IdeDisk, WhatItDoesNotKnowIsAborted) {
    for (const uint8_t code : {0x00, 0xb0, 0xf1, 0xf8, 0x27, 0x06, 0xa0, 0xa1, 0x08}) {
        command(code);
        EXPECT_EQ(settled(), kGood | kErr) << unsigned{code};
        EXPECT_EQ(in(kError), kAborted);
    }
    EXPECT_EQ(counter(&AtaDrive::Counters::errors), 9u);
}

TEST_F(IdeDisk, FlushesAndVerifies) {
    command(kFlush);
    EXPECT_EQ(settled(), kGood);
    EXPECT_EQ(counter(&AtaDrive::Counters::flushes), 1u);
    command(kReadVerify, 3, 0);
    EXPECT_EQ(settled(), kGood);
    EXPECT_EQ(counter(&AtaDrive::Counters::bytes_read), 256 * 512u);
    EXPECT_EQ(counter(&AtaDrive::Counters::pio_bytes), 0u);
}

TEST_F(IdeDisk, IsBusyUntilTheImageIsFlushed) {
    std::latch held{1}, released{1};
    std::thread holder([&] {
        first.loop().call([&] {
            held.count_down();
            released.wait();
        });
    });
    held.wait(); // what asks the image waits, too
    command(kFlush);
    EXPECT_EQ(alternate(), kBusy);
    EXPECT_FALSE(interrupted());
    released.count_down();
    holder.join();
    EXPECT_EQ(settled(), kGood);
    EXPECT_TRUE(interrupted());
}

TEST_F(IdeDisk, InterruptsOnlyWhenItMay) {
    control(kNoInterrupt);
    command(kFlush);
    settled();
    EXPECT_FALSE(interrupted());
    control(0);
    EXPECT_TRUE(interrupted()) << "it was pending";
    in(kStatus);
    EXPECT_FALSE(interrupted());
}

TEST_F(IdeDisk, ASoftResetEndsWhatIsUnderWay) {
    command(kReadSectors, 0, 8);
    control(kSoftReset);
    EXPECT_TRUE(alternate() == kGood || alternate() == kBusy);
    control(0);
    EXPECT_EQ(settled(), kGood);
    EXPECT_EQ(in(kCount), 1);
    EXPECT_EQ(in(kLow), 1);
    EXPECT_EQ(in(kMid), 0);
    EXPECT_EQ(in(kError), 1) << "it is well";
    command(kReadSectors, 9, 1);
    settled();
    EXPECT_EQ(read_data(512), sectors(9, 1));
}

TEST_F(IdeDisk, AnAbsentDriveIsNotThere) {
    out(kDevice, kDrive1);
    out(kCount, 0x55);
    EXPECT_EQ(in(kCount), 0);
    EXPECT_EQ(in(kStatus), 0);
    out(kCommand, kIdentify);
    EXPECT_FALSE(interrupted());
}

TEST_F(IdeDisk, RegistersOfTwoBytesShowBoth) {
    out(kDevice, 0);
    out(kCount, 0x12);
    out(kCount, 0x34);
    EXPECT_EQ(in(kCount), 0x34);
    control(kPrevious);
    EXPECT_EQ(in(kCount), 0x12);
    out(kLow, 0);
    EXPECT_EQ(in(kCount), 0x34) << "a write ends it";
}

TEST_F(IdeDisk, ThePciFunctionIsAPiix) {
    EXPECT_EQ(ide.read_config(0, 4), 0x7010'8086u);
    EXPECT_EQ(ide.read_config(9, 4) & 0xffffff, 0x010180u);
    EXPECT_EQ(ide.read_config(0x40, 4), 0x8000'8000u) << "both channels are on";
    ide.reset();
    EXPECT_EQ(ide.read_config(0x20, 4), 1u);
    EXPECT_EQ(ports.read(kBusMaster, 1), 0xffu) << "it has gone from the bus";
}

} // namespace
} // namespace vireo
