// SPDX-License-Identifier: GPL-2.0-only
// The registers; the rings are in e1000_transmit.cc and e1000_receive.cc.
#include "emulated/nic/e1000.h"

#include <linux/mii.h>

#include <algorithm>

namespace vireo {

using namespace e1000;

namespace {

constexpr PciDevice::Identity kIdentity = {
    .vendor = 0x8086,
    .device = 0x100e,
    .subsystem_vendor = 0x8086,
    .subsystem = 0x001e,
    .class_code = 0x020000,
    .revision = 2,
    .interrupt_pin = true,
};

// Marvell 88E1011, and its own status register (its data sheet, register 17).
constexpr uint32_t kPhyId = 0x0141'0c20;
constexpr unsigned kPhyStatus = 17;
constexpr uint16_t kPhyUp = 2 << 14 | 1 << 13 | 1 << 11 | 1 << 10; // 1000, full duplex, resolved

constexpr unsigned kEepromBits = 6;
constexpr uint16_t kEepromSum = 0xbaba;

constexpr uint32_t kAddressValid = 1u << 31;
constexpr auto kItrUnit = std::chrono::nanoseconds(256);

} // namespace

E1000::E1000(Parts parts)
    : EmulatedNic(std::move(parts), kIdentity),
      phy_(kPhyId, true),
      eeprom_(kEepromBits),
      frame_(std::make_unique_for_overwrite<uint8_t[]>(NicWire::kLargestFrame)),
      received_(std::make_unique_for_overwrite<uint8_t[]>(NicWire::kLargestFrame + 4)) {
    add_registers(0, BarKind::kMemory32, kMemorySize);
    add_registers(1, BarKind::kPorts, kPortsSize);
    fill_eeprom();
    reset_chip();
}

E1000::~E1000() {
    retire();
}

// What its maker has put there (the manual, 5.6).
void E1000::fill_eeprom() {
    const auto words = eeprom_.contents();
    for (unsigned i = 0; i < 3; i++) {
        words[i] = static_cast<uint16_t>(mac_[2 * i] | mac_[2 * i + 1] << 8);
    }
    words[0x04] = 0xffff; // LEDs as they are
    words[0x0a] = 0x6400; // signature; full duplex
    words[0x0b] = kIdentity.subsystem;
    words[0x0c] = kIdentity.subsystem_vendor;
    words[0x0d] = kIdentity.device;
    words[0x0e] = kIdentity.vendor;
    words[0x0f] = 0x3000; // pause frames are understood
    uint16_t sum = kEepromSum;
    for (unsigned i = 0; i < 0x3f; i++) {
        sum = static_cast<uint16_t>(sum - words[i]);
    }
    words[0x3f] = sum;
}

void E1000::reset_chip() {
    phy_.reset();
    eeprom_.reset();
    timer_set_ = false;
    next_interrupt_ = {};
    reset_mac();
}

// As after CTRL.RST: the transceiver is another chip.
void E1000::reset_mac() {
    state_ = {};
    forget_frame();
    reg(kCtrl) = kCtrlFullDuplex | kCtrlSpeed1000;
    reg(kPba) = 0x0010'0030;
    reg(kLedctl) = 0x0602;
    reg(kVet) = 0x8100;
    reg(kRa) = eeprom_.word(0) | uint32_t{eeprom_.word(1)} << 16;
    reg(kRa + 4) = eeprom_.word(2) | kAddressValid;
}

void E1000::link_changed() {
    if (!link_up()) {
        phy_.link_went_down();
    }
    state_.causes |= kLinkChange;
}

// The line stays up until the causes are read or masked; it comes up no sooner than ITR allows.
bool E1000::interrupt_wanted() {
    if (!(state_.causes & state_.enabled)) {
        asserted_ = false;
        return false;
    }
    const uint32_t interval = reg(kItr);
    if (!asserted_ && interval) {
        const auto now = std::chrono::steady_clock::now();
        if (now < next_interrupt_) {
            if (!timer_set_) {
                timer_set_ = true;
                set_timer(next_interrupt_ - now);
            }
            return false;
        }
        next_interrupt_ = now + interval * kItrUnit;
    }
    asserted_ = true;
    return true;
}

// --- accesses ---

uint32_t E1000::read_register(unsigned bar, uint32_t offset, unsigned) {
    if (bar == 1) {
        if (offset < 4) {
            return state_.io_address >> (8 * offset);
        }
        return read(state_.io_address & ~3u) >> (8 * (offset - 4));
    }
    return read(offset & ~3u) >> (8 * (offset & 3));
}

void E1000::write_register(unsigned bar, uint32_t offset, unsigned size, uint32_t value) {
    // Registers are written as a whole (the manual, 13.1).
    if (size != 4 || offset % 4) {
        return;
    }
    if (bar == 1) {
        if (offset == 0) {
            state_.io_address = value;
        } else {
            write(state_.io_address & ~3u, value);
        }
        return;
    }
    write(offset, value);
}

uint32_t E1000::read(uint32_t offset) {
    switch (offset) {
        case kCtrlDup:
            return reg(kCtrl);
        case kStatus:
            return kStatusFullDuplex | kStatusSpeed1000 | kStatusDetected1000 |
                   bits_if(link_up(), kStatusLinkUp);
        case kEecd: {
            const uint32_t pins = reg(kEecd);
            return pins | kEecdPresent | bits_if(pins & kEecdRequest, kEecdGrant) |
                   bits_if(eeprom_.data_out(), kEecdOut);
        }
        case kIcr:
            return std::exchange(state_.causes, 0);
        case kIms:
            return state_.enabled;
        case kIcs:
        case kImc:
            return 0;
    }
    if (offset >= kRegistersEnd) {
        return 0;
    }
    const uint32_t value = reg(offset);
    if (offset >= kStatistics && offset < kStatisticsEnd) {
        reg(offset) = 0;
    }
    return value;
}

void E1000::write(uint32_t offset, uint32_t value) {
    switch (offset) {
        case kCtrl:
        case kCtrlDup:
            write_control(value);
            return;
        case kStatus:
            return;
        case kEecd:
            reg(kEecd) =
                value & (kEecdClock | kEecdSelect | kEecdIn | kEecdFlashWrites | kEecdRequest);
            eeprom_.set_pins(value & kEecdSelect, value & kEecdClock, value & kEecdIn);
            return;
        case kEerd:
            reg(kEerd) = value & 0xff00;
            if (value & kEerdStart) {
                reg(kEerd) |= kEerdDone | uint32_t{eeprom_.word(value >> 8 & 0xff)} << 16;
            }
            return;
        case kMdic:
            write_mdic(value);
            return;
        case kIcr:
            state_.causes &= ~value;
            return;
        case kIcs:
            state_.causes |= value & kCauses;
            return;
        case kIms:
            state_.enabled |= value & kCauses;
            return;
        case kImc:
            state_.enabled &= ~value;
            return;
        case kItr:
        case kRdh:
        case kRdt:
        case kTdh:
            reg(offset) = value & 0xffff;
            return;
        case kRdbal:
        case kTdbal:
            reg(offset) = value & ~uint32_t{kDescriptorSize - 1};
            return;
        case kRdlen:
        case kTdlen:
            reg(offset) = value & 0xfff80;
            return;
        case kTdt:
            reg(offset) = value & 0xffff;
            start_transmit();
            return;
        case kTctl:
            reg(offset) = value;
            start_transmit();
            return;
    }
    if (offset < kRegistersEnd && (offset < kStatistics || offset >= kStatisticsEnd)) {
        reg(offset) = value;
    }
}

void E1000::write_control(uint32_t value) {
    if (value & kCtrlReset) {
        reset_mac();
        return;
    }
    if (value & kCtrlPhyReset) {
        phy_.reset();
    }
    reg(kCtrl) = value & ~(kCtrlReset | kCtrlPhyReset);
}

void E1000::write_mdic(uint32_t value) {
    const unsigned index = value >> 16 & 0x1f;
    const auto data = static_cast<uint16_t>(value);
    uint32_t result = (value & ~uint32_t{kMdicError}) | kMdicReady;
    if ((value >> 21 & 0x1f) != kPhyAddress) {
        result |= kMdicError;
    } else if (value & kMdicRead) {
        const uint16_t read =
            index == kPhyStatus ? (link_up() ? kPhyUp : uint16_t{0}) : phy_.read(index, link_up());
        result = (result & 0xffff'0000) | read;
    } else if (value & kMdicWrite) {
        phy_.write(index, data);
        // Negotiating, the link goes and comes again.
        if (index == MII_BMCR && data & (BMCR_ANRESTART | BMCR_RESET) && link_up()) {
            state_.causes |= kLinkChange;
        }
    }
    reg(kMdic) = result;
    if (value & kMdicInterrupt) {
        state_.causes |= kMdiDone;
    }
}

// --- statistics ---

void E1000::add_long(uint32_t low, uint64_t amount) {
    const uint64_t sum = (uint64_t{reg(low + 4)} << 32 | reg(low)) + amount;
    reg(low) = static_cast<uint32_t>(sum);
    reg(low + 4) = static_cast<uint32_t>(sum >> 32);
}

// Up to 64, 127, 255, 511, 1023, 1522 bytes, their checksum included.
void E1000::count_sizes(uint32_t first, size_t length) {
    unsigned size_class = 0;
    for (size_t limit = 64; size_class < 5 && length > limit; size_class++) {
        limit = size_class ? 2 * limit + 1 : 127;
    }
    reg(first + 4 * size_class)++;
}

} // namespace vireo
