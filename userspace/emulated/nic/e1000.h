// SPDX-License-Identifier: GPL-2.0-only
#ifndef VIREO_EMULATED_NIC_E1000_H
#define VIREO_EMULATED_NIC_E1000_H

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>

#include "emulated/nic/e1000_registers.h"
#include "emulated/nic/mii.h"
#include "emulated/nic/nic.h"
#include "emulated/nic/serial_eeprom.h"

namespace vireo {

// An Intel 82540EM gigabit card; e1000_registers.h has its registers. What it offloads the host
// does, where the tap can: checksums, segmentation of TCP. Interrupts are spaced by ITR; the other
// delays (RDTR, RADV, TIDV, TADV) are kept, and are none.
class E1000 final : public EmulatedNic {
public:
    explicit E1000(Parts parts);
    ~E1000() override;

    // What a driver has set for the packets that follow.
    struct TxContext {
        uint8_t ip_start = 0, ip_field = 0;
        uint16_t ip_end = 0; // inclusive; 0: the packet's
        uint8_t start = 0, field = 0;
        uint16_t end = 0;
        uint8_t header = 0;
        uint16_t mss = 0;
        bool ipv4 = false;
    };
    // A packet of which some descriptors were read. Its bytes are in frame_.
    struct TxPacket {
        uint32_t length = 0;
        uint8_t options = 0;
        bool segment = false;
        bool broken = false;   // too long, or not in memory
        bool complete = false; // with its offload: it waits for the wire
        virtio_net_hdr offload = {};
    };
    struct State {
        std::array<uint32_t, e1000::kRegistersEnd / 4> registers{};
        uint32_t causes = 0, enabled = 0;
        uint32_t io_address = 0;
        TxContext context;
        TxPacket packet;
    };

private:
    struct Ring;
    enum class Fit { kNone, kExact, kHash };

    uint32_t read_register(unsigned bar, uint32_t offset, unsigned size) override;
    void write_register(unsigned bar, uint32_t offset, unsigned size, uint32_t value) override;
    void reset_chip() override;
    bool interrupt_wanted() override;
    bool transmit() override;
    void link_changed() override;
    void timer_expired() override { timer_set_ = false; }
    Readiness readiness() const override;
    bool receive(std::span<const uint8_t> frame, bool checked) override;

    uint32_t& reg(uint32_t offset) { return state_.registers[offset / 4]; }
    uint32_t reg(uint32_t offset) const { return state_.registers[offset / 4]; }
    uint32_t read(uint32_t offset);
    void write(uint32_t offset, uint32_t value);
    void write_control(uint32_t value);
    void write_mdic(uint32_t value);
    void fill_eeprom();
    void reset_mac();

    Ring ring(uint32_t base) const;
    void count_sizes(uint32_t first, size_t length);
    void add_long(uint32_t low, uint64_t amount);

    Fit fits(std::span<const uint8_t> frame) const;
    bool has_vlan_tag(std::span<const uint8_t> frame) const;
    size_t buffer_size() const;
    void check_sums(std::span<const uint8_t> frame, bool checked, uint8_t& status,
                    uint8_t& errors) const;
    bool deliver(std::span<const uint8_t> frame, uint8_t status, uint8_t errors, uint16_t special);

    void take_context(const std::array<uint32_t, 4>& words);
    void take_data(const std::array<uint32_t, 4>& words);
    void complete_packet(const std::array<uint32_t, 4>& words);
    void insert_sum(size_t start, size_t field, size_t end);
    bool send_packet();

    State state_;
    Mii phy_;
    SerialEeprom eeprom_;
    std::unique_ptr<uint8_t[]> frame_;    // to be sent
    std::unique_ptr<uint8_t[]> received_; // one that was changed on its way to the driver
    bool asserted_ = false;               // the line
    bool timer_set_ = false;
    std::chrono::steady_clock::time_point next_interrupt_; // not before
};

} // namespace vireo

#endif // VIREO_EMULATED_NIC_E1000_H
