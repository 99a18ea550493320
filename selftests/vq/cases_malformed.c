// SPDX-License-Identifier: GPL-2.0-only
/*
 * Rings that no honest driver writes. Each is refused by name, and the queue
 * stays where it was.
 */
#include "cases.h"

#define F_NEXT VQ_DESC_F_NEXT
#define F_WRITE VQ_DESC_F_WRITE

static void avail_index_runs_away(struct vq_test *t)
{
	static const u16 ahead[] = { VQ_TEST_NUM + 1, 0x7fff, 0x8000, 0xffff };
	u32 i;

	vq_test_queue(t, VQ_TEST_NUM);
	vq_test_cycle(t, 3);
	for (i = 0; i < ARRAY_SIZE(ahead); i++) {
		fd_avail(&t->fd)->idx = cpu_to_le16(3 + ahead[i]);
		vq_test_expect_refused(t, VQ_ERR_AVAIL_IDX);
	}
	/* A full ring is the most there can be. */
	fd_avail(&t->fd)->idx = cpu_to_le16(3 + VQ_TEST_NUM);
	CHECK_EQ(t, vq_test_pop(t), VQ_TEST_NUM);
}

static void head_past_the_table(struct vq_test *t)
{
	static const u16 heads[] = { VQ_TEST_NUM, VQ_TEST_NUM + 1, 0x8000, 0xffff };
	u32 i;

	for (i = 0; i < ARRAY_SIZE(heads); i++) {
		vq_test_queue(t, VQ_TEST_NUM);
		vq_test_offer_forged(t, heads[i]);
		vq_test_expect_refused(t, VQ_ERR_HEAD);
	}
}

static void next_past_the_table(struct vq_test *t)
{
	static const u16 links[] = { VQ_TEST_NUM, VQ_TEST_NUM + 1, 0x8000, 0xffff };
	u32 i;

	for (i = 0; i < ARRAY_SIZE(links); i++) {
		vq_test_queue(t, VQ_TEST_NUM);
		vq_test_forge(t, 0, 0x1000, 1, F_NEXT, links[i]);
		vq_test_offer_forged(t, 0);
		vq_test_expect_refused(t, VQ_ERR_NEXT);
	}
}

static void chain_goes_in_circles(struct vq_test *t)
{
	vq_test_queue(t, VQ_TEST_NUM);
	vq_test_forge(t, 0, 0x1000, 1, F_NEXT, 1);
	vq_test_forge(t, 1, 0x1000, 1, F_NEXT, 0);
	vq_test_offer_forged(t, 0);
	vq_test_expect_refused(t, VQ_ERR_LOOP);

	vq_test_queue(t, VQ_TEST_NUM);
	vq_test_forge(t, 4, 0x1000, 1, F_NEXT, 4);
	vq_test_offer_forged(t, 4);
	vq_test_expect_refused(t, VQ_ERR_LOOP);
}

/* Nothing but empty segments, so that no limit on segments ends the walk. */
static void circle_of_empty_segments(struct vq_test *t)
{
	u32 i;

	vq_test_queue(t, VQ_TEST_NUM);
	for (i = 0; i < VQ_TEST_NUM; i++)
		vq_test_forge(t, i, 0, 0, F_NEXT, (i + 1) % VQ_TEST_NUM);
	vq_test_offer_forged(t, 0);
	vq_test_expect_refused(t, VQ_ERR_LOOP);
}

static void chain_longer_than_the_ring(struct vq_test *t)
{
	u32 i;

	vq_test_queue(t, VQ_TEST_NUM);
	for (i = 0; i < VQ_TEST_NUM; i++)
		vq_test_forge(t, i, 0x1000, 1, F_NEXT, (i + 1) % VQ_TEST_NUM);
	vq_test_offer_forged(t, 0);
	vq_test_expect_refused(t, VQ_ERR_LOOP);
	/* No descriptor is read again before that is seen. */
	t->batch.max_segs = VQ_TEST_NUM;
	vq_test_expect_refused(t, VQ_ERR_LOOP);
}

/*
 * The longest chain that there can be, time and again: its descriptors cannot
 * all be available more than once, so a pop goes over them once, not for each.
 */
static void one_long_chain_offered_many_times(struct vq_test *t)
{
	u32 i;

	vq_test_queue(t, VQ_TEST_NUM);
	for (i = 0; i < VQ_TEST_NUM; i++)
		vq_test_forge(t, i, 0, 0, i + 1 < VQ_TEST_NUM ? F_NEXT : 0, i + 1);
	for (i = 0; i < VQ_TEST_NUM; i++)
		vq_test_offer_forged(t, 0);
	for (i = 0; i < VQ_TEST_NUM; i++) {
		CHECK_EQ(t, vq_test_pop(t), 1);
		CHECK_EQ(t, t->batch.nsegs, 0);
	}
	CHECK_EQ(t, t->vq.inflight, VQ_TEST_NUM);
}

/* And as many descriptors as a driver can have are taken at once. */
static void chains_that_fill_the_ring(struct vq_test *t)
{
	vq_test_queue(t, VQ_TEST_NUM);
	vq_test_add(t, 1, 2, FD_DIRECT);
	vq_test_add(t, 2, 2, FD_DIRECT);
	vq_test_add(t, 1, 0, FD_DIRECT);
	fd_show(&t->fd);
	CHECK_EQ(t, vq_test_pop(t), 3);

	vq_test_queue(t, VQ_TEST_NUM);
	vq_test_add(t, VQ_TEST_NUM - 1, 1, FD_DIRECT);
	fd_show(&t->fd);
	CHECK_EQ(t, vq_test_pop(t), 1);
}

static void readable_behind_writable(struct vq_test *t)
{
	vq_test_queue(t, VQ_TEST_NUM);
	vq_test_forge(t, 0, 0x1000, 1, F_NEXT | F_WRITE, 1);
	vq_test_forge(t, 1, 0x1000, 1, 0, 0);
	vq_test_offer_forged(t, 0);
	vq_test_expect_refused(t, VQ_ERR_ORDER);
}

static void chain_with_more_segments_than_accepted(struct vq_test *t)
{
	vq_test_queue(t, VQ_TEST_NUM);
	vq_test_add(t, 4, 0, FD_DIRECT);
	fd_show(&t->fd);
	t->batch.max_segs = 3;
	vq_test_expect_refused(t, VQ_ERR_TOO_LONG);
	t->batch.max_segs = 4;
	CHECK_EQ(t, vq_test_pop(t), 1);
}

static void indirect_without_the_feature(struct vq_test *t)
{
	vq_test_queue(t, VQ_TEST_NUM);
	vq_test_forge(t, 0, 0x1000, 16, VQ_DESC_F_INDIRECT, 0);
	vq_test_offer_forged(t, 0);
	vq_test_expect_refused(t, VQ_ERR_INDIRECT_OFF);
}

/* The good come first; the bad one is told of when it is at the head. */
static void error_only_at_the_head(struct vq_test *t)
{
	vq_test_queue(t, VQ_TEST_NUM);
	vq_test_forge(t, 0, 0x1000, 1, 0, 0);
	vq_test_forge(t, 1, 0x2000, 1, 0, 1);
	vq_test_forge(t, 2, 0x3000, 1, F_NEXT | F_WRITE, 3);
	vq_test_forge(t, 3, 0x4000, 1, 0, 2);
	vq_test_offer_forged(t, 0);
	vq_test_offer_forged(t, 1);
	vq_test_offer_forged(t, 2);
	CHECK_EQ(t, vq_test_pop(t), 2);
	CHECK_EQ(t, t->batch.nsegs, 2);
	CHECK_EQ(t, t->vq.inflight, 2);
	vq_test_expect_refused(t, VQ_ERR_ORDER);
}

static void mended_chain_is_taken(struct vq_test *t)
{
	vq_test_queue(t, VQ_TEST_NUM);
	vq_test_forge(t, 0, 0x1000, 1, F_NEXT | F_WRITE, 1);
	vq_test_forge(t, 1, 0x2000, 1, 0, 0);
	vq_test_offer_forged(t, 0);
	vq_test_expect_refused(t, VQ_ERR_ORDER);
	vq_test_forge(t, 1, 0x2000, 1, F_WRITE, 0);
	CHECK_EQ(t, vq_test_pop(t), 1);
	CHECK_EQ(t, t->chains[0].nin, 2);
}

/* A driver that offers descriptors which it has not got back. */
static void more_than_fits_beside_what_is_in_flight(struct vq_test *t)
{
	u32 i;

	vq_test_queue(t, VQ_TEST_NUM);
	vq_test_offer(t, VQ_TEST_NUM - 1, true);
	NEED_EQ(t, vq_test_pop(t), VQ_TEST_NUM - 1);
	if (t->fd.packed) {
		/* The last slot, and over the end of the ring one in flight. */
		vq_test_forge(t, VQ_TEST_NUM - 1, 0x1000, 1, F_NEXT, 0);
		vq_test_expect_refused(t, VQ_ERR_OVERCOMMIT);
		vq_test_forge(t, VQ_TEST_NUM - 1, 0x1000, 1, 0, 0);
		CHECK_EQ(t, vq_test_pop(t), 1);
		/* The next lap begins on top of what is in flight. */
		fd_packed_desc(&t->fd, 0)->flags = cpu_to_le16(VQ_DESC_F_USED);
		vq_test_expect_refused(t, VQ_ERR_OVERCOMMIT);
	} else {
		for (i = 0; i < 3; i++)
			vq_test_offer_forged(t, 0);
		CHECK_EQ(t, vq_test_pop(t), 1);
		vq_test_expect_refused(t, VQ_ERR_OVERCOMMIT);
	}
	CHECK_EQ(t, t->vq.inflight, VQ_TEST_NUM);
}

/* A packed descriptor is available only with both bits as the lap wants them. */
static void half_available_is_not_available(struct vq_test *t)
{
	static const u16 flags[] = { 0, VQ_DESC_F_USED, VQ_DESC_F_AVAIL | VQ_DESC_F_USED };
	u32 i;

	vq_test_queue(t, VQ_TEST_NUM);
	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		fd_packed_desc(&t->fd, 0)->flags = cpu_to_le16(flags[i]);
		CHECK_EQ(t, vq_test_pop(t), 0);
		CHECK_EQ(t, vq_has_avail(&t->vq, 0), 0);
		CHECK_EQ(t, vq_enable_kick(&t->vq, 0), 0);
	}
}

#define PACKED VQ_BIT(VQ_F_RING_PACKED)
#define INDIRECT VQ_BIT(VQ_F_INDIRECT_DESC)

static const struct vq_case cases[] = {
	{ "AvailIndexRunsAway", avail_index_runs_away, 0, PACKED },
	{ "HeadPastTheTable", head_past_the_table, 0, PACKED },
	{ "NextPastTheTable", next_past_the_table, 0, PACKED },
	{ "ChainGoesInCircles", chain_goes_in_circles, 0, PACKED },
	{ "CircleOfEmptySegments", circle_of_empty_segments },
	{ "ChainLongerThanTheRing", chain_longer_than_the_ring },
	{ "OneLongChainOfferedManyTimes", one_long_chain_offered_many_times, 0, PACKED },
	{ "ChainsThatFillTheRing", chains_that_fill_the_ring },
	{ "ReadableBehindWritable", readable_behind_writable },
	{ "ChainWithMoreSegmentsThanAccepted", chain_with_more_segments_than_accepted },
	{ "IndirectWithoutTheFeature", indirect_without_the_feature, 0, INDIRECT },
	{ "ErrorOnlyAtTheHead", error_only_at_the_head },
	{ "MendedChainIsTaken", mended_chain_is_taken },
	{ "MoreThanFitsBesideWhatIsInFlight", more_than_fits_beside_what_is_in_flight },
	{ "HalfAvailableIsNotAvailable", half_available_is_not_available, PACKED },
};

const struct vq_case_list vq_cases_malformed = { cases, ARRAY_SIZE(cases) };
