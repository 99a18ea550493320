// SPDX-License-Identifier: GPL-2.0-only
#ifndef VIREO_EMULATED_NIC_SERIAL_EEPROM_H
#define VIREO_EMULATED_NIC_SERIAL_EEPROM_H

#include <array>
#include <cstdint>
#include <span>

namespace vireo {

// A serial EEPROM of the 93C46 family, 16 bits a word, at the pins by which network cards let their
// drivers read it bit by bit (Microchip 93C46B data sheet, 3 "Functional description"):
//
//   start bit 1, then  10 A..  read: a 0, then words, highest bit first
//                      01 A.. D15..D0  write      11 A..  erase (to ones)
//                      00 11.. writes are allowed   00 00.. no more
//                      00 10.. erase all            00 01.. D15..D0  write all
//
// Bits are taken when the clock rises with chip select high. DO is high while it drives nothing.
class SerialEeprom {
public:
    static constexpr unsigned kMaxWords = 256;

    // `address_bits`: 6 for 64 words, 8 for 256.
    explicit SerialEeprom(unsigned address_bits) : address_bits_(address_bits) {}

    unsigned words() const { return 1u << address_bits_; }
    std::span<uint16_t> contents() { return std::span(words_).first(words()); }
    uint16_t word(unsigned index) const { return words_[index & (words() - 1)]; }

    void set_pins(bool select, bool clock, bool data) noexcept;
    bool data_out() const { return state_.out; }
    // Nothing is under way; what it holds stays.
    void reset() { state_ = {}; }

    struct State {
        bool select = false, clock = false, out = true;
        bool writable = false;
        bool started = false;
        uint8_t bits = 0;     // behind the start bit
        uint32_t shifted = 0; // these bits
        bool reading = false;
        uint8_t left = 0; // bits of the word that are still to come
        uint16_t address = 0;
    };

private:
    void rise(bool data) noexcept;
    void write() noexcept;

    const unsigned address_bits_;
    std::array<uint16_t, kMaxWords> words_{};
    State state_;
};

} // namespace vireo

#endif // VIREO_EMULATED_NIC_SERIAL_EEPROM_H
