/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The address space that the tests' rings live in.
 *
 * KUnit runs a case in a kernel thread, which has no user memory, just as a
 * worker of vireo.ko has none but its owner's. The owner here is the process
 * that inserts the module: KUnit calls a suite's suite_init and suite_exit in
 * its context (on 6.1 and on 6.12), and each case borrows its mm in between.
 */
#ifndef VIREO_KUNIT_OWNER_H
#define VIREO_KUNIT_OWNER_H

#include <kunit/test.h>

/* For struct kunit_suite. */
int owner_suite_init(struct kunit_suite *suite);
void owner_suite_exit(struct kunit_suite *suite);

/*
 * Around what reaches user memory, in one function. In between the thread must
 * not end, so nothing there may abort the case: KUNIT_EXPECT, not KUNIT_ASSERT.
 */
void owner_mm_borrow(void);
void owner_mm_return(void);

#endif /* VIREO_KUNIT_OWNER_H */
