// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a disk may stand on: block devices of several drivers and block sizes,
 * regular files of file systems with direct I/O and without; with several
 * queues, on one worker and on some of their own. Each sector is compared.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "blk_load.h"
#include "tap.h"
#include "tap_output.h"

#define MIBS 32
#define QUEUES 3
#define PART 8192 /* sectors of a queue */
#define MOUNT "/tmp/vtest-mnt"
#define PACKED F_RING_PACKED

/* What it stands on: below it there may be others. */
struct ground {
    struct disk disk;
    struct disk below;
    bool mounted;
    u32 unit;  /* sectors of a logical block */
    u32 flags; /* for open() */
};

struct setting {
    const char* name;
    void (*prepare)(struct ground* ground);
    u64 features;
    u32 workers; /* beside the first */
    u64 without; /* operations, LOAD_... */
};

static void prepare_null(struct ground* ground) {
    struct null_options null = {.mib = MIBS};

    disk_null(&ground->disk, "vtest", &null);
}

/* null_blk with such blocks goes out of a page's bounds where buffers are not aligned like them. */
static void prepare_4k(struct ground* ground) {
    disk_scsi(&ground->disk, MIBS, "delay=0 lbpu=1 sector_size=4096");
    ground->unit = 8;
}

static void prepare_brd(struct ground* ground) {
    disk_brd(&ground->disk, MIBS);
}

static void prepare_scsi(struct ground* ground) {
    disk_scsi(&ground->disk, MIBS, "delay=0 lbpu=1");
}

static void on_file_system(struct ground* ground, const char* type, const char* device) {
    fs_mount(type, device, MOUNT, device ? NULL : "size=64m");
    ground->mounted = true;
    disk_file(&ground->disk, MOUNT "/image", MIBS * MIB);
}

static void prepare_tmpfs(struct ground* ground) {
    on_file_system(ground, "tmpfs", NULL);
}

static void prepare_ext4(struct ground* ground) {
    struct null_options null = {.mib = 2 * MIBS};

    disk_null(&ground->below, "vtest", &null);
    on_file_system(ground, "ext4", ground->below.path);
}

static void prepare_ext4_buffered(struct ground* ground) {
    prepare_ext4(ground);
    ground->flags = 1;
}

/* All blocks are there already. */
static void prepare_ext4_full(struct ground* ground) {
    static u8 zeroes[1 << 16];

    prepare_ext4(ground);
    for (u64 at = 0; at < ground->disk.bytes; at += sizeof(zeroes))
        disk_write(&ground->disk, at, zeroes, sizeof(zeroes));
}

static void prepare_loop(struct ground* ground) {
    struct disk file;

    prepare_ext4(ground);
    file = ground->disk;
    disk_loop(&ground->disk, file.path);
}

static void leave(struct ground* ground) {
    bool loop = ground->disk.kind == DISK_LOOP;

    disk_remove(&ground->disk);
    if (loop)
        unlink(MOUNT "/image");
    if (ground->mounted)
        fs_umount(MOUNT);
    if (ground->below.path[0])
        disk_remove(&ground->below);
}

static void add_workers(struct blk* blk, u32 count) {
    u32 id;

    for (u32 i = 0; i < count; i++) {
        require_ok(vhost_new_worker(&blk->dev, &id));
        require_ok(vhost_attach_worker(&blk->dev, i + 1, id));
    }
}

static void set_buffered(struct blk* blk, bool on) {
    struct vireo_blk_config config;

    require_ok(blk_get_config(blk, &config));
    if (on)
        config.flags |= VIREO_BLK_BUFFERED;
    require_ok(blk_set_config(blk, &config));
}

static void each_sector(const void* arg) {
    const struct setting* setting = arg;
    struct blk_options options = {
        .features = BLK_USUAL | setting->features, .queues = QUEUES, .num = 64, .regions = 3};
    struct ground ground = {.unit = 1};
    struct blk_load loads[QUEUES];
    struct blk_live live;

    setting->prepare(&ground);
    disk_open(&ground.disk, O_RDWR);
    blk_live_open(&live, &ground.disk, &options);
    set_buffered(&live.blk, ground.flags);
    add_workers(&live.blk, setting->workers);
    for (u32 i = 0; i < QUEUES; i++) {
        load_init(&loads[i], &live.blk, i, (u64)i * PART, PART, true);
        loads[i].unit = ground.unit;
        loads[i].most = 24;
        loads[i].operations |= LOAD_DISCARD | LOAD_ZERO;
        loads[i].operations &= ~setting->without;
        load_start(&loads[i]);
    }
    for (u32 i = 0; i < QUEUES; i++)
        load_wait(&loads[i], 600);
    for (u32 i = 0; i < QUEUES; i++)
        load_stop(&loads[i]);
    require_ok(blk_stop(&live.blk));
    for (u32 i = 0; i < QUEUES; i++) {
        load_verify(&loads[i], &ground.disk);
        load_free(&loads[i]);
    }
    blk_live_close(&live);
    leave(&ground);
}

/* A file grows and shrinks; only what is inside at that time counts. */
static void file_of_another_size(const void* arg) {
    static const struct blk_options options = {.features = BLK_USUAL, .num = 64};
    static u8 data[4096];
    struct ground ground = {.unit = 1};
    struct vireo_blk_config config;
    struct blk_live live;

    prepare_tmpfs(&ground);
    disk_open(&ground.disk, O_RDWR);
    blk_live_open(&live, &ground.disk, &options);
    require_ok(blk_get_config(&live.blk, &config));
    check(config.capacity == MIBS * MIB / BLK_SECTOR, "capacity %llu",
          (unsigned long long)config.capacity);

    /* It shrinks under the device: reading what is gone fails or is zeroes, and nothing worse. */
    require(!ftruncate(ground.disk.fd, MIB), "truncate: %s", strerror(errno));
    for (u64 sector = 0; sector < config.capacity; sector += 1021) {
        struct blk_answer answer;

        require_ok(blk_ask(&live.blk.queue[0], VIRTIO_BLK_T_IN, sector, NULL, 0, data, 512, NULL,
                           &answer));
        check(answer.status == VIRTIO_BLK_S_OK || sector >= MIB / BLK_SECTOR,
              "sector %llu: status %u", (unsigned long long)sector, answer.status);
        check(answer.status != VIRTIO_BLK_S_OK || load_sector_is(data, sector, 0),
              "sector %llu is not zero", (unsigned long long)sector);
    }
    require(!ftruncate(ground.disk.fd, 2 * MIBS * MIB), "truncate: %s", strerror(errno));
    expect_answer(&live.blk.queue[0], VIRTIO_BLK_T_OUT, config.capacity, data, 512, NULL, 0, NULL,
                  VIRTIO_BLK_S_IOERR);
    config.capacity *= 2;
    require_ok(blk_set_config(&live.blk, &config));
    expect_answer(&live.blk.queue[0], VIRTIO_BLK_T_OUT, config.capacity - 1, data, 512, NULL, 0,
                  NULL, VIRTIO_BLK_S_OK);
    blk_live_check(&live);
    blk_live_close(&live);
    leave(&ground);
}

/* Zeroing that may unmap gives blocks back; without that it does not. */
static void blocks_given_back(const void* arg) {
    static const struct blk_options options = {.features = BLK_USUAL, .num = 64, .room = 69632};
    static u8 data[65536];
    struct virtio_blk_discard_write_zeroes range = {.num_sectors = 128};
    struct ground ground = {.unit = 1};
    struct blk_live live;
    struct stat full;
    struct stat kept;
    struct stat now;

    prepare_ext4(&ground);
    disk_open(&ground.disk, O_RDWR);
    blk_live_open(&live, &ground.disk, &options);
    memset(data, 0x77, sizeof(data));
    for (u32 i = 0; i < 16; i++)
        expect_answer(&live.blk.queue[0], VIRTIO_BLK_T_OUT, i * 128ULL, data, sizeof(data), NULL, 0,
                      NULL, VIRTIO_BLK_S_OK);
    expect_answer(&live.blk.queue[0], VIRTIO_BLK_T_FLUSH, 0, NULL, 0, NULL, 0, NULL,
                  VIRTIO_BLK_S_OK);
    require(!fstat(ground.disk.fd, &full), "stat");
    expect_answer(&live.blk.queue[0], VIRTIO_BLK_T_WRITE_ZEROES, 0, &range, sizeof(range), NULL, 0,
                  NULL, VIRTIO_BLK_S_OK);
    require(!fstat(ground.disk.fd, &kept), "stat");
    check(kept.st_blocks >= full.st_blocks, "zeroing gave back %ld sectors that it may not",
          (long)(full.st_blocks - kept.st_blocks));
    range.sector = 128;
    range.flags = VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP;
    expect_answer(&live.blk.queue[0], VIRTIO_BLK_T_WRITE_ZEROES, 0, &range, sizeof(range), NULL, 0,
                  NULL, VIRTIO_BLK_S_OK);
    range.sector = 256;
    range.flags = 0;
    expect_answer(&live.blk.queue[0], VIRTIO_BLK_T_DISCARD, 0, &range, sizeof(range), NULL, 0, NULL,
                  VIRTIO_BLK_S_OK);
    require(!fstat(ground.disk.fd, &now), "stat");
    check(kept.st_blocks - now.st_blocks >= 256, "%ld sectors given back, of 256",
          (long)(kept.st_blocks - now.st_blocks));
    for (u64 sector = 0; sector < 256; sector++) {
        expect_answer(&live.blk.queue[0], VIRTIO_BLK_T_IN, sector, NULL, 0, data, 512, NULL,
                      VIRTIO_BLK_S_OK);
        check(load_sector_is(data, sector, 0), "sector %llu is not zero",
              (unsigned long long)sector);
    }
    blk_live_close(&live);
    leave(&ground);
}

static const struct setting settings[] = {
    {"null-split", prepare_null, 0, 0, 0},
    {"null-packed-a-worker-each", prepare_null, PACKED, QUEUES - 1, 0},
    {"blocks-of-4096-split-a-worker-each", prepare_4k, 0, QUEUES - 1, 0},
    {"brd-packed", prepare_brd, PACKED, 1, LOAD_DISCARD},
    {"scsi-debug-split", prepare_scsi, 0, 1, 0},
    {"loop-on-ext4-packed", prepare_loop, PACKED, 0, 0},
    {"file-on-tmpfs-split", prepare_tmpfs, 0, 0, 0},
    {"file-on-ext4-split-a-worker-each", prepare_ext4, 0, QUEUES - 1, 0},
    {"file-on-ext4-allocated-packed", prepare_ext4_full, PACKED, 0, 0},
    {"file-on-ext4-buffered-split", prepare_ext4_buffered, 0, 1, 0},
};

static struct test tests[COUNT(settings) + 2];

int main(int argc, char** argv) {
    u32 n = 0;

    for (; n < COUNT(settings); n++)
        tests[n] = (struct test){settings[n].name, each_sector, &settings[n]};
    tests[n++] = (struct test){"file-of-another-size", file_of_another_size, NULL};
    tests[n++] = (struct test){"blocks-given-back", blocks_given_back, NULL};
    return run_tests(tests, n, argc, argv);
}
