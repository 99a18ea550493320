// SPDX-License-Identifier: GPL-2.0-only
// The small chips: power management, resets, the clock.
#include <gtest/gtest.h>

#include "boot/layout.h"
#include "emulated/acpi_pm.h"
#include "emulated/cmos.h"
#include "emulated/i8042.h"
#include "emulated/reset.h"
#include "fake_platform.h"

namespace vireo {
namespace {

constexpr unsigned kButton = 1 << 8;
constexpr unsigned kSleep = 1 << 13;

class AcpiPmTest : public testing::Test {
protected:
    FakePlatform platform;
    InterruptLine line{platform, 9};
    unsigned offs = 0;
    AcpiPm pm{line, [this] { offs++; }};
};

TEST_F(AcpiPmTest, TheButtonInterruptsWhenItIsEnabled) {
    pm.press_power_button();
    EXPECT_EQ(pm.read(0, 2), kButton);
    EXPECT_FALSE(platform.lines[9]);
    pm.write(2, 2, kButton);
    EXPECT_TRUE(platform.lines[9]);
    pm.write(0, 2, 1);
    EXPECT_TRUE(platform.lines[9]) << "another event's bit";
    pm.write(0, 2, kButton);
    EXPECT_FALSE(platform.lines[9]);
    EXPECT_EQ(pm.read(0, 4), uint64_t{kButton} << 16);
}

TEST_F(AcpiPmTest, AcpiModeIsAlwaysOn) {
    EXPECT_EQ(pm.read(4, 2), 1u);
    pm.write(4, 2, 0);
    EXPECT_EQ(pm.read(4, 2), 1u);
}

TEST_F(AcpiPmTest, OnlyTheRightSleepTypeIsOff) {
    for (unsigned type = 0; type < 8; type++) {
        pm.write(4, 2, type << 10);
        pm.write(4, 2, type << 10 | kSleep);
    }
    EXPECT_EQ(offs, 1u);
    EXPECT_EQ(pm.read(4, 2) & kSleep, 0u) << "it reads as 0";
    pm.write(4, 1, 0);
    pm.write(5, 1, (layout::kPmSleepOff << 10 | kSleep) >> 8);
    EXPECT_EQ(offs, 2u) << "by bytes";
}

TEST_F(AcpiPmTest, ResetForgetsTheButton) {
    pm.write(2, 2, kButton);
    pm.press_power_button();
    pm.reset();
    EXPECT_FALSE(platform.lines[9]);
    EXPECT_EQ(pm.read(0, 4), 0u);
}

TEST(ResetTest, TheRegisterResetsByItsCpuBit) {
    unsigned resets = 0;
    ResetControl control([&] { resets++; });
    control.write(0, 1, 2);
    EXPECT_EQ(resets, 0u);
    control.write(0, 1, 6);
    EXPECT_EQ(resets, 1u);
}

TEST(ResetTest, TheKeyboardControllerPulsesTheLine) {
    unsigned resets = 0;
    I8042 chip([&] { resets++; });
    EXPECT_EQ(chip.read(4, 1) & 2, 0u) << "takes commands";
    EXPECT_EQ(chip.read(4, 1) & 1, 0u) << "has no data";
    chip.write(0, 1, 0xfe);
    chip.write(4, 1, 0xff);
    chip.write(4, 1, 0x60);
    EXPECT_EQ(resets, 0u);
    chip.write(4, 1, 0xfe);
    EXPECT_EQ(resets, 1u);
    EXPECT_EQ(chip.read(1, 1), 0xffu);
}

class CmosTest : public testing::Test {
protected:
    uint8_t get(uint8_t index) {
        cmos.write(0, 1, index);
        return static_cast<uint8_t>(cmos.read(1, 1));
    }
    void set(uint8_t index, uint8_t value) {
        cmos.write(0, 1, index);
        cmos.write(1, 1, value);
    }
    time_t now = 1795395906; // 2026-11-23 01:05:06, a Monday
    Cmos cmos{[this] { return now; }};
};

TEST_F(CmosTest, TellsTheTimeInDecimal) {
    EXPECT_EQ(get(0), 0x06);
    EXPECT_EQ(get(2), 0x05);
    EXPECT_EQ(get(4), 0x01);
    EXPECT_EQ(get(6), 2);
    EXPECT_EQ(get(7), 0x23);
    EXPECT_EQ(get(8), 0x11);
    EXPECT_EQ(get(9), 0x26);
    EXPECT_EQ(get(10) & 0x80, 0) << "never in the middle of an update";
    EXPECT_EQ(get(13), 0x80);
    now += 54;
    EXPECT_EQ(get(0), 0x00);
    EXPECT_EQ(get(2), 0x06);
}

TEST_F(CmosTest, TellsTheTimeInBinaryAndIn12Hours) {
    now += 14 * 3600;
    set(11, 0x06);
    EXPECT_EQ(get(4), 15);
    EXPECT_EQ(get(7), 23);
    set(11, 0x04);
    EXPECT_EQ(get(4), 0x80 | 3);
    now += 9 * 3600;
    EXPECT_EQ(get(4), 12) << "midnight";
}

TEST_F(CmosTest, ClocksOnFromWhatIsSet) {
    set(11, 0x82); // the time is being set
    set(9, 0x30);
    set(8, 0x02);
    set(7, 0x28);
    set(4, 0x23);
    set(2, 0x59);
    set(0, 0x59);
    now += 100; // it stands still
    EXPECT_EQ(get(0), 0x59);
    set(11, 0x02);
    now++;
    EXPECT_EQ(get(0), 0x00);
    EXPECT_EQ(get(7), 0x01);
    EXPECT_EQ(get(8), 0x03);
    EXPECT_EQ(get(9), 0x30);
    cmos.reset();
    EXPECT_EQ(get(9), 0x30);
}

TEST_F(CmosTest, KeepsItsMemory) {
    set(0x50, 0xab);
    set(13, 0);
    EXPECT_EQ(get(0x50), 0xab);
    EXPECT_EQ(get(13), 0x80);
    EXPECT_EQ(cmos.read(0, 1), 0xffu);
    EXPECT_EQ(cmos.read(0, 2), 0xffffu);
}

} // namespace
} // namespace vireo
