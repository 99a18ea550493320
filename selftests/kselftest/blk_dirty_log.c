// SPDX-License-Identifier: GPL-2.0-only
/*
 * The dirty log of a disk, with memory itself as the oracle: it is compared
 * with what it was before, each page that changed has to be logged, data and
 * status and used ring, and no page that nobody wrote to. The driver writes
 * nothing in between.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "blk_load.h"
#include "dirty_pages.h"
#include "tap_output.h"

#define MIBS 16
#define SECTORS (MIBS * MIB / BLK_SECTOR)
#define FOREVER 3600000
#define ROUND 40 /* requests */

struct world {
    struct disk below;
    struct disk disk;
    struct blk_live live;
    struct blk_queue* queue;
    struct dirty_pages dirty;
};

static const struct blk_shape shapes[] = {
    {.align = 4096},
    {.whole = true},
    {.every = 4096, .align = 4096, .off = 100},
    {.every = 512, .off = 512, .ring = FD_INDIRECT},
    {.every = 1536, .off = 3, .ring = FD_INDIRECT},
    {.in_cuts = {1, 4000, 4095, 4096}, .off = 4000, .align = 4096},
};

/* A disk with something on it everywhere, and a device that is stopped. */
static void open_world(struct world* world, struct blk_options options, bool holding) {
    static u8 data[65536];

    memset(world, 0, sizeof(*world));
    options.num = 256;
    options.room = 40960;
    options.max_segs = 40;
    disk_null(&world->below, "vtest", &(struct null_options){.mib = MIBS});
    for (u64 sector = 0; sector < SECTORS; sector += sizeof(data) / BLK_SECTOR) {
        for (u32 i = 0; i < sizeof(data) / BLK_SECTOR; i++)
            load_sector(data + (size_t)i * BLK_SECTOR, sector + i, 1);
        disk_write(&world->below, sector * BLK_SECTOR, data, sizeof(data));
    }
    if (holding)
        disk_dm(&world->disk, "vtest-log", "0 %llu delay %s 0 0\n", (unsigned long long)SECTORS,
                world->below.path);
    blk_live_open(&world->live, holding ? &world->disk : &world->below, &options);
    world->queue = &world->live.blk.queue[0];
    require_ok(blk_stop(&world->live.blk));
    require_ok(dirty_open(&world->dirty, &world->live.blk.mem, FD_GUEST_BASE));
}

static void close_world(struct world* world) {
    blk_live_close(&world->live);
    dirty_close(&world->dirty);
    if (world->disk.path[0])
        disk_remove(&world->disk);
    disk_remove(&world->below);
}

static void hold(struct world* world, bool on) {
    disk_dm_reload(&world->disk, "0 %llu delay %s 0 %u\n", (unsigned long long)SECTORS,
                   world->below.path, on ? FOREVER : 0);
}

static void log_rings(struct world* world, bool on) {
    for (u32 i = 0; i < world->live.blk.queues; i++) {
        const struct fake_driver* driver = &world->live.blk.queue[i].driver;
        struct vhost_vring_addr addr;

        vhost_ring_addr(i, driver, on ? FD_GUEST_BASE + driver->device : 0, &addr);
        require_ok(vhost_set_addr(&world->live.blk.dev, &addr));
    }
}

static void log_on(struct world* world) {
    struct blk* blk = &world->live.blk;

    require_ok(vhost_set_log_base(&blk->dev, world->dirty.log));
    require_ok(vhost_set_features(&blk->dev, blk->features | F_LOG_ALL));
    log_rings(world, true);
}

static void log_off(struct world* world) {
    struct blk* blk = &world->live.blk;

    require_ok(vhost_set_features(&blk->dev, blk->features));
    log_rings(world, false);
}

/* Requests of all kinds, some of which are refused. */
static struct blk_request* add_request(struct world* world, u32 number) {
    static u8 data[8 * BLK_SECTOR];
    struct virtio_blk_discard_write_zeroes range = {.sector = 9000, .num_sectors = 8};
    bool indirect = world->live.blk.features & F_INDIRECT_DESC;
    struct blk_shape shape = shapes[number % COUNT(shapes)];
    struct blk_request* request = blk_get(world->queue);
    u64 sector = 8ULL * number;
    int ret;

    require(request, "a request");
    if (!indirect)
        shape.ring = FD_DIRECT;
    switch (number % 7) {
        case 3:
            ret = blk_fill(world->queue, request, VIRTIO_BLK_T_OUT, sector, data, sizeof(data), 0,
                           &shape);
            break;
        case 4:
            ret = blk_fill(world->queue, request,
                           number % 2 ? VIRTIO_BLK_T_FLUSH : VIRTIO_BLK_T_GET_ID, 0, NULL, 0,
                           number % 2 ? 0 : 20, &shape);
            break;
        case 5:
            ret = blk_fill(world->queue, request, VIRTIO_BLK_T_WRITE_ZEROES, 0, &range,
                           sizeof(range), 0, &shape);
            break;
        case 6:
            ret = blk_fill(world->queue, request, VIRTIO_BLK_T_IN, SECTORS - 1, NULL, 0,
                           4 * BLK_SECTOR, &shape);
            break;
        default:
            ret = blk_fill(world->queue, request, VIRTIO_BLK_T_IN, sector, NULL, 0,
                           (1 + number % 17) * BLK_SECTOR, &shape);
            break;
    }
    require_ok(ret);
    ret = blk_add(world->queue, request, shape.ring);
    require(!ret, "request %u: %d", number, ret);
    return request;
}

static void expect_request(struct world* world, const struct blk_request* request) {
    for (u32 i = request->nout; i < request->nout + request->nin; i++)
        dirty_expect(&world->dirty, guest_at(&world->live.blk.mem, request->segs[i].addr),
                     request->segs[i].len);
}

/* Without asking for a call, which would be a write. */
static void take_back(struct world* world, u32 count) {
    unsigned long long limit = now_ms() + WAIT_MS;
    struct blk_request* request;

    while (count) {
        int ret = blk_reap(world->queue, &request);

        require(ret >= 0 && now_ms() < limit, "%u requests do not come back", count);
        if (!ret) {
            usleep(200);
            continue;
        }
        blk_put(world->queue, request);
        count--;
    }
}

static void each_change_logged(const void* arg) {
    const u64* features = arg;
    struct world world;

    open_world(&world, (struct blk_options){.features = *features, .regions = 7}, false);
    log_on(&world);
    for (u32 round = 0; round < 6; round++) {
        struct blk_request* requests[ROUND];

        for (u32 i = 0; i < ROUND; i++)
            requests[i] = add_request(&world, round * ROUND + i);
        blk_show(world.queue);
        dirty_begin(&world.dirty);
        dirty_expect_ring(&world.dirty, &world.queue->driver);
        for (u32 i = 0; i < ROUND; i++)
            expect_request(&world, requests[i]);
        require_ok(blk_set_running(&world.live.blk, 0, true));
        take_back(&world, ROUND);
        require_ok(blk_set_running(&world.live.blk, 0, false));
        dirty_check(&world.dirty, "requests");
        check(dirty_logged_pages(&world.dirty) > ROUND, "only %u pages are logged",
              dirty_logged_pages(&world.dirty));
    }
    close_world(&world);
}

/* Pages that only the device writes to. */
static bool is_device_page(const struct world* world, const struct blk_request* const* requests,
                           u32 count, u32 page) {
    const struct fake_driver* driver = &world->queue->driver;

    if (page >= driver->device / DIRTY_PAGE && page < driver->tables / DIRTY_PAGE)
        return true;
    for (u32 i = 0; i < count; i++) {
        const struct blk_request* request = requests[i];
        u32 first = (request->base - world->live.blk.mem.base) / DIRTY_PAGE;

        /* Behind the page of what the device reads. */
        if (page > first && page < first + request->room / DIRTY_PAGE)
            return true;
    }
    return false;
}

/* Some more reads of whole pages, all ready to be shown. */
static void add_reads(struct world* world, const struct blk_request** requests, u32 count) {
    static const struct blk_shape aligned = {.align = 4096};

    for (u32 i = 0; i < count; i++) {
        struct blk_request* request = blk_get(world->queue);

        require(request, "a request");
        require_ok(
            blk_fill(world->queue, request, VIRTIO_BLK_T_IN, 16ULL * i, NULL, 0, 8192, &aligned));
        require_ok(blk_add(world->queue, request, FD_DIRECT));
        requests[i] = request;
    }
}

static void check_round(struct world* world, const struct blk_request* const* requests, u32 count,
                        bool on) {
    u32 changed = 0;

    for (u32 page = 0; page < world->dirty.pages; page++) {
        bool logged = dirty_logged_at(&world->dirty, FD_GUEST_BASE + page * DIRTY_PAGE);
        bool differs = dirty_changed(&world->dirty, page);

        if (!is_device_page(world, requests, count, page))
            continue;
        changed += differs;
        if (on)
            check(logged || !differs, "page %u changed and is not logged", page);
        else
            check(!logged, "page %u is logged, with the log off", page);
    }
    check(changed, "nothing changed");
}

static void toggled_under_load(const void* arg) {
    const u64* features = arg;
    const struct blk_request* requests[2 * ROUND];
    struct world world;

    open_world(&world, (struct blk_options){.features = *features & ~F_INDIRECT_DESC}, false);
    require_ok(blk_set_running(&world.live.blk, 0, true));
    for (u32 round = 0; round < 10; round++) {
        /* The first half is under way when the log is turned over. */
        add_reads(&world, requests, ROUND);
        blk_show(world.queue);
        if (round % 2 == 0)
            log_on(&world);
        else
            log_off(&world);
        take_back(&world, ROUND);
        add_reads(&world, requests, ROUND);
        dirty_begin(&world.dirty);
        blk_show(world.queue);
        take_back(&world, ROUND);
        check_round(&world, requests, ROUND, round % 2 == 0);
    }
    close_world(&world);
}

/* The log comes on, or moves, while the disk has requests: what they write then is in it. */
static void held_while_it_comes_on(const void* arg) {
    const u64* features = arg;
    const struct blk_request* requests[ROUND];
    struct dirty_pages other;
    struct world world;

    open_world(&world, (struct blk_options){.features = *features & ~F_INDIRECT_DESC}, true);
    require_ok(dirty_open(&other, &world.live.blk.mem, FD_GUEST_BASE));
    require_ok(blk_set_running(&world.live.blk, 0, true));
    for (u32 round = 0; round < 3; round++) {
        hold(&world, true);
        add_reads(&world, requests, ROUND);
        blk_show(world.queue);
        if (round == 0)
            log_on(&world);
        if (round == 1)
            require_ok(vhost_set_log_base(&world.live.blk.dev, other.log));
        if (round == 2)
            require_ok(vhost_set_log_base(&world.live.blk.dev, world.dirty.log));
        dirty_begin(&world.dirty);
        dirty_begin(&other);
        hold(&world, false);
        take_back(&world, ROUND);
        check_round(round == 1
                        ? &(struct world){.live = world.live, .queue = world.queue, .dirty = other}
                        : &world,
                    requests, ROUND, true);
    }
    blk_live_close(&world.live);
    dirty_close(&other);
    dirty_close(&world.dirty);
    disk_remove(&world.disk);
    disk_remove(&world.below);
}

/* A log that does not reach over memory is refused, and leaves all as it was. */
static void small_log_refused(const void* arg) {
    const u64 top = 0x7fffffffe000; /* the last page of the address space */
    struct vhost_vring_state on = {.index = 0, .num = 1};
    struct world world;
    struct blk* blk = &world.live.blk;
    u64 features;
    u64 base = top;

    open_world(&world, (struct blk_options){.features = BLK_USUAL}, false);
    features = blk->features | F_LOG_ALL;
    check_ret(vhost_call(&blk->dev, VHOST_SET_LOG_BASE, &base), 0);
    check_ret(vhost_call(&blk->dev, VHOST_SET_FEATURES, &features), 0);
    check_ret(vhost_call(&blk->dev, VIREO_BLK_SET_RUNNING, &on), -EFAULT);
    log_off(&world);
    require_ok(blk_set_running(blk, 0, true));
    check_ret(vhost_call(&blk->dev, VHOST_SET_FEATURES, &features), -EFAULT);
    world.live.disk = &world.below;
    blk_live_check(&world.live);
    close_world(&world);
}

static const u64 split = BLK_USUAL;
static const u64 packed = BLK_USUAL | F_RING_PACKED;
static const u64 plain = BLK_USUAL & ~(F_EVENT_IDX | F_INDIRECT_DESC);

static const struct test tests[] = {
    {"each-change-logged-split", each_change_logged, &split},
    {"each-change-logged-packed", each_change_logged, &packed},
    {"each-change-logged-plain", each_change_logged, &plain},
    {"toggled-under-load-split", toggled_under_load, &split},
    {"toggled-under-load-packed", toggled_under_load, &packed},
    {"held-while-it-comes-on-split", held_while_it_comes_on, &split},
    {"held-while-it-comes-on-packed", held_while_it_comes_on, &packed},
    {"small-log-refused", small_log_refused, NULL},
};

int main(int argc, char** argv) {
    return run_tests(tests, COUNT(tests), argc, argv);
}
