/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Fragments of pages for packets on their way to the stack.
 *
 * A page is handed out from its end to its beginning. Each fragment is a
 * reference to the page, dropped with page_frag_free() by whoever has it last.
 * When a page is used up and nobody has a fragment of it any more, it is used
 * again: without a trip through the page allocator, and without the zeroing
 * that Debian's kernels do there.
 */
#ifndef VIREO_NET_FRAGS_H
#define VIREO_NET_FRAGS_H

#include <linux/types.h>

/**
 * struct vireo_frags - the page at hand; all zero at the beginning
 * @va: where it is, NULL: there is none
 * @left: bytes that are not handed out yet
 * @size: bytes in all
 * @bias: references that are ours
 */
struct vireo_frags {
	void *va;
	u32 left;
	u32 size;
	u32 bias;
};

int vireo_frags_refill(struct vireo_frags *frags, u32 len);
void vireo_frags_free(struct vireo_frags *frags);

/* A fragment of @len bytes, which vireo_frags_has() has promised. */
static inline void *vireo_frags_get(struct vireo_frags *frags, u32 len)
{
	frags->left -= len;
	frags->bias--;
	return frags->va + frags->left;
}

/* Is there room for @len bytes, or is it time for vireo_frags_refill()? */
static inline bool vireo_frags_has(const struct vireo_frags *frags, u32 len)
{
	return len <= frags->left;
}

#endif /* VIREO_NET_FRAGS_H */
