// SPDX-License-Identifier: GPL-2.0-only
/*
 * A device: from open to release, its owner, its features.
 *
 * The owner is the process that said VHOST_SET_OWNER. The device uses its
 * memory and works on its account, and once there is one, it alone may change
 * anything. Others may have the fd as well, by fork or by passing it: they read
 * features and counters, and translations that are asked for.
 */
#include <linux/export.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "vireo.h"

#define VIREO_BACKEND_FEATURES VIREO_FEATURE(VHOST_BACKEND_F_IOTLB_MSG_V2)

/**
 * vireo_dev_init() - a newly opened device
 * @dev: to set up
 * @ops: of the device module
 * @queues: @nqueues queues, to be set up too
 * @nqueues: at least 1
 */
void vireo_dev_init(struct vireo_dev *dev, const struct vireo_dev_ops *ops,
		    struct vireo_queue **queues, unsigned int nqueues)
{
	unsigned int i;

	memset(dev, 0, sizeof(*dev));
	dev->ops = ops;
	dev->queues = queues;
	dev->nqueues = nqueues;
	dev->memory = vireo_memory_empty();
	mutex_init(&dev->mutex);
	vireo_iotlb_init(&dev->iotlb);
	xa_init_flags(&dev->workers, XA_FLAGS_ALLOC);
	for (i = 0; i < nqueues; i++)
		vireo_queue_init(dev, queues[i], i);
}
EXPORT_SYMBOL_NS_GPL(vireo_dev_init, VIREO);

/* Is the caller the owner? 0 or -EPERM; under the device's mutex. */
int vireo_dev_check_owner(struct vireo_dev *dev)
{
	return dev->mm && dev->mm == current->mm ? 0 : -EPERM;
}
EXPORT_SYMBOL_NS_GPL(vireo_dev_check_owner, VIREO);

/* Without the owner, and what came with it; under the device's mutex. */
static void owner_drop(struct vireo_dev *dev)
{
	unsigned int i;

	vireo_workers_destroy(dev);
	for (i = 0; i < dev->nqueues; i++)
		vireo_queue_free(dev->queues[i]);
	if (dev->mm)
		mmdrop(dev->mm);
	dev->mm = NULL;
}

/* Back to what it was when it was opened; under the device's mutex. */
static void dev_cleanup(struct vireo_dev *dev)
{
	unsigned int i;

	for (i = 0; i < dev->nqueues; i++) {
		dev->ops->stop(dev->queues[i]);
		vireo_queue_forget(dev->queues[i]);
	}
	owner_drop(dev);
	vireo_iotlb_enable(&dev->iotlb, false);
	if (dev->log_call)
		eventfd_ctx_put(dev->log_call);
	dev->log_call = NULL;
	if (dev->memory != vireo_memory_empty())
		kvfree(dev->memory);
	dev->memory = vireo_memory_empty();
	dev->features = 0;
	dev->backend_features = 0;
}

/**
 * vireo_dev_release() - the last fd is closed
 * @dev: nothing of it is in use afterwards
 */
void vireo_dev_release(struct vireo_dev *dev)
{
	unsigned int i;

	mutex_lock(&dev->mutex);
	dev_cleanup(dev);
	mutex_unlock(&dev->mutex);
	for (i = 0; i < dev->nqueues; i++)
		mutex_destroy(&dev->queues[i]->mutex);
	mutex_destroy(&dev->mutex);
}
EXPORT_SYMBOL_NS_GPL(vireo_dev_release, VIREO);

static long set_owner(struct vireo_dev *dev)
{
	int err;

	if (dev->mm)
		return -EBUSY;
	dev->mm = current->mm;
	mmgrab(dev->mm);
	err = vireo_workers_create(dev);
	/* What others may have set before, features, stays. */
	if (err)
		owner_drop(dev);
	return err;
}

static bool queue_live(struct vireo_queue *q)
{
	bool live;

	mutex_lock(&q->mutex);
	live = q->backend;
	mutex_unlock(&q->mutex);
	return live;
}

/* What a change of features asks of the queues that are live. */
static int features_check(struct vireo_dev *dev, u64 features)
{
	u64 changed = features ^ dev->features;
	unsigned int i;

	for (i = 0; i < dev->nqueues; i++) {
		struct vireo_queue *q = dev->queues[i];

		if (!queue_live(q))
			continue;
		/* The ring would change its meaning under the driver. */
		if (changed & ~VIREO_FEATURE(VHOST_F_LOG_ALL))
			return -EBUSY;
		if (features & changed && !vireo_log_ok(q->log, dev->memory))
			return -EFAULT;
	}
	return 0;
}

static long set_features(struct vireo_dev *dev, u64 features)
{
	unsigned int i;
	int err;

	if (features & ~dev->ops->features)
		return -EOPNOTSUPP;
	err = features_check(dev, features);
	if (err)
		return err;
	vireo_iotlb_enable(&dev->iotlb, features & VIREO_FEATURE(VIREO_F_ACCESS_PLATFORM));
	dev->features = features;
	for (i = 0; i < dev->nqueues; i++) {
		struct vireo_queue *q = dev->queues[i];

		mutex_lock(&q->mutex);
		q->features = features;
		q->hot.size = 0;
		/* What it asked for is forgotten; it asks again. */
		if (q->waiting)
			vireo_queue_kicked(q);
		if (dev->ops->features_set)
			dev->ops->features_set(q);
		mutex_unlock(&q->mutex);
	}
	return 0;
}

static long set_log_base(struct vireo_dev *dev, u64 base)
{
	u8 __user *log = (u8 __user *)base;
	long ret = 0;
	unsigned int i;

	/* A queue that is not live is checked when it gets its backend. */
	for (i = 0; i < dev->nqueues; i++) {
		struct vireo_queue *q = dev->queues[i];
		u64 bytes;

		mutex_lock(&q->mutex);
		bytes = vq_area_bytes(q->features, q->num, VQ_AREA_DEVICE);
		if (q->backend && vireo_logging(q) &&
		    (!vireo_log_ok(log, q->memory) ||
		     (!vireo_has(q, VIREO_F_ACCESS_PLATFORM) &&
		      !vireo_log_used_ok(log, &q->addr, bytes))))
			ret = -EFAULT;
		else
			q->log = log;
		mutex_unlock(&q->mutex);
	}
	return ret;
}

static long set_log_fd(struct vireo_dev *dev, int fd)
{
	struct eventfd_ctx *ctx = NULL;
	unsigned int i;

	if (fd != VHOST_FILE_UNBIND) {
		ctx = eventfd_ctx_fdget(fd);
		if (IS_ERR(ctx))
			return PTR_ERR(ctx);
	}
	swap(ctx, dev->log_call);
	for (i = 0; i < dev->nqueues; i++) {
		mutex_lock(&dev->queues[i]->mutex);
		dev->queues[i]->log_call = dev->log_call;
		mutex_unlock(&dev->queues[i]->mutex);
	}
	if (ctx)
		eventfd_ctx_put(ctx);
	return 0;
}

static long set_backend_features(struct vireo_dev *dev, u64 features)
{
	if (features & ~VIREO_BACKEND_FEATURES)
		return -EOPNOTSUPP;
	WRITE_ONCE(dev->backend_features, features);
	return 0;
}

/* The ioctls for which the caller must be the owner. */
static long owner_ioctl(struct vireo_dev *dev, unsigned int cmd, void __user *argp)
{
	u64 value;
	int fd;

	switch (cmd) {
	case VHOST_RESET_OWNER:
		dev_cleanup(dev);
		return 0;
	case VHOST_SET_MEM_TABLE:
		return vireo_memory_set(dev, argp);
	case VHOST_SET_LOG_BASE:
		return copy_from_user(&value, argp, sizeof(value)) ? -EFAULT :
								     set_log_base(dev, value);
	case VHOST_SET_LOG_FD:
		return get_user(fd, (int __user *)argp) ? -EFAULT : set_log_fd(dev, fd);
	default:
		return vireo_vring_ioctl(dev, cmd, argp);
	}
}

static long locked_ioctl(struct vireo_dev *dev, unsigned int cmd, void __user *argp)
{
	u64 value;
	long err;

	switch (cmd) {
	case VHOST_SET_OWNER:
		return set_owner(dev);
	case VHOST_SET_FEATURES:
	case VHOST_SET_BACKEND_FEATURES:
		/* As vhost, before there is an owner too. */
		if (dev->mm && vireo_dev_check_owner(dev))
			return -EPERM;
		if (copy_from_user(&value, argp, sizeof(value)))
			return -EFAULT;
		return cmd == VHOST_SET_FEATURES ? set_features(dev, value) :
						   set_backend_features(dev, value);
	case VIREO_GET_QUEUE_STATS:
		return vireo_stats_get(dev, argp);
	}
	err = vireo_dev_check_owner(dev);
	switch (cmd) {
	case VHOST_NEW_WORKER:
	case VHOST_FREE_WORKER:
	case VHOST_ATTACH_VRING_WORKER:
	case VHOST_GET_VRING_WORKER:
		/* As vhost: no owner at all is another error than the wrong one. */
		if (!dev->mm)
			return -EINVAL;
		return err ?: vireo_worker_ioctl(dev, cmd, argp);
	}
	return err ?: owner_ioctl(dev, cmd, argp);
}

/**
 * vireo_dev_ioctl() - the ioctls that all devices have
 * @dev: device, no lock held
 * @cmd: any
 * @argp: its argument
 *
 * Return: what Documentation/abi.md says; -ENOIOCTLCMD for others.
 */
long vireo_dev_ioctl(struct vireo_dev *dev, unsigned int cmd, void __user *argp)
{
	u64 value;
	long ret;

	switch (cmd) {
	case VHOST_GET_FEATURES:
		value = dev->ops->features;
		return copy_to_user(argp, &value, sizeof(value)) ? -EFAULT : 0;
	case VHOST_GET_BACKEND_FEATURES:
		value = VIREO_BACKEND_FEATURES;
		return copy_to_user(argp, &value, sizeof(value)) ? -EFAULT : 0;
	}
	mutex_lock(&dev->mutex);
	ret = locked_ioctl(dev, cmd, argp);
	mutex_unlock(&dev->mutex);
	return ret;
}
EXPORT_SYMBOL_NS_GPL(vireo_dev_ioctl, VIREO);
