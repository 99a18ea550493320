// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the engine does in the kernel when a ring cannot be reached, which no
 * environment but this can show: pages not there yet, not there at all, there
 * to be read only, and addresses that no user may name.
 */
#include <linux/mm.h>
#include <linux/uaccess.h>

#include "owner.h"
#include "ring.h"

#define TABLE_DESCS 4
#define TABLE_BYTES (TABLE_DESCS * sizeof(struct vq_split_desc))

#define SPLIT BIT_ULL(VQ_F_INDIRECT_DESC)
#define PACKED (BIT_ULL(VQ_F_INDIRECT_DESC) | BIT_ULL(VQ_F_RING_PACKED))

static const struct ring_kind kinds[] = {
	{ SPLIT, "split" },
	{ SPLIT | BIT_ULL(VQ_F_EVENT_IDX), "split, event index" },
	{ PACKED, "packed" },
	{ PACKED | BIT_ULL(VQ_F_EVENT_IDX), "packed, event index" },
};

static void kind_name(const struct ring_kind *kind, char *desc)
{
	strscpy(desc, kind->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(kind, kinds, kind_name);

static void pages_come_by_fault(struct kunit *test)
{
	struct ring *r = ring_open(test);

	/* The user mapping was never touched: each access here faults first. */
	begin_at(r, 0);
	add(r, 3);
	KUNIT_EXPECT_EQ(test, vq_has_avail(&r->vq, 0), 1);
	expect_pop(r, 3, 0);
	KUNIT_EXPECT_EQ(test, vq_publish(&r->vq, r->used, 3), 1);
	expect_came_back(r, 3, 0);
	KUNIT_EXPECT_EQ(test, vq_enable_kick(&r->vq, 0), 0);
	expect_section_closed(r);
	ring_close(r);
}

static void laps_to_the_last_byte(struct kunit *test)
{
	struct ring *r = ring_open(test);
	u32 first;

	begin_at(r, 0);
	for (first = 0; first < 2 * NUM; first += BATCH) {
		KUNIT_EXPECT_EQ(test, vq_enable_kick(&r->vq, 0), 0);
		add(r, BATCH);
		KUNIT_EXPECT_EQ(test, vq_disable_kick(&r->vq), 0);
		expect_pop(r, BATCH, first);
		KUNIT_EXPECT_GE(test, vq_publish(&r->vq, r->used, BATCH), 0);
		expect_came_back(r, BATCH, first);
	}
	ring_close(r);
}

static void no_descriptors(struct kunit *test)
{
	struct ring *r = ring_open(test);

	begin_at(r, 0);
	add(r, 2);
	allow(r, VQ_AREA_DESC, USER_NONE);
	EXPECT_FAULT(r, vq_pop(&r->vq, &r->batch));
	if (r->packed) {
		EXPECT_FAULT(r, vq_has_avail(&r->vq, 0));
		EXPECT_FAULT(r, vq_enable_kick(&r->vq, 0));
	}
	allow(r, VQ_AREA_DESC, USER_READ);
	expect_pop(r, 2, 0);
	ring_close(r);
}

static void no_second_page_of_descriptors(struct kunit *test)
{
	struct ring *r = ring_open(test);
	u16 first = DESCS_PER_PAGE - 2;
	struct user_memory *m = &r->area[VQ_AREA_DESC].memory;

	begin_at(r, first);
	add(r, 4);
	KUNIT_EXPECT_EQ(test, user_memory_allow(m, 1, 1, USER_NONE), 0);
	expect_pop(r, 2, first);
	EXPECT_FAULT(r, vq_pop(&r->vq, &r->batch));
	KUNIT_EXPECT_EQ(test, user_memory_allow(m, 1, 1, USER_WRITE), 0);
	expect_pop(r, 2, first + 2);
	ring_close(r);
}

static void chain_into_a_missing_page(struct kunit *test)
{
	struct ring *r = ring_open(test);
	u16 first = DESCS_PER_PAGE - 1;
	struct user_memory *m = &r->area[VQ_AREA_DESC].memory;

	begin_at(r, first);
	add_with_flags(r, BUFFER, BUFFER_LEN, VQ_DESC_F_WRITE | VQ_DESC_F_NEXT);
	add_with_flags(r, BUFFER, BUFFER_LEN, VQ_DESC_F_WRITE);
	if (!r->packed) {
		struct vq_split_desc *desc = desc_at(r, first);
		struct vq_split_avail *avail = driver_view(r, VQ_AREA_DRIVER);

		desc->next = cpu_to_le16(first + 1);
		avail->idx = cpu_to_le16(first + 1);
	}
	KUNIT_EXPECT_EQ(test, user_memory_allow(m, 1, 1, USER_NONE), 0);
	EXPECT_FAULT(r, vq_pop(&r->vq, &r->batch));
	KUNIT_EXPECT_EQ(test, user_memory_allow(m, 1, 1, USER_WRITE), 0);
	KUNIT_EXPECT_EQ(test, vq_pop(&r->vq, &r->batch), 1);
	KUNIT_EXPECT_EQ(test, r->chains[0].nin, 2);
	ring_close(r);
}

static void no_driver_area(struct kunit *test)
{
	struct ring *r = ring_open(test);

	begin_at(r, 0);
	ask_for_no_call(r);
	add(r, 3);
	allow(r, VQ_AREA_DRIVER, USER_NONE);
	/* A packed ring's driver area tells about calls only. */
	if (!r->packed) {
		EXPECT_FAULT(r, vq_pop(&r->vq, &r->batch));
		EXPECT_FAULT(r, vq_has_avail(&r->vq, 0));
		EXPECT_FAULT(r, vq_enable_kick(&r->vq, 0));
		allow(r, VQ_AREA_DRIVER, USER_READ);
	}
	expect_pop(r, 3, 0);
	ring_close(r);
}

static void called_if_the_wish_is_unreadable(struct kunit *test)
{
	struct ring *r = ring_open(test);

	begin_at(r, 0);
	ask_for_no_call(r);
	add(r, 3);
	expect_pop(r, 3, 0);
	/* The first answer after a start may be yes for good measure. */
	KUNIT_EXPECT_GE(test, vq_publish(&r->vq, &r->used[0], 1), 0);
	KUNIT_EXPECT_EQ(test, vq_publish(&r->vq, &r->used[1], 1), 0);
	allow(r, VQ_AREA_DRIVER, USER_NONE);
	KUNIT_EXPECT_EQ(test, vq_publish(&r->vq, &r->used[2], 1), 1);
	expect_came_back(r, 3, 0);
	KUNIT_EXPECT_EQ(test, r->vq.inflight, 0);
	ring_close(r);
}

/* A split ring with an event index has nothing to write for it. */
static void expect_disable_kick_fault(struct ring *r)
{
	if (r->vq.packed || !r->vq.event_idx)
		EXPECT_FAULT(r, vq_disable_kick(&r->vq));
	else
		KUNIT_EXPECT_EQ(r->test, vq_disable_kick(&r->vq), 0);
}

static void no_device_area(struct kunit *test)
{
	struct ring *r = ring_open(test);

	begin_at(r, 0);
	add(r, 3);
	expect_pop(r, 3, 0);
	allow(r, VQ_AREA_DEVICE, USER_NONE);
	EXPECT_FAULT(r, vq_start(&r->vq));
	EXPECT_FAULT(r, vq_enable_kick(&r->vq, 0));
	expect_disable_kick_fault(r);
	if (!r->packed)
		EXPECT_FAULT(r, vq_publish(&r->vq, r->used, 3));
	allow(r, VQ_AREA_DEVICE, USER_WRITE);
	KUNIT_EXPECT_EQ(test, vq_publish(&r->vq, r->used, 3), 1);
	expect_came_back(r, 3, 0);
	ring_close(r);
}

static void device_area_read_only(struct kunit *test)
{
	struct ring *r = ring_open(test);

	begin_at(r, 0);
	add(r, 3);
	expect_pop(r, 3, 0);
	allow(r, VQ_AREA_DEVICE, USER_READ);
	EXPECT_FAULT(r, vq_start(&r->vq));
	EXPECT_FAULT(r, vq_enable_kick(&r->vq, 0));
	expect_disable_kick_fault(r);
	if (r->packed)
		allow(r, VQ_AREA_DESC, USER_READ);
	EXPECT_FAULT(r, vq_publish(&r->vq, r->used, 3));
	KUNIT_EXPECT_FALSE(test, came_back(r, 0, 1));
	allow(r, VQ_AREA_DEVICE, USER_WRITE);
	allow(r, VQ_AREA_DESC, USER_WRITE);
	KUNIT_EXPECT_EQ(test, vq_publish(&r->vq, r->used, 3), 1);
	expect_came_back(r, 3, 0);
	ring_close(r);
}

/*
 * Some of a batch can be written and some cannot: the driver must see nothing.
 * What shows it the batch is the index of a split ring, which lies on its first
 * page, and the first entry of a packed batch.
 */
static void batch_published_whole_or_not(struct kunit *test)
{
	struct ring *r = ring_open(test);
	enum vq_area area = r->packed ? VQ_AREA_DESC : VQ_AREA_DEVICE;
	size_t header = r->packed ? 0 : sizeof(struct vq_split_used);
	size_t entry = r->packed ? sizeof(struct vq_packed_desc) :
				   sizeof(struct vq_split_used_elem);
	struct user_memory *m = &r->area[area].memory;
	size_t last_page = m->npages - 1;
	size_t showing_page = r->packed ? last_page - 1 : 0;
	size_t before = last_page * PAGE_SIZE - r->area[area].offset - header;
	/* Two entries lie before the last page, at least in part, and two on it. */
	u16 first = DIV_ROUND_UP(before, entry) - 2;

	begin_at(r, first);
	add(r, 4);
	expect_pop(r, 4, first);

	KUNIT_EXPECT_EQ(test, user_memory_allow(m, last_page, 1, USER_READ), 0);
	EXPECT_FAULT(r, vq_publish(&r->vq, r->used, 4));
	KUNIT_EXPECT_FALSE(test, came_back(r, first, first + 1));
	KUNIT_EXPECT_EQ(test, user_memory_allow(m, last_page, 1, USER_WRITE), 0);

	KUNIT_EXPECT_EQ(test, user_memory_allow(m, showing_page, 1, USER_READ), 0);
	EXPECT_FAULT(r, vq_publish(&r->vq, r->used, 4));
	KUNIT_EXPECT_FALSE(test, came_back(r, first, first + 1));
	KUNIT_EXPECT_EQ(test, user_memory_allow(m, showing_page, 1, USER_WRITE), 0);

	KUNIT_EXPECT_EQ(test, vq_publish(&r->vq, r->used, 4), 1);
	expect_came_back(r, 4, first);
	ring_close(r);
}

/*
 * The caller asks access_ok() about each area before the engine sees it. Should
 * it forget, no call gets as far as the first access.
 */
static void kernel_addresses(struct kunit *test)
{
	struct ring *r = ring_open(test);
	const struct ring_kind *kind = test->param_value;
	struct vq_setup setup = {
		.features = kind->features,
		.num = NUM,
		.desc = (void __force __user *)driver_view(r, VQ_AREA_DESC),
		.driver = (void __force __user *)driver_view(r, VQ_AREA_DRIVER),
		.device = (void __force __user *)driver_view(r, VQ_AREA_DEVICE),
	};
	size_t bytes = vq_area_bytes(kind->features, NUM, VQ_AREA_DESC);

	KUNIT_EXPECT_FALSE(test, access_ok(setup.desc, bytes));
	KUNIT_EXPECT_FALSE(test, access_ok(setup.driver, 1));
	KUNIT_EXPECT_FALSE(test, access_ok(setup.device, 1));
	KUNIT_EXPECT_FALSE(test, access_ok((void __user *)(TASK_SIZE_MAX - PAGE_SIZE), bytes));

	add(r, 1);
	KUNIT_EXPECT_EQ(test, vq_init(&r->vq, &setup), 0);
	EXPECT_FAULT(r, vq_start(&r->vq));
	EXPECT_FAULT(r, vq_pop(&r->vq, &r->batch));
	EXPECT_FAULT(r, vq_has_avail(&r->vq, 0));
	EXPECT_FAULT(r, vq_enable_kick(&r->vq, 0));
	expect_disable_kick_fault(r);
	r->used[0] = (struct vq_used){ .id = 0, .slots = 1, .len = 1 };
	EXPECT_FAULT(r, vq_publish(&r->vq, r->used, 1));
	KUNIT_EXPECT_FALSE(test, came_back(r, 0, 1));
	ring_close(r);
}

/* Pops a chain whose indirect table is yet to be read. */
static void pop_table(struct ring *r)
{
	begin_at(r, 0);
	add_with_flags(r, BUFFER, TABLE_BYTES, VQ_DESC_F_INDIRECT);
	KUNIT_EXPECT_EQ(r->test, vq_pop(&r->vq, &r->batch), 1);
	KUNIT_EXPECT_EQ(r->test, r->chains[0].table, BUFFER);
	KUNIT_EXPECT_EQ(r->test, r->chains[0].table_len, TABLE_BYTES);
}

/* Entries link to the next one in a split ring's table, where that is needed. */
static void fill_table(const struct ring *r, void *table)
{
	u32 i;

	for (i = 0; i < TABLE_DESCS; i++, table += sizeof(struct vq_split_desc)) {
		bool last = i + 1 == TABLE_DESCS;
		struct vq_split_desc split = {
			.addr = cpu_to_le64(BUFFER),
			.len = cpu_to_le32(BUFFER_LEN + i),
			.flags = cpu_to_le16(VQ_DESC_F_WRITE | (last ? 0 : VQ_DESC_F_NEXT)),
			.next = cpu_to_le16(i + 1),
		};
		struct vq_packed_desc packed = {
			.addr = cpu_to_le64(BUFFER),
			.len = cpu_to_le32(BUFFER_LEN + i),
			.flags = cpu_to_le16(VQ_DESC_F_WRITE),
		};

		if (r->packed)
			memcpy(table, &packed, sizeof(packed));
		else
			memcpy(table, &split, sizeof(split));
	}
}

/* The table lies at @offset of two pages, the second of which goes and comes. */
static void expand_over_pages(struct ring *r, size_t offset, u32 npieces)
{
	struct vq_chain *chain = &r->chains[0];
	struct vq_seg segs[TABLE_DESCS];
	struct vq_piece pieces[2];
	struct vq_chain before;
	struct user_memory m;
	u32 i;

	if (user_memory_init(&m, 2)) {
		KUNIT_FAIL(r->test, "no memory for the table");
		return;
	}
	fill_table(r, m.kernel + offset);
	pieces[0].ptr = m.user + offset;
	pieces[0].len = npieces == 1 ? TABLE_BYTES : PAGE_SIZE - offset;
	pieces[1].ptr = m.user + PAGE_SIZE;
	pieces[1].len = TABLE_BYTES - pieces[0].len;
	pop_table(r);
	before = *chain;

	KUNIT_EXPECT_EQ(r->test, user_memory_allow(&m, 1, 1, USER_NONE), 0);
	EXPECT_FAULT(r, vq_expand(&r->vq, &r->batch, chain, pieces, npieces, segs, TABLE_DESCS));
	KUNIT_EXPECT_EQ(r->test, memcmp(chain, &before, sizeof(before)), 0);

	KUNIT_EXPECT_EQ(r->test, user_memory_allow(&m, 1, 1, USER_READ), 0);
	KUNIT_EXPECT_EQ(r->test,
			vq_expand(&r->vq, &r->batch, chain, pieces, npieces, segs, TABLE_DESCS), 0);
	expect_section_closed(r);
	KUNIT_EXPECT_EQ(r->test, chain->nin, TABLE_DESCS);
	for (i = 0; i < chain->nin && i < TABLE_DESCS; i++) {
		KUNIT_EXPECT_EQ(r->test, segs[i].addr, BUFFER);
		KUNIT_EXPECT_EQ(r->test, segs[i].len, BUFFER_LEN + i);
	}
	user_memory_destroy(&m);
}

static void table_with_a_missing_page(struct kunit *test)
{
	struct ring *r = ring_open(test);

	expand_over_pages(r, PAGE_SIZE - 32, 1);
	ring_close(r);
}

static void table_with_a_missing_piece(struct kunit *test)
{
	struct ring *r = ring_open(test);

	expand_over_pages(r, PAGE_SIZE - 32, 2);
	ring_close(r);
}

/* No alignment: a descriptor, and a field of it, lie on both pages. */
static void table_askew_with_a_missing_page(struct kunit *test)
{
	struct ring *r = ring_open(test);

	expand_over_pages(r, PAGE_SIZE - 35, 1);
	ring_close(r);
}

static void table_in_the_kernel(struct kunit *test)
{
	struct ring *r = ring_open(test);
	struct vq_split_desc table[TABLE_DESCS];
	struct vq_piece piece = { (const void __force __user *)table, sizeof(table) };
	struct vq_seg segs[TABLE_DESCS];

	fill_table(r, table);
	pop_table(r);
	EXPECT_FAULT(r,
		     vq_expand(&r->vq, &r->batch, &r->chains[0], &piece, 1, segs, TABLE_DESCS));
	ring_close(r);
}

static struct kunit_case fault_cases[] = {
	KUNIT_CASE_PARAM(pages_come_by_fault, kind_gen_params),
	KUNIT_CASE_PARAM(laps_to_the_last_byte, kind_gen_params),
	KUNIT_CASE_PARAM(no_descriptors, kind_gen_params),
	KUNIT_CASE_PARAM(no_second_page_of_descriptors, kind_gen_params),
	KUNIT_CASE_PARAM(chain_into_a_missing_page, kind_gen_params),
	KUNIT_CASE_PARAM(no_driver_area, kind_gen_params),
	KUNIT_CASE_PARAM(called_if_the_wish_is_unreadable, kind_gen_params),
	KUNIT_CASE_PARAM(no_device_area, kind_gen_params),
	KUNIT_CASE_PARAM(device_area_read_only, kind_gen_params),
	KUNIT_CASE_PARAM(batch_published_whole_or_not, kind_gen_params),
	KUNIT_CASE_PARAM(kernel_addresses, kind_gen_params),
	KUNIT_CASE_PARAM(table_with_a_missing_page, kind_gen_params),
	KUNIT_CASE_PARAM(table_with_a_missing_piece, kind_gen_params),
	KUNIT_CASE_PARAM(table_askew_with_a_missing_page, kind_gen_params),
	KUNIT_CASE_PARAM(table_in_the_kernel, kind_gen_params),
	{}
};

static struct kunit_suite fault_suite = {
	.name = "vireo_vq_faults",
	.suite_init = owner_suite_init,
	.suite_exit = owner_suite_exit,
	.test_cases = fault_cases,
};

kunit_test_suite(fault_suite);
