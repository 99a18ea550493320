// SPDX-License-Identifier: GPL-2.0-only
#ifndef VIREO_NET_RECEIVE_FILTER_H
#define VIREO_NET_RECEIVE_FILTER_H

#include <array>
#include <bitset>
#include <cstddef>
#include <cstdint>

#include "net/endpoint.h"

namespace vireo {

// Which frames the driver wants (virtio 1.2, 5.1.6.5.1 to 5.1.6.5.3): a value, set by the control
// queue, looked at for each frame on the user path. The vhost path hands over all frames, which the
// specification allows: the filter is best effort.
struct ReceiveFilter {
    static constexpr unsigned kAddresses = 64; // unicast and multicast together
    static constexpr unsigned kFrameHead = 16; // bytes that accepts() looks at

    MacAddress mac = {};
    // A device takes everything until it is told (as drivers without the control queue expect).
    bool promiscuous = true;
    bool all_multicast = false;
    bool all_unicast = false;
    bool no_multicast = false;
    bool no_unicast = false;
    bool no_broadcast = false;
    // Addresses beside `mac`; too many to be kept: then all of that kind are taken.
    std::array<MacAddress, kAddresses> addresses = {};
    unsigned unicast = 0;   // the first of them
    unsigned multicast = 0; // behind these
    bool unicast_overflow = false;
    bool multicast_overflow = false;
    // VLANs that are let through, with `vlans_filtered`; frames without a tag always are.
    bool vlans_filtered = false;
    std::bitset<4096> vlans;

    // `frame`: its first kFrameHead bytes.
    bool accepts(const std::array<uint8_t, kFrameHead>& frame) const noexcept;
};

} // namespace vireo

#endif // VIREO_NET_RECEIVE_FILTER_H
