// SPDX-License-Identifier: GPL-2.0-only
/*
 * What may happen to an owner's memory while a device uses it: pages go, come
 * back empty, become another's, may not be written.
 */
#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/mman.h>

#include "fuzz.h"
#include "report.h"

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT 21
#endif

/* Some pages: of a ring, of payload, of the log, of anything. */
static size_t choose(struct actor* actor, size_t* bytes) {
    size_t queue = (size_t)below(actor, DEVICES * QUEUES) * QUEUE_ROOM;
    size_t offset;

    *bytes = (1 + below(actor, 8)) * PAGE;
    switch (below(actor, 4)) {
        case 0: /* rings lie at the beginning */
            offset = queue + below(actor, 8) * PAGE;
            break;
        case 1:
            offset = queue + RING_ROOM + below(actor, PAYLOAD_ROOM / PAGE) * PAGE;
            break;
        case 2:
            offset = GUEST_BYTES + below(actor, LOG_BYTES / PAGE) * PAGE;
            break;
        default:
            offset = below(actor, MEMORY_BYTES / PAGE) * PAGE;
            *bytes = (1 + below(actor, 512)) * PAGE;
            break;
    }
    if (*bytes > MEMORY_BYTES - offset)
        *bytes = MEMORY_BYTES - offset;
    return offset;
}

void memory_disturb(struct actor* actor) {
    static const int protections[] = {PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE};
    static const int advices[] = {MADV_DONTNEED, MADV_REMOVE, MADV_PAGEOUT, MADV_COLD,
                                  MADV_DONTFORK};
    struct world* world = actor->world;
    size_t bytes;
    size_t offset = choose(actor, &bytes);
    u8* at = world->device + offset;
    u32 what = below(actor, 6);

    note(actor, "memory %u at %#zx, %zu bytes", what, offset, bytes);
    switch (what) {
        case 0:
        case 1:
            (void)mprotect(at, bytes, ONE_OF(actor, protections));
            break;
        case 2:
            (void)munmap(at, bytes);
            break;
        case 3: /* another's page in the place, private */
            (void)mmap(at, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
                       -1, 0);
            break;
        case 4:
            (void)madvise(at, bytes, ONE_OF(actor, advices));
            break;
        case 5:
            (void)fallocate(world->memfd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset,
                            (off_t)bytes);
            break;
    }
    count_up(world->report->disturbed, 1);
}

void memory_restore(struct actor* actor) {
    struct world* world = actor->world;

    note(actor, "memory restored");
    (void)mmap(world->device, MEMORY_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
               world->memfd, 0);
}
