// SPDX-License-Identifier: GPL-2.0-only
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>

#include "owner.h"

/* KUnit runs one suite at a time. */
static struct mm_struct *owner_mm;

int owner_suite_init(struct kunit_suite *suite)
{
	owner_mm = get_task_mm(current);
	if (!owner_mm) {
		kunit_err(suite, "the suite was not started by a process with user memory\n");
		return -EINVAL;
	}
	return 0;
}

void owner_suite_exit(struct kunit_suite *suite)
{
	mmput(owner_mm);
}

void owner_mm_borrow(void)
{
	kthread_use_mm(owner_mm);
}

void owner_mm_return(void)
{
	kthread_unuse_mm(owner_mm);
}
