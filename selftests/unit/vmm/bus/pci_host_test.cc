// SPDX-License-Identifier: GPL-2.0-only
#include "bus/pci_host.h"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "base/error.h"
#include "fake_platform.h"

namespace vireo {
namespace {

constexpr uint64_t kEcam = 0xe000'0000;
constexpr unsigned kFirstLine = 16;
constexpr PciWindows kWindows = {.ports = {0xc040, 0x1000}, // not where a large BAR may begin
                                 .memory32 = {0xc000'0000, 0x100'0000},
                                 .memory64 = {0x40'0000'0000, 0x1'0000'0000}};

struct ResetNotes final : BusDevice {
    uint64_t read(uint64_t, unsigned) override { return 0x42; }
    void write(uint64_t, unsigned, uint64_t value) override { values.push_back(value); }
    std::vector<uint64_t> values;
};

struct Nothing final : BusDevice {
    uint64_t read(uint64_t, unsigned) override { return 0x55; }
    void write(uint64_t, unsigned, uint64_t) override {}
};

class Card final : public PciDevice {
public:
    Card(const PciSlot& slot, BusDevice& answers, const std::vector<Bar>& bars)
        : PciDevice(slot, {.vendor = 0x1234,
                           .device = 0x5678,
                           .subsystem_vendor = 0,
                           .subsystem = 0,
                           .class_code = 0xff0000,
                           .revision = 0,
                           .interrupt_pin = true}) {
        unsigned index = 0;
        for (const Bar& bar : bars) {
            add_bar(index, bar.kind, bar.size, answers);
            index += bar.kind == BarKind::kMemory64 ? 2 : 1;
        }
    }
    ~Card() override { unmap(); }
};

class PciHostTest : public testing::Test {
protected:
    uint32_t config(unsigned slot, unsigned offset, unsigned size = 4) {
        return static_cast<uint32_t>(memory.read(kEcam + (slot << 15) + offset, size));
    }
    Card& add(const std::vector<PciDevice::Bar>& bars = {}) {
        cards.push_back(std::make_unique<Card>(host.take_slot(), nothing, bars));
        host.add(*cards.back());
        return *cards.back();
    }

    Bus ports, memory;
    FakePlatform platform;
    ResetNotes reset;
    Nothing nothing;
    PciHost host{ports, memory, platform, kEcam, kFirstLine, reset};
    std::vector<std::unique_ptr<Card>> cards;
};

TEST_F(PciHostTest, TheBridgeIsDevice0) {
    EXPECT_EQ(config(0, 0), 0x0008'1b36u);
    EXPECT_EQ(config(0, 8) >> 8, 0x060000u);
}

TEST_F(PciHostTest, BothWaysLeadToTheSameSpace) {
    const Card& card = add();
    ASSERT_EQ(card.slot(), 1u);
    ports.write(0xcf8, 4, 0x8000'0800);
    EXPECT_EQ(ports.read(0xcf8, 4), 0x8000'0800u);
    EXPECT_EQ(ports.read(0xcfc, 4), 0x5678'1234u);
    EXPECT_EQ(ports.read(0xcfe, 2), 0x5678u);
    EXPECT_EQ(ports.read(0xcff, 1), 0x56u);
    EXPECT_EQ(config(1, 0), 0x5678'1234u);
    ports.write(0xcf8, 4, 0x8000'083c);
    ports.write(0xcfc, 1, 0x77);
    EXPECT_EQ(config(1, 0x3c, 1), 0x77u);
    memory.write(kEcam + (1 << 15) + 0x3c, 1, 0x33);
    EXPECT_EQ(ports.read(0xcfc, 1), 0x33u);
}

TEST_F(PciHostTest, WhatIsNotThereReadsAsOnes) {
    add();
    EXPECT_EQ(config(2, 0), 0xffff'ffffu);
    EXPECT_EQ(config(1, 0x1000), 0xffff'ffffu) << "function 1";
    EXPECT_EQ(config(1, 0x100), 0xffff'ffffu) << "extended configuration";
    EXPECT_EQ(memory.read(kEcam, 8), ~uint64_t{0});
    for (const uint32_t address : {0x0000'0800u, 0x8001'0800u, 0x8000'0900u, 0x8000'1000u}) {
        ports.write(0xcf8, 4, address);
        EXPECT_EQ(ports.read(0xcfc, 4), 0xffff'ffffu) << address;
        ports.write(0xcfc, 4, 0);
    }
}

TEST_F(PciHostTest, OnlyWholeWordsReachTheAddress) {
    ports.write(0xcf8, 4, 0x8000'0000);
    ports.write(0xcf8, 2, 0x0800);
    ports.write(0xcfa, 1, 0xff);
    EXPECT_EQ(ports.read(0xcf8, 4), 0x8000'0000u);
    EXPECT_EQ(ports.read(0xcf8, 1), 0xffu);
}

TEST_F(PciHostTest, ABytePortOfTheAddressIsTheReset) {
    ports.write(0xcf8, 4, 0x8000'0000);
    EXPECT_TRUE(reset.values.empty());
    ports.write(0xcf9, 1, 6);
    EXPECT_EQ(reset.values, std::vector<uint64_t>{6});
    EXPECT_EQ(ports.read(0xcf9, 1), 0x42u);
    EXPECT_EQ(ports.read(0xcf8, 4), 0x8000'0000u);
}

TEST_F(PciHostTest, BarsArePlacedApartAndAligned) {
    using enum PciDevice::BarKind;
    add({{kPorts, 32}, {kMemory32, 0x1000}, {kMemory64, 0x4000}});
    add({{kPorts, 128}, {kMemory64, 0x10'0000}});
    add({{kMemory32, 0x10000}});
    host.place_bars(kWindows);
    struct Range {
        bool ports;
        uint64_t start, size;
    };
    std::vector<Range> ranges;
    for (const auto& card : cards) {
        for (unsigned i = 0; i < PciDevice::kBars; i++) {
            const auto bar = card->bar(i);
            if (!bar) {
                continue;
            }
            const bool is_ports = bar->kind == kPorts;
            uint64_t start = config(card->slot(), 0x10 + 4 * i) & (is_ports ? ~3u : ~15u);
            if (bar->kind == kMemory64) {
                start |= uint64_t{config(card->slot(), 0x14 + 4 * i)} << 32;
            }
            EXPECT_EQ(start % bar->size, 0u);
            const PciWindow& window = is_ports                 ? kWindows.ports
                                      : bar->kind == kMemory64 ? kWindows.memory64
                                                               : kWindows.memory32;
            EXPECT_GE(start, window.start);
            EXPECT_LE(start + bar->size, window.start + window.size);
            for (const Range& other : ranges) {
                EXPECT_TRUE(other.ports != is_ports || start + bar->size <= other.start ||
                            other.start + other.size <= start);
            }
            ranges.push_back({is_ports, start, bar->size});
        }
        EXPECT_EQ(config(card->slot(), 0x3c, 1), kFirstLine + card->slot() % 8);
    }
    EXPECT_EQ(ranges.size(), 6u);
}

TEST_F(PciHostTest, WithoutAWideWindowTheNarrowOneServes) {
    add({{PciDevice::BarKind::kMemory64, 0x4000}});
    PciWindows windows = kWindows;
    windows.memory64 = {0x1'0000'0000, 0};
    host.place_bars(windows);
    EXPECT_EQ(config(1, 0x10) & ~15u, 0xc000'0000u);
    EXPECT_EQ(config(1, 0x14), 0u);
}

TEST_F(PciHostTest, AFullWindowLeavesABarUnplaced) {
    add({{PciDevice::BarKind::kMemory32, 0x80'0000}});
    add({{PciDevice::BarKind::kMemory32, 0x80'0000}});
    add({{PciDevice::BarKind::kMemory32, 0x80'0000}});
    host.place_bars(kWindows);
    EXPECT_EQ(config(1, 0x10), 0xc000'0000u);
    EXPECT_EQ(config(2, 0x10), 0xc080'0000u);
    EXPECT_EQ(config(3, 0x10), 0u);
}

TEST_F(PciHostTest, ResetForgetsAddresses) {
    add({{PciDevice::BarKind::kMemory32, 0x1000}});
    host.place_bars(kWindows);
    memory.write(kEcam + (1 << 15) + 4, 2, 2);
    EXPECT_EQ(memory.read(0xc000'0000, 1), 0x55u);
    host.reset();
    EXPECT_EQ(config(1, 0x10), 0u);
    EXPECT_EQ(memory.read(0xc000'0000, 1), 0xffu);
    EXPECT_EQ(ports.read(0xcf8, 4), 0u);
}

TEST_F(PciHostTest, ThereAre31SlotsForDevices) {
    for (unsigned i = 1; i < PciHost::kSlots; i++) {
        EXPECT_EQ(add().slot(), i);
        EXPECT_EQ(cards.back()->gsi(), kFirstLine + i % 8);
    }
    EXPECT_THROW(host.take_slot(), UsageError);
    host.remove(*cards.back());
    EXPECT_EQ(config(31, 0), 0xffff'ffffu);
}

} // namespace
} // namespace vireo
