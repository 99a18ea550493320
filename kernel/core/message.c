// SPDX-License-Identifier: GPL-2.0-only
/*
 * What userspace writes to a device: translations, and that they are void.
 */
#include <linux/export.h>
#include <linux/uaccess.h>

#include "vireo.h"

static bool overlaps(u64 start, u64 len, u64 low, u64 high)
{
	return start <= high && start + (len - 1) >= low;
}

static bool ring_overlaps(const struct vireo_queue *q, u64 low, u64 high)
{
	return overlaps(q->addr.desc_user_addr, vq_area_bytes(q->features, q->num, VQ_AREA_DESC),
			low, high) ||
	       overlaps(q->addr.avail_user_addr,
			vq_area_bytes(q->features, q->num, VQ_AREA_DRIVER), low, high) ||
	       overlaps(q->addr.used_user_addr,
			vq_area_bytes(q->features, q->num, VQ_AREA_DEVICE), low, high);
}

/* Queues forget what they found in a range; after that it is not in use. */
static void queues_forget(struct vireo_dev *dev, u64 low, u64 high)
{
	unsigned int i;

	for (i = 0; i < dev->nqueues; i++) {
		struct vireo_queue *q = dev->queues[i];

		mutex_lock(&q->mutex);
		if (q->hot.size && overlaps(q->hot.start, q->hot.size, low, high))
			q->hot.size = 0;
		if (q->mapped && ring_overlaps(q, low, high)) {
			vireo_queue_unmap(q);
			vireo_queue_kicked(q);
		}
		mutex_unlock(&q->mutex);
	}
}

/* Queues that wait for a translation look again. */
void vireo_queues_go_on(struct vireo_dev *dev)
{
	unsigned int i;

	for (i = 0; i < dev->nqueues; i++) {
		struct vireo_queue *q = dev->queues[i];

		mutex_lock(&q->mutex);
		if (q->waiting)
			vireo_queue_kicked(q);
		mutex_unlock(&q->mutex);
	}
}

static int message_update(struct vireo_dev *dev, const struct vhost_iotlb_msg *msg)
{
	const struct vireo_range range = {
		.start = msg->iova,
		.size = msg->size,
		.uaddr = msg->uaddr,
		.perm = msg->perm & VHOST_ACCESS_RW,
	};
	u64 last = msg->iova + (msg->size - 1);
	int err;

	if (last < msg->iova || !range.perm || !access_ok((void __user *)msg->uaddr, msg->size))
		return -EFAULT;
	err = vireo_iotlb_insert(&dev->iotlb, &range);
	if (err)
		return err;
	queues_forget(dev, range.start, last);
	vireo_queues_go_on(dev);
	return 0;
}

static int message_invalidate(struct vireo_dev *dev, const struct vhost_iotlb_msg *msg)
{
	u64 last = msg->iova + (msg->size - 1);
	bool asked;

	/* From 0 on, a size of 0 is 2^64: everything. Elsewhere it is nothing. */
	if (!msg->size && msg->iova)
		return 0;
	if (last < msg->iova)
		last = U64_MAX;
	asked = vireo_iotlb_remove(&dev->iotlb, msg->iova, last);
	queues_forget(dev, msg->iova, last);
	if (asked)
		vireo_queues_go_on(dev);
	return 0;
}

static int message_take(struct vireo_dev *dev, const struct vhost_iotlb_msg *msg)
{
	int err = -EFAULT;

	mutex_lock(&dev->mutex);
	/* Whoever says where the memory is, decides what is written to. */
	if (!vireo_dev_check_owner(dev) &&
	    (dev->features & VIREO_FEATURE(VIREO_F_ACCESS_PLATFORM))) {
		if (msg->type == VHOST_IOTLB_UPDATE)
			err = message_update(dev, msg);
		else if (msg->type == VHOST_IOTLB_INVALIDATE)
			err = message_invalidate(dev, msg);
	}
	mutex_unlock(&dev->mutex);
	return err;
}

/**
 * vireo_dev_write_iter() - one struct vhost_msg or vhost_msg_v2
 * @dev: device
 * @from: the message
 *
 * An invalidation is done when this returns: the old translation is not used
 * any more.
 *
 * Return: bytes taken; -EINVAL: not a message; -EFAULT: refused, as vhost
 * does for whatever reason.
 */
ssize_t vireo_dev_write_iter(struct vireo_dev *dev, struct iov_iter *from)
{
	struct vhost_iotlb_msg msg;
	size_t skip, size;
	int type;

	if (copy_from_iter(&type, sizeof(type), from) != sizeof(type))
		return -EINVAL;
	switch (type) {
	case VHOST_IOTLB_MSG:
		skip = offsetof(struct vhost_msg, iotlb) - sizeof(type);
		size = sizeof(struct vhost_msg);
		break;
	case VHOST_IOTLB_MSG_V2:
		skip = offsetof(struct vhost_msg_v2, iotlb) - sizeof(type);
		size = sizeof(struct vhost_msg_v2);
		break;
	default:
		return -EINVAL;
	}
	iov_iter_advance(from, skip);
	if (copy_from_iter(&msg, sizeof(msg), from) != sizeof(msg))
		return -EINVAL;
	if (msg.type == VHOST_IOTLB_UPDATE && !msg.size)
		return -EINVAL;
	return message_take(dev, &msg) ? -EFAULT : size;
}
EXPORT_SYMBOL_NS_GPL(vireo_dev_write_iter, VIREO);
