// SPDX-License-Identifier: GPL-2.0-only
#ifndef VIREO_EMULATED_IDE_ATA_IDENTIFY_H
#define VIREO_EMULATED_IDE_ATA_IDENTIFY_H

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

namespace vireo {

// What IDENTIFY DEVICE and IDENTIFY PACKET DEVICE tell: 256 words (ATA/ATAPI-6, 8.15 and 8.16).
class AtaIdentity {
public:
    void set(unsigned word, uint16_t value) {
        bytes_[2 * word] = static_cast<uint8_t>(value);
        bytes_[2 * word + 1] = static_cast<uint8_t>(value >> 8);
    }
    void set(unsigned word, uint64_t value, unsigned words) {
        for (unsigned i = 0; i < words; i++) {
            set(word + i, static_cast<uint16_t>(value >> (16 * i)));
        }
    }
    // Two characters a word, the first in the upper byte; filled up with spaces.
    void text(unsigned word, unsigned words, std::string_view text) {
        for (unsigned i = 0; i < 2 * words; i++) {
            bytes_[2 * word + (i ^ 1)] = static_cast<uint8_t>(i < text.size() ? text[i] : ' ');
        }
    }
    // Which modes there are, and which is in use (SET FEATURES: 0x20 and on multiword DMA, 0x40 and
    // on Ultra DMA); the controller has the cable for the first alone.
    void modes(uint8_t mode) {
        constexpr uint16_t kMultiword = 0x07;
        const bool chosen = (mode & ~7) == 0x20;
        set(63, static_cast<uint16_t>(kMultiword | (chosen ? 0x100 << (mode & 7) : 0)));
        set(53, 0x0003);         // words 54 to 58 and 64 to 70 mean something
        set(64, 0x0003);         // PIO modes 3 and 4
        set(65, 120 * kOnes, 4); // nanoseconds a word takes: multiword DMA, PIO
        set(80, 0x0070);         // ATA/ATAPI-4, 5 and 6
    }
    std::span<const uint8_t> bytes() const { return bytes_; }

private:
    static constexpr uint64_t kOnes = 0x0001'0001'0001'0001;

    std::array<uint8_t, 512> bytes_{};
};

} // namespace vireo

#endif // VIREO_EMULATED_IDE_ATA_IDENTIFY_H
