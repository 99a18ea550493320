/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which pages of guest memory a device wrote to, found in two ways: by
 * comparing memory with what it was, and in the dirty log that the device
 * keeps. The first is the check on the second.
 */
#ifndef DIRTY_PAGES_H
#define DIRTY_PAGES_H

#include "net_driver.h"

#define DIRTY_PAGE 4096UL /* VHOST_PAGE_SIZE */

struct dirty_pages {
    const struct guest_mem* mem;
    u64 guest; /* guest address of the memory's first byte */
    u32 pages;
    u64* log;         /* the device's bitmap, of guest memory from address 0 on */
    size_t log_bytes; /* it reaches over DIRTY_REACH */
    u8* before;       /* what memory was at dirty_begin() */
    bool* expected;   /* pages that the device may write to */
};

/* Guest addresses below this are in a log. */
#define DIRTY_REACH (FD_GUEST_BASE + (4ULL << 30))

int dirty_open(struct dirty_pages* dirty, const struct guest_mem* mem, u64 guest);
void dirty_close(struct dirty_pages* dirty);

/* Logging on and off as QEMU does it, with or without live backends. */
void dirty_log_on(const struct dirty_pages* dirty, struct net_driver* net);
void dirty_log_off(struct net_driver* net);
/* The log of one ring: to be asked for again when the ring was set up anew. */
void dirty_log_ring(const struct dirty_pages* dirty, const struct net_queue* queue);
/* What VHOST_SET_VRING_ADDR wants; log: guest address for VHOST_VRING_F_LOG, 0: no log. */
void dirty_ring_addr(const struct net_queue* queue, u64 log, struct vhost_vring_addr* addr);

/* Remembers memory, empties the log, and expects no page. */
void dirty_begin(struct dirty_pages* dirty);
void dirty_expect(struct dirty_pages* dirty, const void* at, size_t bytes);
/* What the device writes of a queue's ring. */
void dirty_expect_ring(struct dirty_pages* dirty, const struct fake_driver* driver);

bool dirty_changed(const struct dirty_pages* dirty, u32 page);
bool dirty_logged_at(const struct dirty_pages* dirty, u64 guest);
/* Reads a page's bit and clears it, while the device may be setting it. */
bool dirty_take(struct dirty_pages* dirty, u32 page);
u32 dirty_logged_pages(const struct dirty_pages* dirty);

/* Checks that each page that changed is logged, and that no other than expected ones are. */
void dirty_check(const struct dirty_pages* dirty, const char* what);

#endif /* DIRTY_PAGES_H */
