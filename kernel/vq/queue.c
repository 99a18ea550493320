// SPDX-License-Identifier: GPL-2.0-only
/*
 * A virtqueue of either format: set-up, state, and the way to split.c or
 * packed.c.
 */
#include "engine.h"

static bool has(u64 features, unsigned int bit)
{
	return features & (1ULL << bit);
}

size_t vq_area_bytes(u64 features, u32 num, enum vq_area area)
{
	size_t event = has(features, VQ_F_EVENT_IDX) ? sizeof(__le16) : 0;

	if (area == VQ_AREA_DESC)
		return num * sizeof(struct vq_desc_halves);
	if (has(features, VQ_F_RING_PACKED))
		return sizeof(struct vq_packed_event);
	if (area == VQ_AREA_DRIVER)
		return sizeof(struct vq_split_avail) + num * sizeof(__le16) + event;
	return sizeof(struct vq_split_used) + num * sizeof(struct vq_split_used_elem) + event;
}
VQ_EXPORT(vq_area_bytes);

static bool aligned(const void __vq_mem *p, unsigned long to)
{
	return !((unsigned long)p & (to - 1));
}

int vq_init(struct vq *vq, const struct vq_setup *setup)
{
	bool packed = has(setup->features, VQ_F_RING_PACKED);

	if (!setup->num || setup->num > VQ_MAX_NUM)
		return -EINVAL;
	if (!packed && (setup->num & (setup->num - 1)))
		return -EINVAL;
	if (!aligned(setup->desc, 16) || !aligned(setup->driver, packed ? 4 : 2) ||
	    !aligned(setup->device, 4))
		return -EINVAL;

	*vq = (struct vq){
		.desc = setup->desc,
		.driver = setup->driver,
		.device = setup->device,
		.num = setup->num,
		.packed = packed,
		.event_idx = has(setup->features, VQ_F_EVENT_IDX),
		.in_order = has(setup->features, VQ_F_IN_ORDER),
		.indirect = has(setup->features, VQ_F_INDIRECT_DESC),
		.notify_on_empty = has(setup->features, VQ_F_NOTIFY_ON_EMPTY),
	};
	vq_reset(vq);
	return 0;
}
VQ_EXPORT(vq_init);

void vq_reset(struct vq *vq)
{
	vq->avail_pos = 0;
	vq->used_pos = 0;
	vq->inflight = 0;
	/* virtio 1.2, 2.8.1: both wrap counters begin with 1. */
	vq->avail_wrap = true;
	vq->used_wrap = true;
	vq->call_first = true;
	vq->kick_off = false;
	vq->error = VQ_OK;
}
VQ_EXPORT(vq_reset);

u32 vq_get_base(const struct vq *vq)
{
	if (!vq->packed)
		return vq->avail_pos;
	return vq->avail_pos | (u32)vq->avail_wrap << 15 | (u32)vq->used_pos << 16 |
	       (u32)vq->used_wrap << 31;
}
VQ_EXPORT(vq_get_base);

int vq_set_base(struct vq *vq, u32 base)
{
	u32 avail = base & 0x7fff;
	u32 used = base >> 16 & 0x7fff;

	if (!vq->packed) {
		if (base > 0xffff)
			return -EINVAL;
		vq_reset(vq);
		vq->avail_pos = base;
		return 0;
	}
	if (avail >= vq->num || used >= vq->num)
		return -EINVAL;
	vq_reset(vq);
	vq->avail_pos = avail;
	vq->avail_wrap = base >> 15 & 1;
	vq->used_pos = used;
	vq->used_wrap = base >> 31;
	return 0;
}
VQ_EXPORT(vq_set_base);

int vq_start(struct vq *vq)
{
	return vq->packed ? vq_packed_start(vq) : vq_split_start(vq);
}
VQ_EXPORT(vq_start);

int vq_pop(struct vq *vq, struct vq_batch *batch)
{
	return vq->packed ? vq_packed_pop(vq, batch) : vq_split_pop(vq, batch);
}
VQ_EXPORT(vq_pop);

void vq_unpop(struct vq *vq, const struct vq_chain *chains, u32 n)
{
	u32 slots = 0;

	while (n--)
		slots += chains[n].slots;
	vq->inflight -= slots;
	if (vq->packed && slots > vq->avail_pos) {
		vq->avail_pos += vq->num;
		vq->avail_wrap = !vq->avail_wrap;
	}
	vq->avail_pos -= slots;
}
VQ_EXPORT(vq_unpop);

int vq_publish(struct vq *vq, const struct vq_used *used, u32 n)
{
	if (unlikely(!n))
		return 0;
	return vq->packed ? vq_packed_publish(vq, used, n) : vq_split_publish(vq, used, n);
}
VQ_EXPORT(vq_publish);

int vq_has_avail(struct vq *vq, u32 skip)
{
	return vq->packed ? vq_packed_has_avail(vq, skip) : vq_split_has_avail(vq, skip);
}
VQ_EXPORT(vq_has_avail);

int vq_enable_kick(struct vq *vq, u32 skip)
{
	return vq->packed ? vq_packed_enable_kick(vq, skip) : vq_split_enable_kick(vq, skip);
}
VQ_EXPORT(vq_enable_kick);

int vq_disable_kick(struct vq *vq)
{
	return vq->packed ? vq_packed_disable_kick(vq) : vq_split_disable_kick(vq);
}
VQ_EXPORT(vq_disable_kick);

const char *vq_strerror(enum vq_error error)
{
	static const char *const phrases[VQ_ERR_MAX] = {
		[VQ_OK] = "no error",
		[VQ_ERR_FAULT] = "ring memory cannot be reached",
		[VQ_ERR_AVAIL_IDX] = "avail index ahead by more than the queue size",
		[VQ_ERR_HEAD] = "avail ring entry past the descriptor table",
		[VQ_ERR_NEXT] = "next field past its table",
		[VQ_ERR_LOOP] = "chain longer than its table",
		[VQ_ERR_TOO_LONG] = "chain with more segments than the device accepts",
		[VQ_ERR_ORDER] = "readable segment behind a writable one",
		[VQ_ERR_INDIRECT_OFF] = "indirect table without the feature",
		[VQ_ERR_INDIRECT_LEN] = "indirect table of an impossible length",
		[VQ_ERR_INDIRECT_FLAGS] = "indirect descriptor where none may be",
		[VQ_ERR_OVERCOMMIT] = "more available than the ring can hold",
	};

	return (unsigned int)error < VQ_ERR_MAX ? phrases[error] : "unknown error";
}
VQ_EXPORT(vq_strerror);
