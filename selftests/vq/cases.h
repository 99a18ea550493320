/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Test cases of the virtqueue engine that run anywhere: under GoogleTest with
 * the userspace environment and with one that injects faults, and under KUnit
 * with the kernel's. A case talks to the engine on one side and to the fake
 * driver, or to raw ring memory, on the other.
 *
 * To add a case: write it in the cases_*.c of its subject, and name it in that
 * file's table.
 */
#ifndef VQ_CASES_H
#define VQ_CASES_H

#include "fake_driver.h"

#ifdef __KERNEL__
#include <linux/kernel.h>
#else
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define VQ_BIT(f) (1ULL << (f))

/* What the harness provides, at the least. */
#define VQ_TEST_NUM 8 /* usual queue size */
#define VQ_TEST_TABLE 8 /* entries of the largest honest indirect table */
#define VQ_TEST_CHAINS 64
#define VQ_TEST_SEGS 256
#define VQ_TEST_ARENA (2u << 20) /* for a ring of VQ_MAX_NUM */

/**
 * struct vq_test - a case's world
 * @features: of this run of the case; the case may add to them
 * @arena: zeroed memory of VQ_TEST_ARENA bytes, driver's view
 * @arena_device: the same as the engine addresses it
 * @bufs: VQ_MAX_NUM entries
 * @chains: VQ_TEST_CHAINS entries
 * @segs: VQ_TEST_SEGS entries
 * @expanded: VQ_TEST_SEGS entries
 * @fail: a check did not hold; returns
 * @fd: made by vq_test_queue()
 * @vq: made by vq_test_queue()
 * @batch: over @chains and @segs, set by vq_test_queue()
 * @added: buffers added so far
 * @failures: counted by vq_test_check()
 */
struct vq_test {
	u64 features;
	void *arena;
	unsigned long arena_device;
	struct fd_buf *bufs;
	struct vq_chain *chains;
	struct vq_seg *segs;
	struct vq_seg *expanded;
	void (*fail)(struct vq_test *t, const char *file, int line, const char *what, long long got,
		     long long want);

	struct fake_driver fd;
	struct vq vq;
	struct vq_batch batch;
	u32 added;
	u32 failures;
};

/**
 * struct vq_case - a case, and the features it is about
 * @name: what it shows
 * @run: the case
 * @with: it runs where all of these are negotiated
 * @without: and none of these
 */
struct vq_case {
	const char *name;
	void (*run)(struct vq_test *t);
	u64 with;
	u64 without;
};

struct vq_case_list {
	const struct vq_case *cases;
	u32 n;
};

extern const struct vq_case_list vq_cases_setup;
extern const struct vq_case_list vq_cases_pop;
extern const struct vq_case_list vq_cases_malformed;
extern const struct vq_case_list vq_cases_indirect;
extern const struct vq_case_list vq_cases_publish;
extern const struct vq_case_list vq_cases_notify;
extern const struct vq_case_list vq_cases_state;

/* The features that every case is tried with. */
struct vq_combination {
	const char *name;
	u64 features;
};

extern const struct vq_combination vq_combinations[];
extern const u32 vq_ncombinations;

static inline bool vq_case_applies(const struct vq_case *c, u64 features)
{
	return (features & c->with) == c->with && !(features & c->without);
}

/* For cases */

/* A queue of @num descriptors with t->features, started; both sides at 0. */
void vq_test_queue(struct vq_test *t, u32 num);
/* The same, both sides about to use position @pos, with wrap counters @wrap. */
void vq_test_queue_at(struct vq_test *t, u32 num, u16 pos, bool wrap);

/*
 * Adds a buffer whose segments, @nout readable and @nin writable, can be told
 * from those of any other; the device sees it after fd_show(). Returns its id.
 */
int vq_test_add(struct vq_test *t, u32 nout, u32 nin, enum fd_shape shape);
/* The address and length of segment @i of the buffer added as number @buffer. */
struct vq_seg vq_test_seg(u32 buffer, u32 i);
/* Adds and shows @n buffers of one segment, writable if @nin. */
void vq_test_offer(struct vq_test *t, u32 n, bool nin);
/* Pops what there is; the result of vq_pop(). */
int vq_test_pop(struct vq_test *t);
/* Checks that segments at @segs are those of buffer number @buffer. */
void vq_test_expect_segs(struct vq_test *t, const struct vq_seg *segs, u32 n, u32 buffer);
/* Gives popped chain @i back with @len. The result of vq_publish(). */
int vq_test_publish(struct vq_test *t, u32 i, u32 len);
/* Gives the first @n popped chains back, each with @len, at once. */
int vq_test_publish_n(struct vq_test *t, u32 n, u32 len);
/* Reaps one buffer and checks that it is number @buffer with @len. */
void vq_test_expect_reaped(struct vq_test *t, u32 buffer, u32 len);
/* Makes @n one-segment buffers go all the way round, one by one. */
void vq_test_cycle(struct vq_test *t, u32 n);

/*
 * Forged rings: descriptor @i of the ring as it should not be. @link is next
 * for split rings and the id for packed rings. In a packed ring the descriptor
 * is available at once, of the first lap.
 */
void vq_test_forge(struct vq_test *t, u32 i, u64 addr, u32 len, u16 flags, u16 link);
/* An entry of the indirect table of descriptor @i. */
void vq_test_forge_entry(struct vq_test *t, u32 i, u32 entry, u64 addr, u32 len, u16 flags,
			 u16 next);
/* Makes the chain that begins at forged descriptor @head available. */
void vq_test_offer_forged(struct vq_test *t, u16 head);
/* Pops, which must fail with @error and leave the queue as it was; twice. */
void vq_test_expect_refused(struct vq_test *t, enum vq_error error);
/* Expands chain @i from the fake driver's table: cut in two, and then in one piece. */
int vq_test_expand(struct vq_test *t, u32 i, u32 max_segs);
/* Have @a and @b the same positions? Error and hints apart. */
bool vq_test_same_state(const struct vq *a, const struct vq *b);

bool vq_test_check(struct vq_test *t, const char *file, int line, const char *what, long long got,
		   long long want);

#define CHECK_EQ(t, got, want)                                                         \
	vq_test_check(t, __FILE__, __LINE__, #got " == " #want, (long long)(got),       \
		      (long long)(want))
#define CHECK_THAT(t, cond) vq_test_check(t, __FILE__, __LINE__, #cond, !!(cond), 1)
#define NEED_EQ(t, got, want)                         \
	do {                                             \
		if (!CHECK_EQ(t, got, want))           \
			return;                          \
	} while (0)

#ifdef __cplusplus
}
#endif

#endif /* VQ_CASES_H */
