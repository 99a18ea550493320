// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/vireo-null: a device that does nothing with what it gets, so that the
 * core can be tested and measured alone. Each chain comes back with its
 * writable segments filled with a pattern.
 */
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "vireo.h"

#define NULL_QUEUES 2
#define NULL_BUDGET 1024 /* chains in one turn */
#define NULL_BYTES 0x80000 /* written in one turn, and to one chain */

struct vireo_null {
	struct vireo_dev dev;
	struct vireo_queue queues[NULL_QUEUES];
	struct vireo_queue *pointers[NULL_QUEUES];
};

/*
 * Fill a chain's writable segments, of which a driver may make gigabytes, up to
 * NULL_BYTES. 0, or a negative errno of the memory.
 */
static int null_fill(struct vireo_queue *q, const struct vq_chain *chain, struct vq_seg *segs,
		     u32 *written)
{
	struct vq_seg *in = segs + chain->nout;
	int i, n;

	*written = 0;
	n = vireo_translate_iov(q, in, chain->nin, VHOST_ACCESS_WO, q->iov, VIREO_MAX_SEGS);
	if (n < 0)
		return n;
	for (i = 0; i < n; i++) {
		void __user *base = q->iov[i].iov_base;
		size_t left = min_t(size_t, q->iov[i].iov_len, NULL_BYTES - *written);
		u8 pattern[256];

		memset(pattern, VIREO_NULL_PATTERN, sizeof(pattern));
		while (left) {
			size_t here = min(left, sizeof(pattern));

			if (__copy_to_user(base, pattern, here))
				return -EFAULT;
			base += here;
			left -= here;
			*written += here;
		}
	}
	if (vireo_logging(q) && *written)
		vireo_log_iov(q, q->iov, n, *written);
	return 0;
}

/* One batch, cut short when @bytes reaches NULL_BYTES. Chains; negative: the turn is over. */
static int null_batch(struct vireo_queue *q, u64 *bytes)
{
	int n = vireo_pop(q, 0, VIREO_BATCH);
	int i, err = 0;

	if (n <= 0)
		return n;
	for (i = 0; i < n && *bytes < NULL_BYTES; i++) {
		struct vq_chain *chain = &q->chains[i];
		struct vq_seg *segs;
		u32 written;

		err = vireo_expand(q, chain, &segs);
		if (!err) {
			err = null_fill(q, chain, segs, &written);
			if (err)
				vireo_memory_error(q, err);
		}
		if (err)
			break;
		vq_stage(&q->used[i], chain, written);
		q->stats.packets++;
		q->stats.bytes += written;
		*bytes += written;
	}
	vireo_unpop(q, i, n - i);
	if (vireo_publish(q, 0, i) || err)
		return err ?: -EFAULT;
	return i;
}

static void null_run(struct vireo_queue *q)
{
	int n, done = 0;
	u64 bytes = 0;

	if (vireo_disable_kick(q))
		return;
	for (;;) {
		n = null_batch(q, &bytes);
		if (n < 0)
			return;
		if (!n) {
			if (vireo_busy_poll(q, NULL))
				continue;
			if (vireo_enable_kick(q, 0) <= 0)
				return;
			vireo_disable_kick(q);
		}
		done += n;
		if (done >= NULL_BUDGET || bytes >= NULL_BYTES) {
			vireo_queue_again(q);
			return;
		}
	}
}

static void null_stop(struct vireo_queue *q)
{
	mutex_lock(&q->mutex);
	vireo_queue_stop(q);
	mutex_unlock(&q->mutex);
}

static const struct vireo_dev_ops null_ops = {
	.features = VIREO_CORE_FEATURES,
	.run = null_run,
	.stop = null_stop,
};

static int null_open(struct inode *inode, struct file *file)
{
	struct vireo_null *null = kvzalloc(sizeof(*null), GFP_KERNEL_ACCOUNT);
	unsigned int i;

	if (!null)
		return -ENOMEM;
	for (i = 0; i < NULL_QUEUES; i++)
		null->pointers[i] = &null->queues[i];
	vireo_dev_init(&null->dev, &null_ops, null->pointers, NULL_QUEUES);
	file->private_data = null;
	return 0;
}

static int null_release(struct inode *inode, struct file *file)
{
	struct vireo_null *null = file->private_data;

	vireo_dev_release(&null->dev);
	kvfree(null);
	return 0;
}

static long null_set_backend(struct vireo_null *null, u32 on)
{
	unsigned int i;
	long err;

	mutex_lock(&null->dev.mutex);
	err = vireo_dev_check_owner(&null->dev);
	for (i = 0; i < NULL_QUEUES && !err; i++) {
		struct vireo_queue *q = &null->queues[i];

		mutex_lock(&q->mutex);
		if (!on)
			vireo_queue_stop(q);
		else if (!q->backend)
			err = vireo_queue_start(q, null);
		mutex_unlock(&q->mutex);
	}
	mutex_unlock(&null->dev.mutex);
	return err;
}

static long null_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct vireo_null *null = file->private_data;
	u32 on;

	if (cmd != VIREO_NULL_SET_BACKEND)
		return vireo_dev_ioctl(&null->dev, cmd, (void __user *)arg);
	return get_user(on, (u32 __user *)arg) ? -EFAULT : null_set_backend(null, on);
}

static ssize_t null_read_iter(struct kiocb *iocb, struct iov_iter *to)
{
	struct file *file = iocb->ki_filp;
	struct vireo_null *null = file->private_data;

	return vireo_dev_read_iter(&null->dev, to, file->f_flags & O_NONBLOCK);
}

static ssize_t null_write_iter(struct kiocb *iocb, struct iov_iter *from)
{
	struct vireo_null *null = iocb->ki_filp->private_data;

	return vireo_dev_write_iter(&null->dev, from);
}

static __poll_t null_poll(struct file *file, poll_table *wait)
{
	struct vireo_null *null = file->private_data;

	return vireo_dev_poll(&null->dev, file, wait);
}

static const struct file_operations null_fops = {
	.owner = THIS_MODULE,
	.open = null_open,
	.release = null_release,
	.read_iter = null_read_iter,
	.write_iter = null_write_iter,
	.poll = null_poll,
	.unlocked_ioctl = null_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.llseek = noop_llseek,
};

static struct miscdevice null_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "vireo-null",
	.fops = &null_fops,
	.mode = 0660,
};

module_misc_device(null_misc);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Vireo: a device that does nothing, for tests of the core");
MODULE_AUTHOR("The Vireo developers");
MODULE_IMPORT_NS(VIREO);
