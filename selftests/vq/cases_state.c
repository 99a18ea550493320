// SPDX-License-Identifier: GPL-2.0-only
/*
 * State that moves: the form of VHOST_GET_VRING_BASE, migration and reset.
 */
#include "cases.h"

/* A second engine takes over where the first has stopped, at every position. */
static void state_moves_to_another_engine(struct vq_test *t)
{
	struct vq_setup setup;
	u32 i;

	vq_test_queue(t, VQ_TEST_NUM);
	fd_describe(&t->fd, &setup);
	for (i = 0; i < 4 * VQ_TEST_NUM; i++) {
		u32 base;

		vq_test_cycle(t, 1);
		vq_test_offer(t, 1, true);
		base = vq_get_base(&t->vq);
		NEED_EQ(t, vq_init(&t->vq, &setup), 0);
		NEED_EQ(t, vq_set_base(&t->vq, base), 0);
		NEED_EQ(t, vq_start(&t->vq), 0);
		CHECK_EQ(t, vq_get_base(&t->vq), base);
		NEED_EQ(t, vq_test_pop(t), 1);
		CHECK_THAT(t, vq_test_publish(t, 0, i) >= 0);
		vq_test_expect_reaped(t, t->added - 1, i);
	}
}

static void split_base_is_the_avail_position(struct vq_test *t)
{
	vq_test_queue(t, VQ_TEST_NUM);
	vq_test_cycle(t, 11);
	CHECK_EQ(t, vq_get_base(&t->vq), 11);
	CHECK_EQ(t, vq_set_base(&t->vq, 0x10000), -EINVAL);
	CHECK_EQ(t, vq_set_base(&t->vq, 0xffffffff), -EINVAL);
	CHECK_EQ(t, vq_get_base(&t->vq), 11);
	CHECK_EQ(t, vq_set_base(&t->vq, 0xffff), 0);
	CHECK_EQ(t, vq_get_base(&t->vq), 0xffff);
}

/* Split rings keep the used position in guest memory. */
static void split_start_reads_the_used_index(struct vq_test *t)
{
	vq_test_queue(t, VQ_TEST_NUM);
	fd_used_ring(&t->fd)->idx = cpu_to_le16(0xabcd);
	CHECK_EQ(t, vq_start(&t->vq), 0);
	CHECK_EQ(t, t->vq.used_pos, 0xabcd);
}

static void packed_base_has_both_positions(struct vq_test *t)
{
	vq_test_queue(t, VQ_TEST_NUM);
	CHECK_EQ(t, vq_get_base(&t->vq), 0x80008000);
	vq_test_cycle(t, 3);
	CHECK_EQ(t, vq_get_base(&t->vq), 0x80038003);
	vq_test_offer(t, 2, true);
	NEED_EQ(t, vq_test_pop(t), 2);
	CHECK_EQ(t, vq_get_base(&t->vq), 0x80038005);
	CHECK_THAT(t, vq_test_publish_n(t, 2, 1) >= 0);
	vq_test_expect_reaped(t, 3, 1);
	vq_test_expect_reaped(t, 4, 1);
	vq_test_cycle(t, VQ_TEST_NUM - 5);
	CHECK_EQ(t, vq_get_base(&t->vq), 0);
}

static void packed_base_outside_the_ring(struct vq_test *t)
{
	vq_test_queue(t, VQ_TEST_NUM);
	vq_test_cycle(t, 2);
	CHECK_EQ(t, vq_set_base(&t->vq, VQ_TEST_NUM), -EINVAL);
	CHECK_EQ(t, vq_set_base(&t->vq, VQ_TEST_NUM << 16), -EINVAL);
	CHECK_EQ(t, vq_set_base(&t->vq, 0x7fff7fff), -EINVAL);
	CHECK_EQ(t, vq_get_base(&t->vq), 0x80028002);
	CHECK_EQ(t, vq_set_base(&t->vq, (VQ_TEST_NUM - 1) * 0x10001), 0);
	CHECK_EQ(t, vq_get_base(&t->vq), (VQ_TEST_NUM - 1) * 0x10001);
	CHECK_THAT(t, !t->vq.avail_wrap && !t->vq.used_wrap);
}

/* 2.6.1: after a reset the queue is as new, and the driver makes it anew. */
static void reset_forgets_positions(struct vq_test *t)
{
	struct vq fresh;

	vq_test_queue(t, VQ_TEST_NUM);
	fresh = t->vq;
	vq_test_cycle(t, VQ_TEST_NUM + 3);
	vq_test_add(t, 1, 1, FD_DIRECT);
	vq_test_add(t, 1, 1, FD_DIRECT);
	fd_show(&t->fd);
	t->batch.max_segs = 1;
	vq_test_expect_refused(t, VQ_ERR_TOO_LONG);
	t->batch.max_segs = VQ_TEST_SEGS;
	NEED_EQ(t, vq_test_pop(t), 2);
	CHECK_EQ(t, vq_disable_kick(&t->vq), 0);
	vq_reset(&t->vq);
	CHECK_THAT(t, vq_test_same_state(&t->vq, &fresh));
	CHECK_EQ(t, t->vq.error, VQ_OK);
	CHECK_THAT(t, !t->vq.kick_off);
	vq_test_queue(t, VQ_TEST_NUM);
	vq_test_cycle(t, VQ_TEST_NUM + 3);
}

/* What a stopped device has asked for does not bind the one that goes on. */
static void start_lets_the_driver_kick(struct vq_test *t)
{
	vq_test_queue(t, VQ_TEST_NUM);
	CHECK_EQ(t, vq_disable_kick(&t->vq), 0);
	CHECK_EQ(t, vq_start(&t->vq), 0);
	vq_test_add(t, 1, 0, FD_DIRECT);
	CHECK_THAT(t, fd_show(&t->fd));
	/* Nor does the one that goes on believe that the driver knows. */
	CHECK_EQ(t, vq_disable_kick(&t->vq), 0);
	vq_test_add(t, 1, 0, FD_DIRECT);
	CHECK_THAT(t, !fd_show(&t->fd));
}

#define PACKED VQ_BIT(VQ_F_RING_PACKED)

static const struct vq_case cases[] = {
	{ "StateMovesToAnotherEngine", state_moves_to_another_engine },
	{ "SplitBaseIsTheAvailPosition", split_base_is_the_avail_position, 0, PACKED },
	{ "SplitStartReadsTheUsedIndex", split_start_reads_the_used_index, 0, PACKED },
	{ "PackedBaseHasBothPositions", packed_base_has_both_positions, PACKED },
	{ "PackedBaseOutsideTheRing", packed_base_outside_the_ring, PACKED },
	{ "ResetForgetsPositions", reset_forgets_positions },
	{ "StartLetsTheDriverKick", start_lets_the_driver_kick },
};

const struct vq_case_list vq_cases_state = { cases, ARRAY_SIZE(cases) };
