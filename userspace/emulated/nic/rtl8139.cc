// SPDX-License-Identifier: GPL-2.0-only
// The registers; frames are in rtl8139_frames.cc.
#include "emulated/nic/rtl8139.h"

#include <algorithm>
#include <cstring>

#include "emulated/nic/rtl8139_access.h"

namespace vireo {

using namespace rtl8139;

namespace {

constexpr PciDevice::Identity identity(Rtl8139::Chip chip) {
    return {
        .vendor = 0x10ec,
        .device = 0x8139,
        .subsystem_vendor = 0x10ec,
        .subsystem = 0x8139,
        .class_code = 0x020000,
        .revision = chip == Rtl8139::Chip::kCPlus ? uint8_t{0x20} : uint8_t{0x10},
        .interrupt_pin = true,
    };
}

constexpr uint32_t kPhyId = 0x0000'8201;
constexpr unsigned kEepromBits = 6;
constexpr uint16_t kReadAhead = 16;              // CAPR is so much less than what was read
constexpr uint64_t kTicksPerSecond = 33'000'000; // of the PCI clock
constexpr uint32_t kDumpTally = 1 << 3;          // in DTCCR

// How wide a register is.
constexpr unsigned width_of(uint32_t offset) {
    if ((offset >= kTsd && offset < 0x34) || (offset >= kTcr && offset < 0x50) ||
        (offset >= kTimerInt && offset < kMsr) || (offset >= kRdsar && offset < kRdsar + 8)) {
        return 4;
    }
    if ((offset >= kCapr && offset < kTcr) || (offset >= 0x5c && offset < 0x5e) ||
        (offset >= kTsadSummary && offset < 0x78) || (offset >= kCpcr && offset < kRdsar)) {
        return 2;
    }
    return 1;
}

} // namespace

Rtl8139::Rtl8139(Parts parts, Chip chip)
    : EmulatedNic(std::move(parts), identity(chip)),
      chip_(chip),
      phy_(kPhyId, false),
      eeprom_(kEepromBits),
      frame_(std::make_unique_for_overwrite<uint8_t[]>(NicWire::kLargestFrame)),
      received_(std::make_unique_for_overwrite<uint8_t[]>(NicWire::kLargestFrame + 4)) {
    add_registers(0, BarKind::kPorts, kSize);
    add_registers(1, BarKind::kMemory32, kSize);
    const auto words = eeprom_.contents();
    words[0] = 0x8129; // it is one of ours
    words[1] = words[3] = 0x10ec;
    words[2] = words[4] = 0x8139;
    for (unsigned i = 0; i < 3; i++) {
        words[7 + i] = static_cast<uint16_t>(mac_[2 * i] | mac_[2 * i + 1] << 8);
    }
    reset_chip();
}

Rtl8139::~Rtl8139() {
    retire();
}

void Rtl8139::reset_chip() {
    phy_.reset();
    eeprom_.reset();
    state_ = {};
    for (unsigned i = 0; i < 3; i++) {
        put(kIdr + 2 * i, eeprom_.word(7 + i));
    }
    timer_start_ = std::chrono::steady_clock::now();
    soft_reset();
}

// CR.RST: the address and the configuration stay.
void Rtl8139::soft_reset() {
    forget_frame();
    for (unsigned i = 0; i < kOldTransmits; i++) {
        put<uint32_t>(kTsd + 4 * i, kTsdDone);
    }
    put<uint8_t>(kCr, 0);
    put<uint16_t>(kCapr, static_cast<uint16_t>(-kReadAhead));
    put<uint16_t>(kCbr, 0);
    put<uint32_t>(kImr, 0); // and ISR
    put<uint32_t>(kTcr, chip_ == Chip::kCPlus ? kVersionCPlus : kVersionC);
    put<uint32_t>(kRcr, 0);
    put<uint16_t>(kCpcr, 0);
    put<uint32_t>(kTimerInt, 0);
    set_timer({});
    state_.next_old = state_.next_transmit = state_.next_receive = 0;
    state_.packet = 0;
    state_.broken = false;
}

bool Rtl8139::interrupt_wanted() {
    return get<uint16_t>(kIsr) & get<uint16_t>(kImr);
}

void Rtl8139::link_changed() {
    if (!link_up()) {
        phy_.link_went_down();
    }
    state_.link_changed = true;
    raise(kLinkChange);
}

// --- accesses ---

uint32_t Rtl8139::read_register(unsigned, uint32_t offset, unsigned size) {
    // Registers that are not just memory are looked up first.
    for (uint32_t i = offset & ~1u; i < offset + size; i++) {
        state_.bytes[i] = read_byte(i);
    }
    uint32_t value = 0;
    memcpy(&value, &state_.bytes[offset], size);
    if (offset <= kCscr + 1 && offset + size > kCscr + 1) {
        state_.link_changed = false;
    }
    return value;
}

// What a read of this byte gives.
uint8_t Rtl8139::read_byte(uint32_t offset) {
    const auto part = [&](uint32_t value, uint32_t first) {
        return static_cast<uint8_t>(value >> (8 * (offset - first)));
    };
    if (offset >= kTctr && offset < kTctr + 4) {
        return part(timer_ticks(), kTctr);
    }
    if (offset >= kBmcr && offset < kAner + 2) {
        constexpr unsigned kIndex[] = {0, 1, 4, 5, 6};
        // Both bytes of a register at once: reading the status changes it.
        if (offset % 2 == 0) {
            put<uint16_t>(offset, phy_.read(kIndex[(offset - kBmcr) / 2], link_up()));
        }
        return state_.bytes[offset];
    }
    if (offset >= kTsadSummary && offset < kTsadSummary + 2) {
        uint32_t summary = 0;
        for (unsigned i = 0; i < kOldTransmits; i++) {
            const auto status = get<uint32_t>(kTsd + 4 * i);
            summary |= bits_if(status & kTsdDone, 1u << i) | bits_if(status & kTsdOk, 0x1000u << i);
        }
        return part(summary, kTsadSummary);
    }
    switch (offset) {
        case kCr: {
            const bool empty = ring_room() == ring_size();
            return static_cast<uint8_t>((state_.bytes[kCr] & ~kCrEmpty) | bits_if(empty, kCrEmpty));
        }
        case k9346:
            return static_cast<uint8_t>((state_.bytes[k9346] & ~kEepromOut) |
                                        bits_if(eeprom_.data_out(), kEepromOut));
        case kMsr:
            return static_cast<uint8_t>(bits_if(!link_up(), kMsrNoLink));
        case kCscr + 1:
            return static_cast<uint8_t>(
                (bits_if(link_up(), kCscrLink) | bits_if(state_.link_changed, kCscrLinkChanged)) >>
                8);
        case kTpPoll:
            return 0;
        default:
            return state_.bytes[offset];
    }
}

void Rtl8139::write_register(unsigned, uint32_t offset, unsigned size, uint32_t value) {
    while (size) {
        unsigned width = width_of(offset);
        if (offset % width || size < width) {
            // Some of a register: with what there is of the rest.
            const uint32_t first = offset & ~(width - 1);
            const unsigned here = std::min(size, first + width - offset);
            uint32_t whole = 0;
            // Of causes and of status, what is not written is not touched.
            if (first != kIsr) {
                memcpy(&whole, &state_.bytes[first], width);
            }
            const uint32_t mask = (here == 4 ? 0 : 1u << (8 * here)) - 1;
            const unsigned shift = 8 * (offset - first);
            whole = (whole & ~(mask << shift)) | (value & mask) << shift;
            write_field(first, width, whole);
            width = here;
        } else {
            write_field(offset, width, width == 4 ? value : value & ((1u << (8 * width)) - 1));
        }
        offset += width;
        size -= width;
        value = width == 4 ? 0 : value >> (8 * width);
    }
}

void Rtl8139::write_field(uint32_t offset, unsigned width, uint32_t value) {
    const auto byte = static_cast<uint8_t>(value);
    const auto half = static_cast<uint16_t>(value);
    const bool plus = get<uint16_t>(kCpcr) & kPlusTransmit;
    switch (offset) {
        case kDtccr:
            if (plus) {
                dump_tally(value);
                return;
            }
            [[fallthrough]];
        case kTsd + 4:
        case kTsd + 8:
        case kTsd + 12:
            put(offset, value);
            if (!plus) {
                start_transmit();
            }
            return;
        case kTnpds:
            put(offset, value);
            state_.next_transmit = 0;
            return;
        case kRdsar:
            put(offset, value & ~0xffu);
            state_.next_receive = 0;
            return;
        case kCr:
            if (byte & kCrReset) {
                soft_reset();
                return;
            }
            put<uint8_t>(kCr, byte & (kCrTransmit | kCrReceive));
            start_transmit();
            return;
        case kCbr:
        case kTsadSummary:
        case kMsr:
        case kCscr:
            return;
        case kIsr:
            put<uint16_t>(kIsr, get<uint16_t>(kIsr) & static_cast<uint16_t>(~half));
            return;
        case kTcr:
            put(kTcr, (value & ~kTcrVersion) | (get<uint32_t>(kTcr) & kTcrVersion));
            return;
        case kMpc:
            put<uint32_t>(kMpc, 0);
            return;
        case kTctr:
            timer_start_ = std::chrono::steady_clock::now();
            start_timer();
            return;
        case kTimerInt:
            put(kTimerInt, value);
            start_timer();
            return;
        case k9346:
            write_9346(byte);
            return;
        case kBmcr:
            phy_.write(0, half);
            return;
        case kAnar:
            phy_.write(4, half);
            return;
        case kTpPoll:
            if (byte & kPollSoftware) {
                raise(kSoftware);
            }
            if (byte & kPollNormal) {
                start_transmit();
            }
            return;
        case kCpcr:
            put<uint16_t>(kCpcr, chip_ == Chip::kCPlus ? half : uint16_t{0});
            return;
    }
    const bool config = (offset >= kConfig0 && offset < kTimerInt) ||
                        (offset >= kConfig3 && offset <= kConfig4) || offset == kConfig5;
    if (config && (state_.bytes[k9346] & kEepromMode) != kModeUnlocked) {
        return;
    }
    memcpy(&state_.bytes[offset], &value, width);
}

void Rtl8139::write_9346(uint8_t value) {
    state_.bytes[k9346] = value & static_cast<uint8_t>(~kEepromOut);
    if ((value & kEepromMode) == kModeProgram) {
        eeprom_.set_pins(value & kEepromSelect, value & kEepromClock, value & kEepromIn);
    } else {
        eeprom_.set_pins(false, false, false);
    }
}

// --- timer and counters ---

uint32_t Rtl8139::timer_ticks() const {
    const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - timer_start_;
    return static_cast<uint32_t>(
        static_cast<uint64_t>(passed.count() * static_cast<double>(kTicksPerSecond)));
}

// When TCTR comes to be what TimerInt is; 0: never.
void Rtl8139::start_timer() {
    const auto at = get<uint32_t>(kTimerInt);
    const uint64_t ticks = at ? uint32_t{at - timer_ticks()} : uint64_t{0};
    set_timer(std::chrono::nanoseconds(ticks * 1'000'000'000 / kTicksPerSecond));
}

void Rtl8139::timer_expired() {
    raise(kTimeout);
}

void Rtl8139::dump_tally(uint32_t low) {
    const uint64_t address = uint64_t{get<uint32_t>(kDtccr + 4)} << 32 | (low & ~uint32_t{0x3f});
    if (low & kDumpTally) {
        dma_.store(address, state_.tally);
    }
    put(kDtccr, low & ~(kDumpTally | 1)); // done; 1: cleared
    if (low & 1) {
        state_.tally = {};
    }
}

} // namespace vireo
