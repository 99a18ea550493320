// SPDX-License-Identifier: GPL-2.0-only
/*
 * Steps of a regular file: asynchronous direct I/O where the file has it.
 *
 * Writes hold off a freeze of the file system until they end. Protection is
 * taken where the step begins and let go where it is looked at, by different
 * threads, so lockdep is told that it is nobody's in between.
 */
#include <linux/falloc.h>
#include <linux/fs.h>
#include <linux/highmem.h>

#include "blk.h"

#define ZERO_VECS 16 /* pages written at once, where nothing better zeroes */

static loff_t file_pos(const struct vireo_blk_request *r)
{
	return ((loff_t)r->sector << SECTOR_SHIFT) + r->moved;
}

/* The part of the round that was asked for has ended; @ret: bytes or error. */
static void file_complete(struct kiocb *iocb, long ret)
{
	struct vireo_blk_request *r = container_of(iocb, struct vireo_blk_request, iocb);

	/* Some file systems say EOPNOTSUPP where they cannot but sleep. */
	if (!r->punted && (ret == -EAGAIN || ret == -EOPNOTSUPP)) {
		vireo_blk_punt(r);
		return;
	}
	/* Not as this file system wants it, whatever it said of its wishes. */
	if (ret == -EINVAL && !r->buffered && !r->coherent) {
		r->buffered = true;
		vireo_blk_punt(r);
		return;
	}
	if (ret > 0) {
		r->moved += ret;
		if (unlikely(r->moved < r->round)) {
			vireo_blk_punt(r);
			return;
		}
		ret = 0;
	} else if (!ret) {
		ret = -EIO; /* the file ends here now */
	}
	vireo_blk_done(r, ret);
}

/* False: the file system is frozen, and to wait is not for here. */
static bool file_start_writing(struct vireo_blk_request *r, struct inode *inode)
{
	if (!S_ISREG(inode->i_mode) || r->writing)
		return true;
	if (r->punted)
		sb_start_write(inode->i_sb);
	else if (!sb_start_write_trylock(inode->i_sb))
		return false;
	__sb_writers_release(inode->i_sb, SB_FREEZE_WRITE);
	r->writing = true;
	return true;
}

/* A write has ended: let go of the freeze protection. */
void vireo_blk_file_written(struct vireo_blk_request *r)
{
	struct inode *inode = file_inode(r->queue->disk->file);

	__sb_writers_acquired(inode->i_sb, SB_FREEZE_WRITE);
	sb_end_write(inode->i_sb);
	r->writing = false;
}

static void file_transfer(struct vireo_blk_request *r)
{
	struct file *file = r->queue->disk->file;
	bool write = r->op == VIREO_BLK_WRITE;
	ssize_t ret;

	if (write && !file_start_writing(r, file_inode(file))) {
		vireo_blk_punt(r);
		return;
	}
	r->iocb = (struct kiocb){
		.ki_filp = file,
		.ki_pos = file_pos(r),
		.ki_complete = file_complete,
		.ki_flags = (r->buffered ? 0 : IOCB_DIRECT) | (r->punted ? 0 : IOCB_NOWAIT) |
			    (write ? IOCB_WRITE : 0) | (r->durable ? IOCB_DSYNC : 0),
	};
	iov_iter_bvec(&r->iter, write ? ITER_SOURCE : ITER_DEST, r->vecs, r->nvecs, r->round);
	if (unlikely(r->moved))
		iov_iter_advance(&r->iter, r->moved);
	ret = write ? file->f_op->write_iter(&r->iocb, &r->iter) :
		      file->f_op->read_iter(&r->iocb, &r->iter);
	if (ret != -EIOCBQUEUED)
		file_complete(&r->iocb, ret);
}

/* Zeroes, written. 0 or a negative errno. */
static int file_write_zeroes(struct file *file, loff_t pos, u64 length)
{
	struct bio_vec vecs[ZERO_VECS];
	struct iov_iter iter;
	struct kiocb iocb;
	ssize_t ret;
	u64 here;
	u32 i;

	for (i = 0; i < ZERO_VECS; i++)
		vecs[i] = (struct bio_vec){ .bv_page = ZERO_PAGE(0), .bv_len = PAGE_SIZE };
	while (length) {
		here = min_t(u64, length, ARRAY_SIZE(vecs) * PAGE_SIZE);
		iocb = (struct kiocb){ .ki_filp = file, .ki_pos = pos, .ki_flags = IOCB_WRITE };
		iov_iter_bvec(&iter, ITER_SOURCE, vecs, ZERO_VECS, here);
		file_start_write(file);
		ret = file->f_op->write_iter(&iocb, &iter);
		file_end_write(file);
		if (ret <= 0)
			return ret ?: -EIO;
		pos += ret;
		length -= ret;
		cond_resched();
	}
	return 0;
}

static int file_zero(struct vireo_blk_request *r)
{
	struct file *file = r->queue->disk->file;
	int err = -EOPNOTSUPP;

	if (r->unmap)
		err = vfs_fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, file_pos(r),
				    r->length);
	if (err == -EOPNOTSUPP)
		err = vfs_fallocate(file, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, file_pos(r),
				    r->length);
	if (err == -EOPNOTSUPP)
		err = file_write_zeroes(file, file_pos(r), r->length);
	return err;
}

/**
 * vireo_blk_file_step() - ask a file, or a block device by way of its file
 * @r: request
 *
 * Context: the worker, or a thread that may sleep if @punted says so.
 */
void vireo_blk_file_step(struct vireo_blk_request *r)
{
	struct file *file = r->queue->disk->file;
	const bool sleeps = r->op != VIREO_BLK_READ && r->op != VIREO_BLK_WRITE;

	if (!r->punted && (sleeps || r->queue->disk->punt || r->coherent)) {
		vireo_blk_punt(r);
		return;
	}
	switch (r->op) {
	case VIREO_BLK_READ:
	case VIREO_BLK_WRITE:
		file_transfer(r);
		break;
	case VIREO_BLK_FLUSH:
		vireo_blk_done(r, vfs_fsync(file, 1));
		break;
	case VIREO_BLK_DISCARD:
		vireo_blk_done(r, vfs_fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
						file_pos(r), r->length));
		break;
	case VIREO_BLK_ZERO:
		vireo_blk_done(r, file_zero(r));
		break;
	}
}
