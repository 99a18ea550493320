// SPDX-License-Identifier: GPL-2.0-only
#ifndef VIREO_NET_CONTROL_QUEUE_H
#define VIREO_NET_CONTROL_QUEUE_H

#include <sys/uio.h>

#include <cstdint>
#include <span>

#include "net/endpoint.h"
#include "net/receive_filter.h"

namespace vireo {

// What the control queue's commands do to the device. Each says whether it could.
class NetControls {
public:
    virtual ~NetControls() = default;

    virtual uint64_t negotiated() const = 0; // features
    virtual unsigned max_pairs() const = 0;

    virtual ReceiveFilter filter() const = 0;
    virtual bool set_filter(const ReceiveFilter& filter) = 0;
    virtual bool set_pairs(unsigned pairs) = 0;          // 1 to max_pairs()
    virtual bool set_guest_offloads(uint64_t guest) = 0; // of those negotiated
};

// Does one command of the control queue (virtio 1.2, 5.1.6.5): `out` is class, command and its
// data, in pieces of guest memory. Returns VIRTIO_NET_OK or VIRTIO_NET_ERR, the answer; with an
// error nothing has been changed.
uint8_t net_control(NetControls& device, std::span<const iovec> out);

} // namespace vireo

#endif // VIREO_NET_CONTROL_QUEUE_H
