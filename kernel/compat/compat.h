/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What differs between the kernels that Vireo builds for. Included before
 * everything else. kernel/compat/Kbuild.probe looks into the kernel's headers
 * and defines the VIREO_HAVE_ names; nothing else asks for a version.
 */
#ifndef VIREO_COMPAT_H
#define VIREO_COMPAT_H

#include <linux/eventfd.h>
#include <linux/gfp.h>
#include <linux/mm_types.h>
#include <linux/mm.h>

/* Linux 6.8 dropped the count, which was always 1. */
static inline void vireo_eventfd_signal(struct eventfd_ctx *ctx)
{
#ifdef VIREO_HAVE_EVENTFD_SIGNAL_COUNT
	eventfd_signal(ctx, 1);
#else
	eventfd_signal(ctx);
#endif
}

/* Linux 6.10 has a function that gives a cache's page back. */
static inline void vireo_page_frag_cache_drain(struct page_frag_cache *cache)
{
#ifdef VIREO_HAVE_PAGE_FRAG_CACHE_DRAIN
	page_frag_cache_drain(cache);
#else
	if (cache->va)
		__page_frag_cache_drain(virt_to_head_page(cache->va), cache->pagecnt_bias);
	cache->va = NULL;
#endif
}

#endif /* VIREO_COMPAT_H */
