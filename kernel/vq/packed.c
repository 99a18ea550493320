// SPDX-License-Identifier: GPL-2.0-only
/*
 * Packed virtqueues: virtio 1.2, 2.8.
 *
 * One ring of descriptors serves both ways. The driver makes descriptors
 * available in ring order; we write used descriptors over them in ring order
 * too, one for each chain, and skip the rest of its slots. A wrap counter that
 * flips with each lap tells the descriptors of this lap from older ones.
 */
#include "engine.h"

#define MARKS (VQ_DESC_F_AVAIL | VQ_DESC_F_USED)

/*
 * A place in the ring, and the wrap counter that goes with it in the form in
 * which a used descriptor shows it: both bits are as the counter (2.8.1).
 */
struct packed_pos {
	u32 slot;
	u16 marks;
};

static __always_inline struct packed_pos packed_pos(u16 slot, bool wrap)
{
	struct packed_pos pos = { .slot = slot, .marks = wrap ? MARKS : 0 };

	return pos;
}

static __always_inline void packed_advance(u32 num, struct packed_pos *pos, u32 slots)
{
	pos->slot += slots;
	if (pos->slot >= num) {
		pos->slot -= num;
		pos->marks ^= MARKS;
	}
}

static __always_inline struct packed_pos packed_avail_pos(const struct vq *vq, u32 skip)
{
	struct packed_pos pos = packed_pos(vq->avail_pos, vq->avail_wrap);

	packed_advance(vq->num, &pos, skip);
	return pos;
}

/* virtio 1.2, 2.8.1: the avail bit is the driver's counter, the used bit not. */
static __always_inline bool packed_is_avail(u16 flags, u16 marks)
{
	return ((flags ^ marks) & MARKS) == VQ_DESC_F_USED;
}

/* Two fields that the other side reads as one, written with one access. */
static __always_inline __le32 packed_event(u16 off_wrap, u16 flags)
{
	return cpu_to_le32(off_wrap | (u32)flags << 16);
}

int vq_packed_start(struct vq *vq)
{
	__le32 __vq_mem *event = vq->device;

	if (!vq_access_begin(event, sizeof(*event)))
		return vq_fail(vq, VQ_ERR_FAULT);
	VQ_PUT(packed_event(0, VQ_EVENT_F_ENABLE), event, fault);
	vq_access_end();
	vq->kick_off = false;
	return 0;
fault:
	vq_access_end();
	return vq_fail(vq, VQ_ERR_FAULT);
}

/* What a pop takes from the queue, so that writes to the batch leave it in registers. */
struct packed_source {
	const struct vq_desc_halves __vq_mem *ring;
	u32 num;
	u32 room; /* slots that are not in flight */
	struct packed_pos pos;
};

/*
 * Read the descriptors of a chain, which lie one behind the other and may pass
 * the end of the ring. The driver makes the first available last (2.8.6), so
 * the others need not be looked at for it; of the first, @rest has been read.
 */
static __always_inline enum vq_error packed_walk(const struct vq *vq, struct packed_source *source,
						 u64 rest, struct vq_chain *chain,
						 struct vq_walk *walk)
{
	u32 slot = source->pos.slot;
	u32 slots = 0;
	enum vq_error error;
	__le64 addr, half;

	for (;;) {
		/* Full with what is in flight, or with this chain alone. */
		if (unlikely(slots == source->room))
			return source->room < source->num ? VQ_ERR_OVERCOMMIT : VQ_ERR_LOOP;
		VQ_GET(addr, &source->ring[slot].addr, fault);
		if (VQ_PACKED_FLAGS(rest) & VQ_DESC_F_INDIRECT) {
			/* virtio 1.2, 2.8.7: a list is of one kind. */
			if (unlikely(slots))
				return VQ_ERR_INDIRECT_FLAGS;
			error = vq_chain_indirect(vq, chain, le64_to_cpu(addr), VQ_REST_LEN(rest),
						  VQ_PACKED_FLAGS(rest));
		} else {
			error = vq_walk_add(walk, le64_to_cpu(addr), VQ_REST_LEN(rest),
					    VQ_PACKED_FLAGS(rest));
		}
		if (unlikely(error))
			return error;
		slots++;
		if (!(VQ_PACKED_FLAGS(rest) & VQ_DESC_F_NEXT))
			break;
		if (++slot == source->num)
			slot = 0;
		VQ_GET(half, &source->ring[slot].rest, fault);
		rest = le64_to_cpu(half);
	}
	chain->id = VQ_PACKED_ID(rest);
	chain->slots = slots;
	source->room -= slots;
	packed_advance(source->num, &source->pos, slots);
	return VQ_OK;
fault:
	return VQ_ERR_FAULT;
}

int vq_packed_pop(struct vq *vq, struct vq_batch *batch)
{
	struct packed_source source = {
		.ring = vq->desc,
		.num = vq->num,
		.room = vq->num - vq->inflight,
		.pos = packed_pos(vq->avail_pos, vq->avail_wrap),
	};
	struct vq_walk walk = { .next = batch->segs, .max_segs = batch->max_segs };
	struct vq_chain *chain = batch->chains;
	enum vq_error error = VQ_OK;
	__le64 half;
	u32 n;

	batch->nchains = 0;
	batch->nsegs = 0;
	if (!vq_access_begin(source.ring, sizeof(*source.ring)))
		return vq_fail(vq, VQ_ERR_FAULT);

	for (n = 0; n < batch->max_chains; n++, chain++) {
		/*
		 * Flags, and with them, in one access, id and length: those
		 * were there before the flags were written.
		 */
		VQ_GET(half, &source.ring[source.pos.slot].rest, fault);
		if (!packed_is_avail(VQ_PACKED_FLAGS(le64_to_cpu(half)), source.pos.marks))
			break;
		/*
		 * virtio 1.2, 2.8.21.1: flags are written last. Pairs with the
		 * driver's write barrier before it writes them.
		 */
		vq_rmb();

		chain->first = batch->nsegs;
		chain->table_len = 0;
		walk.nin = 0;
		error = packed_walk(vq, &source, le64_to_cpu(half), chain, &walk);
		if (unlikely(error))
			break;
		chain->nin = walk.nin;
		chain->nout = walk.nsegs - batch->nsegs - walk.nin;
		batch->nsegs = walk.nsegs;
	}
out:
	vq_access_end();
	/* What is wrong behind good chains is found again when they are gone. */
	if (unlikely(error && !n))
		return vq_fail(vq, error);
	vq->avail_pos = source.pos.slot;
	vq->avail_wrap = source.pos.marks;
	vq->inflight = source.num - source.room;
	batch->nchains = n;
	return n;
fault:
	error = VQ_ERR_FAULT;
	goto out;
}

/*
 * Called in an access section, @slots behind the used position. If the
 * driver's wish cannot be read, a call too many is the lesser evil.
 */
static __always_inline bool packed_wants_call(struct vq *vq, u32 slots)
{
	const __le32 __vq_mem *event = vq->driver;
	bool first = vq->call_first;
	u16 off_wrap, flags, off;
	__le32 raw;

	/*
	 * virtio 1.2, 2.8.22: used descriptors are written before the driver's
	 * wish is read. Pairs with the driver's full barrier between writing
	 * its wish and looking for used descriptors again.
	 */
	vq_mb();
	vq->call_first = false;
	VQ_GET(raw, event, fault);
	off_wrap = le32_to_cpu(raw);
	flags = le32_to_cpu(raw) >> 16;
	if (!vq->event_idx || flags != VQ_EVENT_F_DESC)
		return flags != VQ_EVENT_F_DISABLE;

	if (unlikely(first))
		return true;
	/* An event of the lap before lies num positions back. */
	off = off_wrap & ~VQ_EVENT_WRAP;
	if (!!(off_wrap & VQ_EVENT_WRAP) != vq->used_wrap)
		off -= vq->num;
	return vq_event_passed(off, vq->used_pos, vq->used_pos - slots);
fault:
	return true;
}

/*
 * The used descriptor, but for its address, which the driver does not read, for
 * the next staged entry; or for several, after which @used is at the last. They
 * take @slots.
 */
static __always_inline __le64 packed_used(const struct vq_used **used, const struct vq_used *end,
					  bool in_order, u16 flags, u32 *slots)
{
	const struct vq_used *last = *used;

	*slots = last->slots;
	while (in_order && vq_used_skips(last, end))
		*slots += (++last)->slots;
	*used = last;
	/* virtio 1.2, 2.8.4: the length counts only with the write flag. */
	if (last->len)
		flags |= VQ_DESC_F_WRITE;
	return cpu_to_le64(last->len | (u64)last->id << 32 | (u64)flags << 48);
}

int vq_packed_publish(struct vq *vq, const struct vq_used *used, u32 n)
{
	struct vq_desc_halves __vq_mem *ring = vq->desc;
	struct packed_pos pos = packed_pos(vq->used_pos, vq->used_wrap);
	const struct vq_used *end = used + n;
	const bool in_order = vq->in_order;
	const u32 num = vq->num;
	__le64 first, desc;
	u32 slots, total;
	bool call;

	if (!vq_access_begin(ring, sizeof(*ring)))
		return vq_fail(vq, VQ_ERR_FAULT);
	/*
	 * virtio 1.2, 2.8.10: the driver looks at the first of several used
	 * descriptors first, so that is written last.
	 */
	first = packed_used(&used, end, in_order, pos.marks, &total);
	packed_advance(num, &pos, total);
	while (++used < end) {
		desc = packed_used(&used, end, in_order, pos.marks, &slots);
		VQ_PUT(desc, &ring[pos.slot].rest, fault);
		packed_advance(num, &pos, slots);
		total += slots;
	}
	/* Pairs with the driver's read barrier behind its read of the flags. */
	vq_wmb();
	VQ_PUT(first, &ring[vq->used_pos].rest, fault);
	vq->used_pos = pos.slot;
	vq->used_wrap = pos.marks;
	vq->inflight -= total;
	call = packed_wants_call(vq, total);
	vq_access_end();
	return call;
fault:
	vq_access_end();
	return vq_fail(vq, VQ_ERR_FAULT);
}

int vq_packed_has_avail(struct vq *vq, u32 skip)
{
	const struct vq_packed_desc __vq_mem *ring = vq->desc;
	struct packed_pos pos = packed_avail_pos(vq, skip);
	__le16 flags;

	if (!vq_access_begin(ring, sizeof(*ring)))
		return vq_fail(vq, VQ_ERR_FAULT);
	VQ_GET(flags, &ring[pos.slot].flags, fault);
	vq_access_end();
	return packed_is_avail(le16_to_cpu(flags), pos.marks);
fault:
	vq_access_end();
	return vq_fail(vq, VQ_ERR_FAULT);
}

int vq_packed_enable_kick(struct vq *vq, u32 skip)
{
	const struct vq_packed_desc __vq_mem *ring = vq->desc;
	struct packed_pos pos = packed_avail_pos(vq, skip);
	__le32 __vq_mem *event = vq->device;
	__le16 flags;
	__le32 wish;

	if (vq->event_idx)
		wish = packed_event(pos.slot | (pos.marks ? VQ_EVENT_WRAP : 0), VQ_EVENT_F_DESC);
	else
		wish = packed_event(0, VQ_EVENT_F_ENABLE);

	if (!vq_access_begin(event, sizeof(*event)))
		return vq_fail(vq, VQ_ERR_FAULT);
	VQ_PUT(wish, event, fault);
	vq->kick_off = false;
	/*
	 * virtio 1.2, 2.8.21.3: our wish is written before the ring is read.
	 * Pairs with the driver's full barrier between making descriptors
	 * available and reading our wish.
	 */
	vq_mb();
	VQ_GET(flags, &ring[pos.slot].flags, fault);
	vq_access_end();
	return packed_is_avail(le16_to_cpu(flags), pos.marks);
fault:
	vq_access_end();
	return vq_fail(vq, VQ_ERR_FAULT);
}

int vq_packed_disable_kick(struct vq *vq)
{
	__le32 __vq_mem *event = vq->device;

	if (vq->kick_off)
		return 0;
	if (!vq_access_begin(event, sizeof(*event)))
		return vq_fail(vq, VQ_ERR_FAULT);
	VQ_PUT(packed_event(0, VQ_EVENT_F_DISABLE), event, fault);
	vq_access_end();
	vq->kick_off = true;
	return 0;
fault:
	vq_access_end();
	return vq_fail(vq, VQ_ERR_FAULT);
}
