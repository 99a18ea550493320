// SPDX-License-Identifier: GPL-2.0-only
#include <linux/mm.h>

#include "owner.h"
#include "ring.h"

void *driver_view(struct ring *r, enum vq_area area)
{
	return r->area[area].memory.kernel + r->area[area].offset;
}

void __user *device_view(struct ring *r, enum vq_area area)
{
	return r->area[area].memory.user + r->area[area].offset;
}

static int ring_init(struct ring *r, const struct ring_kind *kind)
{
	struct vq_setup setup = { .features = kind->features, .num = NUM };
	size_t bytes, npages;
	int area, err;

	r->packed = kind->features & BIT_ULL(VQ_F_RING_PACKED);
	r->batch = (struct vq_batch){
		.chains = r->chains,
		.segs = r->segs,
		.max_chains = BATCH,
		.max_segs = BATCH,
	};
	for (area = VQ_AREA_DESC; area <= VQ_AREA_DEVICE; area++) {
		bytes = vq_area_bytes(kind->features, NUM, area);
		npages = DIV_ROUND_UP(bytes, PAGE_SIZE);
		err = user_memory_init(&r->area[area].memory, npages);
		if (err)
			goto err_memory;
		r->area[area].offset = npages * PAGE_SIZE - bytes;
		/* With an event index a used ring has two bytes too many for its alignment. */
		if (area == VQ_AREA_DEVICE)
			r->area[area].offset = round_down(r->area[area].offset, 4);
	}
	setup.desc = device_view(r, VQ_AREA_DESC);
	setup.driver = device_view(r, VQ_AREA_DRIVER);
	setup.device = device_view(r, VQ_AREA_DEVICE);
	err = vq_init(&r->vq, &setup);
	if (err)
		goto err_memory;
	return 0;

err_memory:
	while (area-- > VQ_AREA_DESC)
		user_memory_destroy(&r->area[area].memory);
	return err;
}

static void ring_destroy(struct ring *r)
{
	int area;

	for (area = VQ_AREA_DESC; area <= VQ_AREA_DEVICE; area++)
		user_memory_destroy(&r->area[area].memory);
}

struct ring *ring_open(struct kunit *test)
{
	struct ring *r = kunit_kzalloc(test, sizeof(*r), GFP_KERNEL);
	int err;

	KUNIT_ASSERT_NOT_NULL(test, r);
	r->test = test;
	owner_mm_borrow();
	err = ring_init(r, test->param_value);
	if (err)
		owner_mm_return();
	KUNIT_ASSERT_EQ(test, err, 0);
	return r;
}

void ring_close(struct ring *r)
{
	expect_section_closed(r);
	ring_destroy(r);
	owner_mm_return();
}

/* The driver */

void *desc_at(struct ring *r, u16 n)
{
	return driver_view(r, VQ_AREA_DESC) + n % NUM * sizeof(struct vq_split_desc);
}

/* The flags of the buffer added as number @n that mean it is available, or used. */
static u16 packed_flags(u16 n, bool used)
{
	bool wrap = !(n / NUM & 1);

	if (used)
		return wrap ? VQ_DESC_F_AVAIL | VQ_DESC_F_USED : 0;
	return wrap ? VQ_DESC_F_AVAIL : VQ_DESC_F_USED;
}

void add_with_flags(struct ring *r, u64 addr, u32 len, u16 flags)
{
	u16 slot = r->added % NUM;

	if (r->packed) {
		struct vq_packed_desc *desc = desc_at(r, slot);

		desc->addr = cpu_to_le64(addr);
		desc->len = cpu_to_le32(len);
		desc->id = cpu_to_le16(slot);
		smp_wmb(); /* the flags come last; pairs with the engine's vq_rmb() */
		WRITE_ONCE(desc->flags, cpu_to_le16(flags | packed_flags(r->added, false)));
		r->added++;
	} else {
		struct vq_split_desc *desc = desc_at(r, slot);
		struct vq_split_avail *avail = driver_view(r, VQ_AREA_DRIVER);

		desc->addr = cpu_to_le64(addr);
		desc->len = cpu_to_le32(len);
		desc->flags = cpu_to_le16(flags);
		avail->ring[slot] = cpu_to_le16(slot);
		smp_wmb(); /* the index comes last; pairs with the engine's vq_rmb() */
		WRITE_ONCE(avail->idx, cpu_to_le16(++r->added));
	}
}

void add(struct ring *r, u32 n)
{
	while (n--)
		add_with_flags(r, BUFFER, BUFFER_LEN + r->added, VQ_DESC_F_WRITE);
}

bool came_back(struct ring *r, u16 n, u32 len)
{
	if (r->packed) {
		const struct vq_packed_desc *desc = desc_at(r, n);
		u16 state = le16_to_cpu(READ_ONCE(desc->flags)) &
			    (VQ_DESC_F_AVAIL | VQ_DESC_F_USED);

		return state == packed_flags(n, true) && le16_to_cpu(desc->id) == n % NUM &&
		       le32_to_cpu(desc->len) == len;
	} else {
		const struct vq_split_used *used = driver_view(r, VQ_AREA_DEVICE);
		const struct vq_split_used_elem *elem = &used->ring[n % NUM];
		u16 behind = le16_to_cpu(READ_ONCE(used->idx)) - n - 1;

		return behind < NUM && le32_to_cpu(elem->id) == n % NUM &&
		       le32_to_cpu(elem->len) == len;
	}
}

void ask_for_no_call(struct ring *r)
{
	if (r->packed) {
		struct vq_packed_event *event = driver_view(r, VQ_AREA_DRIVER);

		event->flags = cpu_to_le16(VQ_EVENT_F_DISABLE);
	} else {
		struct vq_split_avail *avail = driver_view(r, VQ_AREA_DRIVER);

		avail->flags = cpu_to_le16(VQ_AVAIL_F_NO_INTERRUPT);
		if (r->vq.event_idx)
			avail->ring[NUM] = cpu_to_le16(r->added + NUM);
	}
}

void begin_at(struct ring *r, u16 n)
{
	u32 wrap = 1;
	u32 base = n;

	r->added = n;
	if (r->packed) {
		base = n | wrap << 15 | n << 16 | wrap << 31;
	} else {
		struct vq_split_avail *avail = driver_view(r, VQ_AREA_DRIVER);
		struct vq_split_used *used = driver_view(r, VQ_AREA_DEVICE);

		avail->idx = cpu_to_le16(n);
		used->idx = cpu_to_le16(n);
	}
	KUNIT_EXPECT_EQ(r->test, vq_set_base(&r->vq, base), 0);
	KUNIT_EXPECT_EQ(r->test, vq_start(&r->vq), 0);
}

/* The device */

void allow(struct ring *r, enum vq_area area, enum user_access access)
{
	struct user_memory *m = &r->area[area].memory;

	KUNIT_EXPECT_EQ(r->test, user_memory_allow(m, 0, m->npages, access), 0);
}

void expect_section_closed(struct ring *r)
{
#ifdef CONFIG_X86
	KUNIT_EXPECT_FALSE(r->test, native_save_fl() & X86_EFLAGS_AC);
#endif
}

void expect_fault(struct ring *r, int result)
{
	const struct vq *before = &r->before;

	expect_section_closed(r);
	KUNIT_EXPECT_EQ(r->test, result, -EFAULT);
	KUNIT_EXPECT_EQ(r->test, r->vq.error, VQ_ERR_FAULT);
	KUNIT_EXPECT_EQ(r->test, r->vq.avail_pos, before->avail_pos);
	KUNIT_EXPECT_EQ(r->test, r->vq.avail_wrap, before->avail_wrap);
	KUNIT_EXPECT_EQ(r->test, r->vq.used_pos, before->used_pos);
	KUNIT_EXPECT_EQ(r->test, r->vq.used_wrap, before->used_wrap);
	KUNIT_EXPECT_EQ(r->test, r->vq.inflight, before->inflight);
}

void expect_pop(struct ring *r, u32 n, u16 first)
{
	u32 i;

	KUNIT_EXPECT_EQ(r->test, vq_pop(&r->vq, &r->batch), (int)n);
	expect_section_closed(r);
	KUNIT_EXPECT_EQ(r->test, r->batch.nchains, n);
	for (i = 0; i < r->batch.nchains; i++) {
		const struct vq_chain *chain = &r->chains[i];

		KUNIT_EXPECT_EQ(r->test, chain->id, (first + i) % NUM);
		KUNIT_EXPECT_EQ(r->test, chain->nin, 1);
		KUNIT_EXPECT_EQ(r->test, chain->nout, 0);
		KUNIT_EXPECT_EQ(r->test, r->segs[chain->first].addr, BUFFER);
		KUNIT_EXPECT_EQ(r->test, r->segs[chain->first].len, BUFFER_LEN + first + i);
		vq_stage(&r->used[i], chain, first + i + 1);
	}
}

void expect_came_back(struct ring *r, u32 n, u16 first)
{
	expect_section_closed(r);
	for (; n--; first++)
		KUNIT_EXPECT_TRUE_MSG(r->test, came_back(r, first, first + 1), "buffer %u", first);
}
