// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a queue may be made of (virtio 1.2, 2.7, 2.8 and 2.8.10.1).
 */
#include "cases.h"

static struct vq_setup honest_setup(struct vq_test *t)
{
	struct vq_setup setup;

	vq_test_queue(t, VQ_TEST_NUM);
	fd_describe(&t->fd, &setup);
	return setup;
}

static void accepts_only_sizes_of_its_format(struct vq_test *t)
{
	static const u32 sizes[] = { 1, 2, 3, 7, 8, 255, 256, 32767, 32768 };
	struct vq_setup setup = honest_setup(t);
	u32 i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		bool power_of_two = !(sizes[i] & (sizes[i] - 1));

		setup.num = sizes[i];
		CHECK_EQ(t, vq_init(&t->vq, &setup), t->fd.packed || power_of_two ? 0 : -EINVAL);
	}
	setup.num = 0;
	CHECK_EQ(t, vq_init(&t->vq, &setup), -EINVAL);
	setup.num = VQ_MAX_NUM + 1;
	CHECK_EQ(t, vq_init(&t->vq, &setup), -EINVAL);
	setup.num = 2 * VQ_MAX_NUM;
	CHECK_EQ(t, vq_init(&t->vq, &setup), -EINVAL);
}

/* 2.7: 16, 2 and 4 bytes for split rings; 2.8.10.1: 16, 4 and 4 for packed. */
static void refuses_misaligned_areas(struct vq_test *t)
{
	const struct vq_setup good = honest_setup(t);
	struct vq_setup setup = good;

	setup.desc = (u8 __vq_mem *)good.desc + 8;
	CHECK_EQ(t, vq_init(&t->vq, &setup), -EINVAL);
	setup = good;
	setup.driver = (u8 __vq_mem *)good.driver + 1;
	CHECK_EQ(t, vq_init(&t->vq, &setup), -EINVAL);
	setup.driver = (u8 __vq_mem *)good.driver + 2;
	CHECK_EQ(t, vq_init(&t->vq, &setup), t->fd.packed ? -EINVAL : 0);
	setup = good;
	setup.device = (u8 __vq_mem *)good.device + 2;
	CHECK_EQ(t, vq_init(&t->vq, &setup), -EINVAL);
	CHECK_EQ(t, vq_init(&t->vq, &good), 0);
}

static void area_sizes_follow_the_format(struct vq_test *t)
{
	u64 f = t->features;
	u32 event = f & VQ_BIT(VQ_F_EVENT_IDX) ? 2 : 0;
	bool packed = f & VQ_BIT(VQ_F_RING_PACKED);

	CHECK_EQ(t, vq_area_bytes(f, 8, VQ_AREA_DESC), 128);
	CHECK_EQ(t, vq_area_bytes(f, 8, VQ_AREA_DRIVER), packed ? 4 : 4 + 16 + event);
	CHECK_EQ(t, vq_area_bytes(f, 8, VQ_AREA_DEVICE), packed ? 4 : 4 + 64 + event);
	CHECK_EQ(t, vq_area_bytes(f, VQ_MAX_NUM, VQ_AREA_DESC), 16 * VQ_MAX_NUM);
}

static void every_error_has_a_phrase(struct vq_test *t)
{
	u32 i, j;

	for (i = 0; i < VQ_ERR_MAX; i++)
		for (j = 0; j < i; j++)
			CHECK_THAT(t, vq_strerror(i) != vq_strerror(j));
	CHECK_THAT(t, vq_strerror(VQ_ERR_MAX) == vq_strerror(-1));
	CHECK_THAT(t, vq_strerror(VQ_ERR_MAX) != vq_strerror(VQ_OK));
}

static void starts_empty(struct vq_test *t)
{
	vq_test_queue(t, VQ_TEST_NUM);
	CHECK_EQ(t, vq_test_pop(t), 0);
	CHECK_EQ(t, t->batch.nchains, 0);
	CHECK_EQ(t, t->batch.nsegs, 0);
	CHECK_EQ(t, vq_has_avail(&t->vq, 0), 0);
	CHECK_EQ(t, t->vq.inflight, 0);
}

static const struct vq_case cases[] = {
	{ "AcceptsOnlySizesOfItsFormat", accepts_only_sizes_of_its_format },
	{ "RefusesMisalignedAreas", refuses_misaligned_areas },
	{ "AreaSizesFollowTheFormat", area_sizes_follow_the_format },
	{ "EveryErrorHasAPhrase", every_error_has_a_phrase },
	{ "StartsEmpty", starts_empty },
};

const struct vq_case_list vq_cases_setup = { cases, ARRAY_SIZE(cases) };
