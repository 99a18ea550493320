/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A queue whose ring lies in user memory, its driver, and what the cases expect
 * of the engine behind it. The driver knows no more of the ring formats than
 * they ask for.
 *
 * Each of the three areas ends where its last page ends, with nothing mapped
 * behind it, so every case is one of overruns too.
 */
#ifndef VIREO_KUNIT_RING_H
#define VIREO_KUNIT_RING_H

#include <kunit/test.h>

#include "user_memory.h"
#include "vq/vq.h"

#define NUM 1024 /* four pages of descriptors, and a used ring on three */
#define DESCS_PER_PAGE (PAGE_SIZE / sizeof(struct vq_split_desc))
#define BATCH 8
#define BUFFER 0x123450000ULL
#define BUFFER_LEN 0x600

/* What a ring is, the parameter of all cases. */
struct ring_kind {
	u64 features;
	const char *name;
};

/* An area: its memory, and where in it the area begins. */
struct area {
	struct user_memory memory;
	size_t offset;
};

struct ring {
	struct kunit *test;
	struct area area[3]; /* by enum vq_area */
	bool packed;
	u16 added; /* by the driver, ever */
	struct vq vq;
	struct vq before; /* the last call that was to fail */
	struct vq_chain chains[BATCH];
	struct vq_seg segs[BATCH];
	struct vq_batch batch;
	struct vq_used used[BATCH];
};

/*
 * A case begins with the one and ends with the other. In between the thread has
 * its owner's memory, see owner.h.
 */
struct ring *ring_open(struct kunit *test);
void ring_close(struct ring *r);

void *driver_view(struct ring *r, enum vq_area area);
void __user *device_view(struct ring *r, enum vq_area area);

/* The driver */

void *desc_at(struct ring *r, u16 n);

/* Makes one buffer of one segment available. */
void add_with_flags(struct ring *r, u64 addr, u32 len, u16 flags);

/* Makes @n buffers available, device-writable, each a byte longer than the last. */
void add(struct ring *r, u32 n);

/* Was the buffer that was added as number @n given back, with this length? */
bool came_back(struct ring *r, u16 n, u32 len);

void ask_for_no_call(struct ring *r);

/* The device */

/* Both sides begin @n buffers later, as if as many had come and gone. */
void begin_at(struct ring *r, u16 n);

/* What the device may do with an area from now on. */
void allow(struct ring *r, enum vq_area area, enum user_access access);

/* Whatever way a section was left, user access is off again behind it. */
void expect_section_closed(struct ring *r);

/* Pops @n buffers that add() made available, @first the number of the first. */
void expect_pop(struct ring *r, u32 n, u16 first);

/* Those buffers were given back, as expect_pop() staged them. */
void expect_came_back(struct ring *r, u32 n, u16 first);

void expect_fault(struct ring *r, int result);

/* @call is an expression; it fails for a fault, and leaves the queue as it was. */
#define EXPECT_FAULT(tested, call)                      \
	do {                                            \
		struct ring *tested_ = (tested);        \
							\
		tested_->before = tested_->vq;          \
		expect_fault(tested_, call);            \
	} while (0)

#endif /* VIREO_KUNIT_RING_H */
