// SPDX-License-Identifier: GPL-2.0-only
/*
 * Disks that fail: all of it, a part, now and then, for want of space, or
 * because they are taken away. What failed is answered so, nothing else is,
 * and the queue goes on.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "blk_load.h"
#include "tap.h"
#include "tap_output.h"

#define MIBS 16
#define SECTORS (MIBS * MIB / BLK_SECTOR)
#define PART 4096 /* sectors */
#define MOUNT "/tmp/vtest-mnt"
#define OK VIRTIO_BLK_S_OK
#define IOERR VIRTIO_BLK_S_IOERR

static u8 data[65536];

struct world {
    struct disk below;
    struct disk disk;
    struct blk_live live;
    struct blk_queue* queue;
};

static const struct blk_options options = {
    .features = BLK_USUAL, .queues = 2, .num = 64, .room = 69632, .max_segs = 32};

static void open_below(struct world* world) {
    struct null_options null = {.mib = MIBS};

    disk_null(&world->below, "vtest", &null);
}

static void open_live(struct world* world) {
    blk_live_open(&world->live, &world->disk, &options);
    world->queue = &world->live.blk.queue[0];
}

static void close_world(struct world* world) {
    blk_live_close(&world->live);
    disk_remove(&world->disk);
    if (world->below.path[0])
        disk_remove(&world->below);
}

static u64 backend_errors(struct world* world) {
    struct vireo_queue_stats stats;

    require_ok(vhost_stats(&world->live.blk.dev, 0, &stats));
    check(!stats.ring_errors && !stats.faults, "the ring was found broken");
    return stats.backend_errors;
}

/* The second half fails. */
static void half_fails(const void* arg) {
    struct virtio_blk_discard_write_zeroes range = {.sector = SECTORS / 2, .num_sectors = 8};
    struct world world = {0};
    const u64 half = SECTORS / 2;

    open_below(&world);
    disk_dm(&world.disk, "vtest-half", "0 %llu linear %s 0\n%llu %llu error\n",
            (unsigned long long)half, world.below.path, (unsigned long long)half,
            (unsigned long long)(SECTORS - half));
    open_live(&world);
    memset(data, 0x31, sizeof(data));
    for (u32 round = 0; round < 50; round++) {
        expect_answer(world.queue, VIRTIO_BLK_T_OUT, half + round, data, 4096, NULL, 0, NULL,
                      IOERR);
        expect_answer(world.queue, VIRTIO_BLK_T_IN, half + round, NULL, 0, data, 4096, NULL, IOERR);
        /* Into both halves: it fails as a whole. */
        expect_answer(world.queue, VIRTIO_BLK_T_OUT, half - 4, data, 4096, NULL, 0,
                      &(struct blk_shape){.every = 512}, IOERR);
        memset(data, round, sizeof(data));
        expect_answer(world.queue, VIRTIO_BLK_T_OUT, half - 16, data, 4096, NULL, 0, NULL, OK);
        memset(data, 0xff, sizeof(data));
        expect_answer(world.queue, VIRTIO_BLK_T_IN, half - 16, NULL, 0, data, 4096, NULL, OK);
        check(data[0] == round && data[4095] == round, "round %u: %u is read", round, data[0]);
    }
    check(backend_errors(&world) == 150, "%llu errors counted, of 150",
          (unsigned long long)backend_errors(&world));
    expect_answer(world.queue, VIRTIO_BLK_T_WRITE_ZEROES, 0, &range, sizeof(range), NULL, 0, NULL,
                  IOERR);
    blk_live_check(&world.live);
    close_world(&world);
}

static void all_fails(const void* arg) {
    struct virtio_blk_discard_write_zeroes range = {.num_sectors = 8};
    struct world world = {0};
    struct blk_load load;

    disk_dm(&world.disk, "vtest-error", "0 %llu error\n", (unsigned long long)SECTORS);
    open_live(&world);
    expect_answer(world.queue, VIRTIO_BLK_T_IN, 0, NULL, 0, data, 512, NULL, IOERR);
    expect_answer(world.queue, VIRTIO_BLK_T_OUT, 0, data, 512, NULL, 0, NULL, IOERR);
    expect_answer(world.queue, VIRTIO_BLK_T_WRITE_ZEROES, 0, &range, sizeof(range), NULL, 0, NULL,
                  IOERR);
    load_init(&load, &world.live.blk, 1, 0, 1024, true);
    /* It has no cache: there is nothing that could fail to be flushed. */
    load.operations = LOAD_READ | LOAD_WRITE;
    load.errors = true;
    load_run(&load, 500);
    check(load.failed == load.done, "%llu of %llu requests failed", (unsigned long long)load.failed,
          (unsigned long long)load.done);
    load_free(&load);
    close_world(&world);
}

/* Fails and works by turns, under load: what is answered OK is there. */
static void now_and_then(const void* arg) {
    const char* feature = arg;
    struct world world = {0};
    struct blk_load loads[2];

    open_below(&world);
    disk_dm(&world.disk, "vtest-flakey", "0 %llu linear %s 0\n", (unsigned long long)SECTORS,
            world.below.path);
    open_live(&world);
    for (u32 i = 0; i < 2; i++) {
        load_init(&loads[i], &world.live.blk, i, (u64)i * PART, PART, true);
        loads[i].errors = true;
        load_start(&loads[i]);
    }
    for (u32 round = 0; round < 4; round++) {
        /* Never up, that is down all the time. */
        disk_dm_reload(&world.disk, "0 %llu flakey %s 0 0 3600 %s\n", (unsigned long long)SECTORS,
                       world.below.path, feature);
        for (u32 i = 0; i < 2; i++)
            load_wait(&loads[i], 60);
        disk_dm_reload(&world.disk, "0 %llu linear %s 0\n", (unsigned long long)SECTORS,
                       world.below.path);
        for (u32 i = 0; i < 2; i++)
            load_wait(&loads[i], 60);
    }
    for (u32 i = 0; i < 2; i++) {
        load_stop(&loads[i]);
        check(loads[i].failed && loads[i].failed < loads[i].done, "%llu of %llu requests failed",
              (unsigned long long)loads[i].failed, (unsigned long long)loads[i].done);
    }
    for (u32 i = 0; i < 2; i++) {
        load_verify(&loads[i], &world.disk);
        load_free(&loads[i]);
    }
    blk_live_check(&world.live);
    close_world(&world);
}

/* A file that may grow, on a file system that is full. */
static void no_space(const void* arg) {
    const char* type = arg;
    bool tmpfs = !strcmp(type, "tmpfs");
    struct world world = {0};
    struct blk_answer answer;
    u32 good = 0;
    u32 bad = 0;

    if (!tmpfs)
        open_below(&world);
    fs_mount(type, tmpfs ? NULL : world.below.path, MOUNT, tmpfs ? "size=4m" : NULL);
    disk_file(&world.disk, MOUNT "/image", 64 * MIB);
    disk_open(&world.disk, O_RDWR);
    open_live(&world);
    for (u32 i = 0; i < 64 * MIB / sizeof(data); i++) {
        memset(data, 1 + i % 250, sizeof(data));
        require_ok(blk_ask(world.queue, VIRTIO_BLK_T_OUT, i * (sizeof(data) / BLK_SECTOR), data,
                           sizeof(data), NULL, 0, NULL, &answer));
        good += answer.status == OK;
        bad += answer.status == IOERR;
        check(answer.status == OK || answer.status == IOERR, "write %u: status %u", i,
              answer.status);
    }
    check(good > 8 && bad > 8, "%u writes went well, and %u not", good, bad);
    /* What is there can be read, and written again. */
    for (u32 i = 0; i < 8; i++) {
        expect_answer(world.queue, VIRTIO_BLK_T_IN, i * (sizeof(data) / BLK_SECTOR), NULL, 0, data,
                      sizeof(data), NULL, OK);
        check(data[0] == 1 + i % 250 && data[65535] == data[0], "write %u: %u is read", i, data[0]);
        expect_answer(world.queue, VIRTIO_BLK_T_OUT, i * (sizeof(data) / BLK_SECTOR), data,
                      sizeof(data), NULL, 0, NULL, OK);
    }
    expect_answer(world.queue, VIRTIO_BLK_T_FLUSH, 0, NULL, 0, NULL, 0, NULL, OK);
    blk_live_close(&world.live);
    disk_remove(&world.disk);
    fs_umount(MOUNT);
    if (!tmpfs)
        disk_remove(&world.below);
}

/* Taken away while requests are under way. */
static void unplugged(const void* arg) {
    struct world world = {0};
    struct blk_load loads[2];

    disk_scsi(&world.disk, MIBS, "delay=1");
    open_live(&world);
    for (u32 i = 0; i < 2; i++) {
        load_init(&loads[i], &world.live.blk, i, (u64)i * PART, PART, true);
        loads[i].errors = true;
        load_start(&loads[i]);
        load_wait(&loads[i], 50);
    }
    disk_scsi_unplug(&world.disk);
    for (u32 i = 0; i < 2; i++)
        load_wait(&loads[i], 200);
    for (u32 i = 0; i < 2; i++)
        load_stop(&loads[i]);
    check(loads[0].failed && loads[1].failed, "requests to a disk that is gone go well");
    expect_answer(world.queue, VIRTIO_BLK_T_IN, 0, NULL, 0, data, 512, NULL, IOERR);
    expect_answer(world.queue, VIRTIO_BLK_T_OUT, 0, data, 512, NULL, 0, NULL, IOERR);
    expect_answer(world.queue, VIRTIO_BLK_T_FLUSH, 0, NULL, 0, NULL, 0, NULL, IOERR);
    for (u32 i = 0; i < 2; i++)
        load_free(&loads[i]);
    /* Another takes its place. */
    require_ok(blk_stop(&world.live.blk));
    open_below(&world);
    disk_open(&world.below, O_RDWR);
    require_ok(blk_start(&world.live.blk, world.below.fd));
    world.live.disk = &world.below;
    blk_live_check(&world.live);
    close_world(&world);
}

/* An aborted disk: scsi_debug gives medium errors in the middle of it. */
static void medium_errors(const void* arg) {
    /* scsi_debug's "medium error": 10 sectors from 0x1234 on cannot be read. */
    const u64 bad = 0x1234;
    struct world world = {0};

    disk_scsi(&world.disk, MIBS, "delay=0 opts=2");
    open_live(&world);
    for (u32 round = 0; round < 3; round++) {
        expect_answer(world.queue, VIRTIO_BLK_T_IN, bad, NULL, 0, data, 512, NULL, IOERR);
        expect_answer(world.queue, VIRTIO_BLK_T_IN, bad - 8, NULL, 0, data, 8192, NULL, IOERR);
        expect_answer(world.queue, VIRTIO_BLK_T_IN, bad - 8, NULL, 0, data, 4096, NULL, OK);
        expect_answer(world.queue, VIRTIO_BLK_T_IN, bad + 10, NULL, 0, data, 4096, NULL, OK);
    }
    check(backend_errors(&world) == 6, "%llu errors counted, of 6",
          (unsigned long long)backend_errors(&world));
    blk_live_check(&world.live);
    close_world(&world);
}

static const struct test tests[] = {
    {"half-fails", half_fails, NULL},       {"all-fails", all_fails, NULL},
    {"now-and-then-all", now_and_then, ""}, {"now-and-then-writes", now_and_then, "1 error_writes"},
    {"no-space-tmpfs", no_space, "tmpfs"},  {"no-space-ext4", no_space, "ext4"},
    {"unplugged", unplugged, NULL},         {"medium-errors", medium_errors, NULL},
};

int main(int argc, char** argv) {
    return run_tests(tests, COUNT(tests), argc, argv);
}
