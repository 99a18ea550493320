// SPDX-License-Identifier: GPL-2.0-only
// An IDE CD-ROM, by a driver that polls.
#include <gtest/gtest.h>

#include "emulated/ide_world.h"

namespace vireo {
namespace {

using namespace ata;

constexpr uint8_t kGood = kReady | kSeekDone;
constexpr char kSectors = 100;
static_assert(IdeWorld::kCdSize / 2048 == kSectors);

class IdeCd : public testing::Test, protected IdeWorld {
protected:
    IdeCd() { base = 0x170; }

    std::string sense() {
        packet({0x03, 0, 0, 0, 18});
        const std::string data = reply();
        return {data[2], data[12], data[13]};
    }
    void expect_sense(uint8_t status, const std::string& wanted) {
        EXPECT_EQ(status, kGood | kErr);
        EXPECT_EQ(in(kError), wanted[0] << 4 | kAborted);
        EXPECT_EQ(sense(), wanted);
        EXPECT_EQ(sense(), std::string(3, 0)) << "it is told once";
    }
};

TEST_F(IdeCd, HasTheSignatureOfPackets) {
    out(kDevice, 0);
    EXPECT_EQ(in(kMid), 0x14);
    EXPECT_EQ(in(kHigh), 0xeb);
    out(kMid, 0);
    out(kCommand, kIdentify);
    EXPECT_TRUE(settled() & kErr);
    EXPECT_EQ(in(kMid), 0x14);
    out(kCommand, kIdentifyPacket);
    EXPECT_EQ(settled(), kGood | kDrq);
    EXPECT_EQ(static_cast<uint8_t>(read_data(512)[1]), 0x85);
}

TEST_F(IdeCd, IsReadyAndTellsItsCapacity) {
    EXPECT_EQ(packet({0x00}), kGood);
    EXPECT_EQ(in(kCount), 3) << "done";
    EXPECT_TRUE(platform.lines[15]);
    packet({0x25});
    EXPECT_EQ(reply(), std::string({0, 0, 0, kSectors - 1, 0, 0, 8, 0}));
    EXPECT_EQ(alternate(), kGood);
}

TEST_F(IdeCd, ReadsInBlocksOfTheHostsLimit) {
    packet({0x28, 0, 0, 0, 0, 5, 0, 0, 3}, false, 1000);
    std::string all;
    unsigned blocks = 0;
    while (settled() & kDrq) {
        EXPECT_EQ(in(kCount), 2) << "data for the host";
        const unsigned size = in(kMid) | in(kHigh) << 8;
        EXPECT_LE(size, 1000u);
        all += read_data(size);
        blocks++;
    }
    EXPECT_EQ(all, sectors(20, 12));
    EXPECT_EQ(blocks, 7u);
    EXPECT_EQ(in(kCount), 3);
}

TEST_F(IdeCd, ReadsByDma) {
    set_table({{kData, 0x8000}, {kData + 0x10000, 0x8000}});
    packet({0xa8, 0, 0, 0, 0, 1, 0, 0, 0, 32}, true);
    start_dma(true);
    EXPECT_EQ(settled(), kGood);
    const std::string expected = sectors(4, 128);
    EXPECT_EQ(memcmp(memory.at(kData, 0x8000), expected.data(), 0x8000), 0);
    EXPECT_EQ(memcmp(memory.at(kData + 0x10000, 0x8000), &expected[0x8000], 0x8000), 0);
}

TEST_F(IdeCd, SmallRepliesGoByDmaToo) {
    set_table({{kData, 0x100}});
    packet({0x12, 0, 0, 0, 36}, true);
    start_dma(true);
    EXPECT_EQ(settled(), kGood);
    EXPECT_EQ(memcmp(memory.at(kData + 8, 5), "VIREO", 5), 0);
    EXPECT_EQ(dma_status() & 5, 5) << "the table goes on";
}

TEST_F(IdeCd, RepliesAreAsLongAsIsAllowed) {
    packet({0x12, 0, 0, 0, 5});
    EXPECT_EQ(settled(), kGood | kDrq);
    EXPECT_EQ(in(kMid), 5);
    read_data(6); // words
    EXPECT_EQ(settled(), kGood);
    EXPECT_EQ(packet({0x12, 0, 0, 0, 0}), kGood) << "nothing is nothing wrong";
}

TEST_F(IdeCd, HasOneDataTrack) {
    packet({0x43, 0, 0, 0, 0, 0, 0, 0, 100});
    const std::string toc = reply();
    ASSERT_EQ(toc.size(), 20u);
    EXPECT_EQ(toc.substr(0, 4), std::string({0, 18, 1, 1}));
    EXPECT_EQ(toc[6], 1);
    EXPECT_EQ(static_cast<uint8_t>(toc[14]), 0xaa);
    EXPECT_EQ(toc.substr(16), std::string({0, 0, 0, kSectors}));
    packet({0x43, 2, 0, 0, 0, 0, 0xaa, 0, 100});
    EXPECT_EQ(reply().substr(8), std::string({0, 0, (kSectors + 150) / 75, (kSectors + 150) % 75}));
    packet({0x43, 0, 1, 0, 0, 0, 0, 0, 100});
    EXPECT_EQ(reply().size(), 12u);
    packet({0x43, 0, 2, 0, 0, 0, 0, 0, 100});
    EXPECT_EQ(reply().size(), 4 + 4 * 11u);
}

TEST_F(IdeCd, ErrorsAreSensed) {
    expect_sense(packet({0x28, 0, 0, 0, 0, kSectors, 0, 0, 1}), {5, 0x21, 0});
    expect_sense(packet({0x2a, 0, 0, 0, 0, 0, 0, 0, 1}), {5, 0x20, 0}); // WRITE
    expect_sense(packet({0x12, 1, 0x80, 0, 36}), {5, 0x24, 0});
    expect_sense(packet({0x1a, 0, 0x3e, 0, 36}), {5, 0x24, 0});
    expect_sense(packet({0x28, 0, 0xff, 0xff, 0xff, 0xff, 0, 0xff, 0xff}), {5, 0x21, 0});
}

TEST_F(IdeCd, TheTrayOpensUnlessItIsLocked) {
    packet({0x1e, 0, 0, 0, 1});
    expect_sense(packet({0x1b, 0, 0, 0, 2}), {5, 0x53, 2});
    packet({0x1e, 0, 0, 0, 0});
    EXPECT_EQ(packet({0x1b, 0, 0, 0, 2}), kGood);
    packet({0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8});
    EXPECT_EQ(reply().substr(4, 2), std::string({3, 1})) << "removed, open";
    expect_sense(packet({0x00}), {2, 0x3a, 0});
    EXPECT_EQ(packet({0x1b, 0, 0, 0, 3}), kGood);
    packet({0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8});
    EXPECT_EQ(reply().substr(4, 2), std::string({2, 2})) << "new, there";
    EXPECT_EQ(packet({0x00}), kGood);
}

TEST_F(IdeCd, DeviceResetWorksAtAnyTime) {
    packet({0x28, 0, 0, 0, 0, 0, 0, 0, 60});
    out(kCommand, kDeviceReset);
    ASSERT_TRUE(test::until([this] { return in(kHigh) == 0xeb; }));
    EXPECT_EQ(in(kMid), 0x14);
    EXPECT_EQ(packet({0x00}), kGood);
}

} // namespace
} // namespace vireo
