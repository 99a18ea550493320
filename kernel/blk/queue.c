// SPDX-License-Identifier: GPL-2.0-only
/*
 * A queue's turns: what is done is answered, what is new is begun.
 *
 * Chains are in flight between turns, unlike with a network card. So a queue is
 * stopped by draining it first.
 */
#include <linux/slab.h>

#include "blk.h"

#define TURN_REQUESTS 512 /* begun in one turn */

/* Once a queue becomes live; the requests are there as long as it is. 0 or -ENOMEM. */
int vireo_blk_queue_alloc(struct vireo_blk_queue *bq)
{
	u32 i, n = min_t(u32, bq->q.num, VIREO_BLK_REQUESTS);

	bq->requests = kvcalloc(n, sizeof(*bq->requests), GFP_KERNEL_ACCOUNT);
	if (!bq->requests)
		return -ENOMEM;
	bq->free = NULL;
	for (i = n; i--;) {
		struct vireo_blk_request *r = &bq->requests[i];

		r->queue = bq;
		r->segs = r->few_segs;
		r->vecs = r->few_vecs;
		r->max_vecs = VIREO_BLK_FEW;
		vireo_blk_step_init(r);
		r->node.next = bq->free;
		bq->free = &r->node;
	}
	bq->nfree = n;
	bq->inflight = 0;
	bq->staged = 0;
	return 0;
}

void vireo_blk_queue_free(struct vireo_blk_queue *bq)
{
	kvfree(bq->requests);
	bq->requests = NULL;
	bq->free = NULL;
	bq->nfree = 0;
}

static struct vireo_blk_request *request_take(struct vireo_blk_queue *bq)
{
	struct vireo_blk_request *r = llist_entry(bq->free, struct vireo_blk_request, node);

	bq->free = r->node.next;
	bq->nfree--;
	bq->inflight++;
	return r;
}

static void request_give(struct vireo_blk_queue *bq, struct vireo_blk_request *r)
{
	vireo_blk_forget(r);
	r->node.next = bq->free;
	bq->free = &r->node;
	bq->nfree++;
	bq->inflight--;
}

/**
 * vireo_blk_done() - a step has ended
 * @r: request, which is the worker's again from now on
 * @error: 0 or a negative errno
 *
 * Context: any, interrupts off included. RCU keeps the queue: whoever frees it
 * has drained it, and waited for readers then.
 */
void vireo_blk_done(struct vireo_blk_request *r, int error)
{
	struct vireo_blk_queue *bq = r->queue;

	r->error = error;
	rcu_read_lock();
	/*
	 * Whoever adds to an empty list sees to it that somebody looks. llist_add()
	 * is a full barrier: it pairs with the one in queue_sleeps(), and with that
	 * in vireo_blk_drain().
	 */
	if (llist_add(&r->node, &bq->done)) {
		switch (READ_ONCE(bq->state)) {
		case VIREO_BLK_ASLEEP:
			vireo_queue_again(&bq->q);
			break;
		case VIREO_BLK_DRAINING:
			wake_up(&bq->drained);
			break;
		case VIREO_BLK_AWAKE:
			break;
		}
	}
	rcu_read_unlock();
}

/* The worker looks no more, unless something came by now. True: it may go. */
static bool queue_sleeps(struct vireo_blk_queue *bq)
{
	WRITE_ONCE(bq->state, VIREO_BLK_ASLEEP);
	/* Pairs with llist_add() in vireo_blk_done(). */
	smp_mb();
	if (likely(llist_empty(&bq->done)))
		return true;
	WRITE_ONCE(bq->state, VIREO_BLK_AWAKE);
	return false;
}

/*
 * Give a request back to the driver. If there is no way to, it waits for
 * another memory table, unless the queue is being stopped.
 */
static void request_answer(struct vireo_blk_queue *bq, struct vireo_blk_request *r)
{
	r->ended = true;
	if (likely(bq->mm && !vireo_blk_answer(r)) || bq->state == VIREO_BLK_DRAINING)
		request_give(bq, r);
	else
		llist_add(&r->node, &bq->unanswered);
}

static void list_reap(struct vireo_blk_queue *bq, struct llist_node *list)
{
	struct vireo_blk_request *r, *next;

	list = llist_reverse_order(list);
	llist_for_each_entry_safe(r, next, list, node)
		if (r->ended || !vireo_blk_advance(r))
			request_answer(bq, r);
}

/* Look at what is done. True: there was something. */
static bool queue_reap(struct vireo_blk_queue *bq)
{
	struct llist_node *list = llist_del_all(&bq->done);

	if (list)
		list_reap(bq, list);
	return list;
}

/* 0, or negative: the queue is broken. What could not be published stays staged. */
static int queue_publish(struct vireo_blk_queue *bq)
{
	if (vireo_publish(&bq->q, 0, bq->staged))
		return -EFAULT;
	bq->staged = 0;
	return 0;
}

/* Begin what the driver made available. Chains; negative: the queue is broken. */
static int queue_begin(struct vireo_blk_queue *bq)
{
	struct vireo_queue *q = &bq->q;
	int n = vireo_pop(q, 0, bq->nfree);
	struct blk_plug plug;
	int i, ret = 0;

	if (n <= 0)
		return n;
	blk_start_plug(&plug);
	plug.nr_ios = n;
	for (i = 0; i < n; i++) {
		struct vireo_blk_request *r;
		struct vq_seg *segs;

		ret = vireo_expand(q, &q->chains[i], &segs);
		if (unlikely(ret))
			break;
		r = request_take(bq);
		ret = vireo_blk_begin(r, &q->chains[i], segs);
		if (unlikely(ret < 0)) {
			request_give(bq, r);
			break;
		}
		if (!ret)
			request_answer(bq, r);
		ret = 0;
	}
	blk_finish_plug(&plug);
	vireo_unpop(q, i, n - i);
	return ret ?: i;
}

/* Is there anything to do? While busy polling. */
static bool queue_ready(struct vireo_queue *q)
{
	struct vireo_blk_queue *bq = to_blk_queue(q);

	if (!llist_empty(&bq->done))
		return true;
	return bq->nfree && vq_has_avail(&q->vq, 0) > 0;
}

/* Until there is nothing to do, or the budget is used up. True: look again. */
static bool queue_turn(struct vireo_blk_queue *bq)
{
	struct vireo_queue *q = &bq->q;
	u32 begun = 0;
	bool reaped;
	int n;

	for (;;) {
		reaped = queue_reap(bq);
		if (queue_publish(bq) || q->error)
			return false;
		n = bq->nfree ? queue_begin(bq) : 0;
		if (n < 0) {
			queue_publish(bq);
			return false;
		}
		begun += n;
		if (n || reaped) {
			if (begun < TURN_REQUESTS)
				continue;
			queue_publish(bq);
			return true;
		}
		if (vireo_busy_poll(q, queue_ready))
			continue;
		/* With no request left, what ends gives the next turn; no kick is needed. */
		if (!bq->nfree || vireo_enable_kick(q, 0) <= 0)
			return false;
		if (vireo_disable_kick(q))
			return false;
	}
}

/* A turn of a live queue, up to its budget. */
void vireo_blk_run(struct vireo_queue *q)
{
	struct vireo_blk_queue *bq = to_blk_queue(q);
	struct llist_node *list;

	WRITE_ONCE(bq->state, VIREO_BLK_AWAKE);
	bq->mm = true;
	list = llist_del_all(&bq->unanswered);
	if (unlikely(list))
		list_reap(bq, list);
	if (vireo_disable_kick(q))
		goto out;
	do {
		if (queue_turn(bq)) {
			vireo_queue_again(q);
			break;
		}
	} while (!queue_sleeps(bq) && !q->error);
out:
	WRITE_ONCE(bq->state, VIREO_BLK_ASLEEP);
}

/**
 * vireo_blk_drain() - wait until nothing is in flight
 * @bq: live queue, mutex held
 * @mm: the caller's address space is the owner's; else nothing can be given
 *	back, and nobody is there to have it
 *
 * Nothing new is begun, but what was begun is carried out to its end.
 */
void vireo_blk_drain(struct vireo_blk_queue *bq, bool mm)
{
	struct llist_node *list;

	bq->mm = mm;
	WRITE_ONCE(bq->state, VIREO_BLK_DRAINING);
	/* Pairs with llist_add() in vireo_blk_done(). */
	smp_mb();
	list = llist_del_all(&bq->unanswered);
	if (list)
		list_reap(bq, list);
	while (bq->inflight) {
		wait_event(bq->drained, !llist_empty(&bq->done));
		queue_reap(bq);
	}
	if (mm)
		queue_publish(bq);
	bq->staged = 0;
	WRITE_ONCE(bq->state, VIREO_BLK_ASLEEP);
}
