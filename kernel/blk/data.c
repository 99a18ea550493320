// SPDX-License-Identifier: GPL-2.0-only
/*
 * The driver's buffers of a request: found, pinned, copied, noted in the log.
 *
 * Guest addresses are kept, not places in the owner's memory: each use looks
 * them up in the memory table that is in force then. What is pinned stays
 * pinned, and is the disk's, until the step ends, whatever becomes of the table.
 */
#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "access.h"
#include "blk.h"

#define PIN_PAGES 16 /* at once */
#define BOUNCE_ORDER 4

/* An allocation for a request must not wait for the disk that it goes to. */
#define BLK_GFP (GFP_NOIO | __GFP_NOWARN | __GFP_ACCOUNT)

/**
 * vireo_blk_keep() - remember where a request's data is
 * @r: request
 * @segs: guest addresses
 * @n: how many, at least 1
 * @skip: bytes at the beginning that are not data, and no more than there are
 *
 * Return: 0 or -ENOMEM.
 */
int vireo_blk_keep(struct vireo_blk_request *r, const struct vq_seg *segs, u32 n, u32 skip)
{
	for (; n > 1 && skip >= segs->len; segs++, n--)
		skip -= segs->len;
	if (n > VIREO_BLK_FEW) {
		r->segs = kmalloc_array(n, sizeof(*segs), BLK_GFP);
		if (!r->segs) {
			r->segs = r->few_segs;
			return -ENOMEM;
		}
	}
	memcpy(r->segs, segs, n * sizeof(*segs));
	r->seg = r->segs;
	r->skip = skip;
	return 0;
}

/* @n bytes further on in a segment, of which @skip are behind: where that is. */
static inline const struct vq_seg *seg_forward(const struct vq_seg *seg, u32 *skip, u32 n)
{
	*skip += n;
	if (*skip < seg->len)
		return seg;
	*skip = 0;
	return seg + 1;
}

/* The data begins @n bytes further on. */
static void blk_forward(struct vireo_blk_request *r, u32 n)
{
	while (n) {
		u32 here = min(n, r->seg->len - r->skip);

		r->seg = seg_forward(r->seg, &r->skip, here);
		n -= here;
	}
}

/* Back to what every request has by itself. */
void vireo_blk_forget(struct vireo_blk_request *r)
{
	if (unlikely(r->segs != r->few_segs)) {
		kfree(r->segs);
		r->segs = r->few_segs;
	}
	if (unlikely(r->vecs != r->few_vecs)) {
		kvfree(r->vecs);
		r->vecs = r->few_vecs;
		r->max_vecs = VIREO_BLK_FEW;
	}
	if (unlikely(r->bounce)) {
		__free_pages(r->bounce, r->bounce_order);
		r->bounce = NULL;
	}
}

/**
 * vireo_blk_copy() - copy between a buffer of ours and the data
 * @r: request; the data begins where the steps before have left it
 * @buffer: ours
 * @len: bytes, no more than there are
 * @to_guest: the direction
 *
 * Return: 0; -ENXIO, -EFAULT: the memory is not there.
 */
int vireo_blk_copy(struct vireo_blk_request *r, void *buffer, u32 len, bool to_guest)
{
	u8 perm = to_guest ? VHOST_ACCESS_WO : VHOST_ACCESS_RO;
	const struct vq_seg *seg = r->seg;
	u32 skip = r->skip;
	void __user *user;
	u64 got;
	int err;

	while (len) {
		err = vireo_translate(&r->queue->q, seg->addr + skip, min(len, seg->len - skip),
				      perm, &user, &got);
		if (!err)
			err = to_guest ? vireo_copy_to_user(user, buffer, got) :
					 vireo_copy_from_user(buffer, user, got);
		if (unlikely(err))
			return err;
		buffer += got;
		len -= got;
		seg = seg_forward(seg, &skip, got);
	}
	return 0;
}

static void vec_unpin(const struct bio_vec *vec, u32 first, bool dirty)
{
	u32 n = DIV_ROUND_UP(vec->bv_offset + vec->bv_len, PAGE_SIZE);

	if (likely(n == 1 && !first && !dirty))
		unpin_user_page(vec->bv_page);
	else if (n > first)
		unpin_user_page_range_dirty_lock(nth_page(vec->bv_page, first), n - first, dirty);
}

static void blk_unpin(struct vireo_blk_request *r, bool dirty)
{
	u32 i;

	for (i = 0; i < r->nvecs; i++)
		vec_unpin(&r->vecs[i], 0, dirty);
	r->nvecs = 0;
}

/*
 * Add a pinned page, or a part of one. One vector may have many pages, if each
 * is there as often as it was pinned: they meet where pages meet. False: there
 * is no room.
 */
static bool vec_add(struct vireo_blk_request *r, struct page *page, u32 offset, u32 len)
{
	struct bio_vec *vec = &r->vecs[r->nvecs];

	if (r->nvecs && !offset) {
		struct bio_vec *last = vec - 1;
		u32 end = last->bv_offset + last->bv_len;

		if (PAGE_ALIGNED(end) && !is_zone_device_page(page) &&
		    page_to_pfn(page) == page_to_pfn(last->bv_page) + (end >> PAGE_SHIFT)) {
			last->bv_len += len;
			return true;
		}
	}
	if (unlikely(r->nvecs == r->max_vecs))
		return false;
	vec->bv_page = page;
	vec->bv_offset = offset;
	vec->bv_len = len;
	r->nvecs++;
	return true;
}

/* Pin some of the owner's memory. Bytes, 0 if there is no room; -EFAULT. */
static int blk_pin(struct vireo_blk_request *r, unsigned long user, u64 len)
{
	unsigned int flags = r->op == VIREO_BLK_READ ? FOLL_WRITE : 0;
	struct page *pages[PIN_PAGES];
	u32 offset = offset_in_page(user);
	u32 bytes = min_t(u64, len, PIN_PAGES * PAGE_SIZE - offset);
	u32 mapped = 0;
	int i, n;

	n = pin_user_pages_fast(user, DIV_ROUND_UP(offset + bytes, PAGE_SIZE), flags, pages);
	if (unlikely(n <= 0))
		return -EFAULT;
	for (i = 0; i < n; i++) {
		u32 here = min_t(u32, bytes - mapped, PAGE_SIZE - offset);

		if (unlikely(!vec_add(r, pages[i], offset, here))) {
			unpin_user_pages(pages + i, n - i);
			break;
		}
		mapped += here;
		offset = 0;
	}
	return mapped;
}

/* Take bytes off the end, so that the round has whole blocks. */
static void blk_trim(struct vireo_blk_request *r, u32 bytes)
{
	while (bytes) {
		struct bio_vec *vec = &r->vecs[r->nvecs - 1];
		struct bio_vec whole = *vec;
		u32 here = min(bytes, vec->bv_len);

		vec->bv_len -= here;
		bytes -= here;
		r->round -= here;
		vec_unpin(&whole, vec->bv_len ? DIV_ROUND_UP(vec->bv_offset + vec->bv_len,
							     PAGE_SIZE) : 0, false);
		if (!vec->bv_len)
			r->nvecs--;
	}
}

/*
 * Pin up to @left bytes of data. 0; -EINVAL: a buffer that the disk does not
 * take as it is; -ENXIO, -EFAULT: the memory is not there.
 */
static int blk_pin_round(struct vireo_blk_request *r, u32 left)
{
	const struct vireo_blk_queue *bq = r->queue;
	u8 perm = r->op == VIREO_BLK_READ ? VHOST_ACCESS_WO : VHOST_ACCESS_RO;
	const struct vq_seg *seg = r->seg;
	u32 skip = r->skip;
	void __user *user;
	u64 got;
	int n;

	while (left) {
		n = vireo_translate(&r->queue->q, seg->addr + skip, min(left, seg->len - skip),
				    perm, &user, &got);
		if (unlikely(n))
			return n;
		if (unlikely((unsigned long)user & bq->memory_mask || got & bq->length_mask))
			return -EINVAL;
		n = blk_pin(r, (unsigned long)user, got);
		if (unlikely(n < 0))
			return n;
		r->round += n;
		left -= n;
		seg = seg_forward(seg, &skip, n);
		if (unlikely(!n))
			break;
	}
	if (unlikely(r->round & bq->length_mask))
		blk_trim(r, r->round & bq->length_mask);
	return r->round ? 0 : -EINVAL;
}

/* A buffer of ours in place of the driver's. 0, -ENOMEM, or what copying gives. */
static int blk_bounce(struct vireo_blk_request *r, u32 left)
{
	u32 least = get_order(r->queue->length_mask + 1);

	if (!r->bounce) {
		r->bounce_order = clamp_t(u32, get_order(left), least, BOUNCE_ORDER);
		r->bounce = alloc_pages(BLK_GFP | __GFP_NORETRY, r->bounce_order);
	}
	if (!r->bounce) {
		r->bounce_order = least;
		r->bounce = alloc_pages(BLK_GFP, least);
	}
	if (!r->bounce)
		return -ENOMEM;
	r->round = min_t(u32, left, PAGE_SIZE << r->bounce_order);
	r->nvecs = 1;
	r->vecs[0] = (struct bio_vec){ .bv_page = r->bounce, .bv_len = r->round };
	if (r->op == VIREO_BLK_READ)
		return 0;
	return vireo_blk_copy(r, page_address(r->bounce), r->round, false);
}

/* Room for the vectors of a round, if there is memory for that; else a round is short. */
static void vecs_grow(struct vireo_blk_request *r, u32 left)
{
	u32 most = (left >> PAGE_SHIFT) + 2;
	const struct vq_seg *seg = r->seg;
	struct bio_vec *vecs;
	u64 bytes;

	/* Each segment may begin and end within a page. */
	for (bytes = seg->len - r->skip; bytes < left; bytes += (++seg)->len)
		most += 2;
	most = min_t(u32, most, VIREO_BLK_VECS);
	if (most <= r->max_vecs)
		return;
	vecs = kvmalloc_array(most, sizeof(*vecs), GFP_NOWAIT | __GFP_NOWARN | __GFP_ACCOUNT);
	if (!vecs)
		return;
	if (r->vecs != r->few_vecs)
		kvfree(r->vecs);
	r->vecs = vecs;
	r->max_vecs = most;
}

/**
 * vireo_blk_map() - make the next round of data ready for the disk
 * @r: request, with data left
 *
 * Return: 0, and @r->round is how much; -ENXIO, -EFAULT: the memory is not there;
 * -ENOMEM.
 */
int vireo_blk_map(struct vireo_blk_request *r)
{
	u32 left = min_t(u64, r->length - r->done, VIREO_BLK_ROUND);
	int err;

	r->nvecs = 0;
	r->round = 0;
	if (unlikely(r->bounce))
		return blk_bounce(r, left);
	if (unlikely(left > (VIREO_BLK_FEW / 2) * PAGE_SIZE || left > r->seg->len - r->skip))
		vecs_grow(r, left);
	err = blk_pin_round(r, left);
	if (likely(!err))
		return 0;
	blk_unpin(r, false);
	return err == -EINVAL ? blk_bounce(r, left) : err;
}

/**
 * vireo_blk_unmap() - the disk is done with the round
 * @r: request; its data begins behind what the round has moved
 *
 * Return: 0; -ENXIO, -EFAULT: the driver's buffer is not there any more.
 */
int vireo_blk_unmap(struct vireo_blk_request *r)
{
	bool read = r->op == VIREO_BLK_READ;
	int err = 0;

	if (unlikely(r->bounce)) {
		if (read && r->queue->mm && r->moved)
			err = vireo_blk_copy(r, page_address(r->bounce), r->moved, true);
	} else {
		blk_unpin(r, read);
	}
	if (unlikely(err))
		return err;
	blk_forward(r, r->moved);
	r->done += r->moved;
	return 0;
}

/* 0; -ENXIO, -EFAULT. */
int vireo_blk_put_status(struct vireo_blk_request *r)
{
	void __user *user;
	u64 got;
	int err;

	err = vireo_translate(&r->queue->q, r->status_addr, 1, VHOST_ACCESS_WO, &user, &got);
	if (unlikely(err))
		return err;
	return __put_user(r->status, (u8 __user *)user);
}

static void blk_log(struct vireo_queue *q, u64 addr, u64 len)
{
	void __user *user;
	struct iovec iov;
	u64 got;

	/* Memory that has left the table meanwhile is nobody's to migrate. */
	for (; len && !vireo_translate(q, addr, len, VHOST_ACCESS_WO, &user, &got); addr += got) {
		iov = (struct iovec){ .iov_base = user, .iov_len = got };
		vireo_log_iov(q, &iov, 1, got);
		len -= got;
	}
}

/* Note the status byte in the dirty log, and the first @written bytes of data. */
void vireo_blk_log(struct vireo_blk_request *r, u64 written)
{
	const struct vq_seg *seg = r->segs;

	blk_log(&r->queue->q, r->status_addr, 1);
	for (; written; seg++) {
		u64 here = min_t(u64, written, seg->len);

		blk_log(&r->queue->q, seg->addr, here);
		written -= here;
	}
}
