// SPDX-License-Identifier: GPL-2.0-only
#include "iotlb_msg.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

int iotlb_send(const struct iotlb_talk* talk, const struct vhost_iotlb_msg* msg) {
    struct vhost_msg_v2 v2 = {.type = VHOST_IOTLB_MSG_V2, .iotlb = *msg};
    struct vhost_msg v1;
    ssize_t done;

    memset(&v1, 0, sizeof(v1));
    v1.type = VHOST_IOTLB_MSG;
    v1.iotlb = *msg;
    done = talk->v2 ? write(talk->dev->fd, &v2, sizeof(v2)) : write(talk->dev->fd, &v1, sizeof(v1));
    return done < 0 ? -errno : 0;
}

int iotlb_update(const struct iotlb_talk* talk, u64 iova, u64 size, const void* at, u8 perm) {
    const struct vhost_iotlb_msg msg = {.iova = iova,
                                        .size = size,
                                        .uaddr = (unsigned long)at,
                                        .perm = perm,
                                        .type = VHOST_IOTLB_UPDATE};

    return iotlb_send(talk, &msg);
}

int iotlb_invalidate(const struct iotlb_talk* talk, u64 iova, u64 size) {
    const struct vhost_iotlb_msg msg = {.iova = iova, .size = size, .type = VHOST_IOTLB_INVALIDATE};

    return iotlb_send(talk, &msg);
}

int iotlb_read(const struct iotlb_talk* talk, struct vhost_iotlb_msg* msg) {
    union {
        struct vhost_msg v1;
        struct vhost_msg_v2 v2;
    } room;
    ssize_t wanted = talk->v2 ? sizeof(room.v2) : sizeof(room.v1);
    int type = talk->v2 ? VHOST_IOTLB_MSG_V2 : VHOST_IOTLB_MSG;
    ssize_t got = read(talk->dev->fd, &room, sizeof(room));

    if (got < 0)
        return -errno;
    if (got != wanted || room.v1.type != type)
        return -EPROTO;
    *msg = talk->v2 ? room.v2.iotlb : room.v1.iotlb;
    return 0;
}

int iotlb_place_rings(struct net_driver* net) {
    for (u32 i = 0; i < NET_QUEUES; i++) {
        struct net_queue* queue = &net->queue[i];
        int ret;

        queue->driver.setup.arena_device = FD_GUEST_BASE;
        ret = vhost_queue_place(&queue->vhost, &queue->driver, 0);
        if (ret)
            return ret;
    }
    return 0;
}
