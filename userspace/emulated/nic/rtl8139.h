// SPDX-License-Identifier: GPL-2.0-only
#ifndef VIREO_EMULATED_NIC_RTL8139_H
#define VIREO_EMULATED_NIC_RTL8139_H

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>

#include "emulated/nic/mii.h"
#include "emulated/nic/nic.h"
#include "emulated/nic/rtl8139_registers.h"
#include "emulated/nic/serial_eeprom.h"

namespace vireo {

// A Realtek RTL8139C+, or a C, which is the same without the C+ mode; rtl8139_registers.h has the
// registers. The second ring of transmits is not served.
class Rtl8139 final : public EmulatedNic {
public:
    enum class Chip { kC, kCPlus };

    Rtl8139(Parts parts, Chip chip);
    ~Rtl8139() override;

    struct Tally { // DTCCR's, as it goes to memory
        uint64_t sent = 0, received = 0, send_errors = 0;
        uint32_t receive_errors = 0;
        uint16_t missed = 0, misaligned = 0;
        uint32_t one_collision = 0, collisions = 0;
        uint64_t received_mine = 0, received_broadcast = 0;
        uint32_t received_multicast = 0;
        uint16_t aborted = 0, underruns = 0;
    };
    static_assert(sizeof(Tally) == 64);

    struct State {
        std::array<uint8_t, rtl8139::kSize> bytes{};
        uint8_t next_old = 0;                        // of the four transmits
        uint8_t next_transmit = 0, next_receive = 0; // descriptors
        uint32_t packet = 0; // bytes of one whose last descriptor is still to come
        bool broken = false;
        bool link_changed = false;
        Tally tally;
    };

private:
    uint32_t read_register(unsigned bar, uint32_t offset, unsigned size) override;
    void write_register(unsigned bar, uint32_t offset, unsigned size, uint32_t value) override;
    void reset_chip() override;
    bool interrupt_wanted() override;
    bool transmit() override;
    void link_changed() override;
    void timer_expired() override;
    Readiness readiness() const override;
    bool receive(std::span<const uint8_t> frame, bool checked) override;

    template <class T>
    T get(uint32_t offset) const;
    template <class T>
    void put(uint32_t offset, T value);

    uint8_t read_byte(uint32_t offset);
    void write_field(uint32_t offset, unsigned width, uint32_t value);
    void write_9346(uint8_t value);
    void soft_reset();
    void dump_tally(uint32_t low);
    void start_timer();
    uint32_t timer_ticks() const;
    void raise(uint16_t causes) {
        put<uint16_t>(rtl8139::kIsr, get<uint16_t>(rtl8139::kIsr) | causes);
    }

    bool transmit_old();
    bool transmit_plus();
    void take_data(uint32_t command, uint64_t address);
    bool finish(uint32_t command, uint32_t tag);
    bool send_or_loop(std::span<const uint8_t> frame, const virtio_net_hdr& offload);

    uint32_t owned_receive() const;
    uint32_t ring_size() const;
    uint32_t ring_room() const;
    uint32_t fits(std::span<const uint8_t> frame) const;
    bool deliver_old(std::span<const uint8_t> frame, uint32_t fit);
    bool deliver_plus(std::span<const uint8_t> frame, uint32_t fit, bool checked);
    void write_ring(uint32_t position, std::span<const uint8_t> bytes);

    const Chip chip_;
    State state_;
    Mii phy_;
    SerialEeprom eeprom_;
    std::unique_ptr<uint8_t[]> frame_;    // to be sent
    std::unique_ptr<uint8_t[]> received_; // with its checksum
    std::chrono::steady_clock::time_point timer_start_;
};

} // namespace vireo

#endif // VIREO_EMULATED_NIC_RTL8139_H
