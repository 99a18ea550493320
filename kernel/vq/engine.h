/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the parts of the virtqueue engine share, and nobody else sees.
 *
 * The inline functions here run within an access section (see vq_env.h), so
 * they call nothing that is not inlined, and copy no structures.
 */
#ifndef VQ_ENGINE_H
#define VQ_ENGINE_H

#include "vq/vq.h"

/* split.c */
int vq_split_start(struct vq *vq);
int vq_split_pop(struct vq *vq, struct vq_batch *batch);
int vq_split_publish(struct vq *vq, const struct vq_used *used, u32 n);
int vq_split_has_avail(struct vq *vq, u32 skip);
int vq_split_enable_kick(struct vq *vq, u32 skip);
int vq_split_disable_kick(struct vq *vq);

/* packed.c */
int vq_packed_start(struct vq *vq);
int vq_packed_pop(struct vq *vq, struct vq_batch *batch);
int vq_packed_publish(struct vq *vq, const struct vq_used *used, u32 n);
int vq_packed_has_avail(struct vq *vq, u32 skip);
int vq_packed_enable_kick(struct vq *vq, u32 skip);
int vq_packed_disable_kick(struct vq *vq);

static inline int vq_fail(struct vq *vq, enum vq_error error)
{
	vq->error = error;
	return error == VQ_ERR_FAULT ? -EFAULT : -EPROTO;
}

/*
 * A descriptor of either format is read in two halves: the address, and
 * everything else. One read of the second half gives flags that belong to the
 * length and to the link or id beside them, whatever the driver writes next.
 */
struct vq_desc_halves {
	__le64 addr;
	__le64 rest;
};

#define VQ_REST_LEN(rest) ((u32)(rest))
#define VQ_SPLIT_FLAGS(rest) ((u16)((rest) >> 32))
#define VQ_SPLIT_NEXT(rest) ((u16)((rest) >> 48))
#define VQ_PACKED_ID(rest) ((u16)((rest) >> 32))
#define VQ_PACKED_FLAGS(rest) ((u16)((rest) >> 48))

/* Where segments are collected: those of a chain behind those of the chains before. */
struct vq_walk {
	struct vq_seg *next;
	u32 nsegs;
	u32 max_segs;
	u32 nin; /* device-writable ones of the chain that is being walked */
};

static __always_inline enum vq_error vq_walk_add(struct vq_walk *walk, u64 addr, u32 len,
						 u16 flags)
{
	if (unlikely(!len))
		return VQ_OK;
	if (unlikely(walk->nsegs == walk->max_segs))
		return VQ_ERR_TOO_LONG;
	if (flags & VQ_DESC_F_WRITE)
		walk->nin++;
	else if (unlikely(walk->nin))
		/* virtio 1.2, 2.7.4.2: device-writable elements come last. */
		return VQ_ERR_ORDER;
	walk->next->addr = addr;
	walk->next->len = len;
	walk->next++;
	walk->nsegs++;
	return VQ_OK;
}

/* Take note of the indirect table that a descriptor of the ring refers to. */
static __always_inline enum vq_error vq_chain_indirect(const struct vq *vq, struct vq_chain *chain,
						       u64 addr, u32 len, u16 flags)
{
	if (unlikely(!vq->indirect))
		return VQ_ERR_INDIRECT_OFF;
	/* virtio 1.2, 2.7.5.3.1 and 2.8.19: a table ends its chain. */
	if (unlikely(flags & VQ_DESC_F_NEXT))
		return VQ_ERR_INDIRECT_FLAGS;
	if (unlikely(!len || len % sizeof(struct vq_desc_halves) ||
		     len / sizeof(struct vq_desc_halves) > VQ_MAX_NUM))
		return VQ_ERR_INDIRECT_LEN;
	chain->table = addr;
	chain->table_len = len;
	return VQ_OK;
}

/*
 * Is a staged entry left out in favour of the next? virtio 1.2, 2.7.9 and
 * 2.8.9: with VIRTIO_F_IN_ORDER one used entry that names the last buffer of a
 * batch does for all, where the driver needs no length of the rest.
 */
static __always_inline bool vq_used_skips(const struct vq_used *used, const struct vq_used *end)
{
	return used->skip_ok && used + 1 < end;
}

/*
 * Did the step from position @old to @new pass @event? All count modulo 2^16
 * (virtio 1.2, 2.7.7.2).
 */
static __always_inline bool vq_event_passed(u16 event, u16 new, u16 old)
{
	return (u16)(new - event - 1) < (u16)(new - old);
}

#endif /* VQ_ENGINE_H */
