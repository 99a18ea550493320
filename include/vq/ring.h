/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The virtqueue as it lies in guest memory: layouts, flags and limits.
 *
 * Section numbers are those of the Virtual I/O Device (VIRTIO) specification,
 * version 1.2. Everything here is little-endian: by definition once
 * VIRTIO_F_VERSION_1 is negotiated, and before that (2.7.3, legacy) because
 * guest and host are x86.
 */
#ifndef VQ_RING_H
#define VQ_RING_H

#include <linux/types.h>

#define VQ_MAX_NUM 32768 /* 2.7, 2.8: the largest queue size */

/* Feature bits that change what the ring means (6, "Reserved Feature Bits"). */
#define VQ_F_NOTIFY_ON_EMPTY 24 /* 6.3, legacy interface */
#define VQ_F_INDIRECT_DESC 28
#define VQ_F_EVENT_IDX 29
#define VQ_F_RING_PACKED 34
#define VQ_F_IN_ORDER 35

/* Descriptor flags, both formats (2.7.5, 2.8.1). */
#define VQ_DESC_F_NEXT 0x0001
#define VQ_DESC_F_WRITE 0x0002
#define VQ_DESC_F_INDIRECT 0x0004
#define VQ_DESC_F_AVAIL 0x0080 /* packed only */
#define VQ_DESC_F_USED 0x8000 /* packed only */

/* 2.7.5: an entry of the split descriptor table, and of its indirect tables. */
struct vq_split_desc {
	__le64 addr; /* guest address */
	__le32 len;
	__le16 flags;
	__le16 next; /* valid with VQ_DESC_F_NEXT */
};

/* 2.7.6: the driver's area. ring[num] is used_event with VQ_F_EVENT_IDX. */
#define VQ_AVAIL_F_NO_INTERRUPT 1

struct vq_split_avail {
	__le16 flags;
	__le16 idx;
	__le16 ring[];
};

/*
 * 2.7.8: the device's area. The two bytes behind ring[num] are avail_event
 * with VQ_F_EVENT_IDX.
 */
#define VQ_USED_F_NO_NOTIFY 1

struct vq_split_used_elem {
	__le32 id;
	__le32 len;
};

struct vq_split_used {
	__le16 flags;
	__le16 idx;
	struct vq_split_used_elem ring[];
};

/* 2.8.13: a descriptor of the packed ring, and of its indirect tables. */
struct vq_packed_desc {
	__le64 addr; /* guest address */
	__le32 len;
	__le16 id; /* the driver's name for the buffer */
	__le16 flags;
};

/* 2.8.14: event suppression; one written by the driver, one by the device. */
#define VQ_EVENT_F_ENABLE 0
#define VQ_EVENT_F_DISABLE 1
#define VQ_EVENT_F_DESC 2 /* only with VQ_F_EVENT_IDX */
#define VQ_EVENT_WRAP 0x8000 /* in off_wrap: the wrap counter */

struct vq_packed_event {
	__le16 off_wrap;
	__le16 flags;
};

#endif /* VQ_RING_H */
