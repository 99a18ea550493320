/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What differs between the kernels that Vireo builds for. Included before
 * everything else. kernel/compat/Kbuild.probe looks into the kernel's headers
 * and defines the VIREO_HAVE_ names; nothing else asks for a version.
 */
#ifndef VIREO_COMPAT_H
#define VIREO_COMPAT_H

/* Here, since every file has read printk.h when its first line comes. */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/eventfd.h>

/* Linux 6.8 dropped the count, which was always 1. */
static inline void vireo_eventfd_signal(struct eventfd_ctx *ctx)
{
#ifdef VIREO_HAVE_EVENTFD_SIGNAL_COUNT
	eventfd_signal(ctx, 1);
#else
	eventfd_signal(ctx);
#endif
}

#endif /* VIREO_COMPAT_H */
