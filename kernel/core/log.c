// SPDX-License-Identifier: GPL-2.0-only
/*
 * The dirty log: which pages of guest memory we wrote to, for live migration.
 *
 * A bitmap in the owner's memory, one bit for each 4 KiB of guest memory from
 * guest address 0 on. The owner takes bits with atomic exchanges while we set
 * them, so we set them atomically too. A page is written first and logged then:
 * whoever takes the bit sees what was written, or finds the bit again.
 */
#include <linux/export.h>
#include <linux/uaccess.h>

#include "vireo.h"

#define LOG_PAGE_SHIFT 12 /* VHOST_PAGE_SIZE */

/* Can the log take guest addresses up to @last? */
static bool log_reaches(u8 __user *log, u64 last)
{
	u64 bytes = (last >> LOG_PAGE_SHIFT) / 8 + 1;

	/* Bits are set by the word, so the word must be there, and aligned. */
	bytes = ALIGN(bytes, sizeof(u64));
	return log && IS_ALIGNED((unsigned long)log, sizeof(u64)) && access_ok(log, bytes);
}

/* Does a log at @log reach over all of guest memory? */
bool vireo_log_ok(u8 __user *log, const struct vireo_memory *memory)
{
	const struct vireo_range *top;

	if (!memory->n)
		return true;
	top = &memory->ranges[memory->n - 1];
	return log_reaches(log, top->start + (top->size - 1));
}

/* Does it reach over the used ring (or device event area) of @bytes? */
bool vireo_log_used_ok(u8 __user *log, const struct vhost_vring_addr *addr, u64 bytes)
{
	u64 last = addr->log_guest_addr + (bytes - 1);

	if (!(addr->flags & BIT(VHOST_VRING_F_LOG)))
		return true;
	return last >= addr->log_guest_addr && log_reaches(log, last);
}

static int log_set_bits(u64 __user *word, u64 mask)
{
	u64 old;

	if (!user_access_begin(word, sizeof(*word)))
		return -EFAULT;
	unsafe_get_user(old, word, fault);
	while ((old & mask) != mask)
		if (unsafe_try_cmpxchg_user(word, &old, old | mask, fault))
			break;
	user_access_end();
	return 0;
fault:
	user_access_end();
	return -EFAULT;
}

/* Guest addresses [@addr, @addr + @len) were written. */
static void log_guest(struct vireo_queue *q, u64 addr, u64 len)
{
	u64 page, last, word, mask;

	if (!len)
		return;
	page = addr >> LOG_PAGE_SHIFT;
	last = (addr + (len - 1)) >> LOG_PAGE_SHIFT;
	while (page <= last) {
		word = page / 64;
		mask = GENMASK_ULL(min(last - word * 64, 63ULL), page % 64);
		if (unlikely(log_set_bits((u64 __user *)q->log + word, mask))) {
			vireo_queue_break(q, VIREO_ERROR_LOG);
			return;
		}
		page = (word + 1) * 64;
	}
}

/**
 * vireo_log_user() - note a write to the owner's memory
 * @q: queue, mutex held, in its worker
 * @from: first byte written
 * @len: bytes written, at least 1
 *
 * For what has no guest address at hand: packed rings, translated buffers, and
 * everything behind an IOMMU. The same memory may be at several guest
 * addresses; all are logged. What is at none is nobody's to migrate.
 */
void vireo_log_user(struct vireo_queue *q, const void __user *from, u64 len)
{
	const struct vireo_memory *memory = q->memory;
	u64 first = (__force u64)from, last = first + (len - 1);
	u32 i;

	for (i = 0; i < memory->n; i++) {
		const struct vireo_range *r = &memory->ranges[i];
		u64 low = max(first, r->uaddr);
		u64 high = min(last, r->uaddr + (r->size - 1));

		if (low <= high)
			log_guest(q, r->start + (low - r->uaddr), high - low + 1);
	}
}

/**
 * vireo_log_device_area() - note a write to the used ring, or event area
 * @q: queue, mutex held, in its worker
 * @offset: of the first byte, from the beginning of the area
 * @len: bytes written
 *
 * The owner gives the area's guest address for the purpose, and says whether
 * it wants the log (VHOST_VRING_F_LOG).
 */
void vireo_log_device_area(struct vireo_queue *q, u64 offset, u64 len)
{
	if (!(q->addr.flags & BIT(VHOST_VRING_F_LOG)))
		return;
	if (vireo_has(q, VIREO_F_ACCESS_PLATFORM))
		vireo_log_user(q, q->vq.device + offset, len);
	else
		log_guest(q, q->addr.log_guest_addr + offset, len);
}

/**
 * vireo_log_iov() - note a write to the beginning of a buffer
 * @q: queue, mutex held, in its worker; VHOST_F_LOG_ALL is on
 * @iov: the buffer, translated
 * @n: how many
 * @len: bytes written
 */
void vireo_log_iov(struct vireo_queue *q, const struct iovec *iov, u32 n, u64 len)
{
	u32 i;

	for (i = 0; i < n && len; i++) {
		u64 here = min_t(u64, len, iov[i].iov_len);

		if (here)
			vireo_log_user(q, iov[i].iov_base, here);
		len -= here;
	}
}
EXPORT_SYMBOL_NS_GPL(vireo_log_iov, VIREO);

/* Tell the owner, if it wants to know (VHOST_SET_LOG_FD). */
void vireo_log_signal(struct vireo_queue *q)
{
	if (q->log_call)
		vireo_eventfd_signal(q->log_call);
}
