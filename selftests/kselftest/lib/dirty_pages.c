// SPDX-License-Identifier: GPL-2.0-only
#include "dirty_pages.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "error.h"
#include "tap_output.h"

int dirty_open(struct dirty_pages* dirty, const struct guest_mem* mem, u64 guest) {
    memset(dirty, 0, sizeof(*dirty));
    dirty->mem = mem;
    dirty->guest = guest;
    dirty->pages = mem->bytes / DIRTY_PAGE;
    dirty->log_bytes = DIRTY_REACH / DIRTY_PAGE / 8;
    dirty->log =
        mmap(NULL, dirty->log_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (dirty->log == MAP_FAILED) {
        dirty->log = NULL;
        return failed_errno("map a dirty log of %zu bytes", dirty->log_bytes);
    }
    dirty->before = malloc(mem->bytes);
    dirty->expected = calloc(dirty->pages, sizeof(*dirty->expected));
    if (!dirty->before || !dirty->expected) {
        dirty_close(dirty);
        return failed(-ENOMEM, "a copy of %zu bytes of guest memory", mem->bytes);
    }
    return 0;
}

void dirty_close(struct dirty_pages* dirty) {
    if (dirty->log)
        munmap(dirty->log, dirty->log_bytes);
    free(dirty->before);
    free(dirty->expected);
    memset(dirty, 0, sizeof(*dirty));
}

void dirty_ring_addr(const struct net_queue* queue, u64 log, struct vhost_vring_addr* addr) {
    vhost_ring_addr(queue->vhost.index, &queue->driver, log, addr);
}

void dirty_log_ring(const struct dirty_pages* dirty, const struct net_queue* queue) {
    struct vhost_vring_addr addr;

    dirty_ring_addr(queue, dirty->guest + queue->driver.device, &addr);
    require_ok(vhost_set_addr(queue->vhost.dev, &addr));
}

void dirty_log_on(const struct dirty_pages* dirty, struct net_driver* net) {
    require_ok(vhost_set_log_base(&net->dev, dirty->log));
    require_ok(vhost_set_features(&net->dev, net->features | F_LOG_ALL));
    for (u32 i = 0; i < NET_QUEUES; i++)
        dirty_log_ring(dirty, &net->queue[i]);
}

void dirty_log_off(struct net_driver* net) {
    struct vhost_vring_addr addr;

    require_ok(vhost_set_features(&net->dev, net->features));
    for (u32 i = 0; i < NET_QUEUES; i++) {
        dirty_ring_addr(&net->queue[i], 0, &addr);
        require_ok(vhost_set_addr(&net->dev, &addr));
    }
}

void dirty_begin(struct dirty_pages* dirty) {
    memset(dirty->expected, 0, dirty->pages * sizeof(*dirty->expected));
    for (size_t i = 0; i < dirty->log_bytes / sizeof(u64); i++) {
        if (__atomic_load_n(&dirty->log[i], __ATOMIC_RELAXED))
            __atomic_exchange_n(&dirty->log[i], 0, __ATOMIC_SEQ_CST);
    }
    memcpy(dirty->before, dirty->mem->base, dirty->mem->bytes);
}

void dirty_expect(struct dirty_pages* dirty, const void* at, size_t bytes) {
    size_t from = (const u8*)at - dirty->mem->base;

    for (size_t i = from / DIRTY_PAGE; bytes && i <= (from + bytes - 1) / DIRTY_PAGE; i++)
        dirty->expected[i] = true;
}

void dirty_expect_ring(struct dirty_pages* dirty, const struct fake_driver* driver) {
    const u8* base = dirty->mem->base;

    /* Areas are whole pages, one behind the other. */
    dirty_expect(dirty, base + driver->device, driver->tables - driver->device);
    if (driver->packed)
        dirty_expect(dirty, base + driver->desc, driver->driver - driver->desc);
}

bool dirty_changed(const struct dirty_pages* dirty, u32 page) {
    size_t at = page * DIRTY_PAGE;

    return memcmp(dirty->before + at, dirty->mem->base + at, DIRTY_PAGE) != 0;
}

bool dirty_logged_at(const struct dirty_pages* dirty, u64 guest) {
    u64 bit = guest / DIRTY_PAGE;

    return __atomic_load_n(&dirty->log[bit / 64], __ATOMIC_SEQ_CST) >> bit % 64 & 1;
}

bool dirty_take(struct dirty_pages* dirty, u32 page) {
    u64 bit = dirty->guest / DIRTY_PAGE + page;
    u64 mask = 1ULL << bit % 64;

    return __atomic_fetch_and(&dirty->log[bit / 64], ~mask, __ATOMIC_SEQ_CST) & mask;
}

u32 dirty_logged_pages(const struct dirty_pages* dirty) {
    u32 count = 0;

    for (size_t i = 0; i < dirty->log_bytes / sizeof(u64); i++)
        count += __builtin_popcountll(__atomic_load_n(&dirty->log[i], __ATOMIC_SEQ_CST));
    return count;
}

void dirty_check(const struct dirty_pages* dirty, const char* what) {
    u32 inside = 0;
    u32 all = dirty_logged_pages(dirty);

    for (u32 i = 0; i < dirty->pages; i++) {
        bool changed = dirty_changed(dirty, i);
        bool logged = dirty_logged_at(dirty, dirty->guest + i * DIRTY_PAGE);

        inside += logged;
        check(logged || !changed, "%s: page %u changed and is not logged", what, i);
        check(dirty->expected[i] || !changed, "%s: page %u changed and is nobody's to write", what,
              i);
        check(dirty->expected[i] || !logged, "%s: page %u is logged, where nothing was written",
              what, i);
    }
    check(inside == all, "%s: %u bits outside of guest memory", what, all - inside);
}
