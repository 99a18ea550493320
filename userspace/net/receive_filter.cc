// SPDX-License-Identifier: GPL-2.0-only
#include "net/receive_filter.h"

#include <algorithm>

namespace vireo {

namespace {

constexpr MacAddress kBroadcast = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
constexpr uint16_t kVlanTag = 0x8100; // IEEE 802.1Q

} // namespace

bool ReceiveFilter::accepts(const std::array<uint8_t, kFrameHead>& frame) const noexcept {
    const auto word = [&](unsigned at) {
        return static_cast<uint16_t>(frame[at] << 8 | frame[at + 1]);
    };
    // A promiscuous device takes frames of every address, not of every VLAN: Linux adds the VLANs
    // that it wants also then.
    if (vlans_filtered && word(12) == kVlanTag && !vlans[word(14) & 0xfff]) {
        return false;
    }
    if (promiscuous) {
        return true;
    }
    MacAddress to;
    std::copy_n(frame.begin(), to.size(), to.begin());
    const auto listed = [&](unsigned first, unsigned n) {
        const auto begin = addresses.begin() + first;
        return std::find(begin, begin + n, to) != begin + n;
    };
    if (to == kBroadcast) {
        return !no_broadcast;
    }
    if (to[0] & 1) {
        return !no_multicast && (all_multicast || multicast_overflow || listed(unicast, multicast));
    }
    return !no_unicast && (all_unicast || unicast_overflow || to == mac || listed(0, unicast));
}

} // namespace vireo
