// SPDX-License-Identifier: GPL-2.0-only
/*
 * Waiting for a file, a kick eventfd or a socket, to give a queue a turn.
 */
#include <linux/export.h>

#include "vireo.h"

static int poll_wake(wait_queue_entry_t *wait, unsigned int mode, int sync, void *key)
{
	struct vireo_poll *poll = container_of(wait, struct vireo_poll, wait);

	if (!(key_to_poll(key) & poll->mask))
		return 0;
	/* The wait queue's lock is held, so nobody else counts. */
	if (poll->count)
		WRITE_ONCE(*poll->count, *poll->count + 1);
	/* Whoever sends packets pays for each wake-up: one that was for nothing is the last. */
	if (!vireo_worker_queue(poll->queue, &poll->queue->work) && !poll->count)
		list_del_init(&wait->entry);
	return 0;
}

static void poll_enqueue(struct file *file, wait_queue_head_t *head, poll_table *table)
{
	struct vireo_poll *poll = container_of(table, struct vireo_poll, table);

	/* A file with a second wait queue would need a second entry; none has. */
	if (poll->head)
		return;
	poll->head = head;
	add_wait_queue(head, &poll->wait);
	/*
	 * We are in the queue before the file is asked what it has. Pairs with the
	 * barrier of whoever gives it something, and then looks for waiters.
	 */
	smp_mb();
}

/**
 * vireo_poll_init() - before anything else
 * @poll: to set up
 * @q: queue that gets a turn
 * @mask: EPOLL bits to wait for
 * @count: incremented at each wake-up; or NULL: after one that finds a turn due
 *	already, no more come until vireo_poll_start()
 */
void vireo_poll_init(struct vireo_poll *poll, struct vireo_queue *q, __poll_t mask, u64 *count)
{
	init_waitqueue_func_entry(&poll->wait, poll_wake);
	init_poll_funcptr(&poll->table, poll_enqueue);
	poll->head = NULL;
	poll->mask = mask;
	poll->queue = q;
	poll->count = count;
}
EXPORT_SYMBOL_NS_GPL(vireo_poll_init, VIREO);

/**
 * vireo_poll_waits() - will the next wake-up give the queue a turn?
 * @poll: may be idle
 *
 * Context: the queue's mutex is held.
 * Return: false: no, unless one is due already.
 */
bool vireo_poll_waits(struct vireo_poll *poll)
{
	unsigned long flags;
	bool waits;

	if (!poll->head)
		return false;
	/*
	 * Under the lock, so that a wake-up has either found a turn due and left, or
	 * is still to come: it may have looked before this turn began.
	 */
	spin_lock_irqsave(&poll->head->lock, flags);
	waits = !list_empty(&poll->wait.entry);
	spin_unlock_irqrestore(&poll->head->lock, flags);
	return waits;
}
EXPORT_SYMBOL_NS_GPL(vireo_poll_waits, VIREO);

/**
 * vireo_poll_start() - wait for a file; if it is ready, the queue gets its turn
 * @poll: does nothing but look again if it is waiting already
 * @file: stays open until vireo_poll_stop()
 *
 * Context: the queue's mutex is held.
 * Return: 0, or -EINVAL for a file that is in error.
 */
int vireo_poll_start(struct vireo_poll *poll, struct file *file)
{
	__poll_t now;

	if (!vireo_poll_waits(poll))
		poll->head = NULL;
	now = vfs_poll(file, poll->head ? NULL : &poll->table);
	if (now & EPOLLERR) {
		vireo_poll_stop(poll);
		return -EINVAL;
	}
	if (now & poll->mask)
		vireo_worker_queue(poll->queue, &poll->queue->work);
	return 0;
}
EXPORT_SYMBOL_NS_GPL(vireo_poll_start, VIREO);

/**
 * vireo_poll_stop() - wait no more
 * @poll: may be idle
 *
 * Context: the queue's mutex is held.
 */
void vireo_poll_stop(struct vireo_poll *poll)
{
	if (!poll->head)
		return;
	remove_wait_queue(poll->head, &poll->wait);
	poll->head = NULL;
}
EXPORT_SYMBOL_NS_GPL(vireo_poll_stop, VIREO);
