/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The talk about translations, VIRTIO_F_ACCESS_PLATFORM: messages to and from
 * a vhost device in the form of struct vhost_msg_v2 (VHOST_BACKEND_F_IOTLB_MSG_V2
 * acked) or the older struct vhost_msg. Functions return 0 or -errno, and say nothing.
 */
#ifndef IOTLB_MSG_H
#define IOTLB_MSG_H

#include "net_driver.h"

#define BACKEND_F_MSG_V2 F_BIT(VHOST_BACKEND_F_IOTLB_MSG_V2)

struct iotlb_talk {
    const struct vhost_dev* dev;
    bool v2;
};

int iotlb_send(const struct iotlb_talk* talk, const struct vhost_iotlb_msg* msg);
int iotlb_update(const struct iotlb_talk* talk, u64 iova, u64 size, const void* at, u8 perm);
int iotlb_invalidate(const struct iotlb_talk* talk, u64 iova, u64 size);

/* Waits for a message unless the file is not blocking: -EAGAIN then. */
int iotlb_read(const struct iotlb_talk* talk, struct vhost_iotlb_msg* msg);

/*
 * Puts the queues' rings at guest addresses, as a driver behind an IOMMU has
 * them. To be called before there is a backend.
 */
int iotlb_place_rings(struct net_driver* net);

#endif /* IOTLB_MSG_H */
