// SPDX-License-Identifier: GPL-2.0-only
/*
 * The way of a queue's turn to its ring: the engine's calls, and what they
 * mean for the queue. An error stops the queue; what was written to guest
 * memory is noted in the dirty log; a driver that wants to be called is called.
 *
 * All functions run in the queue's worker, under its mutex.
 */
#include <linux/export.h>
#include <linux/sched/clock.h>
#include <linux/sched/signal.h>

#include "vireo.h"

/* From its first look on, a turn polls no longer; ioctls wait for its end. */
#define MAX_POLL_NS (10 * NSEC_PER_MSEC)

static_assert((int)VIREO_ERROR_RING_FAULT == (int)VQ_ERR_FAULT);
static_assert((int)VIREO_ERROR_OVERCOMMIT == (int)VQ_ERR_OVERCOMMIT);
static_assert((int)VQ_ERR_MAX <= (int)VIREO_ERROR_ADDRESS);

static int ring_result(struct vireo_queue *q, int ret)
{
	if (unlikely(ret < 0))
		vireo_queue_break(q, q->vq.error);
	return ret;
}

/**
 * vireo_pop() - take chains from the ring
 * @q: queue
 * @first: where in q->chains the first goes
 * @max: at most so many, and at most VIREO_BATCH
 *
 * Their segments are in q->segs until the next vireo_pop().
 *
 * Return: number of chains; negative: the queue is broken.
 */
int vireo_pop(struct vireo_queue *q, u32 first, u32 max)
{
	struct vq_batch batch = {
		.chains = q->chains + first,
		.segs = q->segs,
		.max_chains = min3(max, (u32)VIREO_BATCH, VIREO_MAX_CHAINS - first),
		.max_segs = VIREO_MAX_SEGS,
	};

	return ring_result(q, vq_pop(&q->vq, &batch));
}
EXPORT_SYMBOL_NS_GPL(vireo_pop, VIREO);

/* A table of the longest chain that is accepted, with each page elsewhere. */
#define MAX_PIECES (VIREO_MAX_SEGS * sizeof(struct vq_split_desc) / PAGE_SIZE + 1)

static int table_pieces(struct vireo_queue *q, const struct vq_chain *chain,
			struct vq_piece *pieces)
{
	u64 addr = chain->table, left = chain->table_len, got;
	void __user *ptr;
	u32 n = 0;
	int err;

	for (; left; left -= got, addr += got) {
		err = vireo_translate(q, addr, left, VHOST_ACCESS_RO, &ptr, &got);
		if (err)
			return err;
		if (n && ptr == pieces[n - 1].ptr + pieces[n - 1].len) {
			pieces[n - 1].len += got;
			continue;
		}
		if (n == MAX_PIECES)
			return -E2BIG;
		pieces[n++] = (struct vq_piece){ .ptr = ptr, .len = got };
	}
	return n;
}

/* vireo_expand() of a chain that has a table. */
int vireo_expand_table(struct vireo_queue *q, struct vq_chain *chain)
{
	const struct vq_batch batch = { .segs = q->segs };
	struct vq_piece pieces[MAX_PIECES];
	int n = table_pieces(q, chain, pieces);

	if (unlikely(n == -E2BIG)) {
		vireo_queue_break(q, VIREO_ERROR_INDIRECT_LENGTH);
		return n;
	}
	if (unlikely(n < 0))
		return vireo_memory_error(q, n);
	return ring_result(q, vq_expand(&q->vq, &batch, chain, pieces, n, q->table_segs,
					VIREO_MAX_SEGS));
}
EXPORT_SYMBOL_NS_GPL(vireo_expand_table, VIREO);

/**
 * vireo_unpop() - put the last @n chains popped back
 * @q: queue
 * @first: where they begin in q->chains
 * @n: how many, may be 0
 */
void vireo_unpop(struct vireo_queue *q, u32 first, u32 n)
{
	if (n)
		vq_unpop(&q->vq, q->chains + first, n);
}
EXPORT_SYMBOL_NS_GPL(vireo_unpop, VIREO);

/* Used entries, or used descriptors, have been written from @pos on. */
static void log_used(struct vireo_queue *q, u16 pos, u32 n)
{
	const u32 size = q->vq.packed ? sizeof(struct vq_packed_desc) :
					sizeof(struct vq_split_used_elem);
	u32 start, slots, first;

	if (q->vq.packed) {
		start = pos;
		slots = q->vq.used_pos > pos ? q->vq.used_pos - pos :
					       q->vq.num - pos + q->vq.used_pos;
	} else {
		start = pos & (q->vq.num - 1);
		slots = n;
	}
	first = min(slots, q->vq.num - start);
	if (q->vq.packed) {
		vireo_log_user(q, q->vq.desc + start * size, first * size);
		if (slots > first)
			vireo_log_user(q, q->vq.desc, (slots - first) * size);
		return;
	}
	vireo_log_device_area(q, sizeof(struct vq_split_used) + start * size, first * size);
	if (slots > first)
		vireo_log_device_area(q, sizeof(struct vq_split_used), (slots - first) * size);
	vireo_log_device_area(q, offsetof(struct vq_split_used, idx), sizeof(__le16));
}

/* The wish for kicks has been written. */
static void log_wish(struct vireo_queue *q)
{
	if (q->vq.packed)
		vireo_log_device_area(q, 0, sizeof(struct vq_packed_event));
	else if (q->vq.event_idx)
		vireo_log_device_area(q, vq_area_bytes(q->features, q->num, VQ_AREA_DEVICE) -
						 sizeof(__le16),
				      sizeof(__le16));
	else
		vireo_log_device_area(q, 0, sizeof(__le16));
}

/**
 * vireo_publish() - give chains back, and call the driver if it wants to know
 * @q: queue
 * @first: where they begin in q->used
 * @n: how many, may be 0
 *
 * Return: 0, or negative: the queue is broken.
 */
int vireo_publish(struct vireo_queue *q, u32 first, u32 n)
{
	u16 pos = q->vq.used_pos;
	int ret;

	if (!n)
		return 0;
	ret = ring_result(q, vq_publish(&q->vq, q->used + first, n));
	if (unlikely(ret < 0))
		return ret;
	q->stats.chains += n;
	if (vireo_logging(q)) {
		log_used(q, pos, n);
		vireo_log_signal(q);
	}
	if (ret && q->call) {
		q->stats.calls++;
		vireo_eventfd_signal(q->call);
	}
	return 0;
}
EXPORT_SYMBOL_NS_GPL(vireo_publish, VIREO);

/**
 * vireo_enable_kick() - ask for a kick when chains come
 * @q: queue
 * @skip: ring positions from the next on that are known and do not suffice
 *
 * Return: 0: end the turn; 1: more is there by now; negative: the queue is
 * broken.
 */
int vireo_enable_kick(struct vireo_queue *q, u32 skip)
{
	int ret = ring_result(q, vq_enable_kick(&q->vq, skip));

	if (vireo_logging(q))
		log_wish(q);
	return ret;
}
EXPORT_SYMBOL_NS_GPL(vireo_enable_kick, VIREO);

/**
 * vireo_disable_kick() - no kicks are needed while a turn lasts
 * @q: queue
 *
 * Return: 0, or negative: the queue is broken.
 */
int vireo_disable_kick(struct vireo_queue *q)
{
	int ret;

	if (q->vq.kick_off)
		return 0;
	ret = ring_result(q, vq_disable_kick(&q->vq));
	if (vireo_logging(q))
		log_wish(q);
	return ret;
}
EXPORT_SYMBOL_NS_GPL(vireo_disable_kick, VIREO);

static bool ring_ready(struct vireo_queue *q)
{
	return vq_has_avail(&q->vq, 0) > 0;
}

/**
 * vireo_busy_poll() - look for work a while before sleeping
 * @q: queue
 * @ready: is there any; NULL: are there chains in the ring
 *
 * As long as VHOST_SET_VRING_BUSYLOOP_TIMEOUT says, but not when others want
 * the CPU or the worker.
 *
 * Return: true: there is.
 */
bool vireo_busy_poll(struct vireo_queue *q, bool (*ready)(struct vireo_queue *q))
{
	u64 end;

	if (!q->busyloop_us)
		return false;
	if (!ready)
		ready = ring_ready;
	end = local_clock();
	if (!q->poll_end)
		q->poll_end = end + MAX_POLL_NS;
	end = min(end + (u64)q->busyloop_us * NSEC_PER_USEC, q->poll_end);
	do {
		if (ready(q)) {
			q->stats.polls++;
			return true;
		}
		cpu_relax();
	} while (!need_resched() && !vireo_worker_busy(q) && time_before64(local_clock(), end));
	return false;
}
EXPORT_SYMBOL_NS_GPL(vireo_busy_poll, VIREO);
