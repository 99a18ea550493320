// SPDX-License-Identifier: GPL-2.0-only
/*
 * What may be asked of a disk, and what may not: each type of request, cut in
 * all ways that the specification allows, at addresses of all alignments, and
 * requests that make no sense. Each is answered, and the queue goes on.
 * Sections are those of virtio 1.2.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "blk_load.h"
#include "frames.h"
#include "tap_output.h"

#define MIBS 16
#define LAST (MIBS * MIB / BLK_SECTOR - 1) /* sector */
#define ROOM 65536

#define OK VIRTIO_BLK_S_OK
#define IOERR VIRTIO_BLK_S_IOERR
#define UNSUPP VIRTIO_BLK_S_UNSUPP

struct setting {
    char name[96];
    u64 features;
    u64 position;
};

static u8 data[ROOM];
static u8 back[ROOM];

struct world {
    struct disk disk;
    struct blk_live live;
    struct blk_queue* queue;
};

static void open_with(struct world* world, u64 features, const struct blk_options* more) {
    struct blk_options options = *more;
    struct null_options null = {.mib = MIBS};

    options.features = features;
    options.room = options.room ? options.room : 2 * ROOM;
    disk_null(&world->disk, "vtest", &null);
    blk_live_open(&world->live, &world->disk, &options);
    world->queue = &world->live.blk.queue[0];
}

static void open_world(struct world* world, const void* arg) {
    const struct setting* setting = arg;

    open_with(world, setting->features, &(struct blk_options){.max_segs = 1060});
}

/* It is well, and did what it was not asked to never. */
static void close_world(struct world* world) {
    blk_live_check(&world->live);
    blk_live_close(&world->live);
    disk_remove(&world->disk);
}

static void fill_sectors(u8* to, u64 sector, u32 count, u32 generation) {
    for (u32 i = 0; i < count; i++)
        load_sector(to + (size_t)i * BLK_SECTOR, sector + i, generation);
}

static void expect_sectors(const struct disk* disk, u64 sector, u32 count, u32 generation,
                           const char* what) {
    disk_read(disk, sector * BLK_SECTOR, back, (size_t)count * BLK_SECTOR);
    for (u32 i = 0; i < count; i++)
        check(load_sector_is(back + (size_t)i * BLK_SECTOR, sector + i, generation),
              "%s: sector %llu is not as it should be", what, (unsigned long long)sector + i);
}

/* A write that is read again, by the device and past it. */
static void write_and_read(struct world* world, u64 sector, u32 count, u32 generation,
                           const struct blk_shape* shape, const char* what) {
    u32 bytes = count * BLK_SECTOR;

    fill_sectors(data, sector, count, generation);
    expect_answer(world->queue, VIRTIO_BLK_T_OUT, sector, data, bytes, NULL, 0, shape, OK);
    expect_sectors(&world->disk, sector, count, generation, what);
    memset(back, 0, bytes);
    expect_answer(world->queue, VIRTIO_BLK_T_IN, sector, NULL, 0, back, bytes, shape, OK);
    check(!memcmp(back, data, bytes), "%s: sector %llu: other data is read than was written", what,
          (unsigned long long)sector);
}

/* Combinations of features */

static void random_requests(const void* arg) {
    const struct setting* setting = arg;
    struct world world;
    struct blk_load load;

    open_with(&world, setting->features,
              &(struct blk_options){.position = setting->position, .regions = 7});
    load_init(&load, &world.live.blk, 0, 0, 4096, true);
    load.operations = LOAD_USUAL | LOAD_DISCARD | LOAD_ZERO;
    load_run(&load, 1000);
    load_verify(&load, &world.disk);
    for (u32 type = 0; type <= VIRTIO_BLK_T_WRITE_ZEROES; type++)
        check(load.by_type[type] || (type != VIRTIO_BLK_T_IN && type != VIRTIO_BLK_T_OUT &&
                                     type != VIRTIO_BLK_T_FLUSH && type != VIRTIO_BLK_T_DISCARD &&
                                     type != VIRTIO_BLK_T_WRITE_ZEROES),
              "no request of type %u was made", type);
    load_free(&load);
    close_world(&world);
}

/* Segments */

static void each_split_of_what_is_read(const void* arg) {
    struct world world;
    const u32 bytes = 2 * BLK_SECTOR;

    open_world(&world, arg);
    for (u32 cut = 1; cut < BLK_HDR + bytes; cut++) {
        struct blk_shape shape = {.out_cuts = {cut}, .off = cut % 61};

        fill_sectors(data, 8, 2, cut);
        expect_answer(world.queue, VIRTIO_BLK_T_OUT, 8, data, bytes, NULL, 0, &shape, OK);
        /* Far fewer than the requests are enough to see where it goes wrong. */
        if (cut <= BLK_HDR + 16 || cut % 32 == 0)
            expect_sectors(&world.disk, 8, 2, cut, "cut what is read");
    }
    expect_sectors(&world.disk, 8, 2, BLK_HDR + bytes - 1, "cut what is read");
    close_world(&world);
}

static void each_split_of_what_is_written(const void* arg) {
    struct world world;
    const u32 bytes = 2 * BLK_SECTOR;

    open_world(&world, arg);
    write_and_read(&world, 8, 2, 77, NULL, "before");
    for (u32 cut = 1; cut < bytes + 1; cut++) {
        struct blk_shape shape = {.in_cuts = {cut}, .off = cut % 61};

        memset(back, 0, bytes);
        expect_answer(world.queue, VIRTIO_BLK_T_IN, 8, NULL, 0, back, bytes, &shape, OK);
        check(!memcmp(back, data, bytes), "cut at %u: other data is read than was written", cut);
    }
    close_world(&world);
}

static void shapes_of_all_kinds(const void* arg) {
    static const struct blk_shape shapes[] = {
        {.whole = true},
        {.whole = true, .off = 1},
        {.out_cuts = {1, 2, 3, 4, 5, 6, 7, 8}, .in_cuts = {1, 2, 3, 4, 5, 6, 7, 8}},
        {.out_cuts = {1, 15, 17, 100}, .in_cuts = {511, 512, 513}},
        {.out_cuts = {8, 16, 24}, .every = 512},
        {.every = 1, .align = 8},
        {.every = 3, .align = 8, .off = 5},
        {.every = 64},
        {.every = 511},
        {.every = 513, .off = 2},
        {.every = 4096, .align = 4096},
        {.every = 4096, .align = 4096, .off = 4095},
    };
    const struct setting* setting = arg;
    struct world world;

    open_world(&world, arg);
    for (u32 i = 0; i < COUNT(shapes); i++) {
        for (enum fd_shape ring = FD_DIRECT; ring <= FD_MIXED; ring++) {
            struct blk_shape shape = shapes[i];
            u32 count = shape.every && shape.every < 64 ? 1 : 5;

            if (ring != FD_DIRECT && !(setting->features & F_INDIRECT_DESC))
                continue;
            /* More than the ring has. */
            if (ring == FD_DIRECT && shape.every && shape.every < 64)
                continue;
            shape.ring = ring;
            write_and_read(&world, 100 + i * 8ULL, count, 1 + i * 3 + ring, &shape, "shape");
        }
    }
    close_world(&world);
}

static void each_alignment(const void* arg) {
    struct world world;

    open_world(&world, arg);
    for (u32 off = 0; off < 512; off += off < 20 ? 1 : 17) {
        struct blk_shape shape = {.off = off};
        struct blk_shape pieces = {.off = off, .every = 1536, .ring = FD_INDIRECT};

        write_and_read(&world, off, 1, 1000 + off, &shape, "one sector");
        write_and_read(&world, 8ULL * off, 17, 2000 + off, &shape, "17 sectors");
        write_and_read(&world, 8ULL * off, 17, 3000 + off, &pieces, "pieces of three sectors");
    }
    close_world(&world);
}

/* Where, and how much */

static void at_the_end(const void* arg) {
    static const u64 nowhere[] = {LAST + 1,         LAST + 2,   1ULL << 32, 1ULL << 54,
                                  (1ULL << 55) - 1, /* whose byte number has 64 bits */
                                  1ULL << 55,       /* is sector 0, in bytes modulo 2^64 */
                                  (1ULL << 55) + 8, 1ULL << 63, ~0ULL - 1,  ~0ULL};
    struct world world;

    open_world(&world, arg);
    fill_sectors(data, 0, 8, 9);
    for (u32 i = 0; i < COUNT(nowhere); i++) {
        for (u32 count = 1; count <= 8; count += 7) {
            u32 bytes = count * BLK_SECTOR;

            expect_answer(world.queue, VIRTIO_BLK_T_OUT, nowhere[i], data, bytes, NULL, 0, NULL,
                          IOERR);
            expect_answer(world.queue, VIRTIO_BLK_T_IN, nowhere[i], NULL, 0, back, bytes, NULL,
                          IOERR);
        }
    }
    /* Half inside. */
    expect_answer(world.queue, VIRTIO_BLK_T_OUT, LAST - 6, data, 8 * BLK_SECTOR, NULL, 0, NULL,
                  IOERR);
    expect_answer(world.queue, VIRTIO_BLK_T_IN, LAST, NULL, 0, back, 2 * BLK_SECTOR, NULL, IOERR);
    expect_sectors(&world.disk, 0, 16, 0, "the beginning");
    expect_sectors(&world.disk, LAST - 7, 8, 0, "the end");
    write_and_read(&world, LAST, 1, 5, NULL, "the last sector");
    write_and_read(&world, LAST - 7, 8, 6, NULL, "the last sectors");
    close_world(&world);
}

static void lengths(const void* arg) {
    static const u32 odd[] = {1, 15, 16, 511, 513, 1023, 1025, 4097, 6000};
    struct world world;

    open_world(&world, arg);
    fill_sectors(data, 0, 16, 3);
    for (u32 i = 0; i < COUNT(odd); i++) {
        /* 5.2.6.1: a multiple of 512. */
        expect_answer(world.queue, VIRTIO_BLK_T_OUT, 0, data, odd[i], NULL, 0, NULL, IOERR);
        expect_answer(world.queue, VIRTIO_BLK_T_IN, 0, NULL, 0, back, odd[i], NULL, IOERR);
    }
    expect_sectors(&world.disk, 0, 16, 0, "after writes of odd lengths");
    expect_answer(world.queue, VIRTIO_BLK_T_OUT, 0, NULL, 0, NULL, 0, NULL, OK);
    expect_answer(world.queue, VIRTIO_BLK_T_IN, 0, NULL, 0, NULL, 0, NULL, OK);
    write_and_read(&world, 1, 127, 12, NULL, "almost 64 KiB in one segment");
    close_world(&world);
}

/* One request of as much as the device takes, in pages. */
static void large(const void* arg) {
    const struct setting* setting = arg;
    struct vireo_blk_config config;
    struct world world;
    struct blk_shape shape = {.every = 4096, .align = 4096, .ring = FD_INDIRECT};
    u8* big;
    u32 pages;

    open_with(&world, setting->features,
              &(struct blk_options){.max_segs = 1060, .room = 1100 * 4096, .num = 4});
    require_ok(blk_get_config(&world.live.blk, &config));
    pages = config.seg_max < 1024 ? config.seg_max : 1024;
    say("%u segments of data at most", config.seg_max);
    big = malloc((size_t)pages * 4096);
    require(big, "%u pages", pages);
    if (!(setting->features & F_INDIRECT_DESC))
        skip_test("a ring of 4 holds no such request");
    for (u32 i = 0; i < pages * 8; i++)
        load_sector(big + (size_t)i * BLK_SECTOR, 64 + i, 21);
    expect_answer(world.queue, VIRTIO_BLK_T_OUT, 64, big, pages * 4096, NULL, 0, &shape, OK);
    memset(big, 0, (size_t)pages * 4096);
    expect_answer(world.queue, VIRTIO_BLK_T_IN, 64, NULL, 0, big, pages * 4096, &shape, OK);
    for (u32 i = 0; i < pages * 8; i++)
        check(load_sector_is(big + (size_t)i * BLK_SECTOR, 64 + i, 21),
              "sector %u is not what was written", 64 + i);
    free(big);
    close_world(&world);
}

/* A chain of hand-made segments, and its status. */
static u8 ask_raw(struct world* world, u32 type, u64 sector, const struct vq_seg* segs, u32 nout,
                  u32 nin) {
    struct blk_queue* queue = world->queue;
    struct blk_request* request = blk_get(queue);
    struct blk_request* came;
    struct vq_seg* mine = request->segs;

    /* The header, and a byte for the status; what is between is the caller's. */
    require_ok(blk_fill(queue, request, type, sector, NULL, 0, 0, NULL));
    mine[1 + nout + nin] = mine[1];
    for (u32 i = 0; i < nout + nin; i++)
        mine[1 + i] = segs[i];
    request->nout = 1 + nout;
    request->nin = nin + 1;
    require_ok(blk_add(queue, request, FD_INDIRECT));
    blk_show(queue);
    require(blk_reap_wait(queue, &came, WAIT_MS) == 1 && came == request,
            "a chain of %u segments is not answered", 2 + nout + nin);
    blk_put(queue, request);
    return *(u8*)guest_at(queue->mem, mine[1 + nout + nin].addr);
}

/* More bytes than 32 bits count; the same memory, over and over. */
static void more_than_4_gib(const void* arg) {
    const struct setting* setting = arg;
    static struct vq_seg segs[1024];
    const u32 piece = 8 << 20;
    const u32 wrap = (1ULL << 32) / piece;
    struct world world;

    open_with(&world, setting->features,
              &(struct blk_options){.max_segs = 1030, .num = 8, .spare = piece});
    for (u32 i = 0; i < COUNT(segs); i++)
        segs[i] = (struct vq_seg){.addr = guest_addr(&world.live.blk.mem, world.live.blk.spare),
                                  .len = piece};
    memset(world.live.blk.spare, 0x5a, piece);
    check(ask_raw(&world, VIRTIO_BLK_T_OUT, 0, segs, wrap, 0) == IOERR, "4 GiB: written");
    check(ask_raw(&world, VIRTIO_BLK_T_IN, 0, segs, 0, wrap) == IOERR, "4 GiB: read");
    segs[wrap].len = BLK_SECTOR;
    check(ask_raw(&world, VIRTIO_BLK_T_OUT, 0, segs, wrap + 1, 0) == IOERR,
          "4 GiB and a sector: written");
    check(ask_raw(&world, VIRTIO_BLK_T_IN, 0, segs, 0, wrap + 1) == IOERR,
          "4 GiB and a sector: read");
    segs[wrap].len = piece;
    check(ask_raw(&world, VIRTIO_BLK_T_OUT, 0, segs, 1000, 0) == IOERR, "8000 MiB: written");
    expect_sectors(&world.disk, 0, 64, 0, "the beginning");
    close_world(&world);
}

/* What there is besides reading and writing */

static void flush(const void* arg) {
    struct world world;

    open_world(&world, arg);
    expect_answer(world.queue, VIRTIO_BLK_T_FLUSH, 0, NULL, 0, NULL, 0, NULL, OK);
    write_and_read(&world, 3, 5, 4, NULL, "before the flush");
    expect_answer(world.queue, VIRTIO_BLK_T_FLUSH, 0, NULL, 0, NULL, 0, NULL, OK);
    expect_sectors(&world.disk, 3, 5, 4, "after the flush");
    close_world(&world);
}

static void get_id(const void* arg) {
    static const char serial[VIREO_BLK_SERIAL_BYTES + 1] = "vireo-serial-number!";
    static const u32 rooms[] = {1, 7, 19, 20, 21, 4096};
    struct vireo_blk_config config;
    struct world world;

    open_world(&world, arg);
    require_ok(blk_get_config(&world.live.blk, &config));
    memcpy(config.serial, serial, sizeof(config.serial));
    require_ok(blk_set_config(&world.live.blk, &config));
    for (u32 i = 0; i < COUNT(rooms); i++) {
        struct blk_answer answer;
        u32 wanted = rooms[i] < sizeof(config.serial) ? rooms[i] : sizeof(config.serial);

        memset(back, 0, sizeof(back));
        require_ok(
            blk_ask(world.queue, VIRTIO_BLK_T_GET_ID, 0, NULL, 0, back, rooms[i], NULL, &answer));
        check(answer.status == OK && !memcmp(back, serial, wanted),
              "room for %u bytes: status %u, %.20s", rooms[i], answer.status, back);
        check(answer.written >= wanted && answer.written <= rooms[i] + 1,
              "room for %u bytes: %u bytes written", rooms[i], answer.written);
    }
    /* In pieces. */
    for (u32 cut = 1; cut < 20; cut++) {
        struct blk_shape shape = {.in_cuts = {cut, 20}};

        expect_answer(world.queue, VIRTIO_BLK_T_GET_ID, 0, NULL, 0, back, 20, &shape, OK);
        check(!memcmp(back, serial, 20), "cut at %u: %.20s", cut, back);
    }
    close_world(&world);
}

static struct virtio_blk_discard_write_zeroes range(u64 sector, u32 count, u32 flags) {
    return (struct virtio_blk_discard_write_zeroes){
        .sector = htole64(sector), .num_sectors = htole32(count), .flags = htole32(flags)};
}

static void ranges(const void* arg) {
    static const u32 types[] = {VIRTIO_BLK_T_DISCARD, VIRTIO_BLK_T_WRITE_ZEROES};
    const u32 unmap = VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP;
    struct vireo_blk_config config;
    struct virtio_blk_discard_write_zeroes some[300];
    struct world world;

    open_world(&world, arg);
    require_ok(blk_get_config(&world.live.blk, &config));
    for (u32 i = 0; i < COUNT(types); i++) {
        struct blk_queue* queue = world.queue;
        u32 type = types[i];
        bool zero = type == VIRTIO_BLK_T_WRITE_ZEROES;
        u32 most = zero ? config.max_write_zeroes_seg : config.max_discard_seg;
        u32 sectors = zero ? config.max_write_zeroes_sectors : config.max_discard_sectors;

        check(most && sectors, "type %u: %u ranges of %u sectors", type, most, sectors);
        most = most < COUNT(some) - 1 ? most : COUNT(some) - 1;
        write_and_read(&world, 0, 64, 30 + i, NULL, "before");
        some[0] = range(8, 8, 0);
        expect_answer(queue, type, 0, some, sizeof(some[0]), NULL, 0, NULL, OK);
        expect_sectors(&world.disk, 0, 8, 30 + i, "before the range");
        /* What a discard leaves is nobody's business, but null_blk gives the pages back. */
        expect_sectors(&world.disk, 8, 8, 0, zero ? "zeroed" : "discarded");
        expect_sectors(&world.disk, 16, 48, 30 + i, "behind the range");

        /* Several, cut in the midst. */
        for (u32 k = 0; k < most; k++)
            some[k] = range(16 + 2ULL * k, k < 16, 0);
        expect_answer(queue, type, 0, some, most * sizeof(some[0]), NULL, 0,
                      &(struct blk_shape){.out_cuts = {1, 13, 17, 30}}, OK);
        if (zero) {
            for (u32 k = 0; k < most && k < 16; k++)
                expect_sectors(&world.disk, 16 + 2ULL * k, 1, 0, "zeroed");
        }
        expect_sectors(&world.disk, 17, 1, 30 + i, "between ranges");
        for (u32 k = 0; k < most + 1; k++)
            some[k] = range(k, 0, 0);
        expect_answer(queue, type, 0, some, (most + 1) * sizeof(some[0]), NULL, 0, NULL, IOERR);

        /* 5.2.6.2: unmap is for zeroing alone; other bits are reserved. */
        some[0] = range(48, 1, unmap);
        expect_answer(queue, type, 0, some, sizeof(some[0]), NULL, 0, NULL, zero ? OK : UNSUPP);
        some[0] = range(49, 1, 2);
        expect_answer(queue, type, 0, some, sizeof(some[0]), NULL, 0, NULL, UNSUPP);
        some[0] = range(49, 1, 1U << 31);
        expect_answer(queue, type, 0, some, sizeof(some[0]), NULL, 0, NULL, UNSUPP);

        /* Not there, in part or at all; the good one before it is not done alone. */
        some[0] = range(50, 1, 0);
        some[1] = range(LAST, 2, 0);
        expect_answer(queue, type, 0, some, 2 * sizeof(some[0]), NULL, 0, NULL, IOERR);
        some[1] = range(~0ULL, 1, 0);
        expect_answer(queue, type, 0, some, 2 * sizeof(some[0]), NULL, 0, NULL, IOERR);
        some[1] = range(1ULL << 55, 8, 0);
        expect_answer(queue, type, 0, some, 2 * sizeof(some[0]), NULL, 0, NULL, IOERR);
        some[1] = range(0, ~0U, 0);
        expect_answer(queue, type, 0, some, 2 * sizeof(some[0]), NULL, 0, NULL, IOERR);
        expect_sectors(&world.disk, 49, 15, 30 + i, "after ranges that are refused");

        /* No whole range. */
        for (u32 bytes = 0; bytes < 48; bytes += bytes == 16 ? 9 : 8)
            if (bytes % 16)
                expect_answer(queue, type, 0, some, bytes, NULL, 0, NULL, IOERR);
        expect_answer(queue, type, 0, NULL, 0, NULL, 0, NULL, IOERR);
        expect_sectors(&world.disk, 50, 14, 30 + i, "after pieces of ranges");
    }
    close_world(&world);
}

/* What makes no sense */

static void unknown_types(const void* arg) {
    static const u32 types[] = {
        2, 3, 5, 6, 7, 9, 10, 12, 14, 15, 16, 99, 256, 1U << 31, (1U << 31) + 1, ~0U};
    struct world world;

    open_world(&world, arg);
    fill_sectors(data, 0, 1, 8);
    for (u32 i = 0; i < COUNT(types); i++) {
        expect_answer(world.queue, types[i], 0, NULL, 0, NULL, 0, NULL, UNSUPP);
        expect_answer(world.queue, types[i], 0, data, BLK_SECTOR, NULL, 0, NULL, UNSUPP);
        expect_answer(world.queue, types[i], 0, NULL, 0, NULL, BLK_SECTOR, NULL, UNSUPP);
    }
    expect_sectors(&world.disk, 0, 8, 0, "the disk");
    close_world(&world);
}

/* Without their features these are unknown too. */
static void not_negotiated(const void* arg) {
    const struct setting* setting = arg;
    u64 features = setting->features & ~(F_BLK_DISCARD | F_BLK_WRITE_ZEROES);
    struct virtio_blk_discard_write_zeroes one = range(0, 8, 0);
    struct world world;

    open_with(&world, features, &(struct blk_options){.num = 64});
    write_and_read(&world, 0, 8, 2, NULL, "before");
    expect_answer(world.queue, VIRTIO_BLK_T_DISCARD, 0, &one, sizeof(one), NULL, 0, NULL, UNSUPP);
    expect_answer(world.queue, VIRTIO_BLK_T_WRITE_ZEROES, 0, &one, sizeof(one), NULL, 0, NULL,
                  UNSUPP);
    expect_sectors(&world.disk, 0, 8, 2, "the disk");
    close_world(&world);
}

/* A chain of any two parts. Returns its status. */
static u8 ask_parts(struct world* world, const void* out, u32 out_bytes, u32 in_bytes,
                    const struct blk_shape* shape) {
    struct blk_queue* queue = world->queue;
    struct blk_request* request = blk_get(queue);
    struct blk_request* came;
    u8 status;

    require_ok(blk_fill_raw(queue, request, out, out_bytes, in_bytes, shape));
    require_ok(blk_add(queue, request, FD_DIRECT));
    blk_show(queue);
    require(blk_reap_wait(queue, &came, WAIT_MS) == 1 && came == request,
            "a chain of %u and %u bytes is not answered", out_bytes, in_bytes);
    status = blk_status(queue, request);
    check(blk_intact(queue, request), "a chain of %u and %u bytes: written elsewhere", out_bytes,
          in_bytes);
    check(in_bytes || !request->written, "%u bytes written, where none can be", request->written);
    blk_put(queue, request);
    return status;
}

static void no_header(const void* arg) {
    const struct blk_shape bytes = {.every = 1};
    const struct blk_shape* shapes[] = {NULL, &bytes};
    struct world world;
    u8 hdr[BLK_HDR] = {0};

    open_world(&world, arg);
    for (u32 i = 0; i < COUNT(shapes); i++) {
        for (u32 have = 0; have < BLK_HDR; have++) {
            check(ask_parts(&world, hdr, have, 1, shapes[i]) == IOERR, "%u bytes of a header",
                  have);
            check(ask_parts(&world, hdr, have, 1 + (i ? 5 : BLK_SECTOR), shapes[i]) == IOERR,
                  "%u bytes of a header", have);
        }
    }
    close_world(&world);
}

/* There is nowhere to say anything: the chain comes back, and a write may be done or not. */
static void no_status(const void* arg) {
    static const u32 types[] = {VIRTIO_BLK_T_IN, VIRTIO_BLK_T_FLUSH, VIRTIO_BLK_T_GET_ID, 99};
    struct world world;
    u8 hdr[BLK_HDR] = {0};

    open_world(&world, arg);
    for (u32 i = 0; i < COUNT(types); i++) {
        u32 type = htole32(types[i]);

        memcpy(hdr, &type, sizeof(type));
        ask_parts(&world, hdr, sizeof(hdr), 0, NULL);
        ask_parts(&world, hdr, 7, 0, NULL);
    }
    close_world(&world);
}

static void wrong_direction(const void* arg) {
    struct world world;

    open_world(&world, arg);
    fill_sectors(data, 0, 2, 8);
    /* Data to be read where data is to be written, and the other way round, and both. */
    expect_answer(world.queue, VIRTIO_BLK_T_IN, 0, data, BLK_SECTOR, NULL, 0, NULL, IOERR);
    expect_answer(world.queue, VIRTIO_BLK_T_OUT, 0, NULL, 0, back, BLK_SECTOR, NULL, IOERR);
    expect_answer(world.queue, VIRTIO_BLK_T_OUT, 0, data, BLK_SECTOR, back, BLK_SECTOR, NULL,
                  IOERR);
    expect_answer(world.queue, VIRTIO_BLK_T_IN, 0, data, BLK_SECTOR, back, BLK_SECTOR, NULL, IOERR);
    expect_sectors(&world.disk, 0, 8, 0, "the disk");
    close_world(&world);
}

static void read_only(const void* arg) {
    const struct setting* setting = arg;
    struct virtio_blk_discard_write_zeroes one = range(0, 8, 0);
    struct vireo_blk_config config;
    struct null_options null = {.mib = MIBS};
    struct blk_options options = {.features = setting->features};
    struct world world;

    disk_null(&world.disk, "vtest", &null);
    fill_sectors(data, 0, 8, 4);
    disk_write(&world.disk, 0, data, 8 * BLK_SECTOR);
    disk_open(&world.disk, O_RDONLY);
    blk_live_open(&world.live, &world.disk, &options);
    world.queue = &world.live.blk.queue[0];
    require_ok(blk_get_config(&world.live.blk, &config));
    check(config.flags & VIREO_BLK_READ_ONLY, "the disk does not say that it is read-only");

    expect_answer(world.queue, VIRTIO_BLK_T_OUT, 0, data, BLK_SECTOR, NULL, 0, NULL, IOERR);
    for (u32 type = VIRTIO_BLK_T_DISCARD; type <= VIRTIO_BLK_T_WRITE_ZEROES; type += 2) {
        struct blk_answer answer;

        /* Which has no place for it, or refuses: 5.2.6.2 allows both. */
        require_ok(blk_ask(world.queue, type, 0, &one, sizeof(one), NULL, 0, NULL, &answer));
        check(answer.status == IOERR || answer.status == UNSUPP, "type %u: status %u", type,
              answer.status);
    }
    expect_sectors(&world.disk, 0, 8, 4, "a read-only disk");
    expect_answer(world.queue, VIRTIO_BLK_T_FLUSH, 0, NULL, 0, NULL, 0, NULL, OK);
    expect_answer(world.queue, VIRTIO_BLK_T_IN, 0, NULL, 0, back, 8 * BLK_SECTOR, NULL, OK);
    check(!memcmp(back, data, 8 * BLK_SECTOR), "other data is read than there is");
    blk_live_close(&world.live);
    disk_remove(&world.disk);
}

/* The list of tests */

static struct setting settings[64];
static struct test tests[64];
static u32 count;

static void add(void (*run)(const void* arg), const char* name, u64 features, u64 position) {
    struct setting* setting = &settings[count];

    setting->features = features;
    setting->position = position;
    snprintf(setting->name, sizeof(setting->name), "%s-%s%s%s%s", name,
             features & F_RING_PACKED ? "packed" : "split",
             features & F_EVENT_IDX ? "-event-idx" : "",
             features & F_INDIRECT_DESC ? "-indirect" : "", position ? "-from-the-end" : "");
    tests[count] = (struct test){.name = setting->name, .run = run, .arg = setting};
    count++;
}

static void add_both(void (*run)(const void* arg), const char* name) {
    add(run, name, BLK_USUAL, 0);
    add(run, name, BLK_USUAL | F_RING_PACKED, 0);
}

int main(int argc, char** argv) {
    const u64 least = BLK_USUAL & ~(F_EVENT_IDX | F_INDIRECT_DESC);

    for (u32 choice = 0; choice < 8; choice++)
        add(random_requests, "random",
            least | (choice & 1 ? F_EVENT_IDX : 0) | (choice & 2 ? F_INDIRECT_DESC : 0) |
                (choice & 4 ? F_RING_PACKED : 0),
            0);
    add(random_requests, "random", BLK_USUAL, 0xfff0);
    add(random_requests, "random", BLK_USUAL | F_RING_PACKED, 97);
    add_both(each_split_of_what_is_read, "each-split-of-what-is-read");
    add_both(each_split_of_what_is_written, "each-split-of-what-is-written");
    add_both(shapes_of_all_kinds, "shapes");
    add_both(each_alignment, "each-alignment");
    add(at_the_end, "at-the-end", BLK_USUAL, 0);
    add(lengths, "lengths", BLK_USUAL, 0);
    add_both(large, "large");
    add(more_than_4_gib, "more-than-4-gib", BLK_USUAL, 0);
    add(flush, "flush", BLK_USUAL, 0);
    add(get_id, "get-id", BLK_USUAL, 0);
    add(ranges, "ranges", BLK_USUAL, 0);
    add(unknown_types, "unknown-types", BLK_USUAL, 0);
    add(not_negotiated, "not-negotiated", BLK_USUAL, 0);
    add_both(no_header, "no-header");
    add_both(no_status, "no-status");
    add(wrong_direction, "wrong-direction", BLK_USUAL, 0);
    add(read_only, "read-only", BLK_USUAL, 0);
    return run_tests(tests, count, argc, argv);
}
