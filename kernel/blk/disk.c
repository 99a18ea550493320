// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a disk stands on, and how it is configured.
 */
#include <linux/file.h>
#include <linux/pagemap.h>
#include <linux/stat.h>
#include <linux/uaccess.h>

#include "blk.h"

#define THREADS 64 /* of the kernel's, asleep in one disk at once */
#define MAX_BLOCK 4096U
#define ALL_FLAGS (VIREO_BLK_READ_ONLY | VIREO_BLK_WRITEBACK | VIREO_BLK_BUFFERED | VIREO_BLK_UNMAP)

static bool disk_writable(const struct vireo_blk_disk *disk)
{
	return disk->file->f_mode & FMODE_WRITE && !(disk->bdev && bdev_read_only(disk->bdev));
}

static u64 disk_sectors(const struct vireo_blk_disk *disk)
{
	if (disk->bdev)
		return bdev_nr_sectors(disk->bdev);
	return i_size_read(file_inode(disk->file)) >> SECTOR_SHIFT;
}

/* 0 or -EINVAL for what is no disk, -ETXTBSY for one that is in use as memory. */
static int file_check(const struct file *file)
{
	const struct inode *inode = file->f_mapping->host;

	if (!S_ISBLK(inode->i_mode) && !S_ISREG(inode->i_mode))
		return -EINVAL;
	if (!file->f_op->read_iter || file->f_flags & O_APPEND)
		return -EINVAL;
	if (file->f_mode & FMODE_WRITE && !file->f_op->write_iter)
		return -EINVAL;
	/* Writes would have to come in order, and nobody would tell the driver. */
	if (S_ISBLK(inode->i_mode) && bdev_is_zoned(I_BDEV(file->f_mapping->host)))
		return -EINVAL;
	return IS_SWAPFILE(inode) ? -ETXTBSY : 0;
}

static void bdev_limits(struct vireo_blk_disk *disk)
{
	struct vireo_blk_config *limits = &disk->limits;
	struct block_device *bdev = disk->bdev;

	disk->memory_mask = bdev_dma_alignment(bdev);
	disk->punt = !bdev_nowait(bdev);
	limits->logical_block_size = bdev_logical_block_size(bdev);
	limits->physical_block_size = bdev_physical_block_size(bdev);
	limits->alignment_offset = max(bdev_alignment_offset(bdev), 0);
	limits->io_min = bdev_io_min(bdev);
	limits->io_opt = bdev_io_opt(bdev);
	if (bdev_max_discard_sectors(bdev)) {
		limits->max_discard_sectors = VIREO_BLK_RANGE_SECTORS;
		limits->discard_alignment = bdev_discard_granularity(bdev) >> SECTOR_SHIFT;
	}
}

/* What a file asks of direct I/O; where it says nothing, what most take. */
static void file_limits(struct vireo_blk_disk *disk)
{
	struct vireo_blk_config *limits = &disk->limits;
	struct file *file = disk->file;
	u32 memory = SECTOR_SIZE, block = SECTOR_SIZE;
	bool direct = file->f_mode & FMODE_CAN_ODIRECT;
	struct kstat stat = {};

	if (!vfs_getattr(&file->f_path, &stat, STATX_DIOALIGN, AT_STATX_SYNC_AS_STAT) &&
	    stat.result_mask & STATX_DIOALIGN) {
		memory = stat.dio_mem_align;
		block = max_t(u32, stat.dio_offset_align, SECTOR_SIZE);
		direct = direct && stat.dio_offset_align;
	}
	if (!direct) {
		limits->flags |= VIREO_BLK_BUFFERED;
		memory = 1;
		block = SECTOR_SIZE;
	}
	disk->memory_mask = memory - 1;
	disk->punt = !(file->f_mode & FMODE_NOWAIT);
	limits->logical_block_size = block;
	limits->physical_block_size = max_t(u32, block, i_blocksize(file_inode(file)));
	limits->io_min = limits->physical_block_size;
	if (file->f_op->fallocate) {
		limits->max_discard_sectors = VIREO_BLK_RANGE_SECTORS;
		limits->discard_alignment = limits->physical_block_size >> SECTOR_SHIFT;
	}
}

static void find_limits(struct vireo_blk_disk *disk)
{
	struct vireo_blk_config *limits = &disk->limits;

	*limits = (struct vireo_blk_config){
		.size = sizeof(*limits),
		.flags = VIREO_BLK_WRITEBACK,
		.capacity = disk_sectors(disk),
		.size_max = VIREO_BLK_ROUND,
		.seg_max = VIREO_MAX_SEGS - 2,
		.num_queues = VIREO_BLK_QUEUES,
	};
	if (disk->bdev)
		bdev_limits(disk);
	else
		file_limits(disk);
	disk->length_mask = limits->logical_block_size - 1;
	if (disk_writable(disk)) {
		/* Whether it frees anything may change while it is in use. */
		limits->flags |= VIREO_BLK_UNMAP;
		limits->max_write_zeroes_sectors = VIREO_BLK_RANGE_SECTORS;
		limits->max_write_zeroes_seg = VIREO_BLK_RANGES;
	} else {
		limits->flags |= VIREO_BLK_READ_ONLY;
		limits->max_discard_sectors = 0;
	}
	if (limits->max_discard_sectors)
		limits->max_discard_seg = VIREO_BLK_RANGES;
	else
		limits->discard_alignment = 0;
}

/* What the host's cache has of a device is written, and dropped. */
static int bdev_clean(struct block_device *bdev)
{
	int err = sync_blockdev(bdev);

	if (!err)
		invalidate_bdev(bdev);
	return err;
}

/**
 * vireo_blk_disk_open() - what a disk shall stand on
 * @disk: closed; it stays so after an error
 * @fd: of the calling process
 *
 * Return: 0, or what Documentation/abi.md says of VIREO_BLK_SET_DISK.
 */
int vireo_blk_disk_open(struct vireo_blk_disk *disk, int fd)
{
	struct file *file = fget(fd);
	int err;

	if (!file)
		return -EBADF;
	err = file->f_mode & FMODE_READ ? file_check(file) : -EBADF;
	if (err)
		goto err_put;
	disk->bdev = S_ISBLK(file->f_mapping->host->i_mode) ? I_BDEV(file->f_mapping->host) : NULL;
	if (disk->bdev)
		err = bdev_clean(disk->bdev);
	if (err)
		goto err_put;
	disk->wq = alloc_workqueue("vireo-blk-%d", WQ_UNBOUND, THREADS, current->tgid);
	err = -ENOMEM;
	if (!disk->wq)
		goto err_put;
	disk->file = file;
	disk->css = vireo_blkcg_get();
	find_limits(disk);
	return 0;

err_put:
	disk->bdev = NULL;
	fput(file);
	return err;
}

/* No queue is live. */
void vireo_blk_disk_close(struct vireo_blk_disk *disk)
{
	if (!disk->file)
		return;
	destroy_workqueue(disk->wq);
	/* Whoever reads the device by the host's cache finds what is there now. */
	if (disk->bdev)
		invalidate_bdev(disk->bdev);
	vireo_blkcg_put(disk->css);
	fput(disk->file);
	*disk = (struct vireo_blk_disk){};
}

/* What was written is on stable storage when this returns: 0. */
static int disk_flush(const struct vireo_blk_disk *disk)
{
	return disk->bdev ? blkdev_issue_flush(disk->bdev) : vfs_fsync(disk->file, 1);
}

/* How much of a configuration the caller knows, or a negative errno. */
static long config_size(const struct vireo_blk *blk, const void __user *argp)
{
	u32 size;

	if (get_user(size, (const u32 __user *)argp))
		return -EFAULT;
	if (size < offsetofend(struct vireo_blk_config, flags))
		return -EINVAL;
	if (!blk->disk.file)
		return -ENODEV;
	return size;
}

/* VIREO_BLK_GET_CONFIG. */
long vireo_blk_config_get(struct vireo_blk *blk, void __user *argp)
{
	struct vireo_blk_config config = blk->config;
	long size = config_size(blk, argp);

	if (size < 0)
		return size;
	config.size = min_t(size_t, size, sizeof(config));
	return copy_to_user(argp, &config, config.size) ? -EFAULT : 0;
}

/* 0, -EINVAL or -EROFS. */
static int config_check(const struct vireo_blk_disk *disk, const struct vireo_blk_config *config)
{
	const struct vireo_blk_config *limits = &disk->limits;
	u32 block = config->logical_block_size;

	if (config->flags & ~ALL_FLAGS || config->flags & ~limits->flags & VIREO_BLK_UNMAP ||
	    (disk->bdev && config->flags & VIREO_BLK_BUFFERED))
		return -EINVAL;
	if (limits->flags & ~config->flags & VIREO_BLK_BUFFERED)
		return -EINVAL;
	if (limits->flags & ~config->flags & VIREO_BLK_READ_ONLY)
		return -EROFS;
	if (config->capacity > disk_sectors(disk) || !is_power_of_2(block) ||
	    block < limits->logical_block_size ||
	    block > max(limits->logical_block_size, MAX_BLOCK))
		return -EINVAL;
	if (config->max_discard_sectors > limits->max_discard_sectors ||
	    config->max_discard_seg > limits->max_discard_seg ||
	    config->max_write_zeroes_sectors > limits->max_write_zeroes_sectors ||
	    config->max_write_zeroes_seg > limits->max_write_zeroes_seg)
		return -EINVAL;
	return 0;
}

/* VIREO_BLK_SET_CONFIG. */
long vireo_blk_config_set(struct vireo_blk *blk, void __user *argp)
{
	struct vireo_blk_config config, next = blk->config;
	long size = config_size(blk, argp);
	bool flush;
	int err;

	if (size < 0)
		return size;
	err = copy_struct_from_user(&config, sizeof(config), argp, size);
	if (err)
		return err;
	/* That filled up with zeroes; what the caller does not know stays. */
	memcpy(&next, &config, min_t(size_t, size, sizeof(next)));
	err = config_check(&blk->disk, &next);
	if (err)
		return err;
	next.physical_block_size = blk->disk.limits.physical_block_size;
	next.alignment_offset = blk->disk.limits.alignment_offset;
	next.io_min = blk->disk.limits.io_min;
	next.io_opt = blk->disk.limits.io_opt;
	next.size_max = blk->disk.limits.size_max;
	next.seg_max = blk->disk.limits.seg_max;
	next.num_queues = blk->disk.limits.num_queues;
	next.discard_alignment = blk->disk.limits.discard_alignment;
	next.size = sizeof(next);
	flush = blk->config.flags & ~next.flags & VIREO_BLK_WRITEBACK;
	vireo_blk_config_use(blk, &next);
	return flush ? disk_flush(&blk->disk) : 0;
}
