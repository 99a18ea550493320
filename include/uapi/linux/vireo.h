/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * What a Vireo device understands beyond <linux/vhost.h>.
 *
 * Every device of Vireo speaks the ioctls of <linux/vhost.h>, with the same
 * numbers, structures and meanings; Documentation/abi.md has them all. Here is
 * what that header lacks, or what the headers of older kernels lack.
 */
#ifndef _UAPI_LINUX_VIREO_H
#define _UAPI_LINUX_VIREO_H

#include <linux/ioctl.h>
#include <linux/types.h>
#include <linux/vhost.h>

/*
 * Linux has the worker ioctls since 6.5, for other devices than vhost-net;
 * Vireo has them for every device on every kernel.
 */
#ifndef VHOST_NEW_WORKER
struct vhost_worker_state {
	__u32 worker_id;
};

struct vhost_vring_worker {
	__u32 index; /* of the queue */
	__u32 worker_id;
};

#define VHOST_NEW_WORKER _IOR(VHOST_VIRTIO, 0x8, struct vhost_worker_state)
#define VHOST_FREE_WORKER _IOW(VHOST_VIRTIO, 0x9, struct vhost_worker_state)
#define VHOST_ATTACH_VRING_WORKER _IOW(VHOST_VIRTIO, 0x15, struct vhost_vring_worker)
#define VHOST_GET_VRING_WORKER _IOWR(VHOST_VIRTIO, 0x16, struct vhost_vring_worker)
#endif

/* Type of Vireo's own ioctls; numbers from 0xc0 on belong to single devices. */
#define VIREO_IOCTL 0xBE

/**
 * struct vireo_queue_stats - what a queue has done since the device was opened
 * @index: in: which queue
 * @size: in: bytes of this structure that the caller knows; out: bytes filled.
 *	Later versions only append fields
 * @kicks: wake-ups by the driver's kick eventfd
 * @calls: times that the driver was called
 * @wakeups: turns that a worker gave the queue while it had a backend, for
 *	whatever reason
 * @polls: times that busy polling found work before a kick came
 * @chains: descriptor chains given back to the driver
 * @packets: packets (net) or requests (other devices) that went through
 * @bytes: their payload; net: without the virtio header
 * @drops: packets dropped because the driver's buffers cannot hold them, or
 *	because the driver's packet makes no sense: shorter than an Ethernet
 *	header, too long, a checksum beyond its end. blk: requests that make no
 *	sense, or that are not served; the disk was not asked
 * @stalls: times that the backend took no more (full), or the driver had no
 *	buffer for what the backend had. blk: requests that the disk would have
 *	let wait, which a thread of the kernel gave to it
 * @backend_errors: packets or requests that the backend refused, or gave in
 *	another length than announced. blk: requests that the disk failed
 * @ring_errors: times that the driver broke the ring's rules; each stops the
 *	queue until it is set up again
 * @faults: times that ring, buffer or log memory could not be reached; each
 *	stops the queue until it is set up again, or guest memory is
 * @iotlb_misses: translations that were missing (VIRTIO_F_ACCESS_PLATFORM)
 * @last_error: what stopped the queue last, enum vireo_queue_error, 0: nothing
 * @reserved: 0
 *
 * Counters are never reset. Whoever has the fd may read them.
 */
struct vireo_queue_stats {
	__u32 index;
	__u32 size;
	__u64 kicks;
	__u64 calls;
	__u64 wakeups;
	__u64 polls;
	__u64 chains;
	__u64 packets;
	__u64 bytes;
	__u64 drops;
	__u64 stalls;
	__u64 backend_errors;
	__u64 ring_errors;
	__u64 faults;
	__u64 iotlb_misses;
	__u32 last_error;
	__u32 reserved;
};

/**
 * enum vireo_queue_error - why a queue stopped serving its ring
 *
 * Values up to 63 are those of enum vq_error (include/vq/vq.h): the rules of
 * the ring. Those from 64 on come from the device. Documentation/abi.md says
 * what each means, and how the queue serves again.
 */
enum vireo_queue_error {
	VIREO_ERROR_NONE = 0,
	VIREO_ERROR_RING_FAULT = 1,
	VIREO_ERROR_AVAIL_INDEX = 2,
	VIREO_ERROR_HEAD = 3,
	VIREO_ERROR_NEXT = 4,
	VIREO_ERROR_LOOP = 5,
	VIREO_ERROR_TOO_LONG = 6,
	VIREO_ERROR_ORDER = 7,
	VIREO_ERROR_INDIRECT_OFF = 8,
	VIREO_ERROR_INDIRECT_LENGTH = 9,
	VIREO_ERROR_INDIRECT_FLAGS = 10,
	VIREO_ERROR_OVERCOMMIT = 11,
	VIREO_ERROR_ADDRESS = 64, /* a buffer outside guest memory; a ring in pieces */
	VIREO_ERROR_BUFFER_FAULT = 65, /* guest memory could not be reached */
	VIREO_ERROR_DIRECTION = 66, /* a buffer of the wrong direction */
	VIREO_ERROR_LOG = 67, /* the dirty log could not be written */
	VIREO_ERROR_BASE = 68, /* a ring that moved to a place of the wrong alignment */
};

/*
 * Reads the counters of one queue. ENOBUFS: no such queue. EINVAL: size < 8.
 * The argument is a struct vireo_queue_stats, of which size says how much the
 * caller has; the number holds the length of its first two fields, so that it
 * stays the same when fields are appended.
 */
#define VIREO_GET_QUEUE_STATS _IOWR(VIREO_IOCTL, 0x01, __u64)

/*
 * /dev/vireo-null, for selftests and benchmarks: a device of two queues that
 * fills each chain's writable segments, up to 512 KiB, with VIREO_NULL_PATTERN
 * and gives it back. The backend is on (1) or off (0) for both queues.
 */
#define VIREO_NULL_PATTERN 0xA5
#define VIREO_NULL_SET_BACKEND _IOW(VIREO_IOCTL, 0xc0, __u32)

/*
 * /dev/vireo-blk: a disk of up to VIREO_BLK_QUEUES queues.
 *
 *	open
 *	VHOST_SET_OWNER
 *	VIREO_BLK_SET_DISK		what it stands on
 *	VIREO_BLK_GET_CONFIG		what the driver may be told of it
 *	VIREO_BLK_SET_CONFIG		if it shall be anything else
 *	VHOST_SET_FEATURES, VHOST_SET_MEM_TABLE, VHOST_SET_VRING_*
 *	VIREO_BLK_SET_RUNNING 1		for each queue; from here on it is live
 *	...
 *	VIREO_BLK_SET_RUNNING 0		nothing is in flight when it returns
 *	VHOST_GET_VRING_BASE
 */
#define VIREO_BLK_QUEUES 256
#define VIREO_BLK_ALL_QUEUES 0xffffffff
#define VIREO_BLK_SERIAL_BYTES 20

/*
 * The argument points to an int: the fd of a block device or a regular file,
 * or -1 to take the disk away. An fd that is open for reading only makes a
 * read-only disk. The disk stays, whatever becomes of the fd, and the
 * configuration becomes what it has by itself. EBADF: not open, or not for
 * reading. EINVAL: neither a block device nor a regular file, a zoned device, or
 * open with O_APPEND. ETXTBSY: a swap file. EBUSY: a queue is live. EIO and others: the
 * pages that the host's cache has of a block device could not be written.
 */
#define VIREO_BLK_SET_DISK _IOW(VIREO_IOCTL, 0xc1, int)

/* Bits of struct vireo_blk_config.flags. */
#define VIREO_BLK_READ_ONLY 0x1 /* writes, discards and zeroing are answered with IOERR */
#define VIREO_BLK_WRITEBACK 0x2 /* what is written may be in a cache until a FLUSH */
#define VIREO_BLK_BUFFERED 0x4 /* a file is read and written through the host's cache */
#define VIREO_BLK_UNMAP 0x8 /* zeroing frees the blocks if the driver says that it may */

/**
 * struct vireo_blk_config - what a disk is like, and what is asked of requests
 * @size: in: bytes of this structure that the caller knows, at least 8; out of
 *	VIREO_BLK_GET_CONFIG: bytes filled. Later versions only append fields
 * @flags: VIREO_BLK_ bits
 * @capacity: in sectors of 512 bytes
 * @logical_block_size: in bytes; every request begins and ends at a multiple
 * @physical_block_size: in bytes
 * @alignment_offset: where the first physical block begins, in bytes
 * @io_min: the smallest request that costs no extra, in bytes; 0: unknown
 * @io_opt: what goes best, in bytes; 0: unknown
 * @size_max: bytes in one segment of a request that goes through in one piece
 * @seg_max: data segments of a request
 * @num_queues: VIREO_BLK_QUEUES
 * @max_discard_sectors: in one range of a discard; 0: the disk cannot discard
 * @max_discard_seg: ranges in one discard
 * @discard_alignment: in sectors; what is not aligned may be left as it was
 * @max_write_zeroes_sectors: in one range; 0: read-only
 * @max_write_zeroes_seg: ranges in one request
 * @serial: what GET_ID answers, filled up with 0; no 0 is needed at the end
 *
 * VIREO_BLK_SET_CONFIG takes @flags, @capacity, @logical_block_size, the
 * limits of discards and zeroing, and @serial; the others are the disk's, for
 * its driver to know.
 *
 * Which cache mode is in force depends on the driver's features: with
 * VIRTIO_BLK_F_CONFIG_WCE it is VIREO_BLK_WRITEBACK; without, a cache is there
 * if VIRTIO_BLK_F_FLUSH is. Where there is none, a write is on stable storage
 * when it is answered.
 */
struct vireo_blk_config {
	__u32 size;
	__u32 flags;
	__u64 capacity;
	__u32 logical_block_size;
	__u32 physical_block_size;
	__u32 alignment_offset;
	__u32 io_min;
	__u32 io_opt;
	__u32 size_max;
	__u32 seg_max;
	__u32 num_queues;
	__u32 max_discard_sectors;
	__u32 max_discard_seg;
	__u32 discard_alignment;
	__u32 max_write_zeroes_sectors;
	__u32 max_write_zeroes_seg;
	__u8 serial[VIREO_BLK_SERIAL_BYTES];
};

/*
 * The configuration in force. The argument is a struct vireo_blk_config; the
 * numbers hold the length of its first two fields, so that they stay the same
 * when fields are appended. ENODEV: there is no disk. EINVAL: size < 8.
 */
#define VIREO_BLK_GET_CONFIG _IOWR(VIREO_IOCTL, 0xc2, __u64)

/*
 * Another configuration, for requests that are taken from now on; allowed with
 * live queues too. Fields past size keep their value. When VIREO_BLK_WRITEBACK
 * goes away, what was written is on stable storage when this returns. ENODEV:
 * there is no disk. EINVAL: size < 8, an unknown flag, a capacity beyond the
 * disk's, a block size below the disk's, above 4096 (or the disk's), or not a
 * power of two, a limit above the disk's. E2BIG: a field that is not known
 * here is not 0. EROFS: the disk is read-only. EIO and others: from flushing.
 */
#define VIREO_BLK_SET_CONFIG _IOW(VIREO_IOCTL, 0xc3, __u64)

/*
 * Makes a queue live (num 1), or stops it (num 0). When a stop returns, all that
 * was in flight is done and given back, and no page of the driver's is written
 * any more; VIREO_BLK_ALL_QUEUES stops all. A queue that is so already stays
 * so. ENOBUFS: no such queue. ENODEV: there is no disk. EFAULT: the ring or the
 * log cannot be reached. EINVAL: num above 1; the ring's size, alignment or
 * position is impossible; all queues cannot be started at once. ENOMEM.
 */
#define VIREO_BLK_SET_RUNNING _IOW(VIREO_IOCTL, 0xc4, struct vhost_vring_state)

#endif /* _UAPI_LINUX_VIREO_H */
