// SPDX-License-Identifier: GPL-2.0-only
#include "peer_vringh.h"

#include <linux/virtio_config.h>
#include <linux/vringh.h>

enum { MOST_BATCH = 64, MOST_SEGMENTS = 16 };

struct vringh_peer {
    struct vringh vringh;
    struct iovec out_iov[MOST_SEGMENTS], in_iov[MOST_SEGMENTS];
    struct kvec out_kvec[MOST_SEGMENTS], in_kvec[MOST_SEGMENTS];
};

/* What the kernel's userspace headers want of a program. */
void *__kmalloc_fake, *__kfree_ignore_start, *__kfree_ignore_end;

struct vringh_peer* vringh_peer_new(unsigned num, void* desc, void* avail, void* used) {
    const uint64_t features = 1ULL << VIRTIO_F_VERSION_1 | 1ULL << VIRTIO_RING_F_EVENT_IDX |
                              1ULL << VIRTIO_RING_F_INDIRECT_DESC;
    struct vringh_peer* peer = calloc(1, sizeof(*peer));

    if (!peer)
        return NULL;
    if (vringh_init_kern(&peer->vringh, features, num, true, desc, avail, used)) {
        free(peer);
        return NULL;
    }
    return peer;
}

void vringh_peer_free(struct vringh_peer* peer) {
    free(peer);
}

uint64_t vringh_peer_drain_kern(struct vringh_peer* peer, uint32_t count, uint32_t batch,
                                uint32_t written) {
    struct vringh_kiov out, in;
    uint64_t sum = 0;
    uint32_t done = 0, i;
    u16 head, heads[MOST_BATCH];

    vringh_kiov_init(&out, peer->out_kvec, MOST_SEGMENTS);
    vringh_kiov_init(&in, peer->in_kvec, MOST_SEGMENTS);
    while (done < count) {
        for (i = 0; i < batch && done + i < count; i++) {
            unsigned int s;

            if (vringh_getdesc_kern(&peer->vringh, &out, &in, &head, 0) != 1)
                return 0;
            for (s = 0; s < out.used; s++)
                sum += (uint64_t)out.iov[s].iov_base + out.iov[s].iov_len;
            for (s = 0; s < in.used; s++)
                sum += (uint64_t)in.iov[s].iov_base + in.iov[s].iov_len;
            heads[i] = head;
        }
        done += i;
        /* No way to complete several at once in this flavour. */
        for (uint32_t j = 0; j < i; j++)
            if (vringh_complete_kern(&peer->vringh, heads[j], written))
                return 0;
        sum += vringh_need_notify_kern(&peer->vringh) != 0;
    }
    return sum;
}

/* All memory is one range, at its own address. */
static bool whole_range(struct vringh* vringh, u64 addr, struct vringh_range* range) {
    (void)vringh;
    (void)addr;
    range->start = 0;
    range->end_incl = ~0ULL;
    range->offset = 0;
    return true;
}

uint64_t vringh_peer_drain_user(struct vringh_peer* peer, uint32_t count, uint32_t batch,
                                uint32_t written) {
    struct vring_used_elem used[MOST_BATCH];
    struct vringh_iov out, in;
    uint64_t sum = 0;
    uint32_t done = 0, i;
    u16 head;

    vringh_iov_init(&out, peer->out_iov, MOST_SEGMENTS);
    vringh_iov_init(&in, peer->in_iov, MOST_SEGMENTS);
    while (done < count) {
        for (i = 0; i < batch && done + i < count; i++) {
            unsigned int s;

            if (vringh_getdesc_user(&peer->vringh, &out, &in, whole_range, &head) != 1)
                return 0;
            for (s = 0; s < out.used; s++)
                sum += (uint64_t)out.iov[s].iov_base + out.iov[s].iov_len;
            for (s = 0; s < in.used; s++)
                sum += (uint64_t)in.iov[s].iov_base + in.iov[s].iov_len;
            used[i].id = head;
            used[i].len = written;
        }
        done += i;
        if (vringh_complete_multi_user(&peer->vringh, used, i))
            return 0;
        sum += vringh_need_notify_user(&peer->vringh) != 0;
    }
    return sum;
}
