// SPDX-License-Identifier: GPL-2.0-only
/*
 * Giving buffers back.
 */
#include "cases.h"

static void used_buffer_comes_back_with_its_length(struct vq_test *t)
{
	struct fd_used used;

	vq_test_queue(t, VQ_TEST_NUM);
	vq_test_offer(t, 1, true);
	NEED_EQ(t, vq_test_pop(t), 1);
	CHECK_EQ(t, t->vq.inflight, 1);
	CHECK_EQ(t, fd_reap(&t->fd, &used), 0);
	CHECK_THAT(t, vq_test_publish(t, 0, 42) >= 0);
	CHECK_EQ(t, t->vq.inflight, 0);
	vq_test_expect_reaped(t, 0, 42);
	CHECK_EQ(t, fd_reap(&t->fd, &used), 0);
}

static void several_used_buffers_at_once(struct vq_test *t)
{
	u32 i;

	vq_test_queue(t, VQ_TEST_NUM);
	vq_test_add(t, 1, 1, FD_DIRECT);
	vq_test_add(t, 0, 3, FD_DIRECT);
	vq_test_add(t, 0, 1, FD_DIRECT);
	fd_show(&t->fd);
	NEED_EQ(t, vq_test_pop(t), 3);
	CHECK_THAT(t, vq_test_publish_n(t, 3, 7) >= 0);
	CHECK_EQ(t, t->vq.inflight, 0);
	for (i = 0; i < 3; i++)
		vq_test_expect_reaped(t, i, 7);
}

static void buffers_come_back_in_any_order(struct vq_test *t)
{
	u32 lap;

	vq_test_queue(t, VQ_TEST_NUM);
	for (lap = 0; lap < 20; lap++) {
		u32 first = t->added;

		vq_test_add(t, 1, 1, FD_DIRECT);
		vq_test_add(t, 0, 1, FD_DIRECT);
		vq_test_add(t, 1, 2, FD_DIRECT);
		fd_show(&t->fd);
		NEED_EQ(t, vq_test_pop(t), 3);
		CHECK_THAT(t, vq_test_publish(t, 2, 1) >= 0);
		CHECK_THAT(t, vq_test_publish(t, 0, 2) >= 0);
		CHECK_THAT(t, vq_test_publish(t, 1, 3) >= 0);
		vq_test_expect_reaped(t, first + 2, 1);
		vq_test_expect_reaped(t, first, 2);
		vq_test_expect_reaped(t, first + 1, 3);
	}
}

/* 2.8.1: after the last slot the counters flip, and chains may lie across it. */
static void rings_go_round_many_times(struct vq_test *t)
{
	u32 lap;

	vq_test_queue(t, VQ_TEST_NUM);
	for (lap = 0; lap < 100; lap++) {
		u32 first = t->added;

		vq_test_add(t, 1 + lap % 2, 1, FD_DIRECT);
		vq_test_add(t, lap % 3, 1 + lap % 2, FD_DIRECT);
		fd_show(&t->fd);
		NEED_EQ(t, vq_test_pop(t), 2);
		vq_test_expect_segs(t, t->segs, t->chains[0].nout + t->chains[0].nin, first);
		CHECK_THAT(t, vq_test_publish_n(t, 2, lap) >= 0);
		vq_test_expect_reaped(t, first, lap);
		vq_test_expect_reaped(t, first + 1, lap);
	}
}

/* 2.7: positions count modulo 2^16, whatever the size of the ring. */
static void split_index_passes_65535(struct vq_test *t)
{
	vq_test_queue_at(t, VQ_TEST_NUM, 0xfffd, true);
	vq_test_cycle(t, 6);
	CHECK_EQ(t, t->vq.avail_pos, 3);
	CHECK_EQ(t, t->vq.used_pos, 3);
	CHECK_EQ(t, le16_to_cpu(fd_used_ring(&t->fd)->idx), 3);
}

static void packed_wrap_counter_flips(struct vq_test *t)
{
	vq_test_queue(t, VQ_TEST_NUM);
	vq_test_cycle(t, VQ_TEST_NUM - 1);
	CHECK_THAT(t, t->vq.avail_wrap && t->vq.used_wrap);
	vq_test_cycle(t, 1);
	CHECK_EQ(t, t->vq.avail_pos, 0);
	CHECK_EQ(t, t->vq.used_pos, 0);
	CHECK_THAT(t, !t->vq.avail_wrap && !t->vq.used_wrap);
	vq_test_cycle(t, VQ_TEST_NUM);
	CHECK_THAT(t, t->vq.avail_wrap && t->vq.used_wrap);
}

/* 2.8.4: the length counts with the write flag, which is there if it is not 0. */
static void packed_write_flag_goes_with_the_length(struct vq_test *t)
{
	vq_test_queue(t, VQ_TEST_NUM);
	vq_test_offer(t, 2, true);
	NEED_EQ(t, vq_test_pop(t), 2);
	CHECK_THAT(t, vq_test_publish(t, 0, 0) >= 0);
	CHECK_THAT(t, vq_test_publish(t, 1, 1) >= 0);
	CHECK_THAT(t, !(le16_to_cpu(fd_packed_desc(&t->fd, 0)->flags) & VQ_DESC_F_WRITE));
	CHECK_THAT(t, le16_to_cpu(fd_packed_desc(&t->fd, 1)->flags) & VQ_DESC_F_WRITE);
}

/*
 * 2.7.9 and 2.8.9: with IN_ORDER one entry stands for a batch that the driver
 * need not know the lengths of. It stands where the entry of the first would.
 */
static void in_order_batch_takes_one_entry(struct vq_test *t)
{
	u32 lap, i;

	vq_test_queue(t, VQ_TEST_NUM);
	for (lap = 0; lap < 10; lap++) {
		u32 first = t->added;
		struct fd_used used;

		vq_test_offer(t, 3, false);
		NEED_EQ(t, vq_test_pop(t), 3);
		CHECK_THAT(t, vq_test_publish_n(t, 3, 0) >= 0);
		for (i = 0; i < 3; i++) {
			NEED_EQ(t, fd_reap(&t->fd, &used), 1);
			CHECK_EQ(t, (unsigned long)used.token, first + i + 1);
			CHECK_EQ(t, used.skipped, i < 2);
		}
	}
	CHECK_EQ(t, t->vq.inflight, 0);
}

/* A writable buffer's length matters, so its entry is written; also last of a batch. */
static void in_order_keeps_lengths_that_matter(struct vq_test *t)
{
	static const bool nin[] = { false, true, false, false, true, false };
	static const bool skipped[] = { true, false, true, true, false, false };
	u32 lap, i;

	vq_test_queue(t, VQ_TEST_NUM);
	for (lap = 0; lap < 10; lap++) {
		struct vq_used used[6];
		struct fd_used back;

		for (i = 0; i < 6; i++)
			vq_test_add(t, !nin[i], nin[i], FD_DIRECT);
		fd_show(&t->fd);
		NEED_EQ(t, vq_test_pop(t), 6);
		for (i = 0; i < 6; i++) {
			vq_stage(&used[i], &t->chains[i], nin[i] ? 10 + i : 0);
			CHECK_EQ(t, used[i].skip_ok, !nin[i]);
		}
		CHECK_THAT(t, vq_publish(&t->vq, used, 6) >= 0);
		for (i = 0; i < 6; i++) {
			NEED_EQ(t, fd_reap(&t->fd, &back), 1);
			CHECK_EQ(t, back.skipped, skipped[i]);
			CHECK_EQ(t, back.len, nin[i] ? 10 + i : 0);
		}
	}
}

/* Not even the call that a driver gets after a start, whatever it saw before. */
static void nothing_is_published(struct vq_test *t)
{
	struct fd_used used;
	struct vq before;

	vq_test_queue(t, VQ_TEST_NUM);
	vq_test_offer(t, 1, true);
	NEED_EQ(t, vq_test_pop(t), 1);
	before = t->vq;
	CHECK_EQ(t, vq_test_publish_n(t, 0, 1), 0);
	CHECK_THAT(t, vq_test_same_state(&t->vq, &before));
	CHECK_EQ(t, fd_reap(&t->fd, &used), 0);
	CHECK_EQ(t, vq_test_publish_n(t, 1, 1), 1);
	vq_test_expect_reaped(t, 0, 1);
}

/* Without IN_ORDER each buffer has its entry, whatever is staged. */
static void every_buffer_has_its_entry(struct vq_test *t)
{
	struct fd_used used;
	u32 i;

	vq_test_queue(t, VQ_TEST_NUM);
	vq_test_offer(t, 3, false);
	NEED_EQ(t, vq_test_pop(t), 3);
	CHECK_THAT(t, vq_test_publish_n(t, 3, 0) >= 0);
	for (i = 0; i < 3; i++) {
		NEED_EQ(t, fd_reap(&t->fd, &used), 1);
		CHECK_THAT(t, !used.skipped);
	}
}

#define PACKED VQ_BIT(VQ_F_RING_PACKED)
#define IN_ORDER VQ_BIT(VQ_F_IN_ORDER)

static const struct vq_case cases[] = {
	{ "UsedBufferComesBackWithItsLength", used_buffer_comes_back_with_its_length },
	{ "SeveralUsedBuffersAtOnce", several_used_buffers_at_once },
	{ "BuffersComeBackInAnyOrder", buffers_come_back_in_any_order, 0, IN_ORDER },
	{ "RingsGoRoundManyTimes", rings_go_round_many_times },
	{ "SplitIndexPasses65535", split_index_passes_65535, 0, PACKED },
	{ "PackedWrapCounterFlips", packed_wrap_counter_flips, PACKED },
	{ "PackedWriteFlagGoesWithTheLength", packed_write_flag_goes_with_the_length, PACKED },
	{ "InOrderBatchTakesOneEntry", in_order_batch_takes_one_entry, IN_ORDER },
	{ "InOrderKeepsLengthsThatMatter", in_order_keeps_lengths_that_matter, IN_ORDER },
	{ "NothingIsPublished", nothing_is_published },
	{ "EveryBufferHasItsEntry", every_buffer_has_its_entry, 0, IN_ORDER },
};

const struct vq_case_list vq_cases_publish = { cases, ARRAY_SIZE(cases) };
