// SPDX-License-Identifier: GPL-2.0-only
/*
 * Counters of a queue, for whoever has the device open.
 */
#include <linux/nospec.h>
#include <linux/uaccess.h>

#include "vireo.h"

/* VIREO_GET_QUEUE_STATS. The caller need not be the owner. */
long vireo_stats_get(struct vireo_dev *dev, struct vireo_queue_stats __user *argp)
{
	struct vireo_queue_stats stats;
	struct vireo_queue *q;
	u32 index, size;

	if (get_user(index, &argp->index) || get_user(size, &argp->size))
		return -EFAULT;
	if (index >= dev->nqueues)
		return -ENOBUFS;
	if (size < offsetofend(struct vireo_queue_stats, size))
		return -EINVAL;
	q = dev->queues[array_index_nospec(index, dev->nqueues)];

	mutex_lock(&q->mutex);
	stats = q->stats;
	mutex_unlock(&q->mutex);
	stats.index = index;
	stats.size = min_t(u32, size, sizeof(stats));
	return copy_to_user(argp, &stats, stats.size) ? -EFAULT : 0;
}
