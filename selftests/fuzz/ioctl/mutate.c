// SPDX-License-Identifier: GPL-2.0-only
/* What no honest driver writes to its ring. */
#include <linux/virtio_ring.h>
#include <stdlib.h>

#include "fuzz.h"
#include "report.h"

static u64 odd_address(struct actor* actor, struct fuzz_queue* queue) {
    switch (below(actor, 6)) {
        case 0:
            return random64(actor);
        case 1: /* across the end of guest memory */
            return FD_GUEST_BASE + GUEST_BYTES - below(actor, 64);
        case 2:
            return fd_table_addr(&queue->driver, below(actor, queue->driver.setup.num));
        case 3: /* the ring itself */
            return FD_GUEST_BASE + queue_offset(actor->world, queue) + below(actor, 16384);
        default:
            return FD_GUEST_BASE + (u64)below(actor, GUEST_BYTES);
    }
}

static u32 odd_length(struct actor* actor) {
    static const u32 lengths[] = {0,    1,     12,    16,     4096,       65536, 65550,
                                  1024, 16384, 16400, 524288, 0x7fffffff, ~0U};

    return percent(actor, 70) ? ONE_OF(actor, lengths) : below(actor, 4096);
}

static u16 odd_link(struct actor* actor, struct fuzz_queue* queue) {
    return percent(actor, 80) ? below(actor, queue->driver.setup.num) : below(actor, 65536);
}

static u16 odd_flags(struct actor* actor) {
    static const u16 flags[] = {0, 1, 2, 3, 4, 5, 6, 7};

    return percent(actor, 90) ? ONE_OF(actor, flags) : below(actor, 65536);
}

static void split_desc(struct actor* actor, struct fuzz_queue* queue, struct vq_split_desc* desc) {
    switch (below(actor, 4)) {
        case 0:
            desc->addr = htole64(odd_address(actor, queue));
            break;
        case 1:
            desc->len = htole32(odd_length(actor));
            break;
        case 2:
            desc->flags = htole16(odd_flags(actor));
            break;
        case 3:
            desc->next = htole16(odd_link(actor, queue));
            break;
    }
}

static void mutate_split(struct actor* actor, struct fuzz_queue* queue) {
    struct fake_driver* driver = &queue->driver;
    u32 at = below(actor, driver->setup.num);
    struct vq_split_avail* avail = fd_avail(driver);

    switch (below(actor, 6)) {
        case 0:
        case 1:
            split_desc(actor, queue, fd_split_desc(driver, at));
            break;
        case 2: /* buffers that are none, or in flight already */
            avail->idx = htole16(le16toh(avail->idx) + 1 + below(actor, 4));
            break;
        case 3:
            avail->ring[at] = htole16(odd_link(actor, queue));
            break;
        case 4:
            avail->idx = htole16(below(actor, 65536));
            break;
        case 5:
            avail->flags = htole16(below(actor, 2));
            break;
    }
}

static void mutate_packed(struct actor* actor, struct fuzz_queue* queue) {
    struct fake_driver* driver = &queue->driver;
    struct vq_packed_desc* desc = fd_packed_desc(driver, below(actor, driver->setup.num));
    u16 wrap = below(actor, 2) ? 1 << VRING_PACKED_DESC_F_AVAIL : 1 << VRING_PACKED_DESC_F_USED;

    switch (below(actor, 6)) {
        case 0:
            desc->addr = htole64(odd_address(actor, queue));
            break;
        case 1:
            desc->len = htole32(odd_length(actor));
            break;
        case 2:
            desc->id = htole16(odd_link(actor, queue));
            break;
        case 3:
        case 4:
            desc->flags = htole16(odd_flags(actor) | wrap);
            break;
        case 5:
            fd_driver_event(driver)->flags = htole16(below(actor, 4));
            break;
    }
}

static void mutate_table(struct actor* actor, struct fuzz_queue* queue) {
    u32 table = below(actor, queue->driver.setup.num);
    struct vq_split_desc* desc = fd_table(&queue->driver, table);

    /* Address and length are at the same place in both formats. */
    if (queue->driver.setup.table_max)
        split_desc(actor, queue, &desc[below(actor, TABLE_MAX)]);
}

/* The queue's lock is held; the device looks on. */
void mutate_ring(struct actor* actor, struct fuzz_queue* queue) {
    u8* ring = actor->world->view + queue_offset(actor->world, queue);
    u32 what = below(actor, 10);

    count_up(actor->world->report->mutations, 1);
    if (what == 0)
        ring[below(actor, 3 * PAGE)] = below(actor, 256);
    else if (what < 3)
        mutate_table(actor, queue);
    else if (queue->driver.packed)
        mutate_packed(actor, queue);
    else
        mutate_split(actor, queue);
}
