// SPDX-License-Identifier: GPL-2.0-only
#ifndef VIREO_EMULATED_NIC_MII_H
#define VIREO_EMULATED_NIC_MII_H

#include <array>
#include <cstdint>

namespace vireo {

// A copper transceiver at its management registers (IEEE 802.3, 22.2.4), whose partner is as able
// as itself, so that negotiation is done as soon as there is a link:
//
//   0  control            1  status             2, 3  identifier
//   4  advertisement      5  partner's ability  6     expansion
//   9  1000BASE-T control 10 1000BASE-T status  15    extended status (of a gigabit one)
//
// The others keep what is written.
class Mii {
public:
    struct State {
        std::array<uint16_t, 32> registers{};
        bool was_down = false; // the link, since status was read
    };

    Mii(uint32_t identifier, bool gigabit);

    uint16_t read(unsigned index, bool link);
    void write(unsigned index, uint16_t value);
    void reset();
    void link_went_down() { state_.was_down = true; }

    bool loopback() const;

private:
    const uint32_t identifier_;
    const bool gigabit_;
    State state_;
};

} // namespace vireo

#endif // VIREO_EMULATED_NIC_MII_H
