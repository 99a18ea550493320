/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Memory with two views, for tests of code that reaches user memory.
 *
 * One is a kernel mapping: it always works, and the test plays the driver
 * through it. The other is a mapping in the current mm, under test: it is
 * populated by faults, ends at pages that cannot be reached, and parts of it
 * can be taken away or made read-only and given back, with what they held.
 */
#ifndef VIREO_KUNIT_USER_MEMORY_H
#define VIREO_KUNIT_USER_MEMORY_H

#include <linux/compiler.h>
#include <linux/types.h>

/**
 * enum user_access - what the user mapping of a page allows
 * @USER_NONE: nothing, it is not mapped
 * @USER_READ: reading
 * @USER_WRITE: reading and writing
 */
enum user_access {
	USER_NONE,
	USER_READ,
	USER_WRITE
};

/**
 * struct user_memory - some pages of memory and their two views
 * @kernel: the view that always works
 * @user: the view under test; the pages before and behind it are not mapped
 * @npages: length of both
 * @file: what holds the memory
 * @pages: that memory's pages, each with a reference
 */
struct user_memory {
	void *kernel;
	void __user *user;
	size_t npages;
	struct file *file;
	struct page **pages;
};

/**
 * user_memory_init() - get zeroed memory and map it twice, all pages USER_WRITE
 * @m: to fill
 * @npages: how much
 *
 * Context: a task with an mm, its own or one that kthread_use_mm() lent.
 * Return: 0 or a negative errno, with nothing held.
 */
int user_memory_init(struct user_memory *m, size_t npages);

/**
 * user_memory_destroy() - undo user_memory_init(), in the same mm
 * @m: memory
 */
void user_memory_destroy(struct user_memory *m);

/**
 * user_memory_allow() - change what the user mapping allows, in the same mm
 * @m: memory
 * @first: page
 * @n: number of pages
 * @access: from now on
 *
 * Return: 0 or a negative errno.
 */
int user_memory_allow(struct user_memory *m, size_t first, size_t n, enum user_access access);

#endif /* VIREO_KUNIT_USER_MEMORY_H */
