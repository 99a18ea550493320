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
 *	header, too long, a checksum beyond its end
 * @stalls: times that the backend took no more (full), or the driver had no
 *	buffer for what the backend had
 * @backend_errors: packets or requests that the backend refused, or gave in
 *	another length than announced
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

#endif /* _UAPI_LINUX_VIREO_H */
