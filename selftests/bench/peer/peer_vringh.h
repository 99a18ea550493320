/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kernel's vringh, built from the packaged kernel source in userspace, as
 * a peer in the benchmark. It has one chain for each call and knows split
 * rings alone. Two of its flavours:
 *   kern  reaches the ring directly; completes one chain at a time
 *   user  reaches it as user memory, asks for the memory range of each
 *         segment, and completes a batch at once
 */
#ifndef PEER_VRINGH_H
#define PEER_VRINGH_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct vringh_peer;

/* NULL if vringh refuses the ring. */
struct vringh_peer* vringh_peer_new(unsigned num, void* desc, void* avail, void* used);
void vringh_peer_free(struct vringh_peer* peer);
/* Takes and gives back @count buffers; returns what it saw in them, 0 on error. */
uint64_t vringh_peer_drain_kern(struct vringh_peer* peer, uint32_t count, uint32_t batch,
                                uint32_t written);
uint64_t vringh_peer_drain_user(struct vringh_peer* peer, uint32_t count, uint32_t batch,
                                uint32_t written);

#ifdef __cplusplus
}
#endif

#endif
