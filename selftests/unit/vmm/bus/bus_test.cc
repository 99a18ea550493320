// SPDX-License-Identifier: GPL-2.0-only
#include "bus/bus.h"

#include <gtest/gtest.h>

#include <system_error>

namespace vireo {
namespace {

struct Recorder final : BusDevice {
    uint64_t read(uint64_t offset, unsigned size) override { return offset << 8 | size; }
    void write(uint64_t offset, unsigned size, uint64_t value) override {
        last_offset = offset;
        last_size = size;
        last_value = value;
        writes++;
    }
    uint64_t last_offset = 0, last_value = 0;
    unsigned last_size = 0, writes = 0;
};

TEST(Bus, AnAccessReachesItsDeviceByOffset) {
    Bus bus;
    Recorder one, two;
    bus.add(0x100, 0x10, one);
    bus.add(0x110, 0x10, two);
    EXPECT_EQ(bus.read(0x104, 4), 0x404u);
    bus.write(0x110, 2, 0xabcd);
    EXPECT_EQ(two.last_offset, 0u);
    EXPECT_EQ(two.last_size, 2u);
    EXPECT_EQ(two.last_value, 0xabcdu);
    EXPECT_EQ(one.writes, 0u);
}

TEST(Bus, NobodyAnswersWithOnes) {
    Bus bus;
    Recorder device;
    bus.add(0x100, 0x10, device);
    EXPECT_EQ(bus.read(0xff, 1), 0xffu);
    EXPECT_EQ(bus.read(0x110, 2), 0xffffu);
    EXPECT_EQ(bus.read(0x200, 4), 0xffff'ffffu);
    EXPECT_EQ(bus.read(0x200, 8), ~uint64_t{0});
    bus.write(0x110, 1, 1);
    EXPECT_EQ(device.writes, 0u);
}

TEST(Bus, AnAccessAcrossTheEndIsNobodys) {
    Bus bus;
    Recorder device;
    bus.add(0x100, 0x10, device);
    EXPECT_EQ(bus.read(0x10e, 4), 0xffff'ffffu);
    bus.write(0x10f, 2, 0);
    EXPECT_EQ(device.writes, 0u);
    EXPECT_EQ(bus.read(0x10c, 4), 0xc04u);
}

TEST(Bus, RangesDoNotOverlap) {
    Bus bus;
    Recorder device;
    bus.add(0x100, 0x10, device);
    for (const auto& [start, size] :
         {std::pair{0x100, 0x10}, {0xff, 2}, {0x10f, 1}, {0x0, 0x1000}}) {
        EXPECT_FALSE(bus.try_add(static_cast<uint64_t>(start), static_cast<uint64_t>(size), device))
            << start;
    }
    EXPECT_THROW(bus.add(0x108, 1, device), std::system_error);
    EXPECT_FALSE(bus.try_add(0x200, 0, device));
    EXPECT_FALSE(bus.try_add(~uint64_t{0}, 2, device));
    EXPECT_TRUE(bus.try_add(0x110, 1, device));
    EXPECT_TRUE(bus.try_add(0xf0, 0x10, device));
    EXPECT_TRUE(bus.try_add(~uint64_t{0}, 1, device));
    bus.remove(0x100);
    EXPECT_TRUE(bus.try_add(0x100, 0x10, device));
}

// A device that moves itself, as BARs do, is called without the bus's lock.
struct Mover final : BusDevice {
    explicit Mover(Bus& bus) : bus(bus) {}
    uint64_t read(uint64_t, unsigned) override { return 1; }
    void write(uint64_t, unsigned, uint64_t value) override {
        bus.remove(at);
        at = value;
        bus.add(at, 8, *this);
    }
    Bus& bus;
    uint64_t at = 0;
};

TEST(Bus, AnAccessMayMoveTheDevice) {
    Bus bus;
    Mover mover(bus);
    bus.add(0, 8, mover);
    bus.write(0, 4, 0x1000);
    EXPECT_EQ(bus.read(0, 1), 0xffu);
    EXPECT_EQ(bus.read(0x1000, 1), 1u);
}

} // namespace
} // namespace vireo
