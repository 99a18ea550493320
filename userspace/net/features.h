// SPDX-License-Identifier: GPL-2.0-only
// Feature bits of virtio-net (virtio 1.2, 5.1.3) and of the ring (6), as masks; the headers of
// older kernels lack some.
#ifndef VIREO_NET_FEATURES_H
#define VIREO_NET_FEATURES_H

#include <linux/virtio_config.h>
// It calls a field "class", which is a C++ keyword.
#define class class_
#include <linux/virtio_net.h>
#undef class

#include <cstdint>

#include "vq/ring.h"

namespace vireo::net {

constexpr uint64_t bit(unsigned number) {
    return uint64_t{1} << number;
}

constexpr uint64_t kCsum = bit(VIRTIO_NET_F_CSUM);
constexpr uint64_t kGuestCsum = bit(VIRTIO_NET_F_GUEST_CSUM);
constexpr uint64_t kCtrlGuestOffloads = bit(VIRTIO_NET_F_CTRL_GUEST_OFFLOADS);
constexpr uint64_t kMtu = bit(VIRTIO_NET_F_MTU);
constexpr uint64_t kMac = bit(VIRTIO_NET_F_MAC);
constexpr uint64_t kGuestTso4 = bit(VIRTIO_NET_F_GUEST_TSO4);
constexpr uint64_t kGuestTso6 = bit(VIRTIO_NET_F_GUEST_TSO6);
constexpr uint64_t kGuestEcn = bit(VIRTIO_NET_F_GUEST_ECN);
constexpr uint64_t kGuestUfo = bit(VIRTIO_NET_F_GUEST_UFO);
constexpr uint64_t kHostTso4 = bit(VIRTIO_NET_F_HOST_TSO4);
constexpr uint64_t kHostTso6 = bit(VIRTIO_NET_F_HOST_TSO6);
constexpr uint64_t kHostEcn = bit(VIRTIO_NET_F_HOST_ECN);
constexpr uint64_t kHostUfo = bit(VIRTIO_NET_F_HOST_UFO);
constexpr uint64_t kMrgRxbuf = bit(VIRTIO_NET_F_MRG_RXBUF);
constexpr uint64_t kStatus = bit(VIRTIO_NET_F_STATUS);
constexpr uint64_t kCtrlVq = bit(VIRTIO_NET_F_CTRL_VQ);
constexpr uint64_t kCtrlRx = bit(VIRTIO_NET_F_CTRL_RX);
constexpr uint64_t kCtrlVlan = bit(VIRTIO_NET_F_CTRL_VLAN);
constexpr uint64_t kCtrlRxExtra = bit(VIRTIO_NET_F_CTRL_RX_EXTRA);
constexpr uint64_t kMq = bit(VIRTIO_NET_F_MQ);
constexpr uint64_t kCtrlMacAddr = bit(VIRTIO_NET_F_CTRL_MAC_ADDR);
constexpr uint64_t kGuestUso4 = bit(54);
constexpr uint64_t kGuestUso6 = bit(55);
constexpr uint64_t kHostUso = bit(56);

constexpr uint64_t kNotifyOnEmpty = bit(VIRTIO_F_NOTIFY_ON_EMPTY);
constexpr uint64_t kAnyLayout = bit(VIRTIO_F_ANY_LAYOUT);
constexpr uint64_t kIndirectDesc = bit(VQ_F_INDIRECT_DESC);
constexpr uint64_t kEventIdx = bit(VQ_F_EVENT_IDX);
constexpr uint64_t kVersion1 = bit(VIRTIO_F_VERSION_1);
constexpr uint64_t kAccessPlatform = bit(VIRTIO_F_ACCESS_PLATFORM);
constexpr uint64_t kRingPacked = bit(VIRTIO_F_RING_PACKED);
constexpr uint64_t kInOrder = bit(VIRTIO_F_IN_ORDER);
constexpr uint64_t kRingReset = bit(40);

// Offloads of the guest's transmit side: what it may leave to the host.
constexpr uint64_t kHostSegmentation = kHostTso4 | kHostTso6 | kHostEcn | kHostUfo | kHostUso;
// And of its receive side: what the host may leave to it. These are the bits of
// CTRL_GUEST_OFFLOADS_SET too (5.1.6.5.6.1).
constexpr uint64_t kGuestSegmentation =
    kGuestTso4 | kGuestTso6 | kGuestEcn | kGuestUfo | kGuestUso4 | kGuestUso6;
constexpr uint64_t kGuestOffloads = kGuestCsum | kGuestSegmentation;

// Bytes of the header before each packet: num_buffers is there with VERSION_1, and when buffers are
// merged (5.1.6.1).
constexpr unsigned header_length(uint64_t features) {
    return features & (kVersion1 | kMrgRxbuf) ? sizeof(virtio_net_hdr_mrg_rxbuf)
                                              : sizeof(virtio_net_hdr);
}
static_assert(header_length(kVersion1) == 12 && header_length(0) == 10);

} // namespace vireo::net

#endif // VIREO_NET_FEATURES_H
