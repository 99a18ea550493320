// SPDX-License-Identifier: GPL-2.0-only
#ifndef VIREO_TESTS_E1000_DRIVER_H
#define VIREO_TESTS_E1000_DRIVER_H

#include <array>

#include "emulated/nic/e1000_registers.h"
#include "nic_world.h"

namespace vireo::test {

class E1000Driver final : public NicDriver {
public:
    static constexpr unsigned kRing = 8;
    static constexpr uint64_t kTxRing = 0x1000, kRxRing = 0x2000;
    static constexpr uint64_t kTxBuffers = 0x10000, kRxBuffers = 0x100000;
    static constexpr uint64_t kBuffer = 0x4000;

    explicit E1000Driver(NicWorld& world) : world_(world) {}

    // By its pins, as the 93C46 wants it.
    uint16_t eeprom(unsigned word) {
        using namespace e1000;
        uint32_t pins = kEecdRequest;
        const auto set = [&] { world_.write(kEecd, pins); };
        const auto clock = [&](bool data) {
            pins = (pins & ~uint32_t{kEecdIn}) | (data ? uint32_t{kEecdIn} : 0);
            set();
            pins |= kEecdClock;
            set();
            const bool out = world_.read(kEecd) & kEecdOut;
            pins &= ~uint32_t{kEecdClock};
            set();
            return out;
        };
        set();
        pins |= kEecdSelect;
        set();
        const uint32_t command = 6u << 6 | word;
        for (int bit = 8; bit >= 0; bit--) {
            clock(command >> bit & 1);
        }
        uint16_t value = 0;
        for (int bit = 0; bit < 16; bit++) {
            value = static_cast<uint16_t>(value << 1 | clock(false));
        }
        pins &= ~uint32_t{kEecdSelect};
        set();
        return value;
    }

    MacAddress address() override {
        MacAddress mac;
        for (unsigned i = 0; i < 3; i++) {
            const uint16_t word = eeprom(i);
            memcpy(&mac[2 * i], &word, 2);
        }
        return mac;
    }

    void start() override {
        using namespace e1000;
        world_.write(kImc, ~0u);
        world_.write(kCtrl, world_.read(kCtrl) | kCtrlReset);
        world_.write(kCtrl, world_.read(kCtrl) | kCtrlSetLinkUp);
        memset(world_.ram.at(kTxRing, 0x2000), 0, 0x2000);
        for (unsigned i = 0; i < kRing; i++) {
            world_.store(kRxRing + 16 * i, kRxBuffers + kBuffer * i);
        }
        world_.write(kTdbal, kTxRing);
        world_.write(kTdlen, 16 * kRing);
        world_.write(kRdbal, kRxRing);
        world_.write(kRdlen, 16 * kRing);
        world_.write(kRdt, kRing - 1);
        world_.write(kTctl, kTctlEnable);
        world_.write(kRctl, kRctlEnable | kRctlBroadcast);
        tail = 0;
        next_ = 0;
    }

    void set_filter(bool promiscuous, const std::optional<MacAddress>& group) override {
        using namespace e1000;
        uint32_t control = world_.read(kRctl) & ~uint32_t{kRctlUnicastAll | kRctlMulticastAll};
        world_.write(kRctl, control | (promiscuous ? kRctlUnicastAll | kRctlMulticastAll : 0));
        for (unsigned i = 0; i < 128; i++) {
            world_.write(kMta + 4 * i, 0);
        }
        if (group) {
            const unsigned hash = ((*group)[4] >> 4 | (*group)[5] << 4) & 0xfff;
            world_.write(kMta + 4 * (hash / 32), 1u << (hash % 32));
        }
    }

    // A descriptor for the next frame, not yet the card's.
    void describe(const std::array<uint32_t, 4>& words) {
        world_.store(kTxRing + 16 * tail, words);
        tail = (tail + 1) % kRing;
    }
    void go() { world_.write(e1000::kTdt, tail); }

    bool send(const Bytes& frame) override {
        using namespace e1000;
        const unsigned head = world_.read(kTdh);
        if ((tail + 1) % kRing == head) {
            return false;
        }
        const uint64_t buffer = kTxBuffers + kBuffer * tail;
        world_.put(buffer, frame);
        describe({static_cast<uint32_t>(buffer), 0,
                  static_cast<uint32_t>(frame.size()) | kTxEnd | kTxReport, 0});
        go();
        return true;
    }

    std::optional<Bytes> receive() override {
        const uint64_t at = kRxRing + 16 * next_;
        status = world_.load<uint8_t>(at + 12);
        errors = world_.load<uint8_t>(at + 13);
        special = world_.load<uint16_t>(at + 14);
        if (!(status & e1000::kRxDone)) {
            return std::nullopt;
        }
        const auto length = world_.load<uint16_t>(at + 8);
        Bytes frame = world_.get(kRxBuffers + kBuffer * next_, length);
        world_.store(at + 8, uint64_t{0});
        world_.write(e1000::kRdt, next_);
        next_ = (next_ + 1) % kRing;
        memcpy(&crc, &frame[length - 4], 4);
        frame.resize(length - 4u);
        return frame;
    }

    uint32_t take_causes() override { return world_.read(e1000::kIcr); }
    void enable_interrupts() override {
        world_.write(e1000::kIms, e1000::kTxWrittenBack | e1000::kRxTimer | e1000::kLinkChange);
    }
    unsigned ring() const override { return kRing; }

    unsigned tail = 0;
    // Of the frame that came last.
    uint8_t status = 0, errors = 0;
    uint16_t special = 0;
    uint32_t crc = 0;

private:
    NicWorld& world_;
    unsigned next_ = 0;
};

} // namespace vireo::test

#endif // VIREO_TESTS_E1000_DRIVER_H
