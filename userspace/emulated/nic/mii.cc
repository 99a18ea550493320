// SPDX-License-Identifier: GPL-2.0-only
#include "emulated/nic/mii.h"

#include <linux/mii.h>

#include <utility>

namespace vireo {

namespace {

constexpr uint16_t kAbilities =
    ADVERTISE_10HALF | ADVERTISE_10FULL | ADVERTISE_100HALF | ADVERTISE_100FULL | ADVERTISE_CSMA;
constexpr uint16_t kStatus = BMSR_100FULL | BMSR_100HALF | BMSR_10FULL | BMSR_10HALF |
                             BMSR_ANEGCAPABLE | BMSR_ERCAP | 1 << 6; // no preamble is needed

} // namespace

Mii::Mii(uint32_t identifier, bool gigabit) : identifier_(identifier), gigabit_(gigabit) {
    reset();
}

void Mii::reset() {
    state_ = {};
    state_.registers[MII_BMCR] =
        BMCR_ANENABLE | BMCR_FULLDPLX | (gigabit_ ? BMCR_SPEED1000 : BMCR_SPEED100);
    state_.registers[MII_ADVERTISE] = kAbilities | ADVERTISE_PAUSE_CAP;
    state_.registers[MII_CTRL1000] = gigabit_ ? ADVERTISE_1000FULL | ADVERTISE_1000HALF : 0;
}

bool Mii::loopback() const {
    return state_.registers[MII_BMCR] & BMCR_LOOPBACK;
}

uint16_t Mii::read(unsigned index, bool link) {
    const bool done = link && state_.registers[MII_BMCR] & BMCR_ANENABLE;
    switch (index) {
        case MII_BMSR: {
            // A link that failed is told once, also if it is back.
            const bool up = link && !std::exchange(state_.was_down, !link);
            return kStatus | (gigabit_ ? uint16_t{BMSR_ESTATEN} : uint16_t{0}) |
                   (up ? BMSR_LSTATUS : 0) | (done ? BMSR_ANEGCOMPLETE : 0);
        }
        case MII_PHYSID1:
            return static_cast<uint16_t>(identifier_ >> 16);
        case MII_PHYSID2:
            return static_cast<uint16_t>(identifier_);
        case MII_LPA:
            return done ? kAbilities | LPA_LPACK | ADVERTISE_PAUSE_CAP : 0;
        case MII_EXPANSION:
            return done ? EXPANSION_NWAY | EXPANSION_LCWP : 0;
        case MII_STAT1000:
            return gigabit_ && done
                       ? LPA_1000LOCALRXOK | LPA_1000REMRXOK | LPA_1000FULL | LPA_1000HALF
                       : 0;
        case MII_ESTATUS:
            return gigabit_ ? ESTATUS_1000_TFULL | ESTATUS_1000_THALF : 0;
        default:
            return state_.registers[index % state_.registers.size()];
    }
}

void Mii::write(unsigned index, uint16_t value) {
    switch (index) {
        case MII_BMCR:
            if (value & BMCR_RESET) {
                reset();
            } else {
                // Negotiating anew takes no time.
                state_.registers[MII_BMCR] = value & static_cast<uint16_t>(~BMCR_ANRESTART);
            }
            break;
        case MII_BMSR:
        case MII_PHYSID1:
        case MII_PHYSID2:
        case MII_LPA:
        case MII_EXPANSION:
        case MII_STAT1000:
        case MII_ESTATUS:
            break;
        default:
            state_.registers[index % state_.registers.size()] = value;
    }
}

} // namespace vireo
