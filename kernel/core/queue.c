// SPDX-License-Identifier: GPL-2.0-only
/*
 * The life of a queue: set up, live with a backend, broken, stopped.
 *
 * A live queue is run in turns by its worker: after a kick, when the backend
 * has something, when a turn before had more than it may do at once, when a
 * translation came. Its ring is mapped at the first turn at the latest, and
 * again when the ring moves or an IOMMU takes its translation away.
 *
 * What the driver does wrong stops this queue and no other: it has an error,
 * the owner hears of it by eventfd, and nothing is served until the queue is
 * set up again.
 */
#include <linux/export.h>
#include <linux/file.h>
#include <linux/ratelimit.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "vireo.h"

static void queue_turn(struct vireo_work *work, bool alive);

/* Once, when the device is opened. */
void vireo_queue_init(struct vireo_dev *dev, struct vireo_queue *q, unsigned int index)
{
	memset(q, 0, sizeof(*q));
	q->dev = dev;
	q->index = index;
	mutex_init(&q->mutex);
	INIT_LIST_HEAD(&q->miss.link);
	q->work.fn = queue_turn;
	vireo_poll_init(&q->kick_poll, q, EPOLLIN, &q->stats.kicks);
	vireo_queue_forget(q);
}

/* Back to the state of a newly opened device, but for the counters. Not live. */
void vireo_queue_forget(struct vireo_queue *q)
{
	mutex_lock(&q->mutex);
	vireo_poll_stop(&q->kick_poll);
	if (q->kick)
		fput(q->kick);
	if (q->call)
		eventfd_ctx_put(q->call);
	if (q->err)
		eventfd_ctx_put(q->err);
	q->kick = NULL;
	q->call = NULL;
	q->err = NULL;
	q->log_call = NULL; /* the device's */
	q->log = NULL;
	q->memory = vireo_memory_empty();
	q->hot.size = 0;
	q->features = 0;
	q->num = 1;
	q->base = 0;
	q->busyloop_us = 0;
	q->error = VIREO_ERROR_NONE;
	memset(&q->addr, 0, sizeof(q->addr));
	if (q->dev->ops && q->dev->ops->features_set)
		q->dev->ops->features_set(q);
	mutex_unlock(&q->mutex);
}

/*
 * The arrays of the data path come with the first backend, and go with the
 * owner, who pays for them.
 */
static int queue_alloc(struct vireo_queue *q)
{
	const gfp_t gfp = GFP_KERNEL_ACCOUNT;

	if (q->chains)
		return 0;
	q->chains = kvmalloc_array(VIREO_MAX_CHAINS, sizeof(*q->chains), gfp);
	q->segs = kvmalloc_array(VIREO_MAX_SEGS, sizeof(*q->segs), gfp);
	q->table_segs = kvmalloc_array(VIREO_MAX_SEGS, sizeof(*q->table_segs), gfp);
	q->iov = kvmalloc_array(VIREO_MAX_SEGS, sizeof(*q->iov), gfp);
	q->used = kvmalloc_array(VIREO_MAX_CHAINS, sizeof(*q->used), gfp);
	if (q->chains && q->segs && q->table_segs && q->iov && q->used)
		return 0;
	vireo_queue_free(q);
	return -ENOMEM;
}

void vireo_queue_free(struct vireo_queue *q)
{
	kvfree(q->chains);
	kvfree(q->segs);
	kvfree(q->table_segs);
	kvfree(q->iov);
	kvfree(q->used);
	q->chains = NULL;
	q->segs = NULL;
	q->table_segs = NULL;
	q->iov = NULL;
	q->used = NULL;
}

/*
 * Where an area of the ring is in the owner's memory. -EFAULT: it cannot be in
 * userspace; and behind an IOMMU -ENXIO: it is not all in one piece; -EAGAIN: a
 * translation is missing.
 */
static int ring_area(struct vireo_queue *q, u64 addr, enum vq_area area, u8 perm,
		     void __user **to)
{
	u64 len = vq_area_bytes(q->features, q->num, area);
	u64 done, got;
	void __user *piece;
	int err;

	if (!vireo_has(q, VIREO_F_ACCESS_PLATFORM)) {
		*to = (void __user *)addr;
		return access_ok(*to, len) ? 0 : -EFAULT;
	}
	/* Nobody could invalidate it: ranges do not pass the end. */
	if (addr + (len - 1) < addr)
		return -ENXIO;
	for (done = 0; done < len; done += got) {
		err = vireo_translate(q, addr + done, len - done, perm, &piece, &got);
		if (err)
			return err;
		if (!done)
			*to = piece;
		else if (piece != *to + done)
			return -ENXIO;
	}
	return 0;
}

/* Find the ring, and take up its state. The owner's memory is in use. */
static int queue_map(struct vireo_queue *q)
{
	bool packed = vireo_has(q, VQ_F_RING_PACKED);
	struct vq_setup setup = { .features = q->features, .num = q->num };
	int err;

	err = ring_area(q, q->addr.desc_user_addr, VQ_AREA_DESC,
			packed ? VHOST_ACCESS_RW : VHOST_ACCESS_RO, &setup.desc);
	if (!err)
		err = ring_area(q, q->addr.avail_user_addr, VQ_AREA_DRIVER, VHOST_ACCESS_RO,
				&setup.driver);
	if (!err)
		err = ring_area(q, q->addr.used_user_addr, VQ_AREA_DEVICE, VHOST_ACCESS_RW,
				&setup.device);
	if (!err)
		err = vq_init(&q->vq, &setup);
	if (!err)
		err = vq_set_base(&q->vq, q->base);
	if (!err)
		err = vq_start(&q->vq);
	if (err)
		return err;
	q->mapped = true;
	if (vireo_logging(q))
		vireo_log_device_area(q, 0, sizeof(__le32));
	return 0;
}

/**
 * vireo_queue_unmap() - let go of the ring, and keep its state
 * @q: queue, mutex held, nothing in flight
 */
void vireo_queue_unmap(struct vireo_queue *q)
{
	if (!q->mapped)
		return;
	q->base = vq_get_base(&q->vq);
	q->mapped = false;
}

/* What it means for a live queue that its ring could not be mapped. */
static enum vireo_queue_error map_error(int err)
{
	switch (err) {
	case -EINVAL:
		return VIREO_ERROR_BASE;
	case -ENXIO:
		return VIREO_ERROR_ADDRESS;
	default:
		return VIREO_ERROR_RING_FAULT;
	}
}

static void queue_turn(struct vireo_work *work, bool alive)
{
	struct vireo_queue *q = container_of(work, struct vireo_queue, work);
	int err = 0;

	if (!alive)
		return;
	mutex_lock(&q->mutex);
	if (q->backend && !q->error) {
		q->stats.wakeups++;
		q->waiting = false;
		q->poll_end = 0;
		if (!q->mapped)
			err = queue_map(q);
		if (!err)
			q->dev->ops->run(q);
		else if (err != -EAGAIN)
			vireo_queue_break(q, map_error(err));
		/* Unless this turn asked, it goes on without what one before asked for. */
		if (vireo_has(q, VIREO_F_ACCESS_PLATFORM) && (!q->waiting || q->error))
			vireo_iotlb_unask(q);
	}
	mutex_unlock(&q->mutex);
}

/**
 * vireo_queue_again() - a turn's budget is used up: another turn, after others
 * @q: queue
 *
 * Context: any.
 */
void vireo_queue_again(struct vireo_queue *q)
{
	vireo_worker_queue(q, &q->work);
}
EXPORT_SYMBOL_NS_GPL(vireo_queue_again, VIREO);

/* Something happened for a queue outside of its data path: have a look. */
void vireo_queue_kicked(struct vireo_queue *q)
{
	vireo_worker_queue(q, &q->work);
}

/* Is everything set up that a live queue needs? 0, or vhost's -EFAULT. */
int vireo_queue_check(struct vireo_queue *q)
{
	u64 bytes = vq_area_bytes(q->features, q->num, VQ_AREA_DEVICE);

	if (vireo_logging(q)) {
		if (!vireo_log_ok(q->log, q->memory))
			return -EFAULT;
		if (!vireo_has(q, VIREO_F_ACCESS_PLATFORM) &&
		    !vireo_log_used_ok(q->log, &q->addr, bytes))
			return -EFAULT;
	}
	if (vireo_has(q, VIREO_F_ACCESS_PLATFORM))
		return 0;
	if (!access_ok((void __user *)q->addr.desc_user_addr,
		       vq_area_bytes(q->features, q->num, VQ_AREA_DESC)) ||
	    !access_ok((void __user *)q->addr.avail_user_addr,
		       vq_area_bytes(q->features, q->num, VQ_AREA_DRIVER)) ||
	    !access_ok((void __user *)q->addr.used_user_addr, bytes))
		return -EFAULT;
	return 0;
}
EXPORT_SYMBOL_NS_GPL(vireo_queue_check, VIREO);

/**
 * vireo_queue_start() - give a queue its backend, and serve it
 * @q: queue without a backend; device's and queue's mutex held, by the owner
 * @backend: not NULL
 *
 * Return: 0; -EFAULT: ring or log cannot be reached, or the ring is in pieces;
 * -EINVAL: the ring's size, alignment or base is not possible; -ENOMEM.
 */
int vireo_queue_start(struct vireo_queue *q, void *backend)
{
	int err = vireo_queue_check(q);

	if (!err)
		err = queue_alloc(q);
	if (err)
		return err;
	q->error = VIREO_ERROR_NONE;
	err = queue_map(q);
	if (err && err != -EAGAIN)
		return err == -ENXIO ? -EFAULT : err;
	q->backend = backend;
	vireo_queue_kicked(q);
	return 0;
}
EXPORT_SYMBOL_NS_GPL(vireo_queue_start, VIREO);

/**
 * vireo_queue_stop() - take the backend from a queue
 * @q: queue; device's and queue's mutex held
 *
 * The worker is not in the ring, since it would hold the mutex, and will not
 * go there again.
 *
 * Return: the backend, NULL if there was none.
 */
void *vireo_queue_stop(struct vireo_queue *q)
{
	void *backend = q->backend;

	lockdep_assert_held(&q->mutex);
	vireo_queue_unmap(q);
	q->backend = NULL;
	q->waiting = false;
	vireo_iotlb_unask(q);
	return backend;
}
EXPORT_SYMBOL_NS_GPL(vireo_queue_stop, VIREO);

/**
 * vireo_queue_break() - stop serving, and tell the owner
 * @q: queue, mutex held
 * @error: enum vireo_queue_error
 *
 * The first error counts: what else fails until the turn ends follows from it.
 */
void vireo_queue_break(struct vireo_queue *q, u32 error)
{
	bool rule = error > VIREO_ERROR_RING_FAULT && error < VIREO_ERROR_ADDRESS;

	if (q->error)
		return;
	q->error = error;
	q->stats.last_error = error;
	if (rule || error == VIREO_ERROR_DIRECTION || error == VIREO_ERROR_BASE)
		q->stats.ring_errors++;
	else
		q->stats.faults++;
	pr_debug_ratelimited("queue %u of %s stopped: error %u, %s\n", q->index, current->comm,
			     error, error < VQ_ERR_MAX ? vq_strerror(error) : "see vireo.h");
	if (q->err)
		vireo_eventfd_signal(q->err);
}
EXPORT_SYMBOL_NS_GPL(vireo_queue_break, VIREO);

/* Memory is another now: what was out of reach may be there. Mutex held. */
void vireo_queue_mend(struct vireo_queue *q)
{
	switch (q->error) {
	case VIREO_ERROR_RING_FAULT:
	case VIREO_ERROR_ADDRESS:
	case VIREO_ERROR_BUFFER_FAULT:
	case VIREO_ERROR_LOG:
		q->error = VIREO_ERROR_NONE;
		vireo_queue_kicked(q);
	}
}
