// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fragments of pages for packets on their way to the stack: a new page.
 */
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/page_ref.h>

#include "frags.h"

#define FRAGS_ORDER get_order(32768)
#define FRAGS_BIAS 32768 /* more than fragments of a page, which have 64 bytes at least */

/* Drop the references that are ours. True: nobody has any, the page is ours. */
static bool frags_settle(struct vireo_frags *frags)
{
	return page_ref_sub_and_test(virt_to_page(frags->va), frags->bias);
}

static struct page *frags_page(u32 *size)
{
	struct page *page;

	*size = PAGE_SIZE << FRAGS_ORDER;
	page = alloc_pages(GFP_KERNEL | __GFP_COMP | __GFP_NOWARN | __GFP_NORETRY, FRAGS_ORDER);
	if (page)
		return page;
	*size = PAGE_SIZE;
	return alloc_page(GFP_KERNEL);
}

/**
 * vireo_frags_refill() - make room for a fragment
 * @frags: without enough room
 * @len: of the fragment, at most PAGE_SIZE
 *
 * Return: 0 or -ENOMEM.
 */
int vireo_frags_refill(struct vireo_frags *frags, u32 len)
{
	struct page *page;

	if (frags->va && frags_settle(frags)) {
		set_page_count(virt_to_page(frags->va), FRAGS_BIAS);
	} else {
		frags->va = NULL;
		frags->left = 0;
		page = frags_page(&frags->size);
		if (!page)
			return -ENOMEM;
		page_ref_add(page, FRAGS_BIAS - 1);
		frags->va = page_address(page);
	}
	frags->bias = FRAGS_BIAS;
	frags->left = frags->size;
	return 0;
}

/* Nothing more is asked for; what is out there stays good. */
void vireo_frags_free(struct vireo_frags *frags)
{
	if (frags->va)
		__page_frag_cache_drain(virt_to_page(frags->va), frags->bias);
	*frags = (struct vireo_frags){};
}
