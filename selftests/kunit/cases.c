// SPDX-License-Identifier: GPL-2.0-only
/*
 * The cases that the engine's unit tests are made of (selftests/vq), against
 * the engine in vireo.ko and with its ring in user memory: one KUnit case for
 * each list of them, whose parameters are a case and a choice of features.
 */
#include <linux/mm.h>

#include "../vq/cases.h"
#include "owner.h"
#include "user_memory.h"

#define FAILURES_SHOWN 10 /* of one case: a loop may fail a thousand times */

/* What all cases share, made once since it is large. */
static struct user_memory arena;
static struct fd_buf *bufs;

struct case_run {
	struct vq_test t;
	struct kunit *test;
};

static void show_failure(struct vq_test *t, const char *file, int line, const char *what,
			 long long got, long long want)
{
	struct case_run *run = container_of(t, struct case_run, t);

	if (t->failures <= FAILURES_SHOWN)
		KUNIT_FAIL(run->test, "%s:%d: %s: %lld, not %lld", kbasename(file), line, what, got,
			   want);
}

/*
 * Parameters are numbers from 1 on: position in the list times the number of
 * combinations, and combination. Those that a case is not about are left out.
 */
static const struct vq_case *case_of(const struct vq_case_list *list, const void *param)
{
	return &list->cases[((unsigned long)param - 1) / vq_ncombinations];
}

static const struct vq_combination *combination_of(const void *param)
{
	return &vq_combinations[((unsigned long)param - 1) % vq_ncombinations];
}

static const void *next_param(const struct vq_case_list *list, const void *prev, char *desc)
{
	unsigned long number = (unsigned long)prev + 1;

	for (; number <= list->n * vq_ncombinations; number++) {
		const void *param = (void *)number;
		const struct vq_case *c = case_of(list, param);
		const struct vq_combination *with = combination_of(param);

		if (vq_case_applies(c, with->features)) {
			snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%s/%s", c->name, with->name);
			return param;
		}
	}
	return NULL;
}

static void run_case(struct kunit *test, const struct vq_case_list *list)
{
	struct case_run *run = kunit_kzalloc(test, sizeof(*run), GFP_KERNEL);
	struct vq_test *t = &run->t;

	KUNIT_ASSERT_NOT_NULL(test, run);
	run->test = test;
	t->features = combination_of(test->param_value)->features;
	t->arena = arena.kernel;
	t->arena_device = (unsigned long)arena.user;
	t->bufs = bufs;
	t->fail = show_failure;
	/* Each of its exact size, so that KASAN sees the first byte behind it. */
	t->chains = kunit_kcalloc(test, VQ_TEST_CHAINS, sizeof(*t->chains), GFP_KERNEL);
	t->segs = kunit_kcalloc(test, VQ_TEST_SEGS, sizeof(*t->segs), GFP_KERNEL);
	t->expanded = kunit_kcalloc(test, VQ_TEST_SEGS, sizeof(*t->expanded), GFP_KERNEL);
	KUNIT_ASSERT_TRUE(test, t->chains && t->segs && t->expanded);

	owner_mm_borrow();
	case_of(list, test->param_value)->run(t);
	owner_mm_return();
	memset(arena.kernel, 0, fd_arena_bytes(&t->fd.setup));
}

#define LIST(name)                                                                   \
	static const void *name##_params(const void *prev, char *desc)               \
	{                                                                            \
		return next_param(&vq_cases_##name, prev, desc);                     \
	}                                                                            \
	static void name(struct kunit *test)                                         \
	{                                                                            \
		run_case(test, &vq_cases_##name);                                    \
	}

LIST(setup)
LIST(pop)
LIST(malformed)
LIST(indirect)
LIST(publish)
LIST(notify)
LIST(state)

static struct kunit_case lists[] = {
	KUNIT_CASE_PARAM(setup, setup_params),
	KUNIT_CASE_PARAM(pop, pop_params),
	KUNIT_CASE_PARAM(malformed, malformed_params),
	KUNIT_CASE_PARAM(indirect, indirect_params),
	KUNIT_CASE_PARAM(publish, publish_params),
	KUNIT_CASE_PARAM(notify, notify_params),
	KUNIT_CASE_PARAM(state, state_params),
	{}
};

static int cases_suite_init(struct kunit_suite *suite)
{
	int err = owner_suite_init(suite);

	if (err)
		return err;
	bufs = kvcalloc(VQ_MAX_NUM, sizeof(*bufs), GFP_KERNEL);
	if (!bufs) {
		err = -ENOMEM;
		goto err_owner;
	}
	/* The owner is current, so this is in the mm that the cases borrow. */
	err = user_memory_init(&arena, VQ_TEST_ARENA / PAGE_SIZE);
	if (err)
		goto err_bufs;
	return 0;

err_bufs:
	kvfree(bufs);
err_owner:
	owner_suite_exit(suite);
	return err;
}

static void cases_suite_exit(struct kunit_suite *suite)
{
	user_memory_destroy(&arena);
	kvfree(bufs);
	owner_suite_exit(suite);
}

static struct kunit_suite cases_suite = {
	.name = "vireo_vq",
	.suite_init = cases_suite_init,
	.suite_exit = cases_suite_exit,
	.test_cases = lists,
};

kunit_test_suite(cases_suite);
