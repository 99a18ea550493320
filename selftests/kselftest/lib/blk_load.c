// SPDX-License-Identifier: GPL-2.0-only
#include "blk_load.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "frames.h"
#include "tap_output.h"

#define LOAD_UNKNOWN (~0U)
#define LOAD_WRITER 0xffffU
#define LOAD_MOST 256 /* sectors of a request */

static const struct blk_shape shapes[] = {
    {.whole = false},
    {.every = 4096},
    {.whole = true},
    {.every = 1536, .off = 64},
    {.every = 4096, .align = 4096, .off = 512},
};

/* Sectors */

static u64 word_of(u64 sector, u32 generation, u32 i) {
    u64 x = (sector << 32 ^ (u64)generation << 7 ^ i) * 0x9e3779b97f4a7c15ULL;

    return x ^ x >> 29;
}

void load_sector(u8* to, u64 sector, u32 generation) {
    if (!generation) {
        memset(to, 0, BLK_SECTOR);
        return;
    }
    for (u32 i = 0; i < BLK_SECTOR / sizeof(u64); i++) {
        u64 word = word_of(sector, generation, i);

        memcpy(to + i * sizeof(word), &word, sizeof(word));
    }
}

bool load_sector_is(const u8* data, u64 sector, u32 generation) {
    u8 wanted[BLK_SECTOR];

    load_sector(wanted, sector, generation);
    return !memcmp(data, wanted, BLK_SECTOR);
}

/* Says whose sector it is instead, if it is one of this disk. */
static void tell_difference(const u8* data, u64 sector, u32 generation) {
    u32 at = 0;
    u8 wanted[BLK_SECTOR];

    load_sector(wanted, sector, generation);
    while (at < BLK_SECTOR - 1 && data[at] == wanted[at])
        at++;
    say("sector %llu, byte %u is %#x where %#x is due (generation %u)", (unsigned long long)sector,
        at, data[at], wanted[at], generation);
    for (u32 older = 0; older < generation; older++) {
        if (load_sector_is(data, sector, older))
            say("sector %llu is of generation %u", (unsigned long long)sector, older);
    }
}

/* The model */

static u32 at_of(const struct blk_load* load, u64 sector) {
    return (u32)(sector - load->first);
}

static bool is_free(const struct blk_load* load, u32 at, u32 count, bool writer) {
    for (u32 i = at; i < at + count; i++) {
        if (load->users[i] == LOAD_WRITER || (writer && load->users[i]))
            return false;
    }
    return true;
}

static void take_sectors(struct blk_load* load, u32 at, u32 count, bool writer) {
    for (u32 i = at; i < at + count; i++)
        load->users[i] = writer ? LOAD_WRITER : load->users[i] + 1U;
}

static void give_sectors(struct blk_load* load, u32 at, u32 count, bool writer) {
    for (u32 i = at; i < at + count; i++)
        load->users[i] = writer ? 0 : load->users[i] - 1U;
}

void load_init(struct blk_load* load, struct blk* blk, u32 queue, u64 first, u32 sectors,
               bool known) {
    memset(load, 0, sizeof(*load));
    load->blk = blk;
    load->queue = queue;
    load->first = first;
    load->sectors = sectors;
    load->operations = LOAD_USUAL;
    load->depth = 32;
    load->most = 16;
    load->unit = 1;
    load->seed = random_seed() * 0x9e3779b97f4a7c15ULL + queue + 1;
    load->state = calloc(sectors, sizeof(*load->state));
    load->users = calloc(sectors, sizeof(*load->users));
    require(load->state && load->users, "memory for a model of %u sectors", sectors);
    for (u32 i = 0; i < sectors && !known; i++)
        load->state[i] = LOAD_UNKNOWN;
}

void load_free(struct blk_load* load) {
    free(load->state);
    free(load->users);
    load->state = NULL;
    load->users = NULL;
}

/* Requests */

struct operation {
    u32 type;
    u32 at;
    u32 count;
};

static bool writes(u32 type) {
    return type == VIRTIO_BLK_T_OUT || type == VIRTIO_BLK_T_DISCARD ||
           type == VIRTIO_BLK_T_WRITE_ZEROES;
}

static struct operation choose(struct blk_load* load) {
    static const u32 types[] = {VIRTIO_BLK_T_IN, VIRTIO_BLK_T_OUT, VIRTIO_BLK_T_FLUSH,
                                VIRTIO_BLK_T_DISCARD, VIRTIO_BLK_T_WRITE_ZEROES};
    struct operation operation = {.type = VIRTIO_BLK_T_FLUSH};
    u32 which;

    do {
        /* Mostly reads and writes. */
        which = random_below(&load->seed, 16);
        which = which < 12 ? which % 2 : which - 11;
    } while (which >= COUNT(types) || !(load->operations >> which & 1));
    operation.type = types[which];
    if (operation.type != VIRTIO_BLK_T_FLUSH) {
        u32 units = load->most / load->unit;

        operation.count = (1 + random_below(&load->seed, units)) * load->unit;
        operation.at =
            random_below(&load->seed, (load->sectors - operation.count) / load->unit + 1);
        operation.at *= load->unit;
    }
    return operation;
}

static int fill_transfer(struct blk_load* load, struct blk_request* request,
                         const struct operation* operation, const struct blk_shape* shape) {
    struct blk_queue* queue = &load->blk->queue[load->queue];
    u64 sector = load->first + operation->at;
    u8 data[LOAD_MOST * BLK_SECTOR];

    if (operation->type == VIRTIO_BLK_T_IN)
        return blk_fill(queue, request, operation->type, sector, NULL, 0,
                        operation->count * BLK_SECTOR, shape);
    for (u32 i = 0; i < operation->count; i++)
        load_sector(data + (size_t)i * BLK_SECTOR, sector + i, load->generation);
    return blk_fill(queue, request, operation->type, sector, data, operation->count * BLK_SECTOR, 0,
                    shape);
}

static int fill_request(struct blk_load* load, struct blk_request* request,
                        const struct operation* operation, const struct blk_shape* shape) {
    struct blk_queue* queue = &load->blk->queue[load->queue];
    struct virtio_blk_discard_write_zeroes range = {
        .sector = load->first + operation->at,
        .num_sectors = operation->count,
    };

    switch (operation->type) {
        case VIRTIO_BLK_T_FLUSH:
            return blk_fill(queue, request, operation->type, 0, NULL, 0, 0, shape);
        case VIRTIO_BLK_T_IN:
        case VIRTIO_BLK_T_OUT:
            return fill_transfer(load, request, operation, shape);
        default:
            request->sector = range.sector;
            return blk_fill(queue, request, operation->type, 0, &range, sizeof(range), 0, NULL);
    }
}

/* One more. False: the ring is full, or the sectors are in use. */
static bool issue(struct blk_load* load) {
    struct blk_queue* queue = &load->blk->queue[load->queue];
    struct operation operation = choose(load);
    bool indirect = load->blk->features & F_INDIRECT_DESC;
    struct blk_shape shape = shapes[random_below(&load->seed, COUNT(shapes))];
    struct blk_request* request;
    int ret;

    shape.ring = indirect ? random_below(&load->seed, FD_MIXED + 1) : FD_DIRECT;
    if (!is_free(load, operation.at, operation.count, writes(operation.type)))
        return false;
    request = blk_get(queue);
    if (!request)
        return false;
    if (writes(operation.type) && ++load->generation == LOAD_UNKNOWN)
        load->generation = 1;
    require_ok(fill_request(load, request, &operation, &shape));
    ret = blk_add(queue, request, shape.ring);
    if (ret == -ENOSPC) {
        blk_put(queue, request);
        return false;
    }
    require(!ret, "make a request available: %d", ret);
    request->number = load->generation;
    /* What discards and zeroing go to is not in the header. */
    request->sector = load->first + operation.at;
    request->owner = (void*)(unsigned long)operation.count;
    take_sectors(load, operation.at, operation.count, writes(operation.type));
    load->in_flight++;
    return true;
}

static void check_read(const struct blk_load* load, const struct blk_request* request, u32 count) {
    const struct blk_queue* queue = &load->blk->queue[load->queue];
    u8 data[BLK_SECTOR];

    for (u32 i = 0; i < count; i++) {
        u64 sector = request->sector + i;
        u32 generation = load->state[at_of(load, sector)];

        blk_in(queue, request, i * BLK_SECTOR, data, BLK_SECTOR);
        if (generation == LOAD_UNKNOWN || load_sector_is(data, sector, generation))
            continue;
        if (check(false, "queue %u, sector %llu is not what was written to it", load->queue,
                  (unsigned long long)sector))
            continue;
        if (checks_failed() < 5)
            tell_difference(data, sector, generation);
    }
}

static u32 state_after(const struct blk_request* request, bool good) {
    if (!good || request->type == VIRTIO_BLK_T_DISCARD)
        return LOAD_UNKNOWN;
    return request->type == VIRTIO_BLK_T_OUT ? (u32)request->number : 0;
}

/* One that came back. */
static void settle(struct blk_load* load, struct blk_request* request) {
    struct blk_queue* queue = &load->blk->queue[load->queue];
    u32 count = (u32)(unsigned long)request->owner;
    u32 at = at_of(load, request->sector);
    u8 status = blk_status(queue, request);
    bool good = status == VIRTIO_BLK_S_OK;

    check(good || (load->errors && status == VIRTIO_BLK_S_IOERR),
          "type %u, sector %llu, %u sectors: status %u", request->type,
          (unsigned long long)request->sector, count, status);
    check(!good || request->written == request->in_bytes, "type %u: %u bytes written, of %u",
          request->type, request->written, request->in_bytes);
    check(blk_intact(queue, request), "type %u: memory behind its segments was written",
          request->type);
    if (request->type == VIRTIO_BLK_T_IN && good)
        check_read(load, request, count);
    if (writes(request->type)) {
        for (u32 i = at; i < at + count; i++)
            load->state[i] = state_after(request, good);
    }
    give_sectors(load, at, count, writes(request->type));
    load->failed += !good;
    load->by_type[request->type % COUNT(load->by_type)]++;
    load->in_flight--;
    blk_put(queue, request);
    __atomic_fetch_add(&load->done, 1, __ATOMIC_RELEASE);
}

static void reap(struct blk_load* load) {
    struct blk_queue* queue = &load->blk->queue[load->queue];
    struct blk_request* request;
    int ret;

    while ((ret = blk_reap(queue, &request)) > 0)
        settle(load, request);
    require(!ret, "queue %u: the device broke the ring", load->queue);
}

static void wait_for_more(struct blk_load* load) {
    struct blk_queue* queue = &load->blk->queue[load->queue];
    int ret = blk_wait(queue, WAIT_MS);

    require(!ret, "queue %u: nothing comes back of %u requests", load->queue, load->in_flight);
}

void load_leave(struct blk_load* load) {
    u32 tries = 4 * load->depth;

    while (load->in_flight < load->depth && tries--)
        issue(load);
    blk_show(&load->blk->queue[load->queue]);
}

void load_drain(struct blk_load* load) {
    for (;;) {
        reap(load);
        if (!load->in_flight)
            return;
        wait_for_more(load);
    }
}

void load_run(struct blk_load* load, u32 count) {
    u64 end = load->done + count;

    while (load->done < end) {
        load_leave(load);
        reap(load);
        if (load->in_flight == load->depth)
            wait_for_more(load);
    }
    load_drain(load);
}

/* In a thread */

static void* run_thread(void* arg) {
    struct blk_load* load = arg;

    while (!__atomic_load_n(&load->finish, __ATOMIC_ACQUIRE)) {
        load_leave(load);
        wait_for_more(load);
        reap(load);
    }
    load_drain(load);
    return NULL;
}

void load_start(struct blk_load* load) {
    load->finish = false;
    require(!pthread_create(&load->thread, NULL, run_thread, load), "a thread for a load");
}

struct progress {
    struct blk_load* load;
    u64 wanted;
};

static bool came_so_far(void* arg) {
    const struct progress* progress = arg;

    return __atomic_load_n(&progress->load->done, __ATOMIC_ACQUIRE) >= progress->wanted;
}

void load_wait(struct blk_load* load, u32 count) {
    struct progress progress = {.load = load,
                                .wanted = __atomic_load_n(&load->done, __ATOMIC_ACQUIRE) + count};

    require(wait_until(came_so_far, &progress), "queue %u: no progress", load->queue);
}

void load_stop(struct blk_load* load) {
    __atomic_store_n(&load->finish, true, __ATOMIC_RELEASE);
    pthread_join(load->thread, NULL);
}

void load_verify(const struct blk_load* load, const struct disk* disk) {
    u8* data = malloc((size_t)load->sectors * BLK_SECTOR);
    u32 wrong = 0;

    require(data, "memory for %u sectors", load->sectors);
    disk_read(disk, load->first * BLK_SECTOR, data, (size_t)load->sectors * BLK_SECTOR);
    for (u32 i = 0; i < load->sectors; i++) {
        const u8* at = data + (size_t)i * BLK_SECTOR;

        if (load->state[i] == LOAD_UNKNOWN || load_sector_is(at, load->first + i, load->state[i]))
            continue;
        if (wrong++ < 3)
            tell_difference(at, load->first + i, load->state[i]);
    }
    check(!wrong, "%u of %u sectors on %s are not what was written", wrong, load->sectors,
          disk->path);
    free(data);
}

/* A live device */

void blk_live_open(struct blk_live* live, struct disk* disk, const struct blk_options* options) {
    int ret = blk_open(&live->blk, options);

    if (ret == -EOPNOTSUPP)
        skip_test("%s does not offer features %#llx", options->path ? options->path : blk_path(),
                  (unsigned long long)options->features);
    require(!ret, "open the device: error %d", ret);
    live->disk = disk;
    if (disk->fd < 0)
        disk_open(disk, O_RDWR | O_DIRECT);
    require_ok(blk_start(&live->blk, disk->fd));
}

void blk_live_close(struct blk_live* live) {
    blk_close(&live->blk);
}

void blk_live_check(struct blk_live* live) {
    for (u32 i = 0; i < live->blk.queues; i++) {
        struct blk_load load;

        load_init(&load, &live->blk, i, 0, 256, false);
        load_run(&load, 200);
        load_verify(&load, live->disk);
        load_free(&load);
    }
}

bool expect_answer_at(const char* file, int line, struct blk_queue* queue, u32 type, u64 sector,
                      const void* out, u32 out_bytes, void* in, u32 in_bytes,
                      const struct blk_shape* shape, u8 status) {
    struct blk_answer answer;
    bool good = true;
    int ret = blk_ask(queue, type, sector, out, out_bytes, in, in_bytes, shape, &answer);

    if (!check_at(file, line, !ret, "type %u, sector %llu, %u and %u bytes: error %d", type,
                  (unsigned long long)sector, out_bytes, in_bytes, ret))
        fail_test(NULL);
    good &= check_at(file, line, answer.status == status,
                     "type %u, sector %llu, %u and %u bytes: status %u where %u is due", type,
                     (unsigned long long)sector, out_bytes, in_bytes, answer.status, status);
    good &= check_at(file, line, status != VIRTIO_BLK_S_OK || answer.written == in_bytes + 1,
                     "type %u, sector %llu: %u bytes written, where %u are due", type,
                     (unsigned long long)sector, answer.written, in_bytes + 1);
    good &= check_at(file, line, answer.intact, "type %u: memory behind its segments was written",
                     type);
    return good;
}
