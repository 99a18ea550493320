// SPDX-License-Identifier: GPL-2.0-only
/*
 * The driver's side of a virtqueue, for tests; see fake_driver.h. Section
 * numbers are those of the virtio specification, version 1.2.
 */
#include "fake_driver.h"

#ifndef __KERNEL__
#include <string.h>
#endif

/* Each area begins a page, so that a test may take one away. */
#define FD_PAGE 4096UL

/* The device looks on: memory that it sees is read and written in one access. */
#ifdef __KERNEL__
#define fd_load(ptr) READ_ONCE(*(ptr))
#define fd_store(ptr, val) WRITE_ONCE(*(ptr), val)
#else
#ifdef VQ_ENV_SEQ_CST
#define FD_ORDER __ATOMIC_SEQ_CST
#else
#define FD_ORDER __ATOMIC_RELAXED
#endif
#define fd_load(ptr) __atomic_load_n(ptr, FD_ORDER)
#define fd_store(ptr, val) __atomic_store_n(ptr, val, FD_ORDER)
#endif

#define fd_load16(ptr) le16_to_cpu(fd_load(ptr))
#define fd_load32(ptr) le32_to_cpu(fd_load(ptr))
#define fd_store16(ptr, val) fd_store(ptr, cpu_to_le16(val))
#define fd_store32(ptr, val) fd_store(ptr, cpu_to_le32(val))
#define fd_store64(ptr, val) fd_store(ptr, cpu_to_le64(val))

static bool fd_has(const struct fd_setup *setup, unsigned int feature)
{
	return setup->features >> feature & 1;
}

static size_t fd_page_up(size_t bytes)
{
	return (bytes + FD_PAGE - 1) & ~(FD_PAGE - 1);
}

/* Lay the areas out one behind the other. Return: where the last one ends. */
static size_t fd_layout(const struct fd_setup *setup, struct fake_driver *fd)
{
	size_t num = setup->num;
	size_t driver;
	size_t device;

	if (fd_has(setup, VQ_F_RING_PACKED)) {
		driver = sizeof(struct vq_packed_event);
		device = sizeof(struct vq_packed_event);
	} else {
		/* The event fields behind the rings are there in any case. */
		driver = sizeof(struct vq_split_avail) + (num + 1) * sizeof(__le16);
		device = sizeof(struct vq_split_used) +
			 num * sizeof(struct vq_split_used_elem) + sizeof(__le16);
	}

	/* Descriptors of both formats are of one size. */
	fd->desc = setup->offset;
	fd->driver = fd->desc + fd_page_up(num * sizeof(struct vq_split_desc));
	fd->device = fd->driver + fd_page_up(driver);
	fd->tables = fd->device + fd_page_up(device);
	return fd->tables +
	       fd_page_up(num * setup->table_max * sizeof(struct vq_split_desc));
}

static void *fd_at(struct fake_driver *fd, size_t offset)
{
	return (char *)fd->setup.arena + offset;
}

static int fd_fail(struct fake_driver *fd, const char *error)
{
	fd->error = error;
	return -EPROTO;
}

struct vq_split_desc *fd_split_desc(struct fake_driver *fd, u32 i)
{
	return (struct vq_split_desc *)fd_at(fd, fd->desc) + i;
}

struct vq_packed_desc *fd_packed_desc(struct fake_driver *fd, u32 i)
{
	return (struct vq_packed_desc *)fd_at(fd, fd->desc) + i;
}

struct vq_split_avail *fd_avail(struct fake_driver *fd)
{
	return fd_at(fd, fd->driver);
}

struct vq_split_used *fd_used_ring(struct fake_driver *fd)
{
	return fd_at(fd, fd->device);
}

struct vq_packed_event *fd_driver_event(struct fake_driver *fd)
{
	return fd_at(fd, fd->driver);
}

struct vq_packed_event *fd_device_event(struct fake_driver *fd)
{
	return fd_at(fd, fd->device);
}

static size_t fd_table_offset(const struct fake_driver *fd, u32 i)
{
	return fd->tables + (size_t)i * fd->setup.table_max * sizeof(struct vq_split_desc);
}

void *fd_table(struct fake_driver *fd, u32 i)
{
	return fd_at(fd, fd_table_offset(fd, i));
}

u64 fd_table_addr(const struct fake_driver *fd, u32 i)
{
	return FD_GUEST_BASE + fd_table_offset(fd, i);
}

void __vq_mem *fd_translate(const struct fake_driver *fd, u64 addr, u32 len)
{
	u64 offset = addr - FD_GUEST_BASE;

	if (addr < FD_GUEST_BASE || offset > fd->setup.arena_bytes ||
	    len > fd->setup.arena_bytes - offset)
		return NULL;
	return (void __vq_mem *)(fd->setup.arena_device + (unsigned long)offset);
}

size_t fd_arena_bytes(const struct fd_setup *setup)
{
	struct fake_driver fd;

	return fd_layout(setup, &fd);
}

int fd_init(struct fake_driver *fd, const struct fd_setup *setup)
{
	u32 i;

	if (!setup->num || setup->num > VQ_MAX_NUM || !setup->arena || !setup->bufs ||
	    (unsigned long)setup->arena % FD_PAGE || setup->offset % FD_PAGE)
		return -EINVAL;
	if (!fd_has(setup, VQ_F_RING_PACKED) && (setup->num & (setup->num - 1)))
		return -EINVAL;
	if (setup->arena_bytes < fd_arena_bytes(setup))
		return -EINVAL;

	memset(fd, 0, sizeof(*fd));
	fd->setup = *setup;
	fd->packed = fd_has(setup, VQ_F_RING_PACKED);
	fd->event_idx = fd_has(setup, VQ_F_EVENT_IDX);
	fd->in_order = fd_has(setup, VQ_F_IN_ORDER);
	fd->avail_wrap = true;
	fd->used_wrap = true;
	fd->free = setup->num;
	memset((char *)setup->arena + setup->offset, 0, fd_layout(setup, fd) - setup->offset);

	/* The last entry's next is never followed: fd->free counts. */
	memset(setup->bufs, 0, setup->num * sizeof(*setup->bufs));
	for (i = 0; i < setup->num; i++)
		setup->bufs[i].next = i + 1;
	return 0;
}

void fd_set_position(struct fake_driver *fd, u16 avail, bool avail_wrap, u16 used,
		     bool used_wrap)
{
	u32 i;

	fd->avail_idx = avail;
	fd->avail_shown = avail;
	fd->used_idx = used;
	if (!fd->packed) {
		fd_store16(&fd_avail(fd)->idx, avail);
		fd_store16(&fd_used_ring(fd)->idx, used);
		if (fd->event_idx)
			fd_store16(&fd_avail(fd)->ring[fd->setup.num], used);
		return;
	}

	/*
	 * Behind the position descriptors look used in this lap, from it on in
	 * the lap before, so that none looks available or used anew.
	 */
	fd->avail_wrap = avail_wrap;
	fd->used_wrap = used_wrap;
	for (i = 0; i < fd->setup.num; i++) {
		bool wrap = i < used ? used_wrap : !used_wrap;

		fd_store16(&fd_packed_desc(fd, i)->flags,
			   wrap ? VQ_DESC_F_AVAIL | VQ_DESC_F_USED : 0);
	}
}

void fd_describe(const struct fake_driver *fd, struct vq_setup *setup)
{
	unsigned long base = fd->setup.arena_device;

	setup->features = fd->setup.features;
	setup->num = fd->setup.num;
	setup->desc = (void __vq_mem *)(base + fd->desc);
	setup->driver = (void __vq_mem *)(base + fd->driver);
	setup->device = (void __vq_mem *)(base + fd->device);
}

/* Making buffers available */

/* What a descriptor of the ring says, in either format. */
struct fd_desc {
	u64 addr;
	u32 len;
	u16 flags;
};

static struct fd_desc fd_seg_desc(const struct vq_seg *segs, u32 i, u32 nout)
{
	struct fd_desc desc = {
		.addr = segs[i].addr,
		.len = segs[i].len,
		.flags = i < nout ? 0 : VQ_DESC_F_WRITE,
	};

	return desc;
}

/* Write segments @first to @n to the table that goes with @i, and a descriptor for it. */
static struct fd_desc fd_write_table(struct fake_driver *fd, u32 i, const struct vq_seg *segs,
				     u32 first, u32 nout, u32 n)
{
	struct vq_split_desc *split = fd_table(fd, i);
	struct vq_packed_desc *packed = fd_table(fd, i);
	struct fd_desc table = {
		.addr = fd_table_addr(fd, i),
		.len = (n - first) * sizeof(*split),
		.flags = VQ_DESC_F_INDIRECT,
	};
	u32 k;

	for (k = first; k < n; k++) {
		struct fd_desc desc = fd_seg_desc(segs, k, nout);
		bool more = k + 1 < n;

		if (fd->packed) {
			/* 2.8.7: of the flags WRITE alone, and no id. */
			fd_store64(&packed->addr, desc.addr);
			fd_store32(&packed->len, desc.len);
			fd_store16(&packed->id, 0);
			fd_store16(&packed->flags, desc.flags);
			packed++;
		} else {
			fd_store64(&split->addr, desc.addr);
			fd_store32(&split->len, desc.len);
			fd_store16(&split->flags, desc.flags | (more ? VQ_DESC_F_NEXT : 0));
			fd_store16(&split->next, more ? k - first + 1 : 0);
			split++;
		}
	}
	return table;
}

/* The descriptor that a split chain takes behind @i. */
static u16 fd_split_next(const struct fake_driver *fd, u16 i)
{
	/* 2.7.5.1: with IN_ORDER the table is a ring. */
	if (fd->in_order)
		return (i + 1) & (fd->setup.num - 1);
	return fd->setup.bufs[i].next;
}

static u16 fd_add_split(struct fake_driver *fd, const struct vq_seg *segs, u32 nout, u32 n,
			u32 direct, u32 slots)
{
	u16 head = fd->free_head;
	u16 at = head;
	u16 last = head;
	u32 k;

	for (k = 0; k < slots; k++) {
		struct vq_split_desc *to = fd_split_desc(fd, at);
		bool more = k + 1 < slots;
		u16 next = fd_split_next(fd, at);
		struct fd_desc desc;

		if (k < direct)
			desc = fd_seg_desc(segs, k, nout);
		else
			desc = fd_write_table(fd, at, segs, direct, nout, n);
		fd_store64(&to->addr, desc.addr);
		fd_store32(&to->len, desc.len);
		fd_store16(&to->flags, desc.flags | (more ? VQ_DESC_F_NEXT : 0));
		fd_store16(&to->next, more ? next : 0);
		last = at;
		at = next;
	}
	fd->free_head = at;
	fd->setup.bufs[head].last = last;

	fd_store16(&fd_avail(fd)->ring[fd->avail_idx & (fd->setup.num - 1)], head);
	fd->avail_idx++;
	return head;
}

static u16 fd_add_packed(struct fake_driver *fd, const struct vq_seg *segs, u32 nout, u32 n,
			 u32 direct, u32 slots)
{
	u16 id = fd->free_head;
	u32 k;

	fd->free_head = fd->setup.bufs[id].next;
	for (k = 0; k < slots; k++) {
		struct vq_packed_desc *to = fd_packed_desc(fd, fd->avail_idx);
		struct fd_desc desc;

		/*
		 * The table goes by id: slots are written anew while a buffer
		 * that was made available there may still be in use.
		 */
		if (k < direct)
			desc = fd_seg_desc(segs, k, nout);
		else
			desc = fd_write_table(fd, id, segs, direct, nout, n);
		desc.flags |= fd->avail_wrap ? VQ_DESC_F_AVAIL : VQ_DESC_F_USED;
		if (k + 1 < slots)
			desc.flags |= VQ_DESC_F_NEXT;

		fd_store64(&to->addr, desc.addr);
		fd_store32(&to->len, desc.len);
		fd_store16(&to->id, id);
		if (fd->staged) {
			fd_store16(&to->flags, desc.flags);
		} else {
			fd->staged = true;
			fd->staged_slot = fd->avail_idx;
			fd->staged_flags = desc.flags;
		}
		if (++fd->avail_idx == fd->setup.num) {
			fd->avail_idx = 0;
			fd->avail_wrap = !fd->avail_wrap;
		}
	}
	fd->staged_slots += slots;
	return id;
}

int fd_add(struct fake_driver *fd, const struct vq_seg *segs, u32 nout, u32 nin,
	   enum fd_shape shape, void *token)
{
	u32 n = nout + nin;
	u32 direct = n; /* segments with a descriptor of the ring */
	u32 slots = n;
	u64 capacity = 0;
	struct fd_buf *buf;
	u32 k;
	u16 id;

	if (!n || n < nout || !token)
		return -EINVAL;
	if (shape != FD_DIRECT) {
		direct = shape == FD_MIXED ? 1 : 0;
		slots = direct + 1;
		if (!fd_has(&fd->setup, VQ_F_INDIRECT_DESC) || (direct && fd->packed) ||
		    n <= direct || n - direct > fd->setup.table_max)
			return -EINVAL;
	}
	if (slots > fd->free)
		return -ENOSPC;

	for (k = nout; k < n; k++)
		capacity += segs[k].len;

	if (fd->packed)
		id = fd_add_packed(fd, segs, nout, n, direct, slots);
	else
		id = fd_add_split(fd, segs, nout, n, direct, slots);

	buf = &fd->setup.bufs[id];
	buf->token = token;
	buf->slots = slots;
	/* A used entry cannot say more either. */
	buf->capacity = capacity > 0xffffffff ? 0xffffffff : capacity;

	if (fd->in_order) {
		if (!fd->in_flight)
			fd->oldest = id;
		else if (fd->packed)
			fd->setup.bufs[fd->newest].next = id;
		fd->newest = id;
	}
	fd->free -= slots;
	fd->in_flight++;
	return id;
}

/*
 * 2.7.10, 2.8.10: has the other side's wish, to hear of position @event, come
 * true on the way from @old to @new? All modulo 2^16.
 */
static bool fd_passed(u16 event, u16 new, u16 old)
{
	return (u16)(new - event - 1) < (u16)(new - old);
}

bool fd_wants_kick(struct fake_driver *fd, u16 old, u16 added)
{
	struct vq_split_used *used = fd_used_ring(fd);
	struct vq_packed_event *wish = fd_device_event(fd);
	u16 off_wrap;
	u16 event;

	if (!added)
		return false;
	if (!fd->packed) {
		if (!fd->event_idx)
			return !(fd_load16(&used->flags) & VQ_USED_F_NO_NOTIFY);
		event = fd_load16((__le16 *)&used->ring[fd->setup.num]);
		return fd_passed(event, old + added, old);
	}

	switch (fd_load16(&wish->flags) & 3) {
	case VQ_EVENT_F_ENABLE:
		return true;
	case VQ_EVENT_F_DISABLE:
		return false;
	case VQ_EVENT_F_DESC:
		break;
	default:
		fd->error = "event flags with the reserved value";
		return true;
	}
	if (!fd->event_idx) {
		fd->error = "event at a descriptor without EVENT_IDX";
		return true;
	}
	/* Flags first: off_wrap is valid once they say so. */
	vq_rmb();
	off_wrap = fd_load16(&wish->off_wrap);
	event = off_wrap & ~VQ_EVENT_WRAP;
	if (event >= fd->setup.num) {
		fd->error = "event past the ring";
		return true;
	}
	/* Count from the lap that the new position is in. */
	if (!!(off_wrap & VQ_EVENT_WRAP) != fd->avail_wrap)
		event -= fd->setup.num;
	return fd_passed(event, fd->avail_idx, fd->avail_idx - added);
}

bool fd_show(struct fake_driver *fd)
{
	u16 old = fd->avail_shown;
	u16 added;

	if (fd->packed) {
		if (!fd->staged)
			return false;
		added = fd->staged_slots;
		vq_wmb();
		fd_store16(&fd_packed_desc(fd, fd->staged_slot)->flags, fd->staged_flags);
		fd->staged = false;
		fd->staged_slots = 0;
	} else {
		added = fd->avail_idx - old;
		if (!added)
			return false;
		vq_wmb();
		fd_store16(&fd_avail(fd)->idx, fd->avail_idx);
	}
	fd->avail_shown = fd->avail_idx;

	/* The device writes its wish and looks at the ring once more. */
	vq_mb();
	return fd_wants_kick(fd, old, added);
}

/* Taking buffers back */

static bool fd_packed_is_used(struct fake_driver *fd, u16 flags)
{
	bool avail = flags & VQ_DESC_F_AVAIL;
	bool used = flags & VQ_DESC_F_USED;

	return avail == used && used == fd->used_wrap;
}

/* How far the device may have come, at most: buffers (split) or slots (packed). */
static u32 fd_outstanding(const struct fake_driver *fd)
{
	if (fd->packed)
		return fd->setup.num - fd->free - fd->staged_slots;
	return (u16)(fd->avail_shown - fd->used_idx);
}

/*
 * Read the next used entry. @limit is how far it may reach, counted like
 * fd_outstanding(). Return: 1, 0 if there is none, -EPROTO.
 */
static int fd_next_used(struct fake_driver *fd, u32 *id, u32 *len, u32 *limit)
{
	u32 outstanding = fd_outstanding(fd);

	if (fd->packed) {
		struct vq_packed_desc *desc = fd_packed_desc(fd, fd->used_idx);
		u16 flags = fd_load16(&desc->flags);

		if (!fd_packed_is_used(fd, flags))
			return 0;
		vq_rmb();
		*id = fd_load16(&desc->id);
		/*
		 * 2.8.5: without WRITE the length is reserved. It is read in
		 * any case: a device may write the fields as one that begins
		 * with it, and ThreadSanitizer knows them by their addresses.
		 */
		*len = fd_load32(&desc->len);
		if (!(flags & VQ_DESC_F_WRITE))
			*len = 0;
		*limit = outstanding;
	} else {
		struct vq_split_used *ring = fd_used_ring(fd);
		struct vq_split_used_elem *elem = &ring->ring[fd->used_idx & (fd->setup.num - 1)];
		u16 pending = fd_load16(&ring->idx) - fd->used_idx;

		if (!pending)
			return 0;
		if (pending > outstanding)
			return fd_fail(fd, "used index ahead of what was made available");
		vq_rmb();
		*id = fd_load32(&elem->id);
		*len = fd_load32(&elem->len);
		*limit = pending;
	}

	if (*id >= fd->setup.num)
		return fd_fail(fd, "used id out of range");
	if (!fd->setup.bufs[*id].token)
		return fd_fail(fd, "used id not in flight");
	if (*len > fd->setup.bufs[*id].capacity)
		return fd_fail(fd, "used length greater than the buffer");
	return 1;
}

/* The buffer made available after @id, which is not the newest. */
static u16 fd_order_next(const struct fake_driver *fd, u16 id)
{
	if (fd->packed)
		return fd->setup.bufs[id].next;
	return (id + fd->setup.bufs[id].slots) & (fd->setup.num - 1);
}

/* Positions of the used ring that a buffer stands for. */
static u32 fd_steps(const struct fake_driver *fd, u16 id)
{
	return fd->packed ? fd->setup.bufs[id].slots : 1;
}

/* Do the buffers from the oldest to @id lie within @limit? */
static bool fd_batch_fits(const struct fake_driver *fd, u16 id, u32 limit)
{
	u16 at = fd->oldest;
	u32 steps = fd_steps(fd, at);

	while (at != id && steps <= limit) {
		at = fd_order_next(fd, at);
		steps += fd_steps(fd, at);
	}
	return steps <= limit;
}

static void fd_release(struct fake_driver *fd, u16 id)
{
	struct fd_buf *buf = &fd->setup.bufs[id];
	u32 pos = fd->used_idx + fd_steps(fd, id);

	if (fd->packed && pos >= fd->setup.num) {
		pos -= fd->setup.num;
		fd->used_wrap = !fd->used_wrap;
	}
	fd->used_idx = pos;

	/* A split chain's descriptors are linked to each other already. */
	if (fd->packed) {
		buf->next = fd->free_head;
		fd->free_head = id;
	} else if (!fd->in_order) {
		fd->setup.bufs[buf->last].next = fd->free_head;
		fd->free_head = id;
	}
	buf->token = NULL;
	fd->free += buf->slots;
	fd->in_flight--;
}

int fd_reap(struct fake_driver *fd, struct fd_used *used)
{
	u32 id = fd->batch_id;
	u32 len = fd->batch_len;
	u32 limit;
	int ret;

	if (!fd->batch) {
		ret = fd_next_used(fd, &id, &len, &limit);
		if (ret <= 0)
			return ret;
		if (!fd->in_order) {
			if (fd_steps(fd, id) > limit)
				return fd_fail(fd, "used before it was made available");
		} else {
			if (!fd_batch_fits(fd, id, limit))
				return fd_fail(fd, "used entry stands for too many buffers");
			fd->batch = true;
			fd->batch_id = id;
			fd->batch_len = len;
		}
	}

	used->skipped = false;
	if (fd->in_order) {
		u16 next;

		id = fd->oldest;
		next = fd->in_flight > 1 ? fd_order_next(fd, id) : id;
		used->skipped = id != fd->batch_id;
		len = used->skipped ? fd->setup.bufs[id].capacity : fd->batch_len;
		fd->batch = used->skipped;
		fd->oldest = next;
	}
	used->token = fd->setup.bufs[id].token;
	used->len = len;
	fd_release(fd, id);
	return 1;
}

bool fd_enable_call_after(struct fake_driver *fd, u16 behind)
{
	struct vq_split_avail *avail = fd_avail(fd);
	struct vq_packed_event *wish = fd_driver_event(fd);

	/* Without EVENT_IDX there is no asking for a later one. */
	if (!fd->event_idx)
		behind = 0;

	if (!fd->packed) {
		u16 done;

		if (fd->event_idx)
			fd_store16(&avail->ring[fd->setup.num], fd->used_idx + behind);
		else
			fd_store16(&avail->flags, 0);
		/* The device writes entries and then reads the wish. */
		vq_mb();
		done = fd_load16(&fd_used_ring(fd)->idx) - fd->used_idx;
		return done > behind;
	}

	if (fd->event_idx) {
		u32 event = fd->used_idx + behind;
		bool wrap = fd->used_wrap;

		if (event >= fd->setup.num) {
			event -= fd->setup.num;
			wrap = !wrap;
		}
		fd_store16(&wish->off_wrap, event | (wrap ? VQ_EVENT_WRAP : 0));
		/* Flags last: off_wrap is valid once they say so. */
		vq_wmb();
		fd_store16(&wish->flags, VQ_EVENT_F_DESC);
	} else {
		fd_store16(&wish->flags, VQ_EVENT_F_ENABLE);
	}
	vq_mb();
	return fd->batch ||
	       fd_packed_is_used(fd, fd_load16(&fd_packed_desc(fd, fd->used_idx)->flags));
}

bool fd_enable_call(struct fake_driver *fd)
{
	return fd_enable_call_after(fd, 0);
}

void fd_disable_call(struct fake_driver *fd)
{
	struct vq_split_avail *avail = fd_avail(fd);

	if (fd->packed)
		fd_store16(&fd_driver_event(fd)->flags, VQ_EVENT_F_DISABLE);
	else if (fd->event_idx)
		/* A position left behind comes again after 2^16 buffers only. */
		fd_store16(&avail->ring[fd->setup.num], fd->used_idx - 1);
	else
		fd_store16(&avail->flags, VQ_AVAIL_F_NO_INTERRUPT);
}
