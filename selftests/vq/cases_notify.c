// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who is to be told: calls to the driver and kicks to the device (virtio 1.2,
 * 2.7.7, 2.7.10, 2.8.14).
 */
#include "cases.h"

/* Goes @n buffers through the ring; how many calls they brought. */
static int calls_for(struct vq_test *t, u32 n)
{
	struct fd_used used;
	int calls = 0;

	while (n--) {
		vq_test_offer(t, 1, true);
		if (!CHECK_EQ(t, vq_test_pop(t), 1))
			return -1;
		calls += vq_test_publish(t, 0, 1);
		CHECK_EQ(t, fd_reap(&t->fd, &used), 1);
	}
	return calls;
}

static void each_publish_calls_unless_suppressed(struct vq_test *t)
{
	vq_test_queue(t, VQ_TEST_NUM);
	fd_enable_call(&t->fd);
	CHECK_EQ(t, calls_for(t, 20), 20);
	fd_disable_call(&t->fd);
	CHECK_EQ(t, calls_for(t, 20), 0);
	fd_enable_call(&t->fd);
	CHECK_EQ(t, calls_for(t, 20), 20);
}

static void one_call_for_a_batch(struct vq_test *t)
{
	vq_test_queue(t, VQ_TEST_NUM);
	fd_enable_call(&t->fd);
	vq_test_offer(t, 3, true);
	NEED_EQ(t, vq_test_pop(t), 3);
	CHECK_EQ(t, vq_test_publish_n(t, 3, 1), 1);
}

/* Nobody knows what was signalled before; a call too many is better than none. */
static void first_publish_calls(struct vq_test *t)
{
	vq_test_queue(t, VQ_TEST_NUM);
	fd_enable_call_after(&t->fd, VQ_TEST_NUM / 2);
	CHECK_EQ(t, calls_for(t, 1), 1);
	CHECK_EQ(t, calls_for(t, 1), 0);
	CHECK_EQ(t, vq_start(&t->vq), 0);
	CHECK_EQ(t, calls_for(t, 1), 0);
	vq_set_base(&t->vq, vq_get_base(&t->vq));
	CHECK_EQ(t, vq_start(&t->vq), 0);
	CHECK_EQ(t, calls_for(t, 1), 1);
}

/* Asked for one event, the driver gets one, wherever in the ring it falls. */
static void event_index_calls_once(struct vq_test *t)
{
	u32 at;

	vq_test_queue(t, VQ_TEST_NUM);
	calls_for(t, 1);
	for (at = 0; at < 5 * VQ_TEST_NUM; at++) {
		fd_enable_call(&t->fd);
		CHECK_EQ(t, calls_for(t, 1), 1);
		CHECK_EQ(t, calls_for(t, 2), 0);
	}
}

static void event_index_passes_65535(struct vq_test *t)
{
	u32 at;

	vq_test_queue_at(t, VQ_TEST_NUM, 0xfff0, true);
	calls_for(t, 1);
	for (at = 0; at < 32; at++) {
		fd_enable_call_after(&t->fd, 3);
		CHECK_EQ(t, calls_for(t, 3), 0);
		CHECK_EQ(t, calls_for(t, 1), 1);
	}
}

/* An event further on is reached by the batch that passes it, not before. */
static void event_index_is_passed_by_a_batch(struct vq_test *t)
{
	u32 at, behind;

	vq_test_queue(t, VQ_TEST_NUM);
	calls_for(t, 1);
	for (at = 0; at < 3 * VQ_TEST_NUM; at++) {
		for (behind = 0; behind < 6; behind++) {
			u32 i;

			fd_enable_call_after(&t->fd, behind);
			vq_test_offer(t, 3, true);
			NEED_EQ(t, vq_test_pop(t), 3);
			CHECK_EQ(t, vq_test_publish_n(t, 3, 1), behind < 3);
			for (i = 0; i < 3; i++)
				vq_test_expect_reaped(t, t->added - 3 + i, 1);
			CHECK_EQ(t, calls_for(t, 3), behind >= 3);
		}
		calls_for(t, 1);
	}
}

/* 2.7.6: flags other than the one are reserved, and nothing to be guided by. */
static void split_avail_flags(struct vq_test *t)
{
	vq_test_queue(t, VQ_TEST_NUM);
	fd_avail(&t->fd)->flags = cpu_to_le16((u16)~VQ_AVAIL_F_NO_INTERRUPT);
	CHECK_EQ(t, calls_for(t, 5), 5);
	fd_avail(&t->fd)->flags = cpu_to_le16(0xffff);
	CHECK_EQ(t, calls_for(t, 5), 0);
}

/* 2.8.14: what the flags of the driver's event area may say. */
static void packed_event_flags(struct vq_test *t)
{
	struct vq_packed_event *event;

	vq_test_queue(t, VQ_TEST_NUM);
	event = fd_driver_event(&t->fd);
	event->flags = cpu_to_le16(VQ_EVENT_F_ENABLE);
	CHECK_EQ(t, calls_for(t, 5), 5);
	event->flags = cpu_to_le16(VQ_EVENT_F_DISABLE);
	CHECK_EQ(t, calls_for(t, 5), 0);
	/* Reserved values; DESC is one without EVENT_IDX. A call is the safe answer. */
	event->flags = cpu_to_le16(3);
	CHECK_EQ(t, calls_for(t, 5), 5);
	if (!t->fd.event_idx) {
		event->flags = cpu_to_le16(VQ_EVENT_F_DESC);
		event->off_wrap = 0;
		CHECK_EQ(t, calls_for(t, 5), 5);
	}
}

/* The same offset with the other wrap counter is a lap away. */
static void packed_event_of_another_lap(struct vq_test *t)
{
	struct vq_packed_event *event;

	vq_test_queue(t, VQ_TEST_NUM);
	event = fd_driver_event(&t->fd);
	event->flags = cpu_to_le16(VQ_EVENT_F_DESC);
	calls_for(t, 2);
	event->off_wrap = cpu_to_le16(3);
	CHECK_EQ(t, calls_for(t, 5), 0);
	event->off_wrap = cpu_to_le16(1);
	CHECK_EQ(t, calls_for(t, 2), 0);
	CHECK_EQ(t, calls_for(t, 1), 1);
	event->off_wrap = cpu_to_le16(1 | VQ_EVENT_WRAP);
	CHECK_EQ(t, calls_for(t, 7), 0);
	CHECK_EQ(t, calls_for(t, 1), 1);
}

/* 6.3: a legacy driver is told when the ring has run empty, suppressed or not. */
static void notify_on_empty(struct vq_test *t)
{
	t->features |= VQ_BIT(VQ_F_NOTIFY_ON_EMPTY);
	vq_test_queue(t, VQ_TEST_NUM);
	calls_for(t, 1);
	fd_disable_call(&t->fd);
	vq_test_offer(t, 2, true);
	t->batch.max_chains = 1;
	NEED_EQ(t, vq_test_pop(t), 1);
	CHECK_EQ(t, vq_test_publish(t, 0, 1), 0);
	NEED_EQ(t, vq_test_pop(t), 1);
	CHECK_EQ(t, vq_test_publish(t, 0, 1), 1);
	/* Empty is a ring with nothing to pop, whatever is still in flight. */
	vq_test_offer(t, 2, true);
	t->batch.max_chains = VQ_TEST_CHAINS;
	NEED_EQ(t, vq_test_pop(t), 2);
	CHECK_EQ(t, vq_test_publish(t, 0, 1), 1);
}

static void kick_is_wanted_after_start(struct vq_test *t)
{
	vq_test_queue(t, VQ_TEST_NUM);
	vq_test_add(t, 1, 0, FD_DIRECT);
	CHECK_THAT(t, fd_show(&t->fd));
}

static void kick_is_asked_for_and_not(struct vq_test *t)
{
	u32 lap;

	vq_test_queue(t, VQ_TEST_NUM);
	for (lap = 0; lap < 3 * VQ_TEST_NUM; lap++) {
		CHECK_EQ(t, vq_enable_kick(&t->vq, 0), 0);
		vq_test_add(t, 1, 0, FD_DIRECT);
		CHECK_THAT(t, fd_show(&t->fd));

		CHECK_EQ(t, vq_disable_kick(&t->vq), 0);
		vq_test_add(t, 1, 0, FD_DIRECT);
		CHECK_THAT(t, !fd_show(&t->fd));
		vq_test_add(t, 1, 0, FD_DIRECT);
		CHECK_THAT(t, !fd_show(&t->fd));

		NEED_EQ(t, vq_test_pop(t), 3);
		CHECK_THAT(t, vq_test_publish_n(t, 3, 0) >= 0);
		vq_test_expect_reaped(t, t->added - 3, 0);
		vq_test_expect_reaped(t, t->added - 2, 0);
		vq_test_expect_reaped(t, t->added - 1, 0);
	}
}

/* What came while the kick was off shows when it is asked for again. */
static void enable_kick_sees_what_came_before(struct vq_test *t)
{
	u32 lap;

	vq_test_queue(t, VQ_TEST_NUM);
	for (lap = 0; lap < 3 * VQ_TEST_NUM; lap++) {
		CHECK_EQ(t, vq_disable_kick(&t->vq), 0);
		vq_test_offer(t, 1, true);
		CHECK_EQ(t, vq_enable_kick(&t->vq, 0), 1);
		NEED_EQ(t, vq_test_pop(t), 1);
		CHECK_EQ(t, vq_enable_kick(&t->vq, 0), 0);
		CHECK_THAT(t, vq_test_publish(t, 0, 1) >= 0);
		vq_test_expect_reaped(t, t->added - 1, 1);
	}
}

/* Two buffers do not suffice; the kick is for what comes behind them. */
static void enable_kick_behind_what_is_known(struct vq_test *t)
{
	u32 at;

	for (at = 0; at < VQ_TEST_NUM; at++) {
		vq_test_queue(t, VQ_TEST_NUM);
		vq_test_cycle(t, at);
		vq_test_offer(t, 2, true);
		NEED_EQ(t, vq_test_pop(t), 2);
		vq_unpop(&t->vq, t->chains, 2);
		CHECK_EQ(t, vq_enable_kick(&t->vq, 0), 1);
		CHECK_EQ(t, vq_enable_kick(&t->vq, 1), 1);
		CHECK_EQ(t, vq_enable_kick(&t->vq, 2), 0);
		vq_test_add(t, 0, 1, FD_DIRECT);
		CHECK_THAT(t, fd_show(&t->fd));
		CHECK_EQ(t, vq_enable_kick(&t->vq, 2), 1);
		CHECK_EQ(t, vq_test_pop(t), 3);
	}
}

/* A second request to be left alone writes nothing: the line may be shared. */
static void disable_kick_is_written_once(struct vq_test *t)
{
	vq_test_queue(t, VQ_TEST_NUM);
	CHECK_EQ(t, vq_disable_kick(&t->vq), 0);
	if (t->fd.packed)
		fd_device_event(&t->fd)->flags = cpu_to_le16(VQ_EVENT_F_ENABLE);
	else
		fd_used_ring(&t->fd)->flags = 0;
	CHECK_EQ(t, vq_disable_kick(&t->vq), 0);
	vq_test_add(t, 1, 0, FD_DIRECT);
	if (!t->fd.event_idx || t->fd.packed)
		CHECK_THAT(t, fd_show(&t->fd));
}

/* 2.7.10: with EVENT_IDX the flags stay 0. 2.8.14: without it, DESC is reserved. */
static void device_flags_are_those_of_the_format(struct vq_test *t)
{
	u16 off;

	vq_test_queue(t, VQ_TEST_NUM);
	off = t->fd.event_idx ? 0 : VQ_USED_F_NO_NOTIFY;
	CHECK_EQ(t, vq_disable_kick(&t->vq), 0);
	if (t->fd.packed)
		CHECK_EQ(t, le16_to_cpu(fd_device_event(&t->fd)->flags), VQ_EVENT_F_DISABLE);
	else
		CHECK_EQ(t, le16_to_cpu(fd_used_ring(&t->fd)->flags), off);
	CHECK_EQ(t, vq_enable_kick(&t->vq, 0), 0);
	if (t->fd.packed)
		CHECK_EQ(t, le16_to_cpu(fd_device_event(&t->fd)->flags),
			 t->fd.event_idx ? VQ_EVENT_F_DESC : VQ_EVENT_F_ENABLE);
	else
		CHECK_EQ(t, le16_to_cpu(fd_used_ring(&t->fd)->flags), 0);
}

#define PACKED VQ_BIT(VQ_F_RING_PACKED)
#define EVENT VQ_BIT(VQ_F_EVENT_IDX)

static const struct vq_case cases[] = {
	{ "EachPublishCallsUnlessSuppressed", each_publish_calls_unless_suppressed, 0,
	  EVENT },
	{ "OneCallForABatch", one_call_for_a_batch },
	{ "FirstPublishCalls", first_publish_calls, EVENT },
	{ "EventIndexCallsOnce", event_index_calls_once, EVENT },
	{ "EventIndexPasses65535", event_index_passes_65535, EVENT, PACKED },
	{ "EventIndexIsPassedByABatch", event_index_is_passed_by_a_batch, EVENT },
	{ "SplitAvailFlags", split_avail_flags, 0, PACKED | EVENT },
	{ "PackedEventFlags", packed_event_flags, PACKED },
	{ "PackedEventOfAnotherLap", packed_event_of_another_lap, PACKED | EVENT },
	{ "NotifyOnEmpty", notify_on_empty, 0, PACKED },
	{ "KickIsWantedAfterStart", kick_is_wanted_after_start },
	{ "KickIsAskedForAndNot", kick_is_asked_for_and_not },
	{ "EnableKickSeesWhatCameBefore", enable_kick_sees_what_came_before },
	{ "EnableKickBehindWhatIsKnown", enable_kick_behind_what_is_known },
	{ "DeviceFlagsAreThoseOfTheFormat", device_flags_are_those_of_the_format },
	{ "DisableKickIsWrittenOnce", disable_kick_is_written_once },
};

const struct vq_case_list vq_cases_notify = { cases, ARRAY_SIZE(cases) };
