// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ioctls about one queue, VHOST_SET_VRING_* and VHOST_GET_VRING_*.
 *
 * All run under the device's mutex, and change the queue under its own. Order
 * of checks and errnos are vhost's (Documentation/abi.md).
 */
#include <linux/file.h>
#include <linux/nospec.h>
#include <linux/uaccess.h>

#include "vireo.h"

static int set_num(struct vireo_queue *q, u32 num)
{
	bool packed = vireo_has(q, VQ_F_RING_PACKED);

	if (q->backend)
		return -EBUSY;
	/* A packed ring may have any size (virtio 1.2, 2.8.10.1). */
	if (!num || num > VQ_MAX_NUM || (!packed && (num & (num - 1))))
		return -EINVAL;
	q->num = num;
	return 0;
}

static int set_base(struct vireo_queue *q, u32 base)
{
	if (q->backend)
		return -EBUSY;
	if (!vireo_has(q, VQ_F_RING_PACKED) && base > 0xffff)
		return -EINVAL;
	q->base = base;
	return 0;
}

static u32 get_base(const struct vireo_queue *q)
{
	return q->mapped ? vq_get_base(&q->vq) : q->base;
}

/*
 * With a backend too: that is how an owner asks for the log of the used ring,
 * and a ring may even move, if its contents move with it and nothing is in
 * flight.
 */
static int set_addr(struct vireo_queue *q, const struct vhost_vring_addr *addr)
{
	struct vhost_vring_addr old = q->addr;
	bool moves = addr->desc_user_addr != old.desc_user_addr ||
		     addr->avail_user_addr != old.avail_user_addr ||
		     addr->used_user_addr != old.used_user_addr;

	if (addr->flags & ~BIT(VHOST_VRING_F_LOG))
		return -EOPNOTSUPP;
	if (!IS_ALIGNED(addr->avail_user_addr, sizeof(__le16)) ||
	    !IS_ALIGNED(addr->used_user_addr, sizeof(__le32)) ||
	    !IS_ALIGNED(addr->log_guest_addr, sizeof(__le32)))
		return -EINVAL;
	if (q->backend && moves && q->dev->ops->in_flight)
		return -EBUSY;
	q->addr = *addr;
	if (!q->backend)
		return 0;
	if (vireo_queue_check(q)) {
		q->addr = old;
		return -EINVAL;
	}
	if (moves) {
		vireo_queue_unmap(q);
		vireo_iotlb_unask(q);
		vireo_queue_mend(q);
		vireo_queue_kicked(q);
	}
	return 0;
}

static long vring_state(struct vireo_queue *q, unsigned int cmd, void __user *argp)
{
	struct vhost_vring_state s;
	long ret = 0;

	if (copy_from_user(&s, argp, sizeof(s)))
		return -EFAULT;
	mutex_lock(&q->mutex);
	switch (cmd) {
	case VHOST_SET_VRING_NUM:
		ret = set_num(q, s.num);
		break;
	case VHOST_SET_VRING_BASE:
		ret = set_base(q, s.num);
		break;
	case VHOST_GET_VRING_BASE:
		s.num = get_base(q);
		break;
	case VHOST_SET_VRING_BUSYLOOP_TIMEOUT:
		q->busyloop_us = s.num;
		break;
	case VHOST_GET_VRING_BUSYLOOP_TIMEOUT:
		s.num = q->busyloop_us;
		break;
	}
	mutex_unlock(&q->mutex);
	if ((cmd == VHOST_GET_VRING_BASE || cmd == VHOST_GET_VRING_BUSYLOOP_TIMEOUT) &&
	    copy_to_user(argp, &s, sizeof(s)))
		ret = -EFAULT;
	return ret;
}

static long vring_addr(struct vireo_queue *q, void __user *argp)
{
	struct vhost_vring_addr addr;
	long ret;

	if (copy_from_user(&addr, argp, sizeof(addr)))
		return -EFAULT;
	mutex_lock(&q->mutex);
	ret = set_addr(q, &addr);
	mutex_unlock(&q->mutex);
	return ret;
}

/*
 * The new kick counts from now on, and a kick that the old one got is not
 * lost: a newly waited-for eventfd that is signalled already gives a turn, and
 * a turn that was asked for comes anyway.
 */
static long set_kick(struct vireo_queue *q, int fd)
{
	struct file *file = NULL;
	long ret = 0;

	if (fd != VHOST_FILE_UNBIND) {
		file = eventfd_fget(fd);
		if (IS_ERR(file))
			return PTR_ERR(file);
	}
	mutex_lock(&q->mutex);
	swap(file, q->kick);
	if (q->kick != file) {
		vireo_poll_stop(&q->kick_poll);
		if (q->kick)
			ret = vireo_poll_start(&q->kick_poll, q->kick);
	}
	mutex_unlock(&q->mutex);
	if (file)
		fput(file);
	return ret;
}

static long set_eventfd(struct vireo_queue *q, struct eventfd_ctx **where, int fd)
{
	struct eventfd_ctx *ctx = NULL;

	if (fd != VHOST_FILE_UNBIND) {
		ctx = eventfd_ctx_fdget(fd);
		if (IS_ERR(ctx))
			return PTR_ERR(ctx);
	}
	mutex_lock(&q->mutex);
	swap(ctx, *where);
	mutex_unlock(&q->mutex);
	if (ctx)
		eventfd_ctx_put(ctx);
	return 0;
}

static long vring_file(struct vireo_queue *q, unsigned int cmd, void __user *argp)
{
	struct vhost_vring_file f;

	if (copy_from_user(&f, argp, sizeof(f)))
		return -EFAULT;
	switch (cmd) {
	case VHOST_SET_VRING_KICK:
		return set_kick(q, f.fd);
	case VHOST_SET_VRING_CALL:
		return set_eventfd(q, &q->call, f.fd);
	default:
		return set_eventfd(q, &q->err, f.fd);
	}
}

/**
 * vireo_vring_ioctl() - the ioctls about one queue
 * @dev: device, mutex held, by its owner
 * @cmd: any
 * @argp: begins with the queue's index
 *
 * Return: -ENOIOCTLCMD if @cmd is none of them.
 */
long vireo_vring_ioctl(struct vireo_dev *dev, unsigned int cmd, void __user *argp)
{
	struct vireo_queue *q;
	u32 index;

	if (get_user(index, (u32 __user *)argp))
		return -EFAULT;
	if (index >= dev->nqueues)
		return -ENOBUFS;
	q = dev->queues[array_index_nospec(index, dev->nqueues)];
	switch (cmd) {
	case VHOST_SET_VRING_NUM:
	case VHOST_SET_VRING_BASE:
	case VHOST_GET_VRING_BASE:
	case VHOST_SET_VRING_BUSYLOOP_TIMEOUT:
	case VHOST_GET_VRING_BUSYLOOP_TIMEOUT:
		return vring_state(q, cmd, argp);
	case VHOST_SET_VRING_ADDR:
		return vring_addr(q, argp);
	case VHOST_SET_VRING_KICK:
	case VHOST_SET_VRING_CALL:
	case VHOST_SET_VRING_ERR:
		return vring_file(q, cmd, argp);
	default:
		return -ENOIOCTLCMD;
	}
}
