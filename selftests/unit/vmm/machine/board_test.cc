// SPDX-License-Identifier: GPL-2.0-only
// What every PC has, put together on a hypervisor that takes notes.
#include "machine/board.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>

#include "boot/layout.h"
#include "console/chardevs.h"
#include "fake_platform.h"

namespace vireo {
namespace {

class BoardTest : public testing::Test {
protected:
    // The text of all ACPI tables.
    std::string tables() const {
        const auto* at = reinterpret_cast<const char*>(
            memory_.at(layout::kAcpi, layout::kAcpiEnd - layout::kAcpi));
        return {at, layout::kAcpiEnd - layout::kAcpi};
    }
    bool described(const std::string& name) const {
        return tables().find(name) != std::string::npos;
    }
    uint32_t config(unsigned slot, unsigned offset) {
        board_.ports().write(0xcf8, 4, 1U << 31 | slot << 11 | offset);
        return static_cast<uint32_t>(board_.ports().read(0xcfc, 4));
    }

    // And what firmware does.
    uint64_t power_on(unsigned cpus = 1) {
        board_.reset();
        return board_.set_up(memory_, board_.describe(memory_, cpus, 40));
    }

    GuestMemory memory_{64 << 20};
    FakePlatform platform_;
    EventLoop loop_;
    unsigned power_offs_ = 0, resets_ = 0;
    Board board_{platform_,
                 {.power_off = [this] { power_offs_++; }, .reset = [this] { resets_++; }}};
};

TEST_F(BoardTest, ResetLeavesTablesWhereTheyAreFound) {
    const uint64_t rsdp = power_on(2);
    ASSERT_NE(memory_.at(rsdp, 36), nullptr);
    EXPECT_EQ(memcmp(memory_.at(rsdp, 8), "RSD PTR ", 8), 0);
    for (const char* table : {"APIC", "FACP", "DSDT", "MCFG"}) {
        EXPECT_TRUE(described(table)) << table;
    }
}

TEST_F(BoardTest, SerialPortsAreDescribedWhileTheyAreThere) {
    power_on();
    EXPECT_FALSE(described("COM1"));
    EXPECT_EQ(board_.ports().read(layout::kSerialPorts[0] + 5, 1), 0xff); // nobody answers
    ChardevOptions options;
    options.kind = ChardevOptions::Kind::kNull;
    const auto null = make_chardev(options, loop_, [] {});
    board_.add_serial(0, *null, loop_);
    power_on();
    EXPECT_TRUE(described("COM1"));
    EXPECT_FALSE(described("COM2"));
    EXPECT_EQ(board_.ports().read(layout::kSerialPorts[0] + 5, 1), 0x60); // it takes a byte
    board_.remove_chardevs();
    EXPECT_EQ(board_.ports().read(layout::kSerialPorts[0] + 5, 1), 0xff);
}

TEST_F(BoardTest, TheGuestGoesOff) {
    power_on();
    constexpr uint16_t kSleep = 1 << 13;
    board_.ports().write(layout::kPmPorts + layout::kPmControl, 2,
                         kSleep | layout::kPmSleepOff << 10);
    EXPECT_EQ(power_offs_, 1U);
    EXPECT_EQ(resets_, 0U);
}

TEST_F(BoardTest, TheGuestResetsInEitherWay) {
    board_.ports().write(layout::kResetPort, 1, 6);
    EXPECT_EQ(resets_, 1U);
    board_.ports().write(layout::kI8042Command, 1, 0xfe);
    EXPECT_EQ(resets_, 2U);
    EXPECT_EQ(power_offs_, 0U);
}

TEST_F(BoardTest, ThePowerButtonInterruptsWhomItShall) {
    power_on();
    board_.power().press_power_button();
    EXPECT_EQ(platform_.rises[layout::kAcpiLine], 0U); // the guest has not asked yet
    constexpr uint16_t kButton = 1 << 8;
    board_.ports().write(layout::kPmPorts + 2, 2, kButton);
    EXPECT_EQ(platform_.rises[layout::kAcpiLine], 1U);
    EXPECT_TRUE(platform_.lines[layout::kAcpiLine]);
    power_on();
    EXPECT_FALSE(platform_.lines[layout::kAcpiLine]);
}

TEST_F(BoardTest, TheHostBridgeIsTheOnlyFunctionAtFirst) {
    EXPECT_NE(config(0, 0), 0xffffffff);
    for (unsigned slot = 1; slot < PciHost::kSlots; slot++) {
        EXPECT_EQ(config(slot, 0), 0xffffffff) << slot;
    }
    // The same by memory.
    EXPECT_EQ(board_.memory().read(layout::kEcam, 4), config(0, 0));
}

} // namespace
} // namespace vireo
