// SPDX-License-Identifier: GPL-2.0-only
#include "memory/guest_memory.h"

#include <gtest/gtest.h>

#include <cstdint>

namespace vireo {
namespace {

constexpr uint64_t kMiB = 1 << 20;

TEST(GuestMemory, SmallMemoryIsOneRegionFromZero) {
    const GuestMemory memory(64 * kMiB);
    ASSERT_EQ(memory.regions().size(), 1U);
    EXPECT_EQ(memory.regions()[0].guest, 0U);
    EXPECT_EQ(memory.regions()[0].size, 64 * kMiB);
}

TEST(GuestMemory, WhatIsAboveTheHoleGoesOnAtFourGiB) {
    const GuestMemory memory(4096 * kMiB);
    ASSERT_EQ(memory.regions().size(), 2U);
    EXPECT_EQ(memory.regions()[0].size, GuestMemory::kHoleStart);
    EXPECT_EQ(memory.regions()[1].guest, GuestMemory::kHoleEnd);
    EXPECT_EQ(memory.regions()[1].size, 4096 * kMiB - GuestMemory::kHoleStart);
    EXPECT_EQ(memory.regions()[1].offset, GuestMemory::kHoleStart);
    EXPECT_EQ(memory.at(GuestMemory::kHoleStart - 4, 8), nullptr);
    EXPECT_EQ(memory.at(GuestMemory::kHoleStart, 1), nullptr);
    EXPECT_NE(memory.at(GuestMemory::kHoleEnd, 8), nullptr);
}

TEST(GuestMemory, OnlyWhatIsRamAsAWholeIsFound) {
    const GuestMemory memory(kMiB);
    EXPECT_EQ(memory.at(0, kMiB), memory.regions()[0].host);
    EXPECT_EQ(memory.at(kMiB - 1, 1), memory.regions()[0].host + kMiB - 1);
    EXPECT_EQ(memory.at(kMiB - 1, 2), nullptr);
    EXPECT_EQ(memory.at(kMiB, 1), nullptr);
    EXPECT_EQ(memory.at(1, kMiB), nullptr);
    EXPECT_EQ(memory.at(UINT64_MAX, 1), nullptr);
    EXPECT_EQ(memory.at(UINT64_MAX, UINT64_MAX), nullptr);
    EXPECT_EQ(memory.at(1, UINT64_MAX), nullptr);
}

TEST(GuestMemory, CopiesStayInside) {
    const GuestMemory memory(kMiB);
    const uint64_t value = 0x1122334455667788;
    uint64_t back = 0;
    EXPECT_TRUE(memory.write(kMiB - 8, &value, 8));
    EXPECT_TRUE(memory.read(kMiB - 8, &back, 8));
    EXPECT_EQ(back, value);
    EXPECT_FALSE(memory.write(kMiB - 7, &value, 8));
    EXPECT_FALSE(memory.read(kMiB - 7, &back, 8));
}

} // namespace
} // namespace vireo
