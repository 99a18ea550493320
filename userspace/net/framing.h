// SPDX-License-Identifier: GPL-2.0-only
#ifndef VIREO_NET_FRAMING_H
#define VIREO_NET_FRAMING_H

#include <cerrno>

namespace vireo {

// Between a guest's queues and the host's file: how packets are written on both sides.
struct NetFraming {
    unsigned guest_header; // bytes of virtio-net header before each packet in guest memory
    bool host_header;      // the same header passes through the file; else none does
    bool mergeable;        // a received packet may fill several chains
    bool plugged;          // no: the cable is out, and packets are lost both ways

    // Bytes of the guest's header that the file knows nothing of.
    unsigned hidden() const { return host_header ? 0 : guest_header; }
};

constexpr unsigned kEthernetHeader = 14;
constexpr unsigned kMaxFrame = 65535 + kEthernetHeader + 8; // GSO, two VLAN tags

// The interface behind a tap (EBADFD) or macvtap (ENOLINK, ENODEV) has been deleted.
constexpr bool interface_gone(int error) {
    return error == EBADFD || error == ENOLINK || error == ENODEV;
}

} // namespace vireo

#endif // VIREO_NET_FRAMING_H
