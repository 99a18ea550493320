// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the cases share.
 */
#include "cases.h"

#ifndef __KERNEL__
#include <string.h>
#endif

#define SPLIT 0
#define PACKED VQ_BIT(VQ_F_RING_PACKED)
#define EVENT VQ_BIT(VQ_F_EVENT_IDX)
#define INDIRECT VQ_BIT(VQ_F_INDIRECT_DESC)
#define IN_ORDER VQ_BIT(VQ_F_IN_ORDER)

const struct vq_combination vq_combinations[] = {
	{ "Split", SPLIT },
	{ "SplitEvent", SPLIT | EVENT },
	{ "SplitIndirect", SPLIT | INDIRECT },
	{ "SplitEventIndirect", SPLIT | EVENT | INDIRECT },
	{ "SplitInOrder", SPLIT | IN_ORDER },
	{ "SplitAll", SPLIT | EVENT | INDIRECT | IN_ORDER },
	{ "Packed", PACKED },
	{ "PackedEvent", PACKED | EVENT },
	{ "PackedIndirect", PACKED | INDIRECT },
	{ "PackedEventIndirect", PACKED | EVENT | INDIRECT },
	{ "PackedInOrder", PACKED | IN_ORDER },
	{ "PackedAll", PACKED | EVENT | INDIRECT | IN_ORDER },
};

const u32 vq_ncombinations = ARRAY_SIZE(vq_combinations);

bool vq_test_check(struct vq_test *t, const char *file, int line, const char *what, long long got,
		   long long want)
{
	if (got == want)
		return true;
	t->failures++;
	t->fail(t, file, line, what, got, want);
	return false;
}

void vq_test_queue_at(struct vq_test *t, u32 num, u16 pos, bool wrap)
{
	struct fd_setup setup = {
		.features = t->features,
		.num = num,
		.table_max = num <= VQ_TEST_NUM ? VQ_TEST_TABLE : 0,
		.arena = t->arena,
		.arena_device = t->arena_device,
		.arena_bytes = VQ_TEST_ARENA,
		.bufs = t->bufs,
	};
	struct vq_setup vq_setup;
	u32 base = pos;

	memset(t->arena, 0, fd_arena_bytes(&setup));
	NEED_EQ(t, fd_init(&t->fd, &setup), 0);
	fd_set_position(&t->fd, pos, wrap, pos, wrap);
	fd_describe(&t->fd, &vq_setup);
	NEED_EQ(t, vq_init(&t->vq, &vq_setup), 0);
	if (t->fd.packed)
		base = (pos | (u32)wrap << 15) * 0x10001u;
	NEED_EQ(t, vq_set_base(&t->vq, base), 0);
	NEED_EQ(t, vq_start(&t->vq), 0);

	t->added = 0;
	t->batch.chains = t->chains;
	t->batch.max_chains = VQ_TEST_CHAINS;
	t->batch.segs = t->segs;
	t->batch.max_segs = VQ_TEST_SEGS;
}

void vq_test_queue(struct vq_test *t, u32 num)
{
	vq_test_queue_at(t, num, 0, true);
}

struct vq_seg vq_test_seg(u32 buffer, u32 i)
{
	struct vq_seg seg = {
		.addr = 0x100000000ULL * (buffer + 1) + 0x10000ULL * i,
		.len = 0x100 * (buffer % 16 + 1) + i + 1,
	};

	return seg;
}

static void *token(u32 buffer)
{
	return (void *)(unsigned long)(buffer + 1);
}

int vq_test_add(struct vq_test *t, u32 nout, u32 nin, enum fd_shape shape)
{
	struct vq_seg segs[VQ_TEST_TABLE];
	u32 i;
	int id;

	for (i = 0; i < nout + nin; i++)
		segs[i] = vq_test_seg(t->added, i);
	id = fd_add(&t->fd, segs, nout, nin, shape, token(t->added));
	CHECK_THAT(t, id >= 0);
	t->added++;
	return id;
}

void vq_test_offer(struct vq_test *t, u32 n, bool nin)
{
	while (n--)
		vq_test_add(t, !nin, nin, FD_DIRECT);
	fd_show(&t->fd);
}

int vq_test_pop(struct vq_test *t)
{
	return vq_pop(&t->vq, &t->batch);
}

void vq_test_expect_segs(struct vq_test *t, const struct vq_seg *segs, u32 n, u32 buffer)
{
	u32 i;

	for (i = 0; i < n; i++) {
		struct vq_seg want = vq_test_seg(buffer, i);

		CHECK_EQ(t, segs[i].addr, want.addr);
		CHECK_EQ(t, segs[i].len, want.len);
	}
}

int vq_test_publish_n(struct vq_test *t, u32 n, u32 len)
{
	struct vq_used used[VQ_TEST_NUM];
	u32 i;

	for (i = 0; i < n; i++)
		vq_stage(&used[i], &t->chains[i], len);
	return vq_publish(&t->vq, used, n);
}

int vq_test_publish(struct vq_test *t, u32 i, u32 len)
{
	struct vq_used used;

	vq_stage(&used, &t->chains[i], len);
	return vq_publish(&t->vq, &used, 1);
}

void vq_test_expect_reaped(struct vq_test *t, u32 buffer, u32 len)
{
	struct fd_used used = { 0 };

	NEED_EQ(t, fd_reap(&t->fd, &used), 1);
	CHECK_THAT(t, used.token == token(buffer));
	CHECK_EQ(t, used.len, len);
}

void vq_test_cycle(struct vq_test *t, u32 n)
{
	struct fd_used used;

	while (n--) {
		vq_test_offer(t, 1, true);
		NEED_EQ(t, vq_test_pop(t), 1);
		CHECK_THAT(t, vq_test_publish(t, 0, 1) >= 0);
		NEED_EQ(t, fd_reap(&t->fd, &used), 1);
	}
}

void vq_test_forge(struct vq_test *t, u32 i, u64 addr, u32 len, u16 flags, u16 link)
{
	if (t->fd.packed) {
		struct vq_packed_desc *desc = fd_packed_desc(&t->fd, i);

		desc->addr = cpu_to_le64(addr);
		desc->len = cpu_to_le32(len);
		desc->id = cpu_to_le16(link);
		desc->flags = cpu_to_le16(flags | VQ_DESC_F_AVAIL);
	} else {
		struct vq_split_desc *desc = fd_split_desc(&t->fd, i);

		desc->addr = cpu_to_le64(addr);
		desc->len = cpu_to_le32(len);
		desc->flags = cpu_to_le16(flags);
		desc->next = cpu_to_le16(link);
	}
}

void vq_test_forge_entry(struct vq_test *t, u32 i, u32 entry, u64 addr, u32 len, u16 flags,
			 u16 next)
{
	if (t->fd.packed) {
		struct vq_packed_desc *desc = fd_table(&t->fd, i);

		desc[entry].addr = cpu_to_le64(addr);
		desc[entry].len = cpu_to_le32(len);
		desc[entry].id = 0;
		desc[entry].flags = cpu_to_le16(flags);
	} else {
		struct vq_split_desc *desc = fd_table(&t->fd, i);

		desc[entry].addr = cpu_to_le64(addr);
		desc[entry].len = cpu_to_le32(len);
		desc[entry].flags = cpu_to_le16(flags);
		desc[entry].next = cpu_to_le16(next);
	}
}

void vq_test_offer_forged(struct vq_test *t, u16 head)
{
	struct vq_split_avail *avail;
	u16 idx;

	if (t->fd.packed)
		return;
	avail = fd_avail(&t->fd);
	idx = le16_to_cpu(avail->idx);
	avail->ring[idx % t->vq.num] = cpu_to_le16(head);
	avail->idx = cpu_to_le16(idx + 1);
}

bool vq_test_same_state(const struct vq *a, const struct vq *b)
{
	return a->avail_pos == b->avail_pos && a->used_pos == b->used_pos &&
	       a->inflight == b->inflight && a->avail_wrap == b->avail_wrap &&
	       a->used_wrap == b->used_wrap;
}

void vq_test_expect_refused(struct vq_test *t, enum vq_error error)
{
	struct vq before = t->vq;
	u32 i;

	for (i = 0; i < 2; i++) {
		CHECK_EQ(t, vq_test_pop(t), -EPROTO);
		CHECK_EQ(t, t->vq.error, error);
		CHECK_THAT(t, vq_test_same_state(&t->vq, &before));
		CHECK_EQ(t, t->batch.nchains, 0);
	}
}

/* A number that segments are known by, well enough. */
static u64 digest(const struct vq_seg *segs, u32 n)
{
	u64 sum = n;

	while (n--)
		sum = sum * 31 + segs[n].addr * 17 + segs[n].len;
	return sum;
}

int vq_test_expand(struct vq_test *t, u32 i, u32 max_segs)
{
	struct vq_chain *chain = &t->chains[i];
	struct vq_chain again = *chain;
	u32 cut = chain->table_len / 2 + 3;
	struct vq_piece whole, cut_up[2];
	enum vq_error error;
	u64 sum = 0;
	int result;

	whole.ptr = fd_translate(&t->fd, chain->table, chain->table_len);
	whole.len = chain->table_len;
	if (!CHECK_THAT(t, whole.ptr))
		return -EFAULT;
	cut_up[0].ptr = whole.ptr;
	cut_up[0].len = cut;
	cut_up[1].ptr = (const char __vq_mem *)whole.ptr + cut;
	cut_up[1].len = whole.len - cut;

	/* However the table lies, it is the same table. */
	result = vq_expand(&t->vq, &t->batch, &again, cut_up, 2, t->expanded, max_segs);
	error = t->vq.error;
	if (!result)
		sum = digest(t->expanded, again.nout + again.nin);
	CHECK_EQ(t, vq_expand(&t->vq, &t->batch, chain, &whole, 1, t->expanded, max_segs), result);
	CHECK_EQ(t, t->vq.error, error);
	CHECK_EQ(t, chain->nout, again.nout);
	CHECK_EQ(t, chain->nin, again.nin);
	if (!result)
		CHECK_THAT(t, digest(t->expanded, chain->nout + chain->nin) == sum);
	return result;
}
