// SPDX-License-Identifier: GPL-2.0-only
/*
 * Indirect descriptor tables (virtio 1.2, 2.7.5.3 and 2.8.7).
 */
#include "cases.h"

#define F_NEXT VQ_DESC_F_NEXT
#define F_WRITE VQ_DESC_F_WRITE
#define ENTRY 16u

/* A descriptor of the ring that refers to a table of @len bytes, popped. */
static bool pop_table(struct vq_test *t, u32 len)
{
	vq_test_forge(t, 0, fd_table_addr(&t->fd, 0), len, VQ_DESC_F_INDIRECT, 0);
	vq_test_offer_forged(t, 0);
	return CHECK_EQ(t, vq_test_pop(t), 1);
}

static void expect_expand_refused(struct vq_test *t, u32 max_segs, enum vq_error error)
{
	const struct vq_chain before = t->chains[0];
	u32 i;

	for (i = 0; i < 2; i++) {
		CHECK_EQ(t, vq_test_expand(t, 0, max_segs), -EPROTO);
		CHECK_EQ(t, t->vq.error, error);
		CHECK_EQ(t, t->chains[0].table_len, before.table_len);
		CHECK_EQ(t, t->chains[0].nout, before.nout);
		CHECK_EQ(t, t->chains[0].nin, before.nin);
	}
}

static void table_of_an_honest_driver(struct vq_test *t)
{
	u32 n;

	for (n = 1; n <= VQ_TEST_TABLE; n++) {
		vq_test_queue(t, VQ_TEST_NUM);
		vq_test_add(t, n / 2, n - n / 2, FD_INDIRECT);
		fd_show(&t->fd);
		NEED_EQ(t, vq_test_pop(t), 1);
		CHECK_EQ(t, t->chains[0].slots, 1);
		CHECK_EQ(t, t->chains[0].table_len, n * ENTRY);
		CHECK_EQ(t, t->chains[0].nout + t->chains[0].nin, 0);
		NEED_EQ(t, vq_test_expand(t, 0, VQ_TEST_SEGS), 0);
		CHECK_EQ(t, t->chains[0].nout, n / 2);
		CHECK_EQ(t, t->chains[0].nin, n - n / 2);
		CHECK_EQ(t, t->chains[0].table_len, 0);
		vq_test_expect_segs(t, t->expanded, n, 0);
	}
}

/* A chain without a table, where in the batch one with a table has been. */
static void table_does_not_stay_in_the_batch(struct vq_test *t)
{
	vq_test_queue(t, VQ_TEST_NUM);
	vq_test_add(t, 1, 1, FD_INDIRECT);
	fd_show(&t->fd);
	NEED_EQ(t, vq_test_pop(t), 1);
	CHECK_EQ(t, t->chains[0].table_len, 2 * ENTRY);
	vq_test_offer(t, 1, true);
	NEED_EQ(t, vq_test_pop(t), 1);
	CHECK_EQ(t, t->chains[0].table_len, 0);
}

/* 2.7.5.3.2: direct descriptors may come before the one of the table. */
static void direct_segments_before_a_table(struct vq_test *t)
{
	vq_test_queue(t, VQ_TEST_NUM);
	vq_test_add(t, 1, 0, FD_DIRECT);
	vq_test_add(t, 3, 2, FD_MIXED);
	fd_show(&t->fd);
	NEED_EQ(t, vq_test_pop(t), 2);
	CHECK_EQ(t, t->chains[1].nout, 1);
	CHECK_EQ(t, t->chains[1].table_len, 4 * ENTRY);
	NEED_EQ(t, vq_test_expand(t, 1, VQ_TEST_SEGS), 0);
	CHECK_EQ(t, t->chains[1].first, 0);
	CHECK_EQ(t, t->chains[1].nout, 3);
	CHECK_EQ(t, t->chains[1].nin, 2);
	vq_test_expect_segs(t, t->expanded, 5, 1);

	vq_test_queue(t, VQ_TEST_NUM);
	vq_test_add(t, 0, 3, FD_MIXED);
	fd_show(&t->fd);
	NEED_EQ(t, vq_test_pop(t), 1);
	CHECK_EQ(t, t->chains[0].nin, 1);
	NEED_EQ(t, vq_test_expand(t, 0, VQ_TEST_SEGS), 0);
	CHECK_EQ(t, t->chains[0].nout, 0);
	CHECK_EQ(t, t->chains[0].nin, 3);
	vq_test_expect_segs(t, t->expanded, 3, 0);
}

/* The rule on order holds across both. */
static void readable_in_the_table_behind_writable_before_it(struct vq_test *t)
{
	vq_test_queue(t, VQ_TEST_NUM);
	vq_test_forge(t, 1, 0x1000, 1, F_NEXT | F_WRITE, 2);
	vq_test_forge(t, 2, fd_table_addr(&t->fd, 2), ENTRY, VQ_DESC_F_INDIRECT, 0);
	vq_test_forge_entry(t, 2, 0, 0x2000, 1, 0, 0);
	vq_test_offer_forged(t, 1);
	NEED_EQ(t, vq_test_pop(t), 1);
	expect_expand_refused(t, VQ_TEST_SEGS, VQ_ERR_ORDER);
}

/* 2.8.7: a list in a packed ring is of one kind. */
static void packed_list_of_two_kinds(struct vq_test *t)
{
	vq_test_queue(t, VQ_TEST_NUM);
	vq_test_forge(t, 0, 0x1000, 1, F_NEXT, 0);
	vq_test_forge(t, 1, fd_table_addr(&t->fd, 1), ENTRY, VQ_DESC_F_INDIRECT, 0);
	vq_test_expect_refused(t, VQ_ERR_INDIRECT_FLAGS);
}

/* 2.7.5.3.1 */
static void table_linked_onwards(struct vq_test *t)
{
	vq_test_queue(t, VQ_TEST_NUM);
	vq_test_forge(t, 0, fd_table_addr(&t->fd, 0), ENTRY, VQ_DESC_F_INDIRECT | F_NEXT, 1);
	vq_test_forge(t, 1, 0x1000, 1, 0, 0);
	vq_test_offer_forged(t, 0);
	vq_test_expect_refused(t, VQ_ERR_INDIRECT_FLAGS);
}

static void impossible_table_lengths(struct vq_test *t)
{
	static const u32 lengths[] = { 0, 1, 15, 17, 31, ENTRY * (VQ_MAX_NUM + 1), 0xfffffff0,
				       0xffffffff };
	u32 i;

	for (i = 0; i < ARRAY_SIZE(lengths); i++) {
		vq_test_queue(t, VQ_TEST_NUM);
		vq_test_forge(t, 0, fd_table_addr(&t->fd, 0), lengths[i], VQ_DESC_F_INDIRECT, 0);
		vq_test_offer_forged(t, 0);
		vq_test_expect_refused(t, VQ_ERR_INDIRECT_LEN);
	}
	vq_test_queue(t, VQ_TEST_NUM);
	pop_table(t, ENTRY * VQ_MAX_NUM);
}

/* 2.7.5.3.2 and 2.8.7: the write flag of the descriptor of a table is ignored. */
static void write_flag_of_a_table_is_ignored(struct vq_test *t)
{
	vq_test_queue(t, VQ_TEST_NUM);
	vq_test_forge(t, 0, fd_table_addr(&t->fd, 0), ENTRY, VQ_DESC_F_INDIRECT | F_WRITE, 0);
	vq_test_forge_entry(t, 0, 0, 0x1000, 5, 0, 0);
	vq_test_offer_forged(t, 0);
	NEED_EQ(t, vq_test_pop(t), 1);
	NEED_EQ(t, vq_test_expand(t, 0, VQ_TEST_SEGS), 0);
	CHECK_EQ(t, t->chains[0].nout, 1);
	CHECK_EQ(t, t->chains[0].nin, 0);
}

/* 2.7.5.3.1 forbids it; 2.8.7 has the device ignore the flag. */
static void table_inside_a_table(struct vq_test *t)
{
	vq_test_queue(t, VQ_TEST_NUM);
	NEED_EQ(t, pop_table(t, 2 * ENTRY), true);
	vq_test_forge_entry(t, 0, 0, 0x1000, 1, F_NEXT, 1);
	vq_test_forge_entry(t, 0, 1, 0x2000, ENTRY, VQ_DESC_F_INDIRECT, 0);
	if (!t->fd.packed) {
		expect_expand_refused(t, VQ_TEST_SEGS, VQ_ERR_INDIRECT_FLAGS);
		return;
	}
	CHECK_EQ(t, vq_test_expand(t, 0, VQ_TEST_SEGS), 0);
	CHECK_EQ(t, t->chains[0].nout, 2);
}

static void next_past_the_indirect_table(struct vq_test *t)
{
	static const u16 links[] = { 2, 3, 0x8000, 0xffff };
	u32 i;

	for (i = 0; i < ARRAY_SIZE(links); i++) {
		vq_test_queue(t, VQ_TEST_NUM);
		NEED_EQ(t, pop_table(t, 2 * ENTRY), true);
		vq_test_forge_entry(t, 0, 0, 0x1000, 1, F_NEXT, links[i]);
		expect_expand_refused(t, VQ_TEST_SEGS, VQ_ERR_NEXT);
	}
}

static void indirect_table_goes_in_circles(struct vq_test *t)
{
	u32 len;

	for (len = 0; len < 2; len++) {
		vq_test_queue(t, VQ_TEST_NUM);
		NEED_EQ(t, pop_table(t, 3 * ENTRY), true);
		vq_test_forge_entry(t, 0, 0, 0x1000, len, F_NEXT, 1);
		vq_test_forge_entry(t, 0, 1, 0x1000, len, F_NEXT, 2);
		vq_test_forge_entry(t, 0, 2, 0x1000, len, F_NEXT, 0);
		expect_expand_refused(t, VQ_TEST_SEGS, VQ_ERR_LOOP);
		/* No entry is read again before that is seen. */
		expect_expand_refused(t, 3, VQ_ERR_LOOP);
	}
}

/* Links need not be in order, nor visit every entry. */
static void split_table_is_followed_by_its_links(struct vq_test *t)
{
	vq_test_queue(t, VQ_TEST_NUM);
	NEED_EQ(t, pop_table(t, 4 * ENTRY), true);
	vq_test_forge_entry(t, 0, 0, 0x1000, 1, F_NEXT, 3);
	vq_test_forge_entry(t, 0, 3, 0x2000, 2, F_NEXT, 1);
	vq_test_forge_entry(t, 0, 1, 0x3000, 3, F_WRITE, 0);
	NEED_EQ(t, vq_test_expand(t, 0, VQ_TEST_SEGS), 0);
	CHECK_EQ(t, t->chains[0].nout, 2);
	CHECK_EQ(t, t->chains[0].nin, 1);
	CHECK_EQ(t, t->expanded[1].addr, 0x2000);
	CHECK_EQ(t, t->expanded[2].addr, 0x3000);
}

/* 2.8.7: no links; flags other than the write flag are reserved and ignored. */
static void packed_table_is_read_from_end_to_end(struct vq_test *t)
{
	vq_test_queue(t, VQ_TEST_NUM);
	NEED_EQ(t, pop_table(t, 3 * ENTRY), true);
	vq_test_forge_entry(t, 0, 0, 0x1000, 1, 0, 0);
	vq_test_forge_entry(t, 0, 1, 0x2000, 2, (u16)~F_WRITE, 0);
	vq_test_forge_entry(t, 0, 2, 0x3000, 3, F_WRITE, 0);
	NEED_EQ(t, vq_test_expand(t, 0, VQ_TEST_SEGS), 0);
	CHECK_EQ(t, t->chains[0].nout, 2);
	CHECK_EQ(t, t->chains[0].nin, 1);
}

static void more_segments_than_there_is_room_for(struct vq_test *t)
{
	vq_test_queue(t, VQ_TEST_NUM);
	vq_test_add(t, 2, 2, FD_INDIRECT);
	fd_show(&t->fd);
	NEED_EQ(t, vq_test_pop(t), 1);
	expect_expand_refused(t, 3, VQ_ERR_TOO_LONG);
	CHECK_EQ(t, vq_test_expand(t, 0, 4), 0);
}

static void more_direct_segments_than_there_is_room_for(struct vq_test *t)
{
	vq_test_queue(t, VQ_TEST_NUM);
	vq_test_forge(t, 1, 0x1000, 1, F_NEXT, 2);
	vq_test_forge(t, 2, 0x2000, 1, F_NEXT, 3);
	vq_test_forge(t, 3, fd_table_addr(&t->fd, 3), ENTRY, VQ_DESC_F_INDIRECT, 0);
	vq_test_forge_entry(t, 3, 0, 0x3000, 0, 0, 0);
	vq_test_offer_forged(t, 1);
	NEED_EQ(t, vq_test_pop(t), 1);
	expect_expand_refused(t, 1, VQ_ERR_TOO_LONG);
	CHECK_EQ(t, vq_test_expand(t, 0, 2), 0);
}

static void empty_segments_of_a_table_are_dropped(struct vq_test *t)
{
	vq_test_queue(t, VQ_TEST_NUM);
	NEED_EQ(t, pop_table(t, 2 * ENTRY), true);
	vq_test_forge_entry(t, 0, 0, 0x1000, 0, F_NEXT, 1);
	vq_test_forge_entry(t, 0, 1, 0x2000, 4, F_WRITE, 0);
	NEED_EQ(t, vq_test_expand(t, 0, 1), 0);
	CHECK_EQ(t, t->chains[0].nout, 0);
	CHECK_EQ(t, t->chains[0].nin, 1);
	CHECK_EQ(t, t->expanded[0].addr, 0x2000);
}

/*
 * A translation may cut a table anywhere. The cut is made by copying the tail
 * elsewhere and spoiling what it was.
 */
static void table_in_pieces(struct vq_test *t)
{
	const u32 bytes = 3 * ENTRY;
	u8 *table, *elsewhere;
	u32 cut, i;

	for (cut = 0; cut <= bytes; cut++) {
		struct vq_piece pieces[4] = { 0 };

		vq_test_queue(t, VQ_TEST_NUM);
		vq_test_add(t, 1, 2, FD_INDIRECT);
		fd_show(&t->fd);
		NEED_EQ(t, vq_test_pop(t), 1);

		table = (u8 *)t->arena + (t->chains[0].table - FD_GUEST_BASE);
		elsewhere = fd_table(&t->fd, VQ_TEST_NUM - 1);
		for (i = cut; i < bytes; i++) {
			elsewhere[i - cut] = table[i];
			table[i] = 0xff;
		}
		pieces[0].ptr = fd_translate(&t->fd, t->chains[0].table, bytes);
		pieces[0].len = cut;
		pieces[1].ptr = pieces[0].ptr;
		pieces[2].ptr = fd_translate(&t->fd, fd_table_addr(&t->fd, VQ_TEST_NUM - 1), bytes);
		pieces[2].len = bytes - cut;
		pieces[3].ptr = pieces[0].ptr;
		NEED_EQ(t, vq_expand(&t->vq, &t->batch, &t->chains[0], pieces, 4, t->expanded,
				     VQ_TEST_SEGS), 0);
		CHECK_EQ(t, t->chains[0].nout, 1);
		CHECK_EQ(t, t->chains[0].nin, 2);
		vq_test_expect_segs(t, t->expanded, 3, 0);
	}
}

/* A table of any alignment: the specification names none. */
static void table_that_lies_askew(struct vq_test *t)
{
	const u32 bytes = 2 * ENTRY;
	u32 shift, i;

	for (shift = 1; shift < ENTRY; shift++) {
		struct vq_piece piece = { .len = bytes };
		u8 *table;

		vq_test_queue(t, VQ_TEST_NUM);
		vq_test_add(t, 1, 1, FD_INDIRECT);
		fd_show(&t->fd);
		NEED_EQ(t, vq_test_pop(t), 1);
		table = (u8 *)t->arena + (t->chains[0].table - FD_GUEST_BASE);
		for (i = bytes; i--;)
			table[i + shift] = table[i];
		piece.ptr = fd_translate(&t->fd, t->chains[0].table + shift, bytes);
		NEED_EQ(t, vq_expand(&t->vq, &t->batch, &t->chains[0], &piece, 1, t->expanded,
				     VQ_TEST_SEGS), 0);
		vq_test_expect_segs(t, t->expanded, 2, 0);
	}
}

static void pieces_that_do_not_cover_the_table(struct vq_test *t)
{
	struct vq_piece pieces[2] = { 0 };

	vq_test_queue(t, VQ_TEST_NUM);
	vq_test_add(t, 1, 1, FD_INDIRECT);
	fd_show(&t->fd);
	NEED_EQ(t, vq_test_pop(t), 1);
	pieces[0].ptr = fd_translate(&t->fd, t->chains[0].table, ENTRY);
	pieces[0].len = ENTRY;
	pieces[1].ptr = fd_translate(&t->fd, t->chains[0].table + ENTRY, ENTRY);
	pieces[1].len = ENTRY - 1;
	CHECK_EQ(t, vq_expand(&t->vq, &t->batch, &t->chains[0], pieces, 2, t->expanded,
			      VQ_TEST_SEGS), -EINVAL);
	/* Memory may go on behind the table, for longer than a length can say. */
	pieces[1].len = 0xffffffff;
	CHECK_EQ(t, vq_expand(&t->vq, &t->batch, &t->chains[0], pieces, 2, t->expanded,
			      VQ_TEST_SEGS), 0);
}

static void chain_without_a_table(struct vq_test *t)
{
	struct vq_piece piece = { .len = ENTRY };

	vq_test_queue(t, VQ_TEST_NUM);
	vq_test_offer(t, 1, true);
	NEED_EQ(t, vq_test_pop(t), 1);
	piece.ptr = t->vq.desc;
	CHECK_EQ(t, vq_expand(&t->vq, &t->batch, &t->chains[0], &piece, 1, t->expanded,
			      VQ_TEST_SEGS), -EINVAL);
}

#define PACKED VQ_BIT(VQ_F_RING_PACKED)
#define INDIRECT VQ_BIT(VQ_F_INDIRECT_DESC)

static const struct vq_case cases[] = {
	{ "TableOfAnHonestDriver", table_of_an_honest_driver, INDIRECT },
	{ "TableDoesNotStayInTheBatch", table_does_not_stay_in_the_batch, INDIRECT },
	{ "DirectSegmentsBeforeATable", direct_segments_before_a_table, INDIRECT, PACKED },
	{ "ReadableInTheTableBehindWritableBeforeIt",
	  readable_in_the_table_behind_writable_before_it, INDIRECT, PACKED },
	{ "PackedListOfTwoKinds", packed_list_of_two_kinds, INDIRECT | PACKED },
	{ "TableLinkedOnwards", table_linked_onwards, INDIRECT },
	{ "ImpossibleTableLengths", impossible_table_lengths, INDIRECT },
	{ "WriteFlagOfATableIsIgnored", write_flag_of_a_table_is_ignored, INDIRECT },
	{ "TableInsideATable", table_inside_a_table, INDIRECT },
	{ "NextPastTheIndirectTable", next_past_the_indirect_table, INDIRECT, PACKED },
	{ "IndirectTableGoesInCircles", indirect_table_goes_in_circles, INDIRECT, PACKED },
	{ "SplitTableIsFollowedByItsLinks", split_table_is_followed_by_its_links, INDIRECT,
	  PACKED },
	{ "PackedTableIsReadFromEndToEnd", packed_table_is_read_from_end_to_end,
	  INDIRECT | PACKED },
	{ "MoreSegmentsThanThereIsRoomFor", more_segments_than_there_is_room_for, INDIRECT },
	{ "MoreDirectSegmentsThanThereIsRoomFor", more_direct_segments_than_there_is_room_for,
	  INDIRECT, PACKED },
	{ "EmptySegmentsOfATableAreDropped", empty_segments_of_a_table_are_dropped, INDIRECT },
	{ "TableInPieces", table_in_pieces, INDIRECT },
	{ "TableThatLiesAskew", table_that_lies_askew, INDIRECT },
	{ "PiecesThatDoNotCoverTheTable", pieces_that_do_not_cover_the_table, INDIRECT },
	{ "ChainWithoutATable", chain_without_a_table, INDIRECT },
};

const struct vq_case_list vq_cases_indirect = { cases, ARRAY_SIZE(cases) };
