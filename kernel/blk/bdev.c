// SPDX-License-Identifier: GPL-2.0-only
/*
 * Steps of a block device: bios, straight to its queue.
 *
 * The device's pages in the host's cache are written and dropped when it
 * becomes the disk. Should there be any later, because somebody else reads or
 * writes the device, a step that could see or leave stale data goes the way of
 * direct I/O on the device's file, which looks after them.
 */
#include <linux/pagemap.h>

#include "blk.h"

static void bdev_end_io(struct bio *bio)
{
	struct vireo_blk_request *r = container_of(bio, struct vireo_blk_request, bio);
	blk_status_t status = bio->bi_status;

	bio_uninit(bio);
	/* It would have to wait; or it cannot tell, since its table is another now. */
	if (unlikely((status == BLK_STS_AGAIN || status == BLK_STS_NOTSUPP) && !r->punted)) {
		vireo_blk_punt(r);
		return;
	}
	if (likely(!status))
		r->moved = r->round;
	vireo_blk_done(r, blk_status_to_errno(status));
}

/* A bio for the step; a punted one may sleep. */
static struct bio *bdev_bio(struct vireo_blk_request *r, u16 nvecs, blk_opf_t opf)
{
	const struct vireo_blk_disk *disk = r->queue->disk;
	struct bio *bio = &r->bio;

	if (!r->punted)
		opf |= REQ_NOWAIT;
	vireo_bio_init(bio, disk->bdev, r->vecs, nvecs, opf, disk->css);
	bio->bi_vcnt = nvecs;
	bio->bi_iter.bi_sector = r->sector;
	bio->bi_end_io = bdev_end_io;
	return bio;
}

static blk_opf_t transfer_opf(const struct vireo_blk_request *r)
{
	if (r->op == VIREO_BLK_READ)
		return REQ_OP_READ;
	/* Somebody waits for it, as for direct I/O in general. */
	return REQ_OP_WRITE | REQ_SYNC | REQ_IDLE | (r->durable ? REQ_FUA : 0);
}

/* Might the host's cache have something that the device has not, or will have? */
static bool cache_matters(const struct vireo_blk_request *r)
{
	struct address_space *mapping = r->queue->disk->file->f_mapping;

	if (likely(!READ_ONCE(mapping->nrpages)))
		return false;
	return r->op == VIREO_BLK_WRITE || mapping_tagged(mapping, PAGECACHE_TAG_DIRTY) ||
	       mapping_tagged(mapping, PAGECACHE_TAG_WRITEBACK);
}

static void bdev_transfer(struct vireo_blk_request *r)
{
	const struct vireo_blk_disk *disk = r->queue->disk;
	struct bio *bio;

	if (unlikely(r->op == VIREO_BLK_WRITE && bdev_read_only(disk->bdev))) {
		vireo_blk_done(r, -EPERM);
		return;
	}
	if (unlikely(r->coherent || cache_matters(r))) {
		r->coherent = true;
		vireo_blk_file_step(r);
		return;
	}
	bio = bdev_bio(r, r->nvecs, transfer_opf(r));
	bio->bi_iter.bi_size = r->round;
	submit_bio(bio);
}

/* What the host's cache has of a range is out of date soon. */
static int cache_drop(const struct vireo_blk_request *r)
{
	struct address_space *mapping = r->queue->disk->file->f_mapping;
	loff_t start = (loff_t)r->sector << SECTOR_SHIFT;
	loff_t last = start + r->length - 1;

	if (likely(!READ_ONCE(mapping->nrpages)))
		return 0;
	return filemap_write_and_wait_range(mapping, start, last) ?:
	       invalidate_inode_pages2_range(mapping, start >> PAGE_SHIFT, last >> PAGE_SHIFT);
}

static void bdev_discard(struct vireo_blk_request *r)
{
	struct bio *bio;
	int err = cache_drop(r);

	if (err) {
		vireo_blk_done(r, err);
		return;
	}
	bio = bdev_bio(r, 0, REQ_OP_DISCARD);
	bio->bi_iter.bi_size = r->length;
	submit_bio(bio);
}

static void bdev_zero(struct vireo_blk_request *r)
{
	unsigned int flags = r->unmap ? 0 : BLKDEV_ZERO_NOUNMAP;
	int err = cache_drop(r);

	if (!err)
		err = blkdev_issue_zeroout(r->queue->disk->bdev, r->sector,
					   r->length >> SECTOR_SHIFT, GFP_NOIO, flags);
	vireo_blk_done(r, err);
}

/**
 * vireo_blk_bdev_step() - ask a block device
 * @r: request
 *
 * Context: the worker, or a thread that may sleep if @punted says so.
 */
void vireo_blk_bdev_step(struct vireo_blk_request *r)
{
	const bool sleeps = r->op == VIREO_BLK_DISCARD || r->op == VIREO_BLK_ZERO;

	if (unlikely(!r->punted && (sleeps || r->queue->disk->punt))) {
		vireo_blk_punt(r);
		return;
	}
	switch (r->op) {
	case VIREO_BLK_READ:
	case VIREO_BLK_WRITE:
		bdev_transfer(r);
		break;
	case VIREO_BLK_FLUSH:
		submit_bio(bdev_bio(r, 0, REQ_OP_WRITE | REQ_SYNC | REQ_PREFLUSH));
		break;
	case VIREO_BLK_DISCARD:
		bdev_discard(r);
		break;
	case VIREO_BLK_ZERO:
		bdev_zero(r);
		break;
	}
}
