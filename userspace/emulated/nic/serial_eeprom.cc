// SPDX-License-Identifier: GPL-2.0-only
#include "emulated/nic/serial_eeprom.h"

#include <algorithm>
#include <utility>

namespace vireo {

namespace {

constexpr unsigned kOpcodeBits = 2;
constexpr unsigned kDataBits = 16;

enum Opcode : uint32_t { kExtended, kWrite, kRead, kErase };
// The highest two address bits of an extended command.
enum Extended : uint32_t { kForbid, kWriteAll, kEraseAll, kAllow };

} // namespace

void SerialEeprom::set_pins(bool select, bool clock, bool data) noexcept {
    const bool rises = clock && !state_.clock;
    state_.clock = clock;
    if (!select) {
        if (std::exchange(state_.select, false)) {
            write();
            state_.started = state_.reading = false;
            state_.out = true;
        }
        return;
    }
    state_.select = true;
    if (rises) {
        rise(data);
    }
}

void SerialEeprom::rise(bool data) noexcept {
    if (state_.reading) {
        if (!state_.left) {
            state_.address = static_cast<uint16_t>((state_.address + 1) & (words() - 1));
            state_.left = kDataBits;
        }
        state_.out = words_[state_.address] >> --state_.left & 1;
        return;
    }
    if (!state_.started) {
        if (data) {
            state_.started = true;
            state_.bits = 0;
            state_.shifted = 0;
        }
        return;
    }
    // More than the longest command changes nothing any more.
    if (state_.bits < kOpcodeBits + address_bits_ + kDataBits) {
        state_.shifted = state_.shifted << 1 | data;
        state_.bits++;
        if (state_.bits == kOpcodeBits + address_bits_ &&
            state_.shifted >> address_bits_ == Opcode::kRead) {
            state_.reading = true;
            state_.address = static_cast<uint16_t>(state_.shifted & (words() - 1));
            state_.left = kDataBits;
            state_.out = false;
        }
    }
}

// A command is carried out when chip select falls behind its last bit.
void SerialEeprom::write() noexcept {
    const unsigned command = kOpcodeBits + address_bits_;
    if (!state_.started || state_.reading || state_.bits < command) {
        return;
    }
    const uint32_t head = state_.shifted >> (state_.bits - command);
    const uint32_t opcode = head >> address_bits_;
    const uint32_t address = head & (words() - 1);
    const uint32_t extended = address >> (address_bits_ - 2);
    const bool whole = state_.bits == command + kDataBits;
    const auto data = static_cast<uint16_t>(state_.shifted);
    if (opcode == Opcode::kExtended && (extended == kAllow || extended == kForbid)) {
        state_.writable = extended == kAllow;
    } else if (!state_.writable) {
        return;
    } else if (opcode == Opcode::kErase) {
        words_[address] = 0xffff;
    } else if (opcode == Opcode::kWrite && whole) {
        words_[address] = data;
    } else if (opcode == Opcode::kExtended && extended == kEraseAll) {
        std::ranges::fill(contents(), uint16_t{0xffff});
    } else if (opcode == Opcode::kExtended && extended == kWriteAll && whole) {
        std::ranges::fill(contents(), data);
    }
}

} // namespace vireo
