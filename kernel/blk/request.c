// SPDX-License-Identifier: GPL-2.0-only
/*
 * A request from its chain to its answer (virtio 1.2, 5.2.6).
 *
 * virtio 1.2, 2.7.4.2: nothing may be supposed of how a request is split into
 * descriptors. The header is the first 16 bytes that we may read, and the
 * status the last byte that we may write, wherever they are.
 *
 * A request that makes no sense is answered so, and the queue goes on. Only
 * where the answer itself has no place does the queue stop.
 */
#include "access.h"
#include "blk.h"

static u64 bytes_of(const struct vq_seg *segs, u32 n)
{
	u64 bytes = 0;

	while (n--)
		bytes += (segs++)->len;
	return bytes;
}

/* The answer is known, and the disk is not asked. False: it is to be answered. */
static bool blk_refuse(struct vireo_blk_request *r, u8 status)
{
	r->status = status;
	r->queue->q.stats.drops++;
	return false;
}

/* The disk failed, or memory did. */
static bool blk_fail(struct vireo_blk_request *r)
{
	r->status = VIRTIO_BLK_S_IOERR;
	r->queue->q.stats.backend_errors++;
	return false;
}

static bool in_disk(const struct vireo_blk_config *rules, u64 sector, u64 sectors)
{
	return sector <= rules->capacity && sectors <= rules->capacity - sector;
}

static bool whole_blocks(const struct vireo_blk_config *rules, u64 sectors)
{
	return !(sectors & ((rules->logical_block_size >> SECTOR_SHIFT) - 1));
}

/* Begin a round. True: it is in flight. */
static bool next_round(struct vireo_blk_request *r)
{
	int err = vireo_blk_map(r);

	if (unlikely(err))
		return err == -ENOMEM ? blk_fail(r) : blk_refuse(r, VIRTIO_BLK_S_IOERR);
	vireo_blk_step(r);
	return true;
}

static bool begin_transfer(struct vireo_blk_request *r, enum vireo_blk_op op, u64 out)
{
	struct vireo_blk_queue *bq = r->queue;
	bool write = op == VIREO_BLK_WRITE;

	/* Data of the wrong direction would be lost silently. */
	if (unlikely(write ? r->room : out))
		return blk_refuse(r, VIRTIO_BLK_S_IOERR);
	if (unlikely(write && bq->rules.flags & VIREO_BLK_READ_ONLY))
		return blk_refuse(r, VIRTIO_BLK_S_IOERR);
	r->length = write ? out : r->room;
	if (unlikely(r->length % SECTOR_SIZE ||
		     !whole_blocks(&bq->rules, r->sector | r->length >> SECTOR_SHIFT) ||
		     !in_disk(&bq->rules, r->sector, r->length >> SECTOR_SHIFT)))
		return blk_refuse(r, VIRTIO_BLK_S_IOERR);
	if (unlikely(!r->length))
		return false;
	r->op = op;
	r->durable = write && bq->write_through;
	r->cached = write && !bq->write_through;
	return next_round(r);
}

static bool begin_flush(struct vireo_blk_request *r)
{
	r->op = VIREO_BLK_FLUSH;
	r->cached = false;
	vireo_blk_step(r);
	return true;
}

static bool give_id(struct vireo_blk_request *r)
{
	u32 len = min_t(u32, r->room, VIREO_BLK_SERIAL_BYTES);

	if (len && vireo_blk_copy(r, r->queue->rules.serial, len, true))
		return blk_refuse(r, VIRTIO_BLK_S_IOERR);
	r->done = len;
	return false;
}

/* Begin with the next range that is not empty. True: it is in flight. */
static bool next_range(struct vireo_blk_request *r)
{
	const struct virtio_blk_discard_write_zeroes *range;

	while (r->range < r->nranges && !r->ranges[r->range].num_sectors)
		r->range++;
	if (r->range == r->nranges)
		return false;
	range = &r->ranges[r->range++];
	r->op = r->type == VIRTIO_BLK_T_DISCARD ? VIREO_BLK_DISCARD : VIREO_BLK_ZERO;
	r->sector = le64_to_cpu(range->sector);
	r->length = (u64)le32_to_cpu(range->num_sectors) << SECTOR_SHIFT;
	r->durable = false;
	r->cached = r->op == VIREO_BLK_ZERO;
	r->unmap = le32_to_cpu(range->flags) & VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP &&
		   r->queue->rules.flags & VIREO_BLK_UNMAP;
	vireo_blk_step(r);
	return true;
}

/* What is wrong with a range, or VIRTIO_BLK_S_OK. */
static u8 range_check(const struct vireo_blk_config *rules,
		      const struct virtio_blk_discard_write_zeroes *range, u32 most, u32 flags)
{
	u64 sector = le64_to_cpu(range->sector);
	u32 sectors = le32_to_cpu(range->num_sectors);

	/* virtio 1.2, 5.2.6.2: a flag that is reserved, and unmap with a discard. */
	if (le32_to_cpu(range->flags) & ~flags)
		return VIRTIO_BLK_S_UNSUPP;
	if (sectors > most || !in_disk(rules, sector, sectors) ||
	    !whole_blocks(rules, sector | sectors))
		return VIRTIO_BLK_S_IOERR;
	return VIRTIO_BLK_S_OK;
}

static bool begin_ranges(struct vireo_blk_request *r, const struct vq_seg *segs, u64 out)
{
	const struct vireo_blk_config *rules = &r->queue->rules;
	bool discard = r->type == VIRTIO_BLK_T_DISCARD;
	unsigned int feature = discard ? VIRTIO_BLK_F_DISCARD : VIRTIO_BLK_F_WRITE_ZEROES;
	u32 most = discard ? rules->max_discard_sectors : rules->max_write_zeroes_sectors;
	u32 seg = discard ? rules->max_discard_seg : rules->max_write_zeroes_seg;
	u32 i;

	if (!vireo_has(&r->queue->q, feature) || !most)
		return blk_refuse(r, VIRTIO_BLK_S_UNSUPP);
	if (rules->flags & VIREO_BLK_READ_ONLY || !out || out % sizeof(r->ranges[0]) ||
	    out / sizeof(r->ranges[0]) > seg)
		return blk_refuse(r, VIRTIO_BLK_S_IOERR);
	if (vireo_copy_from_guest(&r->queue->q, segs, sizeof(struct virtio_blk_outhdr), r->ranges,
				  out))
		return blk_refuse(r, VIRTIO_BLK_S_IOERR);
	r->range = 0;
	r->nranges = out / sizeof(r->ranges[0]);
	/* All of them are looked at before the first is acted upon. */
	for (i = 0; i < r->nranges; i++) {
		u8 status = range_check(rules, &r->ranges[i], most,
					discard ? 0 : VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP);

		if (status)
			return blk_refuse(r, status);
	}
	return next_range(r);
}

static int read_header(struct vireo_blk_request *r, const struct vq_seg *segs)
{
	struct virtio_blk_outhdr header;
	struct vireo_queue *q = &r->queue->q;
	void __user *user;
	int err;

	user = likely(segs->len >= sizeof(header)) ?
		       vireo_translate_hot(q, segs->addr, sizeof(header), VHOST_ACCESS_RO) : NULL;
	if (likely(user))
		err = vireo_copy_from_user(&header, user, sizeof(header));
	else
		err = vireo_copy_from_guest(q, segs, 0, &header, sizeof(header));
	if (unlikely(err))
		return err;
	r->type = le32_to_cpu((__force __le32)header.type);
	r->sector = le64_to_cpu((__force __le64)header.sector);
	return 0;
}

/* True: in flight. */
static bool begin_request(struct vireo_blk_request *r, const struct vq_chain *chain,
			  const struct vq_seg *segs)
{
	const struct vq_seg *in = segs + chain->nout;
	u64 out = bytes_of(segs, chain->nout);
	u64 room = bytes_of(in, chain->nin) - 1;

	r->room = min_t(u64, room, U32_MAX);
	if (unlikely(out < sizeof(struct virtio_blk_outhdr) || room >= U32_MAX))
		return blk_refuse(r, VIRTIO_BLK_S_IOERR);
	if (unlikely(read_header(r, segs)))
		return blk_refuse(r, VIRTIO_BLK_S_IOERR);
	out -= sizeof(struct virtio_blk_outhdr);
	switch (r->type) {
	case VIRTIO_BLK_T_IN:
		if (unlikely(vireo_blk_keep(r, in, chain->nin, 0)))
			return blk_fail(r);
		return begin_transfer(r, VIREO_BLK_READ, out);
	case VIRTIO_BLK_T_OUT:
		if (unlikely(vireo_blk_keep(r, segs, chain->nout,
					    sizeof(struct virtio_blk_outhdr))))
			return blk_fail(r);
		return begin_transfer(r, VIREO_BLK_WRITE, out);
	case VIRTIO_BLK_T_FLUSH:
		return begin_flush(r);
	case VIRTIO_BLK_T_GET_ID:
		if (vireo_blk_keep(r, in, chain->nin, 0))
			return blk_fail(r);
		return give_id(r);
	case VIRTIO_BLK_T_DISCARD:
	case VIRTIO_BLK_T_WRITE_ZEROES:
		return begin_ranges(r, segs, out);
	default:
		return blk_refuse(r, VIRTIO_BLK_S_UNSUPP);
	}
}

/**
 * vireo_blk_begin() - make a request of a chain, and begin to carry it out
 * @r: free
 * @chain: expanded
 * @segs: of the chain
 *
 * Return: 1: it is in flight; 0: it is to be answered; negative: the queue is
 * broken, there is no place for an answer.
 */
int vireo_blk_begin(struct vireo_blk_request *r, const struct vq_chain *chain,
		    const struct vq_seg *segs)
{
	struct vireo_queue *q = &r->queue->q;
	const struct vq_seg *last;
	void __user *user;
	u64 got;
	int err;

	r->id = chain->id;
	r->slots = chain->slots;
	r->status = VIRTIO_BLK_S_OK;
	r->type = U32_MAX;
	r->done = 0;
	r->ended = false;
	r->cached = false;
	r->round = 0;
	/* Without room for a status the driver does not want to know. */
	r->mute = !chain->nin;
	if (unlikely(r->mute)) {
		q->stats.drops++;
		return 0;
	}
	last = segs + chain->nout + chain->nin - 1;
	r->status_addr = last->addr + (last->len - 1);
	err = r->status_addr < last->addr ? -ENXIO :
	      vireo_translate(q, r->status_addr, 1, VHOST_ACCESS_WO, &user, &got);
	if (unlikely(err))
		return vireo_memory_error(q, err);
	return begin_request(r, chain, segs);
}

static bool transfer_ended(struct vireo_blk_request *r)
{
	if (unlikely(vireo_blk_unmap(r)) && !r->error)
		return blk_refuse(r, VIRTIO_BLK_S_IOERR);
	if (unlikely(r->error))
		return blk_fail(r);
	if (likely(r->done == r->length))
		return false;
	r->sector += r->round >> SECTOR_SHIFT;
	/* Without the owner's memory there is no more to move. */
	return r->queue->mm ? next_round(r) : blk_fail(r);
}

/**
 * vireo_blk_advance() - a step has ended
 * @r: request, @error is set
 *
 * Return: true: the next step is in flight; false: it is to be answered.
 */
bool vireo_blk_advance(struct vireo_blk_request *r)
{
	struct vireo_blk_queue *bq = r->queue;
	bool more;

	if (unlikely(r->punted && (r->op == VIREO_BLK_READ || r->op == VIREO_BLK_WRITE)))
		bq->q.stats.stalls++;
	if (unlikely(r->writing))
		vireo_blk_file_written(r);
	if (likely(r->op == VIREO_BLK_READ || r->op == VIREO_BLK_WRITE))
		more = transfer_ended(r);
	else if (unlikely(r->error))
		more = blk_fail(r);
	else
		more = r->op != VIREO_BLK_FLUSH && next_range(r);
	if (more)
		return true;
	/*
	 * virtio 1.2, 5.2.6.2: without a cache, what is answered is on stable
	 * storage; also if the cache was there when the request began.
	 */
	if (unlikely(r->cached && bq->write_through && !r->status))
		return begin_flush(r);
	return false;
}

/**
 * vireo_blk_answer() - write the status, and stage the chain as used
 * @r: request of which all steps have ended; it is free if this went well
 *
 * Return: 0; negative: the queue is broken, the status has no place any more.
 */
int vireo_blk_answer(struct vireo_blk_request *r)
{
	struct vireo_blk_queue *bq = r->queue;
	struct vireo_queue *q = &bq->q;
	bool in = r->type == VIRTIO_BLK_T_IN || r->type == VIRTIO_BLK_T_GET_ID;
	u32 written = in ? r->done : 0;
	u32 len = 0;
	int err;

	if (likely(!r->mute)) {
		err = vireo_blk_put_status(r);
		if (unlikely(err))
			return vireo_memory_error(q, err);
		/* Of a round that failed, any byte may have been written. */
		if (vireo_logging(q))
			vireo_blk_log(r, in ? min_t(u64, written + (r->status ? r->round : 0),
						    r->room) : 0);
		/* virtio 1.2, 2.7.8.2: written from the beginning on, without a gap. */
		len = written == r->room ? written + 1 : written;
	}
	q->used[bq->staged++] = (struct vq_used){ .len = len, .id = r->id, .slots = r->slots };
	if (likely(r->status == VIRTIO_BLK_S_OK && !r->mute)) {
		q->stats.packets++;
		if (r->type <= VIRTIO_BLK_T_OUT)
			q->stats.bytes += r->done;
	}
	return 0;
}
