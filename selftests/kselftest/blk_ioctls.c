// SPDX-License-Identifier: GPL-2.0-only
/*
 * The calls that /dev/vireo-blk adds to those of <linux/vhost.h>, with good
 * arguments and bad ones, in order and out of it. A refused call leaves the
 * device as it was, which requests afterwards show.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "blk_load.h"
#include "tap.h"
#include "tap_output.h"

#define MIBS 16
#define OK VIRTIO_BLK_S_OK
#define IOERR VIRTIO_BLK_S_IOERR
#define WHERE "/tmp/vtest-ioctls"

static u8 data[65536];

static int set_disk(const struct blk* blk, int fd) {
    return vhost_call(&blk->dev, VIREO_BLK_SET_DISK, &fd);
}

static int set_running(const struct blk* blk, u32 index, u32 num) {
    struct vhost_vring_state state = {.index = index, .num = num};

    return vhost_call(&blk->dev, VIREO_BLK_SET_RUNNING, &state);
}

static int get_config(const struct blk* blk, struct vireo_blk_config* config, u32 size) {
    memset(config, 0xaa, sizeof(*config));
    config->size = size;
    return vhost_call(&blk->dev, VIREO_BLK_GET_CONFIG, config);
}

static int set_config(const struct blk* blk, const struct vireo_blk_config* config) {
    struct vireo_blk_config copy = *config;

    return vhost_call(&blk->dev, VIREO_BLK_SET_CONFIG, &copy);
}

static void open_null(struct disk* disk, u32 block_size) {
    struct null_options null = {.mib = MIBS, .block_size = block_size};

    disk_null(disk, "vtest", &null);
    disk_open(disk, O_RDWR | O_DIRECT);
}

static void open_live(struct blk_live* live, struct disk* disk) {
    static const struct blk_options options = {.features = BLK_USUAL, .queues = 2, .num = 64};

    open_null(disk, 0);
    blk_live_open(live, disk, &options);
}

static void close_live(struct blk_live* live) {
    blk_live_check(live);
    blk_live_close(live);
    disk_remove(live->disk);
}

/* Who may call, and when */

static void before_the_owner(const void* arg) {
    struct vireo_blk_config config = {.size = sizeof(config)};
    struct blk blk = {.mem_fd = NO_FD};
    struct disk disk;

    open_null(&disk, 0);
    require_ok(vhost_open(&blk.dev, blk_path()));
    check_ret(set_disk(&blk, disk.fd), -EPERM);
    check_ret(set_running(&blk, 0, 1), -EPERM);
    check_ret(set_running(&blk, 0, 0), -EPERM);
    check_ret(set_config(&blk, &config), -EPERM);
    check_ret(get_config(&blk, &config, sizeof(config)), -ENODEV);
    check_ret(vhost_call(&blk.dev, _IO(VIREO_IOCTL, 0xee), NULL), -EPERM);
    require_ok(vhost_set_owner(&blk.dev));
    check(vhost_call(&blk.dev, _IO(VIREO_IOCTL, 0xee), NULL) < 0, "an unknown call works");
    /* What other devices of Vireo and of vhost have. */
    check(
        vhost_call(&blk.dev, VHOST_NET_SET_BACKEND, &(struct vhost_vring_file){.fd = disk.fd}) < 0,
        "NET_SET_BACKEND works");
    vhost_close(&blk.dev);
    disk_remove(&disk);
}

static void without_a_disk(const void* arg) {
    static const struct blk_options options = {.features = BLK_USUAL, .num = 64};
    struct vireo_blk_config config;
    struct blk_live live = {0};
    struct disk disk;

    open_null(&disk, 0);
    require_ok(blk_open(&live.blk, &options));
    check_ret(get_config(&live.blk, &config, sizeof(config)), -ENODEV);
    config.size = sizeof(config);
    check_ret(set_config(&live.blk, &config), -ENODEV);
    check_ret(set_running(&live.blk, 0, 1), -ENODEV);
    check_ret(set_running(&live.blk, 0, 0), 0);
    check_ret(set_running(&live.blk, VIREO_BLK_ALL_QUEUES, 0), 0);
    check_ret(set_disk(&live.blk, NO_FD), 0);

    /* There, and gone, and there. */
    check_ret(set_disk(&live.blk, disk.fd), 0);
    check_ret(get_config(&live.blk, &config, sizeof(config)), 0);
    check_ret(set_disk(&live.blk, NO_FD), 0);
    check_ret(get_config(&live.blk, &config, sizeof(config)), -ENODEV);
    check_ret(set_running(&live.blk, 0, 1), -ENODEV);
    live.disk = &disk;
    require_ok(blk_start(&live.blk, disk.fd));
    close_live(&live);
}

/* The queues have not been set up, or not well. */
static void before_the_rings(const void* arg) {
    struct vhost_vring_addr addr = {0};
    struct blk blk = {.mem_fd = NO_FD};
    struct disk disk;

    open_null(&disk, 0);
    require_ok(vhost_open(&blk.dev, blk_path()));
    require_ok(vhost_set_owner(&blk.dev));
    check_ret(set_disk(&blk, disk.fd), 0);
    check(set_running(&blk, 0, 1) < 0, "a queue without a ring is live");
    require_ok(vhost_set_features(&blk.dev, BLK_USUAL));
    require_ok(vhost_set_num(&blk.dev, 0, 64));
    require_ok(vhost_set_addr(&blk.dev, &addr));
    check_ret(set_running(&blk, 0, 1), -EFAULT);
    vhost_close(&blk.dev);
    disk_remove(&disk);
}

static void features(const void* arg) {
    const u64 wanted = BLK_USUAL | F_RING_PACKED | F_LOG_ALL | F_BLK_CONFIG_WCE | F_BLK_RO |
                       F_BIT(VIRTIO_BLK_F_BLK_SIZE) | F_BIT(VIRTIO_BLK_F_TOPOLOGY) |
                       F_BIT(VIRTIO_BLK_F_SEG_MAX) | F_BIT(VIRTIO_BLK_F_SIZE_MAX);
    struct vhost_dev dev;
    u64 offered;
    u64 other;

    require_ok(vhost_open(&dev, blk_path()));
    require_ok(vhost_get_features(&dev, &offered));
    check((offered & wanted) == wanted, "%#llx is not offered",
          (unsigned long long)(wanted & ~offered));
    require_ok(vhost_set_owner(&dev));
    for (u32 bit = 0; bit < 64; bit++) {
        other = F_VERSION_1 | F_BIT(bit);
        check_ret(vhost_call(&dev, VHOST_SET_FEATURES, &other),
                  offered & F_BIT(bit) ? 0 : -EOPNOTSUPP);
    }
    vhost_close(&dev);
}

/* The disk */

static void other_files(const void* arg) {
    const u64 size = MIB;
    struct blk_live live;
    struct disk disk;
    struct disk file;
    int pair[2];
    int fds[12];
    int n = 0;

    open_live(&live, &disk);
    require_ok(blk_stop(&live.blk));
    disk_file(&file, WHERE, size);

    fds[n++] = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    fds[n++] = open("/dev/null", O_RDWR | O_CLOEXEC);
    fds[n++] = eventfd(0, EFD_CLOEXEC);
    fds[n++] = live.blk.dev.fd;
    fds[n++] = file.fd = open(WHERE, O_RDWR | O_APPEND | O_CLOEXEC);
    require(!pipe(pair), "a pipe");
    fds[n++] = pair[0];
    fds[n++] = pair[1];
    require(!socketpair(AF_UNIX, SOCK_STREAM, 0, pair), "sockets");
    fds[n++] = pair[0];
    for (int i = 0; i < n; i++) {
        int ret = set_disk(&live.blk, fds[i]);

        check(ret == -EINVAL || ret == -EBADF, "file %d: %d", i, ret);
    }
    check_ret(set_disk(&live.blk, 1000), -EBADF);
    check_ret(set_disk(&live.blk, -2), -EBADF);
    check_ret(set_disk(&live.blk, open(WHERE, O_WRONLY | O_CLOEXEC)), -EBADF);
    check_ret(set_disk(&live.blk, open(WHERE, O_PATH | O_CLOEXEC)), -EBADF);
    check_ret(vhost_call(&live.blk.dev, VIREO_BLK_SET_DISK, NULL), -EFAULT);

    /* What was there is there. */
    for (u32 i = 0; i < live.blk.queues; i++)
        require_ok(blk_set_running(&live.blk, i, true));
    close_live(&live);
    disk_remove(&file);
}

static void disk_of_a_live_queue(const void* arg) {
    struct blk_live live;
    struct disk disk;

    open_live(&live, &disk);
    check_ret(set_disk(&live.blk, disk.fd), -EBUSY);
    check_ret(set_disk(&live.blk, NO_FD), -EBUSY);
    require_ok(blk_set_running(&live.blk, 0, false));
    check_ret(set_disk(&live.blk, disk.fd), -EBUSY);
    require_ok(blk_set_running(&live.blk, 1, false));
    check_ret(set_disk(&live.blk, disk.fd), 0);
    require_ok(blk_start(&live.blk, disk.fd));

    /* The caller's file is not needed any more. */
    close(disk.fd);
    disk.fd = -1;
    close_live(&live);
}

static void another_disk(const void* arg) {
    struct blk_live live;
    struct disk disk;
    struct disk file;

    open_live(&live, &disk);
    disk_file(&file, WHERE, 4 * MIB);
    for (u32 round = 0; round < 6; round++) {
        require_ok(blk_stop(&live.blk));
        live.disk = round % 2 ? &disk : &file;
        disk_open(live.disk, O_RDWR);
        require_ok(blk_start(&live.blk, live.disk->fd));
        blk_live_check(&live);
    }
    check(live.disk == &disk, "the last disk is the device");
    close_live(&live);
    disk_remove(&file);
}

/* The configuration */

static void config_of_a_device(const void* arg) {
    static const u32 blocks[] = {512, 4096};
    struct vireo_blk_config config;

    for (u32 i = 0; i < COUNT(blocks); i++) {
        static const struct blk_options options = {.features = BLK_USUAL, .num = 64};
        struct disk disk;
        struct blk blk;

        open_null(&disk, blocks[i]);
        require_ok(blk_open(&blk, &options));
        require_ok(blk_set_disk(&blk, disk.fd));
        check_ret(get_config(&blk, &config, sizeof(config)), 0);
        check(config.size == sizeof(config), "size %u", config.size);
        check(config.capacity == MIBS * MIB / BLK_SECTOR, "capacity %llu",
              (unsigned long long)config.capacity);
        check(config.logical_block_size == blocks[i], "logical block %u",
              config.logical_block_size);
        check(config.physical_block_size >= blocks[i], "physical block %u",
              config.physical_block_size);
        check(!(config.flags & VIREO_BLK_READ_ONLY), "read-only");
        check(config.flags & VIREO_BLK_WRITEBACK, "not write-back");
        check(!(config.flags & VIREO_BLK_BUFFERED), "a device that is buffered");
        check(config.seg_max && config.seg_max <= 1022 && config.size_max >= 4096,
              "%u segments of %u bytes", config.seg_max, config.size_max);
        check(config.num_queues == VIREO_BLK_QUEUES, "%u queues", config.num_queues);
        check(config.max_discard_sectors && config.max_discard_seg, "no discard");
        check(config.max_write_zeroes_sectors && config.max_write_zeroes_seg, "no write-zeroes");
        for (u32 k = 0; k < sizeof(config.serial); k++)
            check(!config.serial[k], "a serial number out of nothing");
        blk_close(&blk);
        disk_remove(&disk);
    }
}

/* Shorter and longer than what the kernel knows. */
static void config_sizes(const void* arg) {
    struct {
        struct vireo_blk_config config;
        u8 more[64];
    } large;
    struct vireo_blk_config* config = &large.config;
    struct blk_live live;
    struct disk disk;

    open_live(&live, &disk);
    memset(&large, 0xaa, sizeof(large));
    for (u32 size = 0; size < 8; size++)
        check_ret(get_config(&live.blk, config, size), -EINVAL);
    check_ret(get_config(&live.blk, config, 8), 0);
    check(config->size == 8 && config->capacity == 0xaaaaaaaaaaaaaaaaULL,
          "8 bytes: size %u, capacity %#llx", config->size, (unsigned long long)config->capacity);
    check_ret(get_config(&live.blk, config, sizeof(large)), 0);
    check(config->size == sizeof(*config), "of %zu bytes %u are filled", sizeof(large),
          config->size);

    /* Appended fields: none, then something. */
    memset(large.more, 0, sizeof(large.more));
    config->size = sizeof(large);
    check_ret(vhost_call(&live.blk.dev, VIREO_BLK_SET_CONFIG, &large), 0);
    large.more[17] = 1;
    check_ret(vhost_call(&live.blk.dev, VIREO_BLK_SET_CONFIG, &large), -E2BIG);
    config->size = 7;
    check_ret(vhost_call(&live.blk.dev, VIREO_BLK_SET_CONFIG, &large), -EINVAL);
    config->size = ~0U;
    check(vhost_call(&live.blk.dev, VIREO_BLK_SET_CONFIG, &large) < 0, "4 GiB of configuration");
    check_ret(vhost_call(&live.blk.dev, VIREO_BLK_SET_CONFIG, NULL), -EFAULT);
    check_ret(vhost_call(&live.blk.dev, VIREO_BLK_GET_CONFIG, NULL), -EFAULT);

    /* Flags alone: the rest stays. */
    config->size = 8;
    config->flags |= VIREO_BLK_READ_ONLY;
    config->capacity = 1;
    check_ret(vhost_call(&live.blk.dev, VIREO_BLK_SET_CONFIG, config), 0);
    check_ret(get_config(&live.blk, config, sizeof(*config)), 0);
    check(config->flags & VIREO_BLK_READ_ONLY, "read-only did not come on");
    check(config->capacity == MIBS * MIB / BLK_SECTOR, "capacity %llu",
          (unsigned long long)config->capacity);
    config->size = 8;
    config->flags &= ~VIREO_BLK_READ_ONLY;
    check_ret(vhost_call(&live.blk.dev, VIREO_BLK_SET_CONFIG, config), 0);
    close_live(&live);
}

static void config_that_is_refused(const void* arg) {
    struct vireo_blk_config before;
    struct vireo_blk_config after;
    struct vireo_blk_config config;
    struct blk_live live;
    struct disk disk;

    open_live(&live, &disk);
    require_ok(get_config(&live.blk, &before, sizeof(before)));
#define REFUSED(field, value)                               \
    do {                                                    \
        config = before;                                    \
        config.field = (value);                             \
        check_ret(set_config(&live.blk, &config), -EINVAL); \
    } while (0)
    REFUSED(capacity, before.capacity + 1);
    REFUSED(capacity, ~0ULL);
    REFUSED(capacity, 1ULL << 55);
    REFUSED(logical_block_size, 256);
    REFUSED(logical_block_size, 0);
    REFUSED(logical_block_size, 513);
    REFUSED(logical_block_size, 1536);
    REFUSED(logical_block_size, 8192);
    REFUSED(logical_block_size, 1U << 31);
    REFUSED(flags, before.flags | 1U << 31);
    REFUSED(flags, before.flags | VIREO_BLK_BUFFERED);
    REFUSED(max_discard_sectors, before.max_discard_sectors + 1);
    REFUSED(max_discard_seg, before.max_discard_seg + 1);
    REFUSED(max_write_zeroes_sectors, before.max_write_zeroes_sectors + 1);
    REFUSED(max_write_zeroes_seg, before.max_write_zeroes_seg + 1);
    require_ok(get_config(&live.blk, &after, sizeof(after)));
    check(!memcmp(&before, &after, sizeof(before)), "a refused configuration is in force");
    close_live(&live);
}

static void config_is_obeyed(const void* arg) {
    struct virtio_blk_discard_write_zeroes ranges[2] = {{.num_sectors = 8}, {.num_sectors = 8}};
    struct vireo_blk_config config;
    struct vireo_blk_config small;
    struct blk_queue* queue;
    struct blk_live live;
    struct disk disk;

    open_live(&live, &disk);
    queue = &live.blk.queue[1];
    require_ok(get_config(&live.blk, &config, sizeof(config)));

    /* While it is live. */
    small = config;
    small.capacity = 100;
    check_ret(set_config(&live.blk, &small), 0);
    expect_answer(queue, VIRTIO_BLK_T_OUT, 99, data, 512, NULL, 0, NULL, OK);
    expect_answer(queue, VIRTIO_BLK_T_OUT, 100, data, 512, NULL, 0, NULL, IOERR);
    expect_answer(queue, VIRTIO_BLK_T_IN, 99, NULL, 0, NULL, 1024, NULL, IOERR);
    check_ret(set_config(&live.blk, &config), 0);
    expect_answer(queue, VIRTIO_BLK_T_OUT, 100, data, 512, NULL, 0, NULL, OK);

    small = config;
    small.flags |= VIREO_BLK_READ_ONLY;
    check_ret(set_config(&live.blk, &small), 0);
    expect_answer(queue, VIRTIO_BLK_T_OUT, 0, data, 512, NULL, 0, NULL, IOERR);
    expect_answer(queue, VIRTIO_BLK_T_IN, 0, NULL, 0, NULL, 512, NULL, OK);
    check_ret(set_config(&live.blk, &config), 0);

    small = config;
    small.logical_block_size = 4096;
    check_ret(set_config(&live.blk, &small), 0);
    expect_answer(queue, VIRTIO_BLK_T_OUT, 8, data, 4096, NULL, 0, NULL, OK);
    expect_answer(queue, VIRTIO_BLK_T_OUT, 9, data, 4096, NULL, 0, NULL, IOERR);
    expect_answer(queue, VIRTIO_BLK_T_IN, 8, NULL, 0, NULL, 512, NULL, IOERR);
    check_ret(set_config(&live.blk, &config), 0);

    small = config;
    small.max_discard_seg = 1;
    small.max_discard_sectors = 7;
    small.max_write_zeroes_seg = 1;
    small.max_write_zeroes_sectors = 7;
    check_ret(set_config(&live.blk, &small), 0);
    for (u32 type = VIRTIO_BLK_T_DISCARD; type <= VIRTIO_BLK_T_WRITE_ZEROES; type += 2) {
        ranges[0].num_sectors = 8;
        expect_answer(queue, type, 0, ranges, 16, NULL, 0, NULL, IOERR);
        ranges[0].num_sectors = 7;
        expect_answer(queue, type, 0, ranges, 16, NULL, 0, NULL, OK);
        ranges[1].num_sectors = 7;
        expect_answer(queue, type, 0, ranges, 32, NULL, 0, NULL, IOERR);
    }
    check_ret(set_config(&live.blk, &config), 0);
    close_live(&live);
}

static void read_only_stays(const void* arg) {
    static const struct blk_options options = {.features = BLK_USUAL, .num = 64};
    struct vireo_blk_config config;
    struct disk disk;
    struct blk blk;

    open_null(&disk, 0);
    disk_open(&disk, O_RDONLY);
    require_ok(blk_open(&blk, &options));
    require_ok(blk_set_disk(&blk, disk.fd));
    check_ret(get_config(&blk, &config, sizeof(config)), 0);
    check(config.flags & VIREO_BLK_READ_ONLY, "a read-only fd makes a disk that is not");
    check(!config.max_write_zeroes_sectors, "a read-only disk that is zeroed");
    check_ret(set_config(&blk, &config), 0);
    config.flags &= ~VIREO_BLK_READ_ONLY;
    check_ret(set_config(&blk, &config), -EROFS);
    blk_close(&blk);
    disk_remove(&disk);
}

/* Running */

static void queues(const void* arg) {
    struct blk_live live;
    struct disk disk;

    open_live(&live, &disk);
    check_ret(set_running(&live.blk, VIREO_BLK_QUEUES, 1), -ENOBUFS);
    check_ret(set_running(&live.blk, VIREO_BLK_QUEUES, 0), -ENOBUFS);
    check_ret(set_running(&live.blk, VIREO_BLK_ALL_QUEUES - 1, 0), -ENOBUFS);
    check_ret(set_running(&live.blk, VIREO_BLK_ALL_QUEUES, 1), -EINVAL);
    check_ret(set_running(&live.blk, 0, 2), -EINVAL);
    check_ret(set_running(&live.blk, 0, ~0U), -EINVAL);
    check_ret(vhost_call(&live.blk.dev, VIREO_BLK_SET_RUNNING, NULL), -EFAULT);
    check(set_running(&live.blk, 2, 1) < 0, "a queue without a ring is live");
    check_ret(set_running(&live.blk, 0, 1), 0);
    blk_live_check(&live);
    for (u32 round = 0; round < 3; round++) {
        check_ret(set_running(&live.blk, 0, 0), 0);
        check_ret(set_running(&live.blk, 0, 0), 0);
        check_ret(set_running(&live.blk, 0, 1), 0);
    }
    close_live(&live);
}

/* Where a stopped queue stands is where it goes on. */
static void goes_on(const void* arg) {
    const u64* bits = arg;
    struct blk_options options = {.features = BLK_USUAL | *bits, .queues = 2, .num = 64};
    struct blk_live live;
    struct blk_load load;
    struct disk disk;

    open_null(&disk, 0);
    blk_live_open(&live, &disk, &options);
    load_init(&load, &live.blk, 1, 0, 1024, true);
    for (u32 round = 0; round < 20; round++) {
        u32 base;

        load_run(&load, 33);
        require_ok(blk_set_running(&live.blk, 1, false));
        require_ok(vhost_get_base(&live.blk.dev, 1, &base));
        check(base == vhost_driver_base(&live.blk.queue[1].driver),
              "the queue stands at %#x, its driver at %#x", base,
              vhost_driver_base(&live.blk.queue[1].driver));
        require_ok(vhost_set_base(&live.blk.dev, 1, base));
        require_ok(blk_set_running(&live.blk, 1, true));
    }
    load_verify(&load, &disk);
    load_free(&load);
    close_live(&live);
}

static void reset_owner(const void* arg) {
    int back;
    struct vireo_blk_config config;
    struct blk_live live;
    struct blk_load load;
    struct disk disk;

    open_live(&live, &disk);
    load_init(&load, &live.blk, 0, 0, 1024, true);
    load_run(&load, 50);
    load_leave(&load);
    /* What was begun is given back, what was not stays in the ring. */
    require_ok(vhost_reset_owner(&live.blk.dev));
    for (struct blk_request* request; (back = blk_reap(&live.blk.queue[0], &request)) > 0;)
        check(blk_status(&live.blk.queue[0], request) == OK, "a request failed");
    check(!back, "the ring is broken");
    load_free(&load);
    check_ret(get_config(&live.blk, &config, sizeof(config)), -ENODEV);
    check_ret(set_running(&live.blk, 0, 1), -EPERM);
    blk_live_close(&live);
    disk_remove(&disk);
}

static void counters(const void* arg) {
    struct vireo_queue_stats stats;
    struct blk_live live;
    struct disk disk;

    open_live(&live, &disk);
    for (u32 i = 0; i < 5; i++)
        expect_answer(&live.blk.queue[0], VIRTIO_BLK_T_OUT, i, data, 512 * 3, NULL, 0, NULL, OK);
    expect_answer(&live.blk.queue[0], VIRTIO_BLK_T_IN, 0, NULL, 0, data, 512 * 7, NULL, OK);
    expect_answer(&live.blk.queue[0], VIRTIO_BLK_T_FLUSH, 0, NULL, 0, NULL, 0, NULL, OK);
    expect_answer(&live.blk.queue[0], VIRTIO_BLK_T_OUT, ~0ULL, data, 512, NULL, 0, NULL, IOERR);
    require_ok(vhost_stats(&live.blk.dev, 0, &stats));
    check(stats.packets == 7 && stats.bytes == 512 * (5 * 3 + 7) && stats.drops == 1 &&
              stats.chains == 8 && !stats.backend_errors && !stats.ring_errors && !stats.faults,
          "%llu requests, %llu bytes, %llu refused, %llu chains, %llu failed",
          (unsigned long long)stats.packets, (unsigned long long)stats.bytes,
          (unsigned long long)stats.drops, (unsigned long long)stats.chains,
          (unsigned long long)stats.backend_errors);
    require_ok(vhost_stats(&live.blk.dev, 1, &stats));
    check(!stats.packets && !stats.chains, "a queue that nobody used has counted");
    check_ret(
        vhost_call(&live.blk.dev, VIREO_GET_QUEUE_STATS,
                   &(struct vireo_queue_stats){.index = VIREO_BLK_QUEUES, .size = sizeof(stats)}),
        -ENOBUFS);
    close_live(&live);
}

static const u64 split = 0;
static const u64 packed = F_RING_PACKED;

static const struct test tests[] = {
    {"before-the-owner", before_the_owner, NULL},
    {"without-a-disk", without_a_disk, NULL},
    {"before-the-rings", before_the_rings, NULL},
    {"features", features, NULL},
    {"other-files", other_files, NULL},
    {"disk-of-a-live-queue", disk_of_a_live_queue, NULL},
    {"another-disk", another_disk, NULL},
    {"config-of-a-device", config_of_a_device, NULL},
    {"config-sizes", config_sizes, NULL},
    {"config-that-is-refused", config_that_is_refused, NULL},
    {"config-is-obeyed", config_is_obeyed, NULL},
    {"read-only-stays", read_only_stays, NULL},
    {"queues", queues, NULL},
    {"goes-on-split", goes_on, &split},
    {"goes-on-packed", goes_on, &packed},
    {"reset-owner", reset_owner, NULL},
    {"counters", counters, NULL},
};

int main(int argc, char** argv) {
    return run_tests(tests, COUNT(tests), argc, argv);
}
