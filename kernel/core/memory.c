// SPDX-License-Identifier: GPL-2.0-only
/*
 * Guest memory: the table that VHOST_SET_MEM_TABLE gives, and translation.
 *
 * A table is immutable. Queues point to the table, under their mutex; a new
 * one replaces it in every queue, and then nobody uses the old.
 */
#include <linux/module.h>
#include <linux/nospec.h>
#include <linux/overflow.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include <linux/uaccess.h>

#include "access.h"
#include "vireo.h"

static unsigned short max_mem_regions = 512;
module_param(max_mem_regions, ushort, 0444);
MODULE_PARM_DESC(max_mem_regions, "Memory regions that a device accepts (default 512)");

static const struct vireo_memory no_memory;

/* The table before there is one: nothing translates. */
const struct vireo_memory *vireo_memory_empty(void)
{
	return &no_memory;
}

static int range_cmp(const void *a, const void *b)
{
	const struct vireo_range *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

/*
 * The errors are vhost's, but for two regions that share a guest address,
 * which vhost lets pass and which has no sane meaning.
 */
static int memory_check(struct vireo_memory *memory)
{
	u32 i;

	for (i = 0; i < memory->n; i++) {
		struct vireo_range *r = &memory->ranges[i];

		if (!r->size || r->start + (r->size - 1) < r->start)
			return -EFAULT;
		if (!access_ok((void __user *)r->uaddr, r->size))
			return -EFAULT;
	}
	sort(memory->ranges, memory->n, sizeof(memory->ranges[0]), range_cmp, NULL);
	for (i = 1; i < memory->n; i++)
		if (memory->ranges[i].start - memory->ranges[i - 1].start <
		    memory->ranges[i - 1].size)
			return -EINVAL;
	return 0;
}

static struct vireo_memory *memory_read(struct vhost_memory __user *argp)
{
	struct vhost_memory_region region;
	struct vireo_memory *memory;
	struct vhost_memory head;
	int err = -EFAULT;
	u32 i;

	if (copy_from_user(&head, argp, sizeof(head)))
		return ERR_PTR(-EFAULT);
	if (head.padding)
		return ERR_PTR(-EOPNOTSUPP);
	if (head.nregions > max_mem_regions)
		return ERR_PTR(-E2BIG);

	memory = kvzalloc(struct_size(memory, ranges, head.nregions), GFP_KERNEL_ACCOUNT);
	if (!memory)
		return ERR_PTR(-ENOMEM);
	for (i = 0; i < head.nregions; i++) {
		if (copy_from_user(&region, &argp->regions[i], sizeof(region)))
			goto err_free;
		memory->ranges[i] = (struct vireo_range){
			.start = region.guest_phys_addr,
			.size = region.memory_size,
			.uaddr = region.userspace_addr,
			.perm = VHOST_ACCESS_RW,
		};
	}
	memory->n = head.nregions;
	err = memory_check(memory);
	if (err)
		goto err_free;
	return memory;

err_free:
	kvfree(memory);
	return ERR_PTR(err);
}

/*
 * VHOST_SET_MEM_TABLE, under the device's mutex. A live queue that logs needs
 * a log that reaches over the new memory.
 */
long vireo_memory_set(struct vireo_dev *dev, struct vhost_memory __user *argp)
{
	const struct vireo_memory *old = dev->memory;
	struct vireo_memory *new = memory_read(argp);
	unsigned int i;

	if (IS_ERR(new))
		return PTR_ERR(new);
	for (i = 0; i < dev->nqueues; i++) {
		struct vireo_queue *q = dev->queues[i];
		bool ok;

		mutex_lock(&q->mutex);
		ok = !q->backend || !vireo_logging(q) || vireo_log_ok(q->log, new);
		mutex_unlock(&q->mutex);
		if (!ok) {
			kvfree(new);
			return -EFAULT;
		}
	}
	dev->memory = new;
	for (i = 0; i < dev->nqueues; i++) {
		struct vireo_queue *q = dev->queues[i];

		mutex_lock(&q->mutex);
		q->memory = new;
		q->hot.size = 0;
		vireo_queue_mend(q);
		mutex_unlock(&q->mutex);
	}
	if (old != &no_memory)
		kvfree(old);
	return 0;
}

static const struct vireo_range *memory_find(const struct vireo_memory *memory, u64 addr)
{
	u32 low = 0, high = memory->n;

	while (low < high) {
		u32 middle = low + (high - low) / 2;
		const struct vireo_range *r = &memory->ranges[middle];

		if (addr < r->start)
			high = middle;
		else if (addr - r->start >= r->size)
			low = middle + 1;
		else
			return &memory->ranges[array_index_nospec(middle, memory->n)];
	}
	return NULL;
}

/* vireo_translate() when the range that was found last does not do. */
int vireo_translate_slow(struct vireo_queue *q, u64 addr, u64 len, u8 perm, void __user **to,
			 u64 *got)
{
	const struct vireo_range *r;
	u64 offset;

	if (vireo_has(q, VIREO_F_ACCESS_PLATFORM)) {
		struct vireo_range found;

		if (!vireo_iotlb_find(&q->dev->iotlb, addr, perm, &found)) {
			vireo_iotlb_miss(q, addr, perm);
			return -EAGAIN;
		}
		q->hot = found;
	} else {
		r = memory_find(q->memory, addr);
		if (unlikely(!r))
			return -ENXIO;
		q->hot = *r;
	}
	offset = array_index_nospec(addr - q->hot.start, q->hot.size);
	*to = (void __user *)(q->hot.uaddr + offset);
	*got = min(len, q->hot.size - offset);
	return 0;
}
EXPORT_SYMBOL_NS_GPL(vireo_translate_slow, VIREO);

/* vireo_translate_iov() in general. */
int vireo_translate_many(struct vireo_queue *q, const struct vq_seg *segs, u32 n, u8 perm,
			 struct iovec *iov, u32 max)
{
	void __user *base;
	u32 i, count = 0;
	u64 addr, len, got;
	int err;

	for (i = 0; i < n; i++) {
		addr = segs[i].addr;
		for (len = segs[i].len; len; len -= got, addr += got) {
			if (unlikely(count == max))
				return -E2BIG;
			err = vireo_translate(q, addr, len, perm, &base, &got);
			if (unlikely(err))
				return err;
			iov[count].iov_base = base;
			iov[count++].iov_len = got;
		}
	}
	return count;
}
EXPORT_SYMBOL_NS_GPL(vireo_translate_many, VIREO);

/**
 * vireo_copy_from_guest() - read from a chain, wherever its segments end
 * @q: queue, mutex held
 * @segs: readable segments that have at least @skip + @len bytes together
 * @skip: bytes to leave out at their beginning
 * @to: kernel memory
 * @len: bytes
 *
 * Return: 0; -ENXIO, -EAGAIN as for vireo_translate(); -EFAULT: the memory is
 * not there.
 */
int vireo_copy_from_guest(struct vireo_queue *q, const struct vq_seg *segs, u32 skip, void *to,
			  u32 len)
{
	void __user *from;
	u64 got;
	int err;

	for (; skip >= segs->len && len; segs++)
		skip -= segs->len;
	while (len) {
		u32 here = min(len, segs->len - skip);

		err = vireo_translate(q, segs->addr + skip, here, VHOST_ACCESS_RO, &from, &got);
		if (unlikely(err))
			return err;
		if (unlikely(vireo_copy_from_user(to, from, got)))
			return -EFAULT;
		to += got;
		len -= got;
		skip += got;
		if (skip == segs->len) {
			segs++;
			skip = 0;
		}
	}
	return 0;
}
EXPORT_SYMBOL_NS_GPL(vireo_copy_from_guest, VIREO);

/**
 * vireo_memory_error() - what to do when guest memory was not reached
 * @q: queue, mutex held
 * @err: -EAGAIN, -ENXIO or -EFAULT, from above
 *
 * A missing translation is waited for; anything else breaks the queue.
 *
 * Return: @err.
 */
int vireo_memory_error(struct vireo_queue *q, int err)
{
	if (err != -EAGAIN)
		vireo_queue_break(q, err == -ENXIO ? VIREO_ERROR_ADDRESS :
						     VIREO_ERROR_BUFFER_FAULT);
	return err;
}
EXPORT_SYMBOL_NS_GPL(vireo_memory_error, VIREO);
