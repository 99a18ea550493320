// SPDX-License-Identifier: GPL-2.0-only
/*
 * Split virtqueues: virtio 1.2, 2.7.
 *
 * The driver fills the avail ring and moves its index; we fill the used ring
 * and move ours. Both indices count modulo 2^16 and are masked where they
 * become a place in the ring, so the size is a power of two.
 */
#include "engine.h"

/* With VIRTIO_F_EVENT_IDX each ring ends in a field that the other side reads. */
static __always_inline const __le16 __vq_mem *split_used_event(const struct vq *vq)
{
	const struct vq_split_avail __vq_mem *avail = vq->driver;

	return &avail->ring[vq->num];
}

static __always_inline __le16 __vq_mem *split_avail_event(const struct vq *vq)
{
	struct vq_split_used __vq_mem *used = vq->device;

	return (__le16 __vq_mem *)&used->ring[vq->num];
}

int vq_split_start(struct vq *vq)
{
	struct vq_split_used __vq_mem *used = vq->device;
	__le16 idx;

	if (!vq_access_begin(used, sizeof(*used)))
		return vq_fail(vq, VQ_ERR_FAULT);
	VQ_GET(idx, &used->idx, fault);
	VQ_PUT(cpu_to_le16(0), &used->flags, fault);
	vq_access_end();

	vq->used_pos = le16_to_cpu(idx);
	vq->kick_off = false;
	return 0;
fault:
	vq_access_end();
	return vq_fail(vq, VQ_ERR_FAULT);
}

/* What a pop takes from the queue, so that writes to the batch leave it in registers. */
struct split_source {
	const struct vq_desc_halves __vq_mem *table;
	u32 num;
	u32 links; /* to be followed yet, in all chains together */
};

/*
 * Follow the links of a chain through the descriptor table. All chains of a
 * pop are in the table at once, so together they have fewer links than it has
 * descriptors, or one of them goes in circles.
 */
static __always_inline enum vq_error split_walk(const struct vq *vq, struct split_source *source,
						struct vq_chain *chain, u32 i, struct vq_walk *walk)
{
	enum vq_error error;
	__le64 addr, half;
	u64 rest;

	if (unlikely(i >= source->num))
		return VQ_ERR_HEAD;
	for (;;) {
		/* Under speculation too: the size is a power of two. */
		i &= source->num - 1;
		VQ_GET(addr, &source->table[i].addr, fault);
		VQ_GET(half, &source->table[i].rest, fault);
		rest = le64_to_cpu(half);

		if (VQ_SPLIT_FLAGS(rest) & VQ_DESC_F_INDIRECT)
			return vq_chain_indirect(vq, chain, le64_to_cpu(addr), VQ_REST_LEN(rest),
						 VQ_SPLIT_FLAGS(rest));
		error = vq_walk_add(walk, le64_to_cpu(addr), VQ_REST_LEN(rest),
				    VQ_SPLIT_FLAGS(rest));
		if (unlikely(error))
			return error;
		if (!(VQ_SPLIT_FLAGS(rest) & VQ_DESC_F_NEXT))
			return VQ_OK;

		i = VQ_SPLIT_NEXT(rest);
		if (unlikely(i >= source->num))
			return VQ_ERR_NEXT;
		if (unlikely(!--source->links))
			return VQ_ERR_LOOP;
	}
fault:
	return VQ_ERR_FAULT;
}

int vq_split_pop(struct vq *vq, struct vq_batch *batch)
{
	const struct vq_split_avail __vq_mem *avail = vq->driver;
	const __le16 __vq_mem *heads = avail->ring;
	struct split_source source = { .table = vq->desc, .num = vq->num, .links = vq->num };
	struct vq_walk walk = { .next = batch->segs, .max_segs = batch->max_segs };
	struct vq_chain *chain = batch->chains;
	u32 pos = vq->avail_pos;
	enum vq_error error = VQ_OK;
	u32 ready, n = 0;
	__le16 idx, head;

	batch->nchains = 0;
	batch->nsegs = 0;
	if (!vq_access_begin(vq->desc, sizeof(struct vq_split_desc)))
		return vq_fail(vq, VQ_ERR_FAULT);

	VQ_GET(idx, &avail->idx, fault);
	ready = (u16)(le16_to_cpu(idx) - pos);
	if (unlikely(ready > source.num)) {
		error = VQ_ERR_AVAIL_IDX;
		goto out;
	}
	/* An entry of the avail ring stands for a descriptor at the least. */
	if (unlikely(ready > source.num - vq->inflight)) {
		ready = source.num - vq->inflight;
		error = VQ_ERR_OVERCOMMIT;
	}
	if (ready > batch->max_chains)
		ready = batch->max_chains;
	/*
	 * virtio 1.2, 2.7.13.3: the driver writes ring entries and descriptors
	 * before the index. Pairs with its write barrier in between.
	 */
	vq_rmb();

	for (; n < ready; n++, chain++, pos++) {
		VQ_GET(head, &heads[pos & (source.num - 1)], fault);
		chain->id = le16_to_cpu(head);
		chain->slots = 1;
		chain->first = batch->nsegs;
		chain->table_len = 0;
		walk.nin = 0;
		error = split_walk(vq, &source, chain, le16_to_cpu(head), &walk);
		if (unlikely(error))
			goto out;
		chain->nin = walk.nin;
		chain->nout = walk.nsegs - batch->nsegs - walk.nin;
		batch->nsegs = walk.nsegs;
	}
out:
	vq_access_end();
	/* What is wrong behind good chains is found again when they are gone. */
	if (unlikely(error && !n))
		return vq_fail(vq, error);
	vq->avail_pos = pos;
	vq->inflight += n;
	batch->nchains = n;
	return n;
fault:
	error = VQ_ERR_FAULT;
	goto out;
}

/*
 * Called in an access section, after the used index was moved from @old. If
 * the driver's wish cannot be read, a call too many is the lesser evil.
 */
static __always_inline bool split_wants_call(struct vq *vq, u16 old)
{
	const struct vq_split_avail __vq_mem *avail = vq->driver;
	bool first = vq->call_first;
	__le16 v;

	/*
	 * virtio 1.2, 2.7.13.4.1 and 2.7.14: the used index is written before
	 * the driver's wish is read. Pairs with the driver's full barrier
	 * between writing its wish and looking at the used index again.
	 */
	vq_mb();
	vq->call_first = false;
	if (vq->notify_on_empty) {
		VQ_GET(v, &avail->idx, fault);
		if (le16_to_cpu(v) == vq->avail_pos)
			return true;
	}
	if (!vq->event_idx) {
		VQ_GET(v, &avail->flags, fault);
		return !(le16_to_cpu(v) & VQ_AVAIL_F_NO_INTERRUPT);
	}
	if (unlikely(first))
		return true;
	VQ_GET(v, split_used_event(vq), fault);
	return vq_event_passed(le16_to_cpu(v), vq->used_pos, old);
fault:
	return true;
}

int vq_split_publish(struct vq *vq, const struct vq_used *used, u32 n)
{
	struct vq_split_used __vq_mem *ring = vq->device;
	struct vq_split_used_elem __vq_mem *elem;
	const struct vq_used *end = used + n;
	const u32 mask = vq->num - 1;
	const bool in_order = vq->in_order;
	u32 pos = vq->used_pos;
	bool call;

	if (!vq_access_begin(ring, sizeof(*ring)))
		return vq_fail(vq, VQ_ERR_FAULT);
	for (; used < end; used++, pos++) {
		elem = &ring->ring[pos & mask];
		for (; in_order && vq_used_skips(used, end); used++)
			pos++;
		VQ_PUT(cpu_to_le32(used->id), &elem->id, fault);
		VQ_PUT(cpu_to_le32(used->len), &elem->len, fault);
	}
	/*
	 * virtio 1.2, 2.7.8.2: entries and payload come before the index.
	 * Pairs with the driver's read barrier behind its read of the index.
	 */
	vq_wmb();
	VQ_PUT(cpu_to_le16(pos), &ring->idx, fault);
	vq->used_pos = pos;
	vq->inflight -= n;
	call = split_wants_call(vq, pos - n);
	vq_access_end();
	return call;
fault:
	vq_access_end();
	return vq_fail(vq, VQ_ERR_FAULT);
}

int vq_split_has_avail(struct vq *vq, u32 skip)
{
	const struct vq_split_avail __vq_mem *avail = vq->driver;
	__le16 idx;

	if (!vq_access_begin(avail, sizeof(*avail)))
		return vq_fail(vq, VQ_ERR_FAULT);
	VQ_GET(idx, &avail->idx, fault);
	vq_access_end();
	return le16_to_cpu(idx) != (u16)(vq->avail_pos + skip);
fault:
	vq_access_end();
	return vq_fail(vq, VQ_ERR_FAULT);
}

int vq_split_enable_kick(struct vq *vq, u32 skip)
{
	const struct vq_split_avail __vq_mem *avail = vq->driver;
	struct vq_split_used __vq_mem *used = vq->device;
	u16 next = vq->avail_pos + skip;
	__le16 idx;

	if (!vq_access_begin(used, sizeof(*used)))
		return vq_fail(vq, VQ_ERR_FAULT);
	if (vq->event_idx)
		VQ_PUT(cpu_to_le16(next), split_avail_event(vq), fault);
	else
		VQ_PUT(cpu_to_le16(0), &used->flags, fault);
	vq->kick_off = false;
	/*
	 * virtio 1.2, 2.7.10 and 2.7.13.4: our wish is written before the avail
	 * index is read. Pairs with the driver's full barrier between moving
	 * that index and reading our wish.
	 */
	vq_mb();
	VQ_GET(idx, &avail->idx, fault);
	vq_access_end();
	return le16_to_cpu(idx) != next;
fault:
	vq_access_end();
	return vq_fail(vq, VQ_ERR_FAULT);
}

/*
 * With VIRTIO_F_EVENT_IDX there is nothing to write: the driver kicks when it
 * passes avail_event, and it has.
 */
int vq_split_disable_kick(struct vq *vq)
{
	struct vq_split_used __vq_mem *used = vq->device;

	if (vq->event_idx || vq->kick_off)
		return 0;
	if (!vq_access_begin(used, sizeof(*used)))
		return vq_fail(vq, VQ_ERR_FAULT);
	VQ_PUT(cpu_to_le16(VQ_USED_F_NO_NOTIFY), &used->flags, fault);
	vq_access_end();
	vq->kick_off = true;
	return 0;
fault:
	vq_access_end();
	return vq_fail(vq, VQ_ERR_FAULT);
}
