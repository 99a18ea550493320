// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is done before what. A flush is answered when what was written before
 * it is on stable storage: a disk whose cache loses its contents with the power
 * shows it, and one that writes down in which order it was asked. Nothing is
 * answered before it is done, and what is slow delays only itself.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "blk_load.h"
#include "frames.h"
#include "tap.h"
#include "tap_output.h"

#define MIBS 16
#define SECTORS (MIBS * MIB / BLK_SECTOR)
#define FOREVER 3600000 /* milliseconds: until it is released */
#define MOUNT "/tmp/vtest-mnt"
#define OK VIRTIO_BLK_S_OK
#define SLOW 0 /* the queue that waits */
#define FAST 1 /* the one that does not */

static u8 data[65536];

struct world {
    struct disk below;
    struct disk disk;
    struct blk_live live;
    struct blk_queue* slow;
    struct blk_queue* fast;
};

static void open_live(struct world* world, struct disk* disk, u64 features, bool workers) {
    struct blk_options options = {
        .features = features, .queues = 2, .num = 64, .room = 69632, .max_segs = 32};
    u32 id;

    blk_live_open(&world->live, disk, &options);
    world->slow = &world->live.blk.queue[SLOW];
    world->fast = &world->live.blk.queue[FAST];
    if (workers) {
        require_ok(vhost_new_worker(&world->live.blk.dev, &id));
        require_ok(vhost_attach_worker(&world->live.blk.dev, FAST, id));
    }
}

/* Power */

struct power {
    u64 features;
    bool writeback; /* asked for by configuration, where the driver takes part */
    bool flush;     /* the driver flushes */
    bool durable;   /* what it wrote is there afterwards */
};

static void power_cut(const void* arg) {
    const struct power* power = arg;
    struct null_options null = {.mib = MIBS, .cache_mib = 8};
    struct world world = {0};
    struct vireo_blk_config config;
    u32 lost = 0;

    disk_null(&world.disk, "vtest", &null);
    open_live(&world, &world.disk, power->features, false);
    require_ok(blk_get_config(&world.live.blk, &config));
    config.flags &= ~VIREO_BLK_WRITEBACK;
    config.flags |= power->writeback ? VIREO_BLK_WRITEBACK : 0;
    require_ok(blk_set_config(&world.live.blk, &config));
    for (u32 i = 0; i < 64; i++) {
        load_sector(data, i, 1);
        expect_answer(world.slow, VIRTIO_BLK_T_OUT, i, data, 512, NULL, 0, NULL, OK);
    }
    /* By the other queue: a flush is for all of the disk. */
    if (power->flush)
        expect_answer(world.fast, VIRTIO_BLK_T_FLUSH, 0, NULL, 0, NULL, 0, NULL, OK);
    blk_live_close(&world.live);
    close(world.disk.fd);
    world.disk.fd = -1;
    disk_null_power_cycle(&world.disk);
    disk_read(&world.disk, 0, data, 64 * 512);
    for (u32 i = 0; i < 64; i++)
        lost += !load_sector_is(data + i * 512ULL, i, 1);
    if (power->durable)
        check(!lost, "%u of 64 sectors were lost with the power", lost);
    else
        check(lost, "nothing was lost: the disk has no cache, and this test shows nothing");
    disk_remove(&world.disk);
}

/* When the cache is taken away, what was written is there. */
static void power_cut_after_write_through(const void* arg) {
    struct null_options null = {.mib = MIBS, .cache_mib = 8};
    struct world world = {0};
    struct vireo_blk_config config;

    disk_null(&world.disk, "vtest", &null);
    open_live(&world, &world.disk, BLK_USUAL | F_BLK_CONFIG_WCE, false);
    for (u32 i = 0; i < 64; i++) {
        load_sector(data, i, 1);
        expect_answer(world.slow, VIRTIO_BLK_T_OUT, i, data, 512, NULL, 0, NULL, OK);
    }
    require_ok(blk_get_config(&world.live.blk, &config));
    check(config.flags & VIREO_BLK_WRITEBACK, "there is no cache to take away");
    config.flags &= ~VIREO_BLK_WRITEBACK;
    require_ok(blk_set_config(&world.live.blk, &config));
    blk_live_close(&world.live);
    close(world.disk.fd);
    world.disk.fd = -1;
    disk_null_power_cycle(&world.disk);
    disk_read(&world.disk, 0, data, 64 * 512);
    for (u32 i = 0; i < 64; i++)
        check(load_sector_is(data + i * 512ULL, i, 1), "sector %u was lost with the power", i);
    disk_remove(&world.disk);
}

/* What the disk was asked, in its order: the log of dm-log-writes */

#define LOG_MAGIC 0x6a736677736872ULL
#define LOG_FLUSH 1
#define LOG_DISCARD 4

struct log_super {
    __le64 magic;
    __le64 version;
    __le64 nr_entries;
    __le32 sectorsize;
};

struct log_entry {
    __le64 sector;
    __le64 nr_sectors;
    __le64 flags;
    __le64 data_len;
};

struct log_walk {
    const struct disk* disk;
    u64 at; /* bytes */
    u64 left;
};

static void log_begin(struct log_walk* walk, const struct disk* disk) {
    struct log_super super;
    u8 sector[512];

    disk_read(disk, 0, sector, sizeof(sector));
    memcpy(&super, sector, sizeof(super));
    require(super.magic == LOG_MAGIC && super.sectorsize == 512, "there is no log on %s",
            disk->path);
    *walk = (struct log_walk){.disk = disk, .at = 512, .left = super.nr_entries};
}

/* One entry, and the first sector of what was written. */
static bool log_next(struct log_walk* walk, struct log_entry* entry, u8* first) {
    u8 sector[512];

    if (!walk->left)
        return false;
    walk->left--;
    disk_read(walk->disk, walk->at, sector, sizeof(sector));
    memcpy(entry, sector, sizeof(*entry));
    walk->at += 512;
    if (entry->nr_sectors && !(entry->flags & LOG_DISCARD)) {
        disk_read(walk->disk, walk->at, first, 512);
        walk->at += entry->nr_sectors * 512;
    }
    return true;
}

#define WRITES 200

/*
 * Writes with a number each, some in flight at a time, and flushes. What was
 * answered when a flush was made comes before it in the log.
 */
static void log_of_writes(const void* arg) {
    struct null_options null = {.mib = 2 * MIBS};
    struct blk_request* request;
    struct log_entry entry;
    struct log_walk walk;
    struct world world = {0};
    struct disk log;
    u64 state = random_seed();
    u32 before[WRITES]; /* flushes that were made once it was answered */
    u32 flushes = 0;
    u32 answered = 0;
    u32 seen_flushes = 0;
    u32 seen = 0;
    u8 first[512];

    disk_null(&world.below, "vtest", &(struct null_options){.mib = MIBS});
    disk_null(&log, "vtest-log", &null);
    disk_dm(&world.disk, "vtest-writes", "0 %llu log-writes %s %s\n", (unsigned long long)SECTORS,
            world.below.path, log.path);
    open_live(&world, &world.disk, BLK_USUAL, false);
    for (u32 made = 0; answered < WRITES;) {
        if (made < WRITES && made - answered < 16) {
            request = blk_get(world.slow);
            load_sector(data, made, made + 1);
            require_ok(blk_fill(world.slow, request, VIRTIO_BLK_T_OUT, made, data, 512, 0, NULL));
            request->number = made++;
            require_ok(blk_add(world.slow, request, FD_DIRECT));
            blk_show(world.slow);
            continue;
        }
        require(blk_reap_wait(world.slow, &request, WAIT_MS) == 1, "a write is not answered");
        check(blk_status(world.slow, request) == OK, "write %llu failed",
              (unsigned long long)request->number);
        before[request->number] = flushes;
        answered++;
        blk_put(world.slow, request);
        if (!random_below(&state, 12)) {
            expect_answer(world.fast, VIRTIO_BLK_T_FLUSH, 0, NULL, 0, NULL, 0, NULL, OK);
            flushes++;
        }
    }
    expect_answer(world.fast, VIRTIO_BLK_T_FLUSH, 0, NULL, 0, NULL, 0, NULL, OK);
    blk_live_close(&world.live);
    disk_remove(&world.disk);

    log_begin(&walk, &log);
    while (log_next(&walk, &entry, first)) {
        if (entry.nr_sectors) {
            check(entry.sector < WRITES && load_sector_is(first, entry.sector, entry.sector + 1),
                  "sector %llu of the log is nothing that was written",
                  (unsigned long long)entry.sector);
            if (entry.sector < WRITES)
                check(seen_flushes <= before[entry.sector],
                      "write %llu was answered before flush %u was made, and is behind it",
                      (unsigned long long)entry.sector, before[entry.sector]);
            seen++;
        }
        seen_flushes += entry.flags & LOG_FLUSH && !entry.nr_sectors;
    }
    check(seen == WRITES, "%u writes in the log, of %u", seen, WRITES);
    check(seen_flushes == flushes + 1, "%u flushes in the log, of %u", seen_flushes, flushes + 1);
    disk_remove(&log);
    disk_remove(&world.below);
}

/* Slow requests */

struct slow {
    u32 type;
    u32 flags; /* of a range */
    bool one_worker;
};

static void make_slow(struct world* world) {
    /* Without a cache there would be nothing to flush, and nothing to hold back. */
    disk_null(&world->below, "vtest", &(struct null_options){.mib = 2 * MIBS, .cache_mib = 4});
    /* Reads, writes, flushes; nothing is held back yet. */
    disk_dm(&world->disk, "vtest-delay", "0 %llu delay %s 0 0 %s 0 0 %s 0 0\n",
            (unsigned long long)world->below.bytes / 512, world->below.path, world->below.path,
            world->below.path);
}

static void hold_writes(struct world* world) {
    disk_dm_reload(&world->disk, "0 %llu delay %s 0 0 %s 0 %u %s 0 %u\n",
                   (unsigned long long)world->below.bytes / 512, world->below.path,
                   world->below.path, FOREVER, world->below.path, FOREVER);
}

static void hold_reads(struct world* world) {
    disk_dm_reload(&world->disk, "0 %llu delay %s 0 %u %s 0 0 %s 0 0\n",
                   (unsigned long long)world->below.bytes / 512, world->below.path, FOREVER,
                   world->below.path, world->below.path);
}

/* Until the table is another, or is loaded again: all that was held back goes on. */
static void hold_nothing(struct world* world) {
    disk_dm_reload(&world->disk, "0 %llu delay %s 0 0 %s 0 0 %s 0 0\n",
                   (unsigned long long)world->below.bytes / 512, world->below.path,
                   world->below.path, world->below.path);
}

static struct blk_request* make_request(struct blk_queue* queue, u32 type, u64 sector, u32 flags) {
    struct virtio_blk_discard_write_zeroes range = {
        .sector = sector, .num_sectors = 64, .flags = flags};
    struct blk_request* request = blk_get(queue);
    bool ranged = type == VIRTIO_BLK_T_DISCARD || type == VIRTIO_BLK_T_WRITE_ZEROES;
    u32 out = type == VIRTIO_BLK_T_OUT ? 4096 : ranged ? sizeof(range) : 0;

    require_ok(blk_fill(queue, request, type, ranged ? 0 : sector, ranged ? (void*)&range : data,
                        out, type == VIRTIO_BLK_T_IN ? 4096 : 0, NULL));
    require_ok(blk_add(queue, request, FD_DIRECT));
    return request;
}

static void expect_idle(struct blk_queue* queue, const char* what) {
    struct blk_request* request;
    int ret = blk_reap(queue, &request);

    check(!ret, "%s was answered before it was done: %d", what, ret);
}

/* Requests that the disk holds back; others are answered, on the same queue too. */
static void slow_one(const void* arg) {
    const struct slow* slow = arg;
    struct blk_request* held[8];
    struct blk_request* request;
    struct world world = {0};

    make_slow(&world);
    open_live(&world, &world.disk, BLK_USUAL, !slow->one_worker);
    for (u64 sector = 0; sector < 1024; sector += 128)
        expect_answer(world.fast, VIRTIO_BLK_T_OUT, sector, data, sizeof(data), NULL, 0, NULL, OK);
    hold_writes(&world);
    for (u32 i = 0; i < COUNT(held); i++)
        held[i] = make_request(world.slow, slow->type, 64 * (1 + i), slow->flags);
    blk_show(world.slow);
    for (u32 i = 0; i < 40; i++)
        expect_answer(world.fast, VIRTIO_BLK_T_IN, 4096 + i, NULL, 0, data, 4096, NULL, OK);
    expect_idle(world.slow, "what is held back");
    for (u32 i = 0; i < 10; i++)
        expect_answer(world.slow, VIRTIO_BLK_T_IN, 4096 + i, NULL, 0, data, 4096, NULL, OK);
    /* What another queue writes is held back too, and counts. */
    make_request(world.fast, VIRTIO_BLK_T_OUT, 8192, 0);
    blk_show(world.fast);
    usleep(20000);
    expect_idle(world.slow, "what is held back");
    expect_idle(world.fast, "a write that is held back");

    hold_nothing(&world);
    for (u32 i = 0; i < COUNT(held); i++) {
        require(blk_reap_wait(world.slow, &request, WAIT_MS) == 1, "%u requests are not answered",
                (u32)COUNT(held) - i);
        check(blk_status(world.slow, request) == OK, "status %u", blk_status(world.slow, request));
        blk_put(world.slow, request);
    }
    require(blk_reap_wait(world.fast, &request, WAIT_MS) == 1, "a write is not answered");
    blk_put(world.fast, request);
    blk_live_check(&world.live);
    blk_live_close(&world.live);
    disk_remove(&world.disk);
    disk_remove(&world.below);
}

/* Reads that are held back, behind which others go on. */
static void slow_reads(const void* arg) {
    struct blk_request* request;
    struct world world = {0};

    make_slow(&world);
    open_live(&world, &world.disk, BLK_USUAL, false);
    hold_reads(&world);
    for (u32 i = 0; i < 20; i++)
        make_request(world.slow, VIRTIO_BLK_T_IN, i * 8ULL, 0);
    blk_show(world.slow);
    for (u32 i = 0; i < 40; i++)
        expect_answer(world.fast, VIRTIO_BLK_T_OUT, 4096 + i, data, 4096, NULL, 0, NULL, OK);
    expect_answer(world.fast, VIRTIO_BLK_T_FLUSH, 0, NULL, 0, NULL, 0, NULL, OK);
    expect_idle(world.slow, "a read that is held back");
    hold_nothing(&world);
    for (u32 i = 0; i < 20; i++) {
        require(blk_reap_wait(world.slow, &request, WAIT_MS) == 1, "read %u is not answered", i);
        check(blk_status(world.slow, request) == OK, "status %u", blk_status(world.slow, request));
        blk_put(world.slow, request);
    }
    blk_live_check(&world.live);
    blk_live_close(&world.live);
    disk_remove(&world.disk);
    disk_remove(&world.below);
}

/* A frozen file system: writes wait for it to thaw, reads do not, and freezing is not kept waiting.
 */
static void frozen(const void* arg) {
    struct blk_request* request;
    struct world world = {0};
    struct blk_load load;
    struct disk file;

    disk_null(&world.below, "vtest", &(struct null_options){.mib = 2 * MIBS});
    fs_mount("ext4", world.below.path, MOUNT, NULL);
    disk_file(&file, MOUNT "/image", 8 * MIB);
    disk_open(&file, O_RDWR);
    open_live(&world, &file, BLK_USUAL, false);
    load_init(&load, &world.live.blk, SLOW, 0, 4096, true);
    load_start(&load);
    for (u32 round = 0; round < 3; round++) {
        load_wait(&load, 100);
        require_ok(run_command("fsfreeze -f " MOUNT));
        for (u32 i = 0; i < 20; i++)
            expect_answer(world.fast, VIRTIO_BLK_T_IN, 8192 + i, NULL, 0, data, 4096, NULL, OK);
        make_request(world.fast, VIRTIO_BLK_T_OUT, 9000, 0);
        blk_show(world.fast);
        usleep(20000);
        expect_idle(world.fast, "a write to a frozen file system");
        require_ok(run_command("fsfreeze -u " MOUNT));
        require(blk_reap_wait(world.fast, &request, WAIT_MS) == 1, "the write is not answered");
        check(blk_status(world.fast, request) == OK, "status %u", blk_status(world.fast, request));
        blk_put(world.fast, request);
    }
    load_stop(&load);
    require_ok(blk_stop(&world.live.blk));
    load_verify(&load, &file);
    load_free(&load);
    blk_live_close(&world.live);
    disk_remove(&file);
    fs_umount(MOUNT);
    disk_remove(&world.below);
}

/* A driver without FLUSH knows of no cache; one with CONFIG_WCE says what it wants. */
static const struct power powers[] = {
    {.features = BLK_USUAL, .flush = true, .durable = true},
    {.features = BLK_USUAL, .flush = false, .durable = false},
    {.features = BLK_USUAL & ~F_BLK_FLUSH, .flush = false, .durable = true},
    {.features = BLK_USUAL | F_BLK_CONFIG_WCE, .writeback = false, .durable = true},
    {.features = BLK_USUAL | F_BLK_CONFIG_WCE, .writeback = true, .durable = false},
};

static const struct slow write_one = {.type = VIRTIO_BLK_T_OUT, .one_worker = true};
static const struct slow write_two = {.type = VIRTIO_BLK_T_OUT};
static const struct slow discard_one = {.type = VIRTIO_BLK_T_DISCARD, .one_worker = true};
static const struct slow flush_one = {.type = VIRTIO_BLK_T_FLUSH, .one_worker = true};
static const struct slow zero_one = {.type = VIRTIO_BLK_T_WRITE_ZEROES, .one_worker = true};
static const struct slow unmap_one = {.type = VIRTIO_BLK_T_WRITE_ZEROES,
                                      .flags = VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP,
                                      .one_worker = true};

static const struct test tests[] = {
    {"power-cut-flushed", power_cut, &powers[0]},
    {"power-cut-not-flushed", power_cut, &powers[1]},
    {"power-cut-no-flush-feature", power_cut, &powers[2]},
    {"power-cut-write-through", power_cut, &powers[3]},
    {"power-cut-write-back", power_cut, &powers[4]},
    {"power-cut-after-write-through", power_cut_after_write_through, NULL},
    {"log-of-writes", log_of_writes, NULL},
    {"slow-write", slow_one, &write_one},
    {"slow-write-two-workers", slow_one, &write_two},
    {"slow-discard", slow_one, &discard_one},
    {"slow-flush", slow_one, &flush_one},
    {"slow-zeroing", slow_one, &zero_one},
    {"slow-zeroing-unmap", slow_one, &unmap_one},
    {"slow-reads", slow_reads, NULL},
    {"frozen", frozen, NULL},
};

int main(int argc, char** argv) {
    return run_tests(tests, COUNT(tests), argc, argv);
}
