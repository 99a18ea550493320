/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What differs between kernels, and between their configurations, for those
 * who give work to block devices.
 */
#ifndef VIREO_COMPAT_BLOCK_H
#define VIREO_COMPAT_BLOCK_H

#include <linux/bio.h>
#include <linux/cgroup.h>

/* The group that the caller's I/O belongs to; NULL: this kernel has none. */
static inline struct cgroup_subsys_state *vireo_blkcg_get(void)
{
#ifdef CONFIG_BLK_CGROUP
	return task_get_css(current, io_cgrp_id);
#else
	return NULL;
#endif
}

static inline void vireo_blkcg_put(struct cgroup_subsys_state *css)
{
#ifdef CONFIG_BLK_CGROUP
	css_put(css);
#endif
}

/* bio_init(), for the account of a group, whoever the caller is. */
static inline void vireo_bio_init(struct bio *bio, struct block_device *bdev,
				  struct bio_vec *table, u16 n, blk_opf_t opf,
				  struct cgroup_subsys_state *css)
{
	bio_init(bio, NULL, table, n, opf);
	bio->bi_bdev = bdev;
	bio_associate_blkg_from_css(bio, css);
}

#endif /* VIREO_COMPAT_BLOCK_H */
