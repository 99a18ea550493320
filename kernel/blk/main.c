// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/vireo-blk: the file, its ioctls, and which of its queues are live.
 *
 * One open file is one disk with up to VIREO_BLK_QUEUES queues.
 */
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/nospec.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "blk.h"

/*
 * Requests end in the order in which the disk ends them, so IN_ORDER is not
 * for us; and their buffers are looked up at more times than a translation can
 * be waited for, so neither is ACCESS_PLATFORM.
 */
#define NOT_OFFERED (VIREO_FEATURE(VQ_F_IN_ORDER) | VIREO_FEATURE(VIREO_F_ACCESS_PLATFORM))
#define VIREO_BLK_FEATURES                                                                   \
	((VIREO_CORE_FEATURES & ~NOT_OFFERED) | VIREO_FEATURE(VIRTIO_BLK_F_SIZE_MAX) |       \
	 VIREO_FEATURE(VIRTIO_BLK_F_SEG_MAX) | VIREO_FEATURE(VIRTIO_BLK_F_RO) |              \
	 VIREO_FEATURE(VIRTIO_BLK_F_BLK_SIZE) | VIREO_FEATURE(VIRTIO_BLK_F_FLUSH) |          \
	 VIREO_FEATURE(VIRTIO_BLK_F_TOPOLOGY) | VIREO_FEATURE(VIRTIO_BLK_F_CONFIG_WCE) |     \
	 VIREO_FEATURE(VIRTIO_BLK_F_MQ) | VIREO_FEATURE(VIRTIO_BLK_F_DISCARD) |              \
	 VIREO_FEATURE(VIRTIO_BLK_F_WRITE_ZEROES))

static struct vireo_blk *to_blk(struct vireo_queue *q)
{
	return container_of(q->dev, struct vireo_blk, dev);
}

/* What follows from the configuration, and from the driver's features; mutex held. */
static void rules_apply(struct vireo_queue *q)
{
	struct vireo_blk_queue *bq = to_blk_queue(q);
	const struct vireo_blk *blk = to_blk(q);
	bool buffered = blk->config.flags & VIREO_BLK_BUFFERED;

	bq->rules = blk->config;
	bq->memory_mask = buffered ? 0 : blk->disk.memory_mask;
	bq->length_mask = buffered ? 0 : blk->disk.length_mask;
	/*
	 * virtio 1.2, 5.2.5.2: a driver that can choose has the mode that it chose;
	 * one that can flush has a cache; one that can do neither has none.
	 */
	if (vireo_has(q, VIRTIO_BLK_F_CONFIG_WCE))
		bq->write_through = !(bq->rules.flags & VIREO_BLK_WRITEBACK);
	else
		bq->write_through = !vireo_has(q, VIRTIO_BLK_F_FLUSH);
}

/* Requests that are taken from now on follow another configuration; device's mutex. */
void vireo_blk_config_use(struct vireo_blk *blk, const struct vireo_blk_config *config)
{
	unsigned int i;

	blk->config = *config;
	for (i = 0; i < VIREO_BLK_QUEUES; i++) {
		struct vireo_queue *q = blk->pointers[i];

		mutex_lock(&q->mutex);
		rules_apply(q);
		mutex_unlock(&q->mutex);
	}
}

/* Nothing is in flight when this returns; under the device's mutex. */
static void blk_stop(struct vireo_queue *q)
{
	struct vireo_blk_queue *bq = to_blk_queue(q);
	struct vireo_blk *blk = to_blk(q);

	mutex_lock(&q->mutex);
	if (q->backend) {
		vireo_blk_drain(bq, current->mm && current->mm == q->dev->mm);
		vireo_queue_stop(q);
		vireo_blk_queue_free(bq);
		blk->running--;
	}
	mutex_unlock(&q->mutex);
}

static int blk_start(struct vireo_blk *blk, struct vireo_queue *q)
{
	struct vireo_blk_queue *bq = to_blk_queue(q);
	int err = 0;

	mutex_lock(&q->mutex);
	if (!q->backend) {
		err = vireo_blk_queue_alloc(bq);
		if (!err)
			err = vireo_queue_start(q, &blk->disk);
		if (err)
			vireo_blk_queue_free(bq);
		else
			blk->running++;
	}
	mutex_unlock(&q->mutex);
	return err;
}

static const struct vireo_dev_ops blk_ops = {
	.features = VIREO_BLK_FEATURES,
	.in_flight = true,
	.features_set = rules_apply,
	.run = vireo_blk_run,
	.stop = blk_stop,
};

/* What follows is under the device's mutex; the caller is the owner. */

static long blk_set_disk(struct vireo_blk *blk, int __user *argp)
{
	struct vireo_blk_disk disk = {};
	int fd, err;

	if (get_user(fd, argp))
		return -EFAULT;
	if (blk->running)
		return -EBUSY;
	if (fd != VHOST_FILE_UNBIND) {
		err = vireo_blk_disk_open(&disk, fd);
		if (err)
			return err;
	}
	vireo_blk_disk_close(&blk->disk);
	blk->disk = disk;
	vireo_blk_config_use(blk, &disk.limits);
	return 0;
}

static long blk_set_running(struct vireo_blk *blk, struct vhost_vring_state __user *argp)
{
	struct vhost_vring_state state;
	struct vireo_queue *q;
	unsigned int i;

	if (copy_from_user(&state, argp, sizeof(state)))
		return -EFAULT;
	if (state.index == VIREO_BLK_ALL_QUEUES && !state.num) {
		for (i = 0; i < VIREO_BLK_QUEUES; i++)
			blk_stop(blk->pointers[i]);
		return 0;
	}
	if (state.num > 1 || state.index == VIREO_BLK_ALL_QUEUES)
		return -EINVAL;
	if (state.index >= VIREO_BLK_QUEUES)
		return -ENOBUFS;
	q = blk->pointers[array_index_nospec(state.index, VIREO_BLK_QUEUES)];
	if (!state.num) {
		blk_stop(q);
		return 0;
	}
	return blk->disk.file ? blk_start(blk, q) : -ENODEV;
}

static long blk_locked_ioctl(struct vireo_blk *blk, unsigned int cmd, void __user *argp)
{
	int err;

	if (cmd == VIREO_BLK_GET_CONFIG)
		return vireo_blk_config_get(blk, argp);
	err = vireo_dev_check_owner(&blk->dev);
	if (err)
		return err;
	switch (cmd) {
	case VIREO_BLK_SET_DISK:
		return blk_set_disk(blk, argp);
	case VIREO_BLK_SET_CONFIG:
		return vireo_blk_config_set(blk, argp);
	default:
		return blk_set_running(blk, argp);
	}
}

/* Without an owner there is no disk: it was the owner's to give. */
static void blk_forget(struct vireo_blk *blk)
{
	const struct vireo_blk_config none = {};

	mutex_lock(&blk->dev.mutex);
	if (!blk->dev.mm && blk->disk.file) {
		vireo_blk_disk_close(&blk->disk);
		vireo_blk_config_use(blk, &none);
	}
	mutex_unlock(&blk->dev.mutex);
}

static long blk_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct vireo_blk *blk = file->private_data;
	void __user *argp = (void __user *)arg;
	long ret;

	switch (cmd) {
	case VIREO_BLK_SET_DISK:
	case VIREO_BLK_GET_CONFIG:
	case VIREO_BLK_SET_CONFIG:
	case VIREO_BLK_SET_RUNNING:
		mutex_lock(&blk->dev.mutex);
		ret = blk_locked_ioctl(blk, cmd, argp);
		mutex_unlock(&blk->dev.mutex);
		return ret;
	}
	ret = vireo_dev_ioctl(&blk->dev, cmd, argp);
	if (cmd == VHOST_RESET_OWNER && !ret)
		blk_forget(blk);
	return ret;
}

static int blk_open(struct inode *inode, struct file *file)
{
	struct vireo_blk *blk = kvzalloc(sizeof(*blk), GFP_KERNEL_ACCOUNT);
	unsigned int i;

	if (!blk)
		return -ENOMEM;
	for (i = 0; i < VIREO_BLK_QUEUES; i++) {
		struct vireo_blk_queue *bq = &blk->queues[i];

		blk->pointers[i] = &bq->q;
		bq->disk = &blk->disk;
		init_llist_head(&bq->done);
		init_llist_head(&bq->unanswered);
		init_waitqueue_head(&bq->drained);
	}
	vireo_dev_init(&blk->dev, &blk_ops, blk->pointers, VIREO_BLK_QUEUES);
	file->private_data = blk;
	return 0;
}

static int blk_release(struct inode *inode, struct file *file)
{
	struct vireo_blk *blk = file->private_data;

	/* All queues are stopped, and RCU has waited for vireo_blk_done(). */
	vireo_dev_release(&blk->dev);
	vireo_blk_disk_close(&blk->disk);
	kvfree(blk);
	return 0;
}

static const struct file_operations blk_fops = {
	.owner = THIS_MODULE,
	.open = blk_open,
	.release = blk_release,
	.unlocked_ioctl = blk_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.llseek = noop_llseek,
};

static struct miscdevice blk_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "vireo-blk",
	.fops = &blk_fops,
	.mode = 0660,
};

module_misc_device(blk_misc);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Vireo: disks");
MODULE_AUTHOR("The Vireo developers");
MODULE_IMPORT_NS(VIREO);
