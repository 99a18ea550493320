/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copies between the owner's memory and ours on the data path.
 *
 * The owner's addresses come from vireo_translate() and have passed
 * access_ok() when their range was set. Our side is a buffer whose size the
 * caller has just computed, so these go without the walk through slab and page
 * tables that hardened usercopy makes for each copy, as iov_iter does too.
 */
#ifndef VIREO_ACCESS_H
#define VIREO_ACCESS_H

#include <linux/instrumented.h>
#include <linux/uaccess.h>

/* Returns 0 or -EFAULT. */
static inline int vireo_copy_from_user(void *to, const void __user *from, size_t len)
{
	might_fault();
	instrument_copy_from_user_before(to, from, len);
	return unlikely(raw_copy_from_user(to, from, len)) ? -EFAULT : 0;
}

/* Returns 0 or -EFAULT. */
static inline int vireo_copy_to_user(void __user *to, const void *from, size_t len)
{
	might_fault();
	instrument_copy_to_user(to, from, len);
	return unlikely(raw_copy_to_user(to, from, len)) ? -EFAULT : 0;
}

#endif /* VIREO_ACCESS_H */
