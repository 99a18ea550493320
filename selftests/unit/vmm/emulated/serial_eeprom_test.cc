// SPDX-License-Identifier: GPL-2.0-only
#include "emulated/nic/serial_eeprom.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace vireo {
namespace {

class SerialEepromTest : public testing::TestWithParam<unsigned> {
protected:
    // What DO is when the clock has risen.
    bool clock(bool data) {
        eeprom.set_pins(true, false, data);
        eeprom.set_pins(true, true, data);
        return eeprom.data_out();
    }
    void begin(uint32_t opcode, uint32_t address) {
        eeprom.set_pins(true, false, false);
        clock(false); // what comes before the start bit is nothing
        clock(true);
        for (int bit = 1; bit >= 0; bit--) {
            EXPECT_TRUE(clock(opcode >> bit & 1));
        }
        for (unsigned bit = GetParam(); bit-- > 0;) {
            last = clock(address >> bit & 1);
        }
    }
    void data(uint16_t value) {
        for (int bit = 15; bit >= 0; bit--) {
            clock(value >> bit & 1);
        }
    }
    uint16_t word() {
        uint16_t value = 0;
        for (int bit = 0; bit < 16; bit++) {
            value = static_cast<uint16_t>(value << 1 | clock(false));
        }
        return value;
    }
    void end() { eeprom.set_pins(false, false, false); }
    uint32_t extended(uint32_t what) { return what << (GetParam() - 2); }
    void allow() {
        begin(0, extended(3));
        end();
    }

    SerialEeprom eeprom{GetParam()};
    bool last = true; // DO with the last bit of the address
};

TEST_P(SerialEepromTest, Reads) {
    for (unsigned i = 0; i < eeprom.words(); i++) {
        eeprom.contents()[i] = static_cast<uint16_t>(0x1234 * (i + 1));
    }
    for (unsigned i = 0; i < eeprom.words(); i++) {
        begin(2, i);
        EXPECT_FALSE(last) << "a 0 says that the address is whole";
        EXPECT_EQ(word(), eeprom.word(i)) << i;
        EXPECT_EQ(word(), eeprom.word(i + 1)) << "and on, round the end";
        end();
        EXPECT_TRUE(eeprom.data_out());
    }
}

TEST_P(SerialEepromTest, WritesWhenItMay) {
    const auto write = [&](uint32_t opcode, uint32_t address, uint16_t value) {
        begin(opcode, address);
        data(value);
        end();
    };
    write(1, 5, 0xbeef);
    EXPECT_EQ(eeprom.word(5), 0);
    allow();
    write(1, 5, 0xbeef);
    EXPECT_EQ(eeprom.word(5), 0xbeef);
    begin(3, 5);
    end();
    EXPECT_EQ(eeprom.word(5), 0xffff) << "erased";
    write(0, extended(1), 0x4711);
    EXPECT_TRUE(std::ranges::all_of(eeprom.contents(), [](uint16_t w) { return w == 0x4711; }));
    begin(0, extended(2));
    end();
    EXPECT_TRUE(std::ranges::all_of(eeprom.contents(), [](uint16_t w) { return w == 0xffff; }));
    begin(1, 7); // cut short
    clock(true);
    end();
    EXPECT_EQ(eeprom.word(7), 0xffff);
    begin(0, extended(0));
    end();
    write(1, 5, 0xbeef);
    EXPECT_EQ(eeprom.word(5), 0xffff) << "no more";
}

INSTANTIATE_TEST_SUITE_P(Sizes, SerialEepromTest, testing::Values(6u, 8u));

} // namespace
} // namespace vireo
