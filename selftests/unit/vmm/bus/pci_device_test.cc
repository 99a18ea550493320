// SPDX-License-Identifier: GPL-2.0-only
// A function's configuration space, as the guest's PCI code uses it.
#include "bus/pci_device.h"

#include <gtest/gtest.h>
#include <linux/pci_regs.h>

#include <vector>

#include "fake_platform.h"

namespace vireo {
namespace {

struct Register : BusDevice {
    uint64_t read(uint64_t offset, unsigned) override { return 0x1000 + offset; }
    void write(uint64_t, unsigned, uint64_t) override {}
};

struct Card : PciDevice {
    explicit Card(const PciSlot& slot)
        : PciDevice(slot, {.vendor = 0x1234,
                           .device = 0x5678,
                           .subsystem_vendor = 1,
                           .subsystem = 2,
                           .class_code = 0x020000,
                           .revision = 3,
                           .interrupt_pin = true}) {
        add_bar(0, BarKind::kPorts, 32, answers);
        add_bar(1, BarKind::kMemory32, 0x1000, answers);
        add_bar(2, BarKind::kMemory64, uint64_t{8} << 30, answers);
    }
    ~Card() override { unmap(); }
    using PciDevice::add_bar;
    using PciDevice::add_capability;
    using PciDevice::set_interrupt;
    void bar_moved(unsigned index, std::optional<uint64_t> address) override {
        moves.push_back({index, address});
    }
    Register answers;
    std::vector<std::pair<unsigned, std::optional<uint64_t>>> moves;
};

struct PciDeviceTest : testing::Test {
    FakePlatform platform;
    Bus ports, memory;
    InterruptLine line{platform, 11};
    const PciSlot slot{ports, memory, platform, 4, line};
    Card card{slot};

    uint32_t sized(unsigned bar) {
        const unsigned offset = PCI_BASE_ADDRESS_0 + 4 * bar;
        const uint32_t before = card.read_config(offset, 4);
        card.write_config(offset, 4, ~0u);
        const uint32_t size = card.read_config(offset, 4);
        card.write_config(offset, 4, before);
        return size;
    }
    void command(unsigned value) { card.write_config(PCI_COMMAND, 2, value); }
};

TEST_F(PciDeviceTest, HeaderIsWhatItWasMadeWithAndReadOnly) {
    card.write_config(PCI_VENDOR_ID, 4, 0);
    card.write_config(PCI_CLASS_REVISION, 4, 0);
    EXPECT_EQ(card.read_config(PCI_VENDOR_ID, 4), 0x5678'1234u);
    EXPECT_EQ(card.read_config(PCI_CLASS_REVISION, 4), 0x0200'0003u);
    EXPECT_EQ(card.read_config(PCI_INTERRUPT_PIN, 1), 1u);
    card.write_config(PCI_INTERRUPT_LINE, 1, 11);
    EXPECT_EQ(card.read_config(PCI_INTERRUPT_LINE, 1), 11u);
}

TEST_F(PciDeviceTest, BarsTellTheirSizes) {
    EXPECT_EQ(sized(0), ~31u | PCI_BASE_ADDRESS_SPACE_IO);
    EXPECT_EQ(sized(1), ~0xfffu);
    EXPECT_EQ(sized(2), 0u | PCI_BASE_ADDRESS_MEM_TYPE_64);
    EXPECT_EQ(sized(3), 0xffff'fffeu);
    EXPECT_EQ(sized(4), 0u) << "not there";
}

TEST_F(PciDeviceTest, BarsAnswerWhereTheyArePutWhileDecodingIsOn) {
    card.write_config(PCI_BASE_ADDRESS_1, 4, 0xe000'0123);
    EXPECT_EQ(card.read_config(PCI_BASE_ADDRESS_1, 4), 0xe000'0000u);
    EXPECT_EQ(memory.read(0xe000'0000, 4), 0xffff'ffffu);
    command(PCI_COMMAND_MEMORY);
    EXPECT_EQ(memory.read(0xe000'0008, 4), 0x1008u);
    card.write_config(PCI_BASE_ADDRESS_1, 4, 0xe100'0000);
    EXPECT_EQ(memory.read(0xe000'0008, 4), 0xffff'ffffu);
    EXPECT_EQ(memory.read(0xe100'0008, 4), 0x1008u);
    command(0);
    EXPECT_EQ(memory.read(0xe100'0008, 4), 0xffff'ffffu);
    const std::vector<std::pair<unsigned, std::optional<uint64_t>>> moves = {
        {1, 0xe000'0000}, {1, std::nullopt}, {1, 0xe100'0000}, {1, std::nullopt}};
    EXPECT_EQ(card.moves, moves);
}

TEST_F(PciDeviceTest, ABarOf64BitsIsPutByHalves) {
    command(PCI_COMMAND_MEMORY);
    card.write_config(PCI_BASE_ADDRESS_3, 4, 0x40);
    EXPECT_EQ(memory.read(uint64_t{0x40} << 32, 4), 0x1000u);
    EXPECT_EQ(memory.read((uint64_t{0x40} << 32) + (uint64_t{7} << 30), 8),
              0x1000 + (uint64_t{7} << 30));
}

TEST_F(PciDeviceTest, SizingWithDecodingOnTakesNobodysPlace) {
    command(PCI_COMMAND_MEMORY | PCI_COMMAND_IO);
    for (unsigned bar = 0; bar < 4; bar++) {
        sized(bar);
    }
    for (const auto& [bar, address] : card.moves) {
        EXPECT_FALSE(address && *address >= 0xf000'0000 && *address <= 0xffff'ffff)
            << bar << " at " << *address;
    }
}

TEST_F(PciDeviceTest, ABarOnTopOfAnotherAnswersNowhere) {
    Register other;
    memory.add(0xe000'0800, 0x10, other);
    card.write_config(PCI_BASE_ADDRESS_1, 4, 0xe000'0000);
    command(PCI_COMMAND_MEMORY);
    EXPECT_EQ(memory.read(0xe000'0000, 4), 0xffff'ffffu);
    EXPECT_TRUE(card.moves.empty());
}

TEST_F(PciDeviceTest, PortsEndAt64Kibi) {
    card.write_config(PCI_BASE_ADDRESS_0, 4, 0xc000);
    command(PCI_COMMAND_IO | PCI_COMMAND_MEMORY);
    EXPECT_EQ(ports.read(0xc004, 4), 0x1004u);
    card.write_config(PCI_BASE_ADDRESS_0, 4, 0x1'0000);
    EXPECT_EQ(ports.read(0xc004, 4), 0xffff'ffffu) << "ports end at 0xffff";
}

TEST_F(PciDeviceTest, InterruptFollowsDisableAndStatus) {
    card.set_interrupt(true);
    EXPECT_TRUE(platform.lines[11]);
    command(PCI_COMMAND_INTX_DISABLE);
    EXPECT_FALSE(platform.lines[11]);
    EXPECT_TRUE(card.read_config(PCI_STATUS, 2) & PCI_STATUS_INTERRUPT);
    EXPECT_TRUE(card.read_config(PCI_COMMAND, 4) & PCI_STATUS_INTERRUPT << 16);
    command(0);
    EXPECT_TRUE(platform.lines[11]);
    card.set_interrupt(false);
    EXPECT_FALSE(platform.lines[11]);
    EXPECT_FALSE(card.read_config(PCI_STATUS, 1) & PCI_STATUS_INTERRUPT);
}

TEST_F(PciDeviceTest, ASharedLineIsUpWhileAnyHoldsIt) {
    Card second({ports, memory, platform, 5, line});
    card.set_interrupt(true);
    second.set_interrupt(true);
    card.set_interrupt(false);
    EXPECT_TRUE(platform.lines[11]);
    second.set_interrupt(false);
    EXPECT_FALSE(platform.lines[11]);
}

TEST_F(PciDeviceTest, CapabilitiesAreAList) {
    const std::vector<uint8_t> body = {1, 2, 3}, mask = {0, 0xf0, 0};
    const unsigned first = card.add_capability(9, body);
    const unsigned second = card.add_capability(0x11, body, mask);
    EXPECT_TRUE(card.read_config(PCI_STATUS, 2) & PCI_STATUS_CAP_LIST);
    EXPECT_EQ(card.read_config(PCI_CAPABILITY_LIST, 1), first);
    EXPECT_EQ(card.read_config(first + 1, 1), second);
    EXPECT_EQ(card.read_config(second + 1, 1), 0u);
    EXPECT_EQ(second % 4, 0u);
    card.write_config(first, 4, 0);
    card.write_config(second, 4, ~0u);
    EXPECT_EQ(card.read_config(first, 1), 9u);
    EXPECT_EQ(card.read_config(second + 2, 2), 0xf201u);
    EXPECT_THROW(card.add_capability(9, std::vector<uint8_t>(250)), std::logic_error);
}

TEST_F(PciDeviceTest, ResetIsPowerOn) {
    card.write_config(PCI_BASE_ADDRESS_1, 4, 0xe000'0000);
    command(PCI_COMMAND_MEMORY);
    card.set_interrupt(true);
    card.reset();
    EXPECT_EQ(memory.read(0xe000'0000, 4), 0xffff'ffffu);
    EXPECT_EQ(card.read_config(PCI_BASE_ADDRESS_1, 4), 0u);
    EXPECT_EQ(card.read_config(PCI_COMMAND, 2), 0u);
    EXPECT_FALSE(platform.lines[11]);
}

TEST_F(PciDeviceTest, BarsThatPciDoesNotHaveAreRefused) {
    using Kind = PciDevice::BarKind;
    EXPECT_THROW(card.add_bar(5, Kind::kMemory64, 0x1000, card.answers), std::logic_error);
    EXPECT_THROW(card.add_bar(4, Kind::kMemory32, 0x1800, card.answers), std::logic_error);
    EXPECT_THROW(card.add_bar(4, Kind::kPorts, 512, card.answers), std::logic_error);
}

} // namespace
} // namespace vireo
