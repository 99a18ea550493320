/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The driver's side of a virtqueue, for tests: what a guest's driver does,
 * written from the specification (virtio 1.2, 2.7 and 2.8) and not from the
 * engine, so that each is the check on the other.
 *
 * Portable C without allocation: it runs in tests in userspace, in a kernel
 * module, and as a program that drives a device. All memory that the device
 * may see lies in one arena, which the driver and the device may see at
 * different addresses; guest addresses are offsets in it plus a base.
 *
 * One thread owns a fake driver. The device may run on another.
 */
#ifndef FAKE_DRIVER_H
#define FAKE_DRIVER_H

#include "vq/vq.h"

#ifdef __cplusplus
extern "C" {
#endif

#define FD_GUEST_BASE 0x40000000ULL /* guest address of the arena's first byte */

/**
 * struct fd_setup - what a fake driver is made of
 * @features: negotiated feature bits, VQ_F_RING_PACKED says which format
 * @num: queue size
 * @table_max: entries of the largest indirect table, 0 for none; there is room
 *	for one table for each descriptor of the ring
 * @arena: memory shared with the device, driver's view, page-aligned, zeroed
 * @arena_device: the same memory as the device addresses it
 * @arena_bytes: at least fd_arena_bytes()
 * @offset: where in the arena rings and tables begin, whole pages; several
 *	queues may share an arena
 * @bufs: @num entries of private memory
 */
struct fd_setup {
	u64 features;
	u32 num;
	u32 table_max;
	void *arena;
	unsigned long arena_device;
	size_t arena_bytes;
	size_t offset;
	struct fd_buf *bufs;
};

/* How a buffer is described to the device. */
enum fd_shape {
	FD_DIRECT,
	FD_INDIRECT,
	FD_MIXED, /* the first segment direct, the rest indirect; split only (2.7.5.3.2) */
};

/* A buffer given to the device and not reaped yet; private to the driver. */
struct fd_buf {
	void *token; /* NULL: not in flight */
	u32 capacity; /* bytes that the device may write */
	u16 slots; /* descriptors of the ring that it takes */
	u16 next; /* free list, split chain, or packed: order for IN_ORDER */
	u16 last; /* split: last descriptor of its chain */
};

/* A buffer that came back. */
struct fd_used {
	void *token;
	u32 len; /* bytes written */
	bool skipped; /* IN_ORDER: no entry of its own, len is its capacity */
};

struct fake_driver {
	struct fd_setup setup;
	bool packed;
	bool event_idx;
	bool in_order;
	/* where the areas are in the arena, bytes from its start */
	size_t desc;
	size_t driver;
	size_t device;
	size_t tables;
	/* positions */
	u16 avail_idx; /* split: next avail index; packed: next slot */
	u16 avail_shown; /* the same at the last fd_show() */
	u16 used_idx; /* split: next used index to look at; packed: slot */
	bool avail_wrap;
	bool used_wrap;
	u16 free_head;
	u16 free; /* descriptors not in flight */
	u16 in_flight; /* buffers */
	/* packed: the first staged descriptor's flags, written last */
	bool staged;
	u16 staged_slot;
	u16 staged_flags;
	u16 staged_slots;
	/* IN_ORDER: the oldest and the newest buffer in flight */
	u16 oldest;
	u16 newest;
	/* IN_ORDER: the buffer named by the entry being worked off, and its len */
	bool batch;
	u16 batch_id;
	u32 batch_len;
	const char *error; /* what the device did wrong, or NULL */
};

/* Where in the arena rings and tables end; payload may follow behind. */
size_t fd_arena_bytes(const struct fd_setup *setup);

/* Writes the arena as a driver does before it enables a queue. 0 or -EINVAL. */
int fd_init(struct fake_driver *fd, const struct fd_setup *setup);

/*
 * Go on from another position, as after a migration: with nothing in flight,
 * between fd_init() and the first fd_add(). Split: ring indices, written to
 * memory, and the wraps are ignored. Packed: slots with their wrap counters.
 */
void fd_set_position(struct fake_driver *fd, u16 avail, bool avail_wrap, u16 used, bool used_wrap);

/* What the device is told of the queue, in the device's addresses. */
void fd_describe(const struct fake_driver *fd, struct vq_setup *setup);

/**
 * fd_add() - stage a buffer; the device sees it after fd_show()
 * @segs: guest addresses and lengths, @nout readable, then @nin writable
 * @token: comes back with fd_reap(), not NULL
 *
 * Return: the id that the device will use (split: head; packed: buffer id), or
 * -ENOSPC if the ring is full, or -EINVAL.
 */
int fd_add(struct fake_driver *fd, const struct vq_seg *segs, u32 nout, u32 nin,
	   enum fd_shape shape, void *token);

/* Make all staged buffers available. Return: true if the device is to be kicked. */
bool fd_show(struct fake_driver *fd);

/* Would the device want a kick for what was made available since @old? */
bool fd_wants_kick(struct fake_driver *fd, u16 old, u16 added);

/**
 * fd_reap() - take one buffer back
 *
 * Return: 1 with @used filled, 0 if there is none, -EPROTO if the device broke
 * a rule (fd->error says which).
 */
int fd_reap(struct fake_driver *fd, struct fd_used *used);

/*
 * Ask for a call when the next buffer is used; true if one has been used by
 * then already, so that no call may come.
 */
bool fd_enable_call(struct fake_driver *fd);
/*
 * The same for the buffer that comes behind the next @behind buffers (split) or
 * slots (packed); behind is less than num. Packed: true already if any has
 * been used. Without EVENT_IDX this is fd_enable_call().
 */
bool fd_enable_call_after(struct fake_driver *fd, u16 behind);
void fd_disable_call(struct fake_driver *fd);

/* Raw ring memory, driver's view, to forge what no honest driver writes. */
struct vq_split_desc *fd_split_desc(struct fake_driver *fd, u32 i);
struct vq_packed_desc *fd_packed_desc(struct fake_driver *fd, u32 i);
struct vq_split_avail *fd_avail(struct fake_driver *fd);
struct vq_split_used *fd_used_ring(struct fake_driver *fd);
struct vq_packed_event *fd_driver_event(struct fake_driver *fd);
struct vq_packed_event *fd_device_event(struct fake_driver *fd);
/*
 * The table that goes with descriptor @i of the ring (split) or buffer id @i
 * (packed): its memory, and its guest address.
 */
void *fd_table(struct fake_driver *fd, u32 i);
u64 fd_table_addr(const struct fake_driver *fd, u32 i);

/* The device's pointer to a guest address in the arena; NULL outside of it. */
void __vq_mem *fd_translate(const struct fake_driver *fd, u64 addr, u32 len);

#ifdef __cplusplus
}
#endif

#endif /* FAKE_DRIVER_H */
