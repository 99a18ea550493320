// SPDX-License-Identifier: GPL-2.0-only
#ifndef VIREO_NET_ENDPOINT_H
#define VIREO_NET_ENDPOINT_H

#include <array>
#include <cstdint>
#include <optional>
#include <string>

namespace vireo {

using MacAddress = std::array<uint8_t, 6>;

// The host's end of a network card, a tap or what looks like one: files from which packets are read
// and to which they are written, one for each queue pair, never blocking. Whoever runs the queues,
// the VMM or the kernel, gets the same files. It knows no guest. Called by the control side; the
// files are used on any thread.
class NetEndpoint {
public:
    virtual ~NetEndpoint() = default;

    virtual const std::string& name() const = 0; // for messages
    virtual unsigned pairs() const = 0;
    virtual int fd(unsigned pair) const = 0;

    // Is there a virtio-net header before each packet? If not, there are no offloads.
    virtual bool vnet_header() const = 0;
    virtual void set_header_length(unsigned bytes) = 0;
    // Offloads that it takes and gives: virtio-net's feature bits, HOST_* and GUEST_*, CSUM and
    // GUEST_CSUM.
    virtual uint64_t offloads() const = 0;
    // Those that its reader understands; GUEST_* and GUEST_CSUM.
    virtual void set_offloads(uint64_t guest) = 0;

    // How many of the queue pairs are in use: packets are spread over these. The files of the
    // others give errors.
    virtual void set_active(unsigned pairs) = 0;

    // The address that the card must have, since the host hands over packets by it; unset: any.
    virtual std::optional<MacAddress> mac() const = 0;
    virtual void set_mac(const MacAddress& mac) = 0; // nothing unless mac() is set

    // Has the interface been deleted? It does not come back.
    virtual bool gone() const = 0;
};

} // namespace vireo

#endif // VIREO_NET_ENDPOINT_H
