// SPDX-License-Identifier: GPL-2.0-only
/*
 * Taking chains of an honest driver: what they look like, and batches.
 */
#include "cases.h"

static void chain_of_one_segment(struct vq_test *t)
{
	int id;

	vq_test_queue(t, VQ_TEST_NUM);
	id = vq_test_add(t, 1, 0, FD_DIRECT);
	CHECK_EQ(t, vq_test_pop(t), 0);
	fd_show(&t->fd);
	NEED_EQ(t, vq_test_pop(t), 1);
	CHECK_EQ(t, t->chains[0].id, id);
	CHECK_EQ(t, t->chains[0].slots, 1);
	CHECK_EQ(t, t->chains[0].nout, 1);
	CHECK_EQ(t, t->chains[0].nin, 0);
	CHECK_EQ(t, t->chains[0].table_len, 0);
	vq_test_expect_segs(t, t->segs, 1, 0);
	CHECK_EQ(t, vq_test_pop(t), 0);
}

static void chain_of_readable_and_writable_segments(struct vq_test *t)
{
	int id;

	vq_test_queue(t, VQ_TEST_NUM);
	id = vq_test_add(t, 2, 3, FD_DIRECT);
	fd_show(&t->fd);
	NEED_EQ(t, vq_test_pop(t), 1);
	CHECK_EQ(t, t->chains[0].id, id);
	CHECK_EQ(t, t->chains[0].slots, t->fd.packed ? 5 : 1);
	CHECK_EQ(t, t->chains[0].nout, 2);
	CHECK_EQ(t, t->chains[0].nin, 3);
	vq_test_expect_segs(t, t->segs, 5, 0);
}

/* The longest chain takes the whole ring (2.7.5, 2.8.5). */
static void chain_as_long_as_the_ring(struct vq_test *t)
{
	vq_test_queue(t, VQ_TEST_NUM);
	vq_test_add(t, 3, VQ_TEST_NUM - 3, FD_DIRECT);
	fd_show(&t->fd);
	NEED_EQ(t, vq_test_pop(t), 1);
	CHECK_EQ(t, t->chains[0].nout + t->chains[0].nin, VQ_TEST_NUM);
	vq_test_expect_segs(t, t->segs, VQ_TEST_NUM, 0);
}

static void several_chains_at_once(struct vq_test *t)
{
	u32 i, first = 0;

	vq_test_queue(t, VQ_TEST_NUM);
	vq_test_add(t, 1, 0, FD_DIRECT);
	vq_test_add(t, 1, 2, FD_DIRECT);
	vq_test_add(t, 0, 4, FD_DIRECT);
	fd_show(&t->fd);
	NEED_EQ(t, vq_test_pop(t), 3);
	CHECK_EQ(t, t->batch.nchains, 3);
	CHECK_EQ(t, t->batch.nsegs, 8);
	for (i = 0; i < 3; i++) {
		u32 n = t->chains[i].nout + t->chains[i].nin;

		CHECK_EQ(t, t->chains[i].first, first);
		vq_test_expect_segs(t, t->segs + first, n, i);
		first += n;
	}
}

static void batch_holds_no_more_chains_than_it_may(struct vq_test *t)
{
	vq_test_queue(t, VQ_TEST_NUM);
	vq_test_offer(t, 5, false);
	t->batch.max_chains = 2;
	CHECK_EQ(t, vq_test_pop(t), 2);
	vq_test_expect_segs(t, t->segs, 1, 0);
	CHECK_EQ(t, vq_test_pop(t), 2);
	vq_test_expect_segs(t, t->segs, 1, 2);
	CHECK_EQ(t, vq_test_pop(t), 1);
	vq_test_expect_segs(t, t->segs, 1, 4);
	CHECK_EQ(t, vq_test_pop(t), 0);
}

static void batch_holds_no_more_segments_than_it_may(struct vq_test *t)
{
	vq_test_queue(t, VQ_TEST_NUM);
	vq_test_add(t, 2, 0, FD_DIRECT);
	vq_test_add(t, 2, 0, FD_DIRECT);
	fd_show(&t->fd);
	t->batch.max_segs = 3;
	CHECK_EQ(t, vq_test_pop(t), 1);
	CHECK_EQ(t, t->batch.nsegs, 2);
	CHECK_EQ(t, vq_test_pop(t), 1);
	vq_test_expect_segs(t, t->segs, 2, 1);
}

static void everything_in_flight_leaves_nothing_to_pop(struct vq_test *t)
{
	vq_test_queue(t, VQ_TEST_NUM);
	vq_test_offer(t, VQ_TEST_NUM, true);
	NEED_EQ(t, vq_test_pop(t), VQ_TEST_NUM);
	CHECK_EQ(t, t->vq.inflight, VQ_TEST_NUM);
	CHECK_EQ(t, vq_test_pop(t), 0);
	CHECK_EQ(t, vq_has_avail(&t->vq, 0), 0);
}

static void unpopped_chains_come_again(struct vq_test *t)
{
	vq_test_queue(t, VQ_TEST_NUM);
	vq_test_offer(t, 4, true);
	NEED_EQ(t, vq_test_pop(t), 4);
	vq_unpop(&t->vq, t->chains + 1, 3);
	CHECK_EQ(t, t->vq.inflight, 1);
	NEED_EQ(t, vq_test_pop(t), 3);
	vq_test_expect_segs(t, t->segs, 1, 1);
	vq_test_expect_segs(t, t->segs + 2, 1, 3);
}

/* Chains across the end of the ring are put back across it. */
static void unpop_goes_back_over_the_ring_end(struct vq_test *t)
{
	struct vq before;
	u32 lap, at;

	for (at = 1; at < VQ_TEST_NUM; at++) {
		vq_test_queue(t, VQ_TEST_NUM);
		vq_test_cycle(t, at);
		for (lap = 0; lap < 2; lap++) {
			vq_test_add(t, 2, 1, FD_DIRECT);
			vq_test_add(t, 1, 4, FD_DIRECT);
			fd_show(&t->fd);
			before = t->vq;
			NEED_EQ(t, vq_test_pop(t), 2);
			vq_unpop(&t->vq, t->chains, 2);
			CHECK_THAT(t, vq_test_same_state(&t->vq, &before));
			NEED_EQ(t, vq_test_pop(t), 2);
			vq_test_expect_segs(t, t->segs + 3, 5, t->added - 1);
			CHECK_THAT(t, vq_test_publish_n(t, 2, 0) >= 0);
			vq_test_expect_reaped(t, t->added - 2, 0);
			vq_test_expect_reaped(t, t->added - 1, 0);
		}
	}
}

static void has_avail_looks_behind_what_is_known(struct vq_test *t)
{
	u32 at;

	for (at = 0; at < VQ_TEST_NUM; at++) {
		vq_test_queue(t, VQ_TEST_NUM);
		vq_test_cycle(t, at);
		vq_test_offer(t, 3, true);
		CHECK_EQ(t, vq_has_avail(&t->vq, 0), 1);
		CHECK_EQ(t, vq_has_avail(&t->vq, 2), 1);
		CHECK_EQ(t, vq_has_avail(&t->vq, 3), 0);
	}
}

/* 2.7: the index that says what there is counts modulo 2^16. */
static void has_avail_looks_past_65535(struct vq_test *t)
{
	vq_test_queue_at(t, VQ_TEST_NUM, 0xfffe, true);
	vq_test_offer(t, 3, true);
	CHECK_EQ(t, vq_has_avail(&t->vq, 2), 1);
	CHECK_EQ(t, vq_has_avail(&t->vq, 3), 0);
}

/* 2.7.5 and 2.8.5 say nothing of empty elements; they carry nothing. */
static void zero_length_segments_are_dropped(struct vq_test *t)
{
	vq_test_queue(t, VQ_TEST_NUM);
	vq_test_forge(t, 0, 0x1000, 0, VQ_DESC_F_NEXT, 1);
	vq_test_forge(t, 1, 0x2000, 7, VQ_DESC_F_NEXT, 2);
	vq_test_forge(t, 2, 0x3000, 0, VQ_DESC_F_NEXT | VQ_DESC_F_WRITE, 3);
	vq_test_forge(t, 3, 0x4000, 9, VQ_DESC_F_WRITE, 3);
	vq_test_offer_forged(t, 0);
	NEED_EQ(t, vq_test_pop(t), 1);
	CHECK_EQ(t, t->chains[0].nout, 1);
	CHECK_EQ(t, t->chains[0].nin, 1);
	CHECK_EQ(t, t->segs[0].addr, 0x2000);
	CHECK_EQ(t, t->segs[1].addr, 0x4000);
}

static void chain_of_nothing_is_a_chain(struct vq_test *t)
{
	vq_test_queue(t, VQ_TEST_NUM);
	vq_test_forge(t, 0, 0, 0, 0, 5);
	vq_test_offer_forged(t, 0);
	NEED_EQ(t, vq_test_pop(t), 1);
	CHECK_EQ(t, t->chains[0].id, t->fd.packed ? 5 : 0);
	CHECK_EQ(t, t->chains[0].nout + t->chains[0].nin, 0);
}

static void largest_queue_is_filled_and_emptied(struct vq_test *t)
{
	u32 popped, lap;
	int n;

	vq_test_queue(t, VQ_MAX_NUM);
	for (lap = 0; lap < 3; lap++) {
		struct fd_used used;

		vq_test_offer(t, VQ_MAX_NUM, true);
		for (popped = 0; popped < VQ_MAX_NUM; popped += n) {
			u32 done;

			n = vq_test_pop(t);
			if (!CHECK_EQ(t, n, VQ_TEST_CHAINS))
				return;
			for (done = 0; done < VQ_TEST_CHAINS; done++)
				if (!CHECK_THAT(t, vq_test_publish(t, done, 1) >= 0))
					return;
		}
		CHECK_EQ(t, vq_test_pop(t), 0);
		while (fd_reap(&t->fd, &used) == 1)
			popped--;
		NEED_EQ(t, popped, 0);
	}
}

static void smallest_queue_goes_round(struct vq_test *t)
{
	vq_test_queue(t, 1);
	vq_test_cycle(t, 9);
	CHECK_EQ(t, t->vq.inflight, 0);
}

/* 2.8: the size of a packed ring need not be a power of two. */
static void odd_ring_goes_round(struct vq_test *t)
{
	vq_test_queue(t, 7);
	while (t->added < 50) {
		vq_test_add(t, 1, 1, FD_DIRECT);
		vq_test_add(t, 2, 0, FD_DIRECT);
		vq_test_add(t, 0, 3, FD_DIRECT);
		fd_show(&t->fd);
		NEED_EQ(t, vq_test_pop(t), 3);
		CHECK_EQ(t, vq_test_pop(t), 0);
		CHECK_THAT(t, vq_test_publish_n(t, 3, 0) >= 0);
		vq_test_expect_reaped(t, t->added - 3, 0);
		vq_test_expect_reaped(t, t->added - 2, 0);
		vq_test_expect_reaped(t, t->added - 1, 0);
	}
}

#define PACKED VQ_BIT(VQ_F_RING_PACKED)

static const struct vq_case cases[] = {
	{ "ChainOfOneSegment", chain_of_one_segment },
	{ "ChainOfReadableAndWritableSegments", chain_of_readable_and_writable_segments },
	{ "ChainAsLongAsTheRing", chain_as_long_as_the_ring },
	{ "SeveralChainsAtOnce", several_chains_at_once },
	{ "BatchHoldsNoMoreChainsThanItMay", batch_holds_no_more_chains_than_it_may },
	{ "BatchHoldsNoMoreSegmentsThanItMay", batch_holds_no_more_segments_than_it_may },
	{ "EverythingInFlightLeavesNothingToPop", everything_in_flight_leaves_nothing_to_pop },
	{ "UnpoppedChainsComeAgain", unpopped_chains_come_again },
	{ "UnpopGoesBackOverTheRingEnd", unpop_goes_back_over_the_ring_end },
	{ "HasAvailLooksBehindWhatIsKnown", has_avail_looks_behind_what_is_known },
	{ "HasAvailLooksPast65535", has_avail_looks_past_65535, 0, PACKED },
	{ "ZeroLengthSegmentsAreDropped", zero_length_segments_are_dropped },
	{ "ChainOfNothingIsAChain", chain_of_nothing_is_a_chain },
	{ "LargestQueueIsFilledAndEmptied", largest_queue_is_filled_and_emptied },
	{ "SmallestQueueGoesRound", smallest_queue_goes_round },
	{ "OddRingGoesRound", odd_ring_goes_round, PACKED },
};

const struct vq_case_list vq_cases_pop = { cases, ARRAY_SIZE(cases) };
