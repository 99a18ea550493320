// SPDX-License-Identifier: GPL-2.0-only
#ifndef VIREO_TESTS_RTL8139_DRIVER_H
#define VIREO_TESTS_RTL8139_DRIVER_H

#include <array>

#include "emulated/nic/rtl8139_registers.h"
#include "nic_world.h"

namespace vireo::test {

// What both of its modes have in common. By ports.
class Rtl8139Driver : public NicDriver {
public:
    explicit Rtl8139Driver(NicWorld& world) : world_(world) {}

    MacAddress address() override {
        MacAddress mac;
        for (unsigned i = 0; i < 3; i++) {
            const uint16_t word = eeprom(7 + i);
            memcpy(&mac[2 * i], &word, 2);
        }
        return mac;
    }

    void start() override {
        world_.out(rtl8139::kCr, 1, rtl8139::kCrReset);
        start_rings();
        world_.out(rtl8139::kCr, 1, rtl8139::kCrTransmit | rtl8139::kCrReceive);
        set_filter(false, {});
        next_transmit_ = 0;
        done_ = 0;
    }

    void set_filter(bool promiscuous, const std::optional<MacAddress>& group) override {
        using namespace rtl8139;
        uint32_t hash[2] = {};
        if (group) {
            // The upper six bits of the CRC, as its bits go over the wire.
            uint32_t crc = ~0u;
            for (const uint8_t byte : *group) {
                for (int bit = 0; bit < 8; bit++) {
                    const bool one = (crc >> 31) ^ (byte >> bit & 1);
                    crc = crc << 1 ^ (one ? 0x04c11db7u : 0);
                }
            }
            hash[crc >> 31] = 1u << (crc >> 26 & 31);
        }
        world_.out(kMar, 4, promiscuous ? ~0u : hash[0]);
        world_.out(kMar + 4, 4, promiscuous ? ~0u : hash[1]);
        world_.out(kRcr, 4,
                   kAcceptMine | kAcceptBroadcast | kAcceptMulticast |
                       (promiscuous ? uint32_t{kAcceptAll} : 0) | receive_mode());
    }

    uint32_t take_causes() override {
        const uint32_t causes = world_.in(rtl8139::kIsr, 2);
        world_.out(rtl8139::kIsr, 2, causes);
        return causes;
    }
    void enable_interrupts() override {
        world_.out(rtl8139::kImr, 2, rtl8139::kRxOk | rtl8139::kTxOk | rtl8139::kLinkChange);
    }

protected:
    virtual void start_rings() = 0;
    virtual uint32_t receive_mode() const { return 0; }

    NicWorld& world_;
    unsigned next_transmit_ = 0, done_ = 0;

private:
    uint16_t eeprom(unsigned word) {
        using namespace rtl8139;
        const uint32_t mode = kModeProgram | kEepromSelect;
        const auto clock = [&](bool data) {
            const uint32_t pins = mode | (data ? uint32_t{kEepromIn} : 0);
            world_.out(k9346, 1, pins);
            world_.out(k9346, 1, pins | kEepromClock);
            return world_.in(k9346, 1) & kEepromOut;
        };
        const uint32_t command = 6u << 6 | word;
        for (int bit = 8; bit >= 0; bit--) {
            clock(command >> bit & 1);
        }
        uint16_t value = 0;
        for (int bit = 0; bit < 16; bit++) {
            value = static_cast<uint16_t>(value << 1 | clock(false));
        }
        world_.out(k9346, 1, 0);
        return value;
    }
};

// C mode: four transmits, a ring of bytes.
class Rtl8139OldDriver final : public Rtl8139Driver {
public:
    static constexpr uint64_t kTxBuffers = 0x10000, kRxRing = 0x100000;
    static constexpr uint32_t kRingSize = 8192;

    using Rtl8139Driver::Rtl8139Driver;

    bool send(const Bytes& frame) override {
        using namespace rtl8139;
        const unsigned slot = next_transmit_ % 4;
        if (!(world_.in(kTsd + 4 * slot, 4) & kTsdDone)) {
            return false;
        }
        const uint32_t buffer = static_cast<uint32_t>(kTxBuffers) + 0x2000 * slot;
        world_.put(buffer, frame);
        world_.out(kTsad + 4 * slot, 4, buffer);
        world_.out(kTsd + 4 * slot, 4, static_cast<uint32_t>(frame.size()));
        next_transmit_++;
        return true;
    }

    std::optional<Bytes> receive() override {
        using namespace rtl8139;
        if (world_.in(kCr, 1) & kCrEmpty) {
            return std::nullopt;
        }
        const auto header = world_.load<uint32_t>(kRxRing + position_);
        const uint32_t length = header >> 16;
        if (!(header & kOldOk) || length < 64 || length > 1792) {
            throw std::runtime_error("the receive ring is out of order");
        }
        Bytes frame;
        for (uint32_t i = 0; i < length - 4; i++) {
            frame.push_back(world_.load<uint8_t>(kRxRing + (position_ + 4 + i) % kRingSize));
        }
        position_ = ((position_ + 4 + length + 3) & ~3u) % kRingSize;
        world_.out(kCapr, 2, (position_ - 16) & 0xffff);
        return frame;
    }

    unsigned ring() const override { return 4; }

private:
    void start_rings() override {
        position_ = 0;
        world_.out(rtl8139::kRbstart, 4, kRxRing);
    }

    uint32_t position_ = 0;
};

class Rtl8139PlusDriver final : public Rtl8139Driver {
public:
    static constexpr unsigned kRing = 8;
    static constexpr uint64_t kTxRing = 0x1000, kRxRing = 0x2000;
    static constexpr uint64_t kTxBuffers = 0x10000, kRxBuffers = 0x100000;
    static constexpr uint32_t kBuffer = 0x1000;

    using Rtl8139Driver::Rtl8139Driver;

    bool send(const Bytes& frame) override { return send(frame, 0); }
    // In two pieces.
    bool send_pieces(const Bytes& frame, uint32_t tag) {
        using namespace rtl8139;
        const uint32_t first = 40;
        const unsigned second_slot = (next_transmit_ + 1) % kRing;
        const uint64_t at = kTxRing + 16 * next_transmit_, second = kTxRing + 16 * second_slot;
        if ((world_.load<uint32_t>(at) | world_.load<uint32_t>(second)) & kOwned) {
            return false;
        }
        const uint64_t buffer = kTxBuffers + 0x10000 * next_transmit_;
        world_.put(buffer, frame);
        world_.store(second + 4, tag);
        world_.store(second + 8, buffer + first);
        world_.store(second, static_cast<uint32_t>(frame.size() - first) | kOwned | kLast |
                                 end(second_slot));
        world_.store(at + 4, tag);
        world_.store(at + 8, buffer);
        world_.store(at, first | kOwned | kFirst | end(next_transmit_));
        world_.out(kTpPoll, 1, kPollNormal);
        next_transmit_ = (next_transmit_ + 2) % kRing;
        return true;
    }
    bool send(const Bytes& frame, uint32_t options, uint32_t tag = 0) {
        using namespace rtl8139;
        const uint64_t at = kTxRing + 16 * next_transmit_;
        if (world_.load<uint32_t>(at) & kOwned) {
            return false;
        }
        const uint64_t buffer = kTxBuffers + 0x10000 * next_transmit_;
        world_.put(buffer, frame);
        world_.store(at + 4, tag);
        world_.store(at + 8, buffer);
        world_.store(at, static_cast<uint32_t>(frame.size()) | kOwned | kFirst | kLast | options |
                             end(next_transmit_));
        world_.out(kTpPoll, 1, kPollNormal);
        next_transmit_ = (next_transmit_ + 1) % kRing;
        return true;
    }

    std::optional<Bytes> receive() override {
        using namespace rtl8139;
        const uint64_t at = kRxRing + 16 * next_receive_;
        command = world_.load<uint32_t>(at);
        tag = world_.load<uint32_t>(at + 4);
        if (command & kOwned) {
            return std::nullopt;
        }
        Bytes frame = world_.get(kRxBuffers + kBuffer * next_receive_, (command & kRxLength) - 4);
        give(next_receive_);
        next_receive_ = (next_receive_ + 1) % kRing;
        take_causes();
        return frame;
    }

    unsigned ring() const override { return kRing; }

    // All buffers back to the card, without a word to its registers.
    void give_all() {
        for (unsigned i = 0; i < kRing; i++) {
            give(i);
        }
    }
    void set_modes(uint32_t modes) { world_.out(rtl8139::kCpcr, 2, modes); }

    // Of the frame that came last.
    uint32_t command = 0, tag = 0;

private:
    static uint32_t end(unsigned index) {
        return index == kRing - 1 ? uint32_t{rtl8139::kRingEnd} : 0;
    }
    void give(unsigned index) {
        const uint64_t at = kRxRing + 16 * index;
        world_.store(at + 4, uint32_t{0});
        world_.store(at + 8, kRxBuffers + kBuffer * index);
        world_.store(at, rtl8139::kOwned | kBuffer | end(index));
    }
    void start_rings() override {
        using namespace rtl8139;
        world_.out(kCpcr, 2, kPlusTransmit | kPlusReceive | kPlusChecksums);
        memset(world_.ram.at(kTxRing, 0x1000), 0, 0x1000);
        for (unsigned i = 0; i < kRing; i++) {
            give(i);
        }
        next_receive_ = 0;
        world_.out(kTnpds, 4, kTxRing);
        world_.out(kTnpds + 4, 4, 0);
        world_.out(kRdsar, 4, kRxRing);
        world_.out(kRdsar + 4, 4, 0);
    }

    unsigned next_receive_ = 0;
};

} // namespace vireo::test

#endif // VIREO_TESTS_RTL8139_DRIVER_H
