// SPDX-License-Identifier: GPL-2.0-only
/*
 * A step of a request: the disk is asked, by the worker if that cannot sleep,
 * else by a thread of the kernel's.
 */
#include "blk.h"

static void step_ask(struct vireo_blk_request *r)
{
	if (r->queue->disk->bdev)
		vireo_blk_bdev_step(r);
	else
		vireo_blk_file_step(r);
}

static void step_punted(struct work_struct *work)
{
	step_ask(container_of(work, struct vireo_blk_request, work));
}

/**
 * vireo_blk_punt() - what may sleep is not for here
 * @r: request; its step begins, or goes on, in a thread of the kernel's
 *
 * Context: any. The request is not the caller's any more.
 */
void vireo_blk_punt(struct vireo_blk_request *r)
{
	r->punted = true;
	queue_work(r->queue->disk->wq, &r->work);
}

/**
 * vireo_blk_step() - begin a step
 * @r: request; @op and what goes with it say what is asked for
 *
 * Context: the worker, or whoever drains the queue. Ends with vireo_blk_done(),
 * which may have come already when this returns.
 */
void vireo_blk_step(struct vireo_blk_request *r)
{
	r->error = 0;
	r->moved = 0;
	r->punted = false;
	r->coherent = false;
	r->buffered = r->queue->rules.flags & VIREO_BLK_BUFFERED;
	step_ask(r);
}

/* Once for each request, when a queue gets its own. */
void vireo_blk_step_init(struct vireo_blk_request *r)
{
	INIT_WORK(&r->work, step_punted);
}
