/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The virtqueue engine's environment in the kernel: ring memory is user memory
 * of the current mm, reached in sections of unsafe user access.
 *
 * Every environment gives the engine these names, and nothing else:
 *
 *   __vq_mem		marks a pointer to ring memory
 *   VQ_GET(v, p, l)	read *p into v with one access, or goto l
 *   VQ_PUT(v, p, l)	write v to *p with one access, or goto l
 *   vq_access_begin(p, len)
 *			begin a section; false if memory cannot be reached.
 *			VQ_GET and VQ_PUT are valid only inside one, and no
 *			function is called there that is not inlined
 *   vq_access_end()	end it
 *   vq_rmb() vq_wmb() vq_mb()
 *			order reads, writes, both, against the driver's CPU
 *   vq_index_nospec(i, n)
 *			i, which is less than n, under speculation too
 *   VQ_EXPORT(s)	makes a function callable from other modules
 *
 * and fixed-width types, leN_to_cpu() and cpu_to_leN(), likely(), unlikely(),
 * __always_inline, bool, size_t and errno values.
 *
 * Every range given to the engine has passed access_ok(), at set-up for the
 * ring and in the memory table for indirect tables, so that a section need not
 * check each: vq_access_begin() on one of them opens all.
 */
#ifndef VQ_ENV_H
#define VQ_ENV_H

#include <linux/compiler.h>
#include <linux/errno.h>
#include <linux/export.h>
#include <linux/kernel.h>
#include <linux/nospec.h>
#include <linux/types.h>
#include <linux/uaccess.h>
#include <asm/barrier.h>
#include <asm/byteorder.h>

#define __vq_mem __user
/* For this project's modules: they say MODULE_IMPORT_NS(VIREO). */
#define VQ_EXPORT(symbol) EXPORT_SYMBOL_NS_GPL(symbol, VIREO)

#define VQ_GET(var, ptr, label) unsafe_get_user(var, ptr, label)
#define VQ_PUT(val, ptr, label) unsafe_put_user(val, ptr, label)

/*
 * An access may have to wait for a page. Ring memory is mostly there, so on a
 * debug kernel a caller that must not sleep is told so in any case.
 */
#define vq_access_begin(ptr, len) ({ might_fault(); user_access_begin(ptr, len); })
#define vq_access_end() user_access_end()

/* The driver runs on another CPU, always: a guest may be SMP when we are not. */
#define vq_rmb() virt_rmb()
#define vq_wmb() virt_wmb()
#define vq_mb() virt_mb()

#define vq_index_nospec(index, size) array_index_nospec(index, size)

#endif /* VQ_ENV_H */
