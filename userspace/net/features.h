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

#include "virtio/features.h"
#include "vq/ring.h"

namespace vireo::net {

constexpr uint64_t kCsum = feature_bit(VIRTIO_NET_F_CSUM);
constexpr uint64_t kGuestCsum = feature_bit(VIRTIO_NET_F_GUEST_CSUM);
constexpr uint64_t kCtrlGuestOffloads = feature_bit(VIRTIO_NET_F_CTRL_GUEST_OFFLOADS);
constexpr uint64_t kMtu = feature_bit(VIRTIO_NET_F_MTU);
constexpr uint64_t kMac = feature_bit(VIRTIO_NET_F_MAC);
constexpr uint64_t kGuestTso4 = feature_bit(VIRTIO_NET_F_GUEST_TSO4);
constexpr uint64_t kGuestTso6 = feature_bit(VIRTIO_NET_F_GUEST_TSO6);
constexpr uint64_t kGuestEcn = feature_bit(VIRTIO_NET_F_GUEST_ECN);
constexpr uint64_t kGuestUfo = feature_bit(VIRTIO_NET_F_GUEST_UFO);
constexpr uint64_t kHostTso4 = feature_bit(VIRTIO_NET_F_HOST_TSO4);
constexpr uint64_t kHostTso6 = feature_bit(VIRTIO_NET_F_HOST_TSO6);
constexpr uint64_t kHostEcn = feature_bit(VIRTIO_NET_F_HOST_ECN);
constexpr uint64_t kHostUfo = feature_bit(VIRTIO_NET_F_HOST_UFO);
constexpr uint64_t kMrgRxbuf = feature_bit(VIRTIO_NET_F_MRG_RXBUF);
constexpr uint64_t kStatus = feature_bit(VIRTIO_NET_F_STATUS);
constexpr uint64_t kCtrlVq = feature_bit(VIRTIO_NET_F_CTRL_VQ);
constexpr uint64_t kCtrlRx = feature_bit(VIRTIO_NET_F_CTRL_RX);
constexpr uint64_t kCtrlVlan = feature_bit(VIRTIO_NET_F_CTRL_VLAN);
constexpr uint64_t kCtrlRxExtra = feature_bit(VIRTIO_NET_F_CTRL_RX_EXTRA);
constexpr uint64_t kMq = feature_bit(VIRTIO_NET_F_MQ);
constexpr uint64_t kCtrlMacAddr = feature_bit(VIRTIO_NET_F_CTRL_MAC_ADDR);
constexpr uint64_t kGuestUso4 = feature_bit(54);
constexpr uint64_t kGuestUso6 = feature_bit(55);
constexpr uint64_t kHostUso = feature_bit(56);

constexpr uint64_t kNotifyOnEmpty = feature_bit(VIRTIO_F_NOTIFY_ON_EMPTY);
constexpr uint64_t kAnyLayout = feature_bit(VIRTIO_F_ANY_LAYOUT);
constexpr uint64_t kIndirectDesc = feature_bit(VQ_F_INDIRECT_DESC);
constexpr uint64_t kEventIdx = feature_bit(VQ_F_EVENT_IDX);
constexpr uint64_t kVersion1 = feature_bit(VIRTIO_F_VERSION_1);
constexpr uint64_t kAccessPlatform = feature_bit(VIRTIO_F_ACCESS_PLATFORM);
constexpr uint64_t kRingPacked = feature_bit(VIRTIO_F_RING_PACKED);
constexpr uint64_t kInOrder = feature_bit(VIRTIO_F_IN_ORDER);
constexpr uint64_t kRingReset = feature_bit(40);

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
