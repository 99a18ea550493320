// SPDX-License-Identifier: GPL-2.0-only
#include "blk_driver.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "driver_queue.h"
#include "error.h"

#define PAGE 4096UL
#define BEHIND 1024 /* bytes behind a request's segments that are looked at */

const char* blk_path(void) {
    const char* path = getenv("VIREO_BLK_DEV");

    return path && *path ? path : "/dev/vireo-blk";
}

static size_t up_to(size_t bytes, size_t unit) {
    return (bytes + unit - 1) / unit * unit;
}

/* Set-up */

static int queue_alloc(struct blk_queue* queue, struct fd_setup* setup, u32 room, u32 max_segs) {
    queue->max_segs = max_segs;
    queue->requests = calloc(setup->num, sizeof(*queue->requests));
    queue->free = calloc(setup->num, sizeof(*queue->free));
    queue->segs = calloc((size_t)setup->num * max_segs, sizeof(*queue->segs));
    queue->fd_bufs = calloc(setup->num, sizeof(*queue->fd_bufs));
    if (!queue->requests || !queue->free || !queue->segs || !queue->fd_bufs)
        return failed(-ENOMEM, "a queue of %u requests", setup->num);
    for (u32 i = 0; i < setup->num; i++) {
        queue->requests[i].room = room;
        queue->requests[i].segs = queue->segs + (size_t)i * max_segs;
    }
    setup->bufs = queue->fd_bufs;
    return 0;
}

static int queue_init(struct blk_queue* queue, const struct fd_setup* setup, u64 position) {
    int ret = driver_begin(&queue->driver, setup, position);

    if (ret)
        return ret;
    queue->nfree = 0;
    /* The first request is on top. */
    for (u32 i = setup->num; i-- > 0;)
        queue->free[queue->nfree++] = &queue->requests[i];
    return 0;
}

static int map_memory(struct blk* blk, size_t bytes, const struct blk_options* options) {
    if (options->memory) {
        blk->mem = (struct guest_mem){.base = options->memory, .bytes = options->memory_bytes};
        blk->borrowed = true;
        if (bytes > options->memory_bytes)
            return failed(-ENOMEM, "%zu bytes of guest memory in %zu", bytes,
                          options->memory_bytes);
        return 0;
    }
    if (!options->shared)
        return guest_mem_map(&blk->mem, bytes);
    bytes = up_to(bytes, PAGE);
    blk->mem_fd = memfd_create("guest", MFD_CLOEXEC);
    if (blk->mem_fd < 0 || ftruncate(blk->mem_fd, (off_t)bytes))
        return failed_errno("a memfd of %zu bytes", bytes);
    blk->mem.base =
        mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, blk->mem_fd, 0);
    blk->mem.bytes = bytes;
    if (blk->mem.base == MAP_FAILED) {
        blk->mem.base = NULL;
        return failed_errno("map %zu bytes of guest memory", bytes);
    }
    return 0;
}

int blk_make(struct blk* blk, const struct blk_options* options) {
    struct fd_setup setup[BLK_MAX_QUEUES] = {0};
    u32 max_segs = options->max_segs ? options->max_segs : 16;
    u32 room = up_to(options->room ? options->room : 40960, PAGE);
    size_t payload;
    size_t bytes = 0;
    int ret;

    memset(blk, 0, sizeof(*blk));
    blk->dev.fd = NO_FD;
    blk->mem_fd = NO_FD;
    blk->features = options->features;
    blk->queues = options->queues ? options->queues : 1;
    if (max_segs > BLK_MAX_SEGS || blk->queues > BLK_MAX_QUEUES)
        return failed(-EINVAL, "a driver of %u queues, requests of %u segments", blk->queues,
                      max_segs);
    for (u32 i = 0; i < BLK_MAX_QUEUES; i++) {
        struct vhost_queue* vhost = &blk->queue[i].vhost;

        vhost->kick = vhost->call = vhost->err = NO_FD;
    }
    for (u32 i = 0; i < blk->queues; i++) {
        setup[i].features = blk->features;
        setup[i].num = options->num ? options->num : 128;
        setup[i].table_max = blk->features & F_INDIRECT_DESC ? max_segs : 0;
        setup[i].offset = bytes;
        bytes = fd_arena_bytes(&setup[i]);
        ret = queue_alloc(&blk->queue[i], &setup[i], room, max_segs);
        if (ret)
            return ret;
    }
    payload = bytes;
    bytes += (size_t)blk->queues * setup[0].num * room;
    ret = map_memory(blk, bytes + up_to(options->spare, PAGE), options);
    if (ret)
        return ret;
    blk->spare = blk->mem.base + bytes;
    memset(blk->mem.base + payload, BLK_CANARY, bytes - payload);

    for (u32 i = 0; i < blk->queues && !ret; i++) {
        struct blk_queue* queue = &blk->queue[i];

        queue->mem = &blk->mem;
        for (u32 k = 0; k < setup[i].num; k++) {
            queue->requests[k].base = blk->mem.base + payload;
            payload += room;
        }
        setup[i].arena = blk->mem.base;
        setup[i].arena_device = (unsigned long)blk->mem.base;
        setup[i].arena_bytes = blk->mem.bytes;
        ret = queue_init(queue, &setup[i], options->position);
    }
    return ret;
}

static int open_device(struct blk* blk, const struct blk_options* options) {
    struct vhost_memory_region regions[MAX_REGIONS];
    u32 count = options->regions ? options->regions : 1;
    int ret = driver_open(&blk->dev, options->path ? options->path : blk_path(), options->features);

    if (!ret)
        ret = vhost_set_mem_table(&blk->dev, regions, guest_mem_regions(&blk->mem, regions, count));
    for (u32 i = 0; !ret && i < blk->queues; i++)
        ret = vhost_queue_open(&blk->queue[i].vhost, &blk->dev, i, &blk->queue[i].driver, 0);
    return ret;
}

int blk_open(struct blk* blk, const struct blk_options* options) {
    int ret = blk_make(blk, options);

    if (!ret)
        ret = open_device(blk, options);
    if (ret)
        blk_close(blk);
    return ret;
}

void blk_close(struct blk* blk) {
    /* First the device, which uses the rest. */
    vhost_close(&blk->dev);
    for (u32 i = 0; i < blk->queues; i++) {
        struct blk_queue* queue = &blk->queue[i];

        vhost_queue_close(&queue->vhost);
        free(queue->requests);
        free(queue->free);
        free(queue->segs);
        free(queue->fd_bufs);
        queue->requests = NULL;
        queue->free = NULL;
        queue->segs = NULL;
        queue->fd_bufs = NULL;
    }
    if (!blk->borrowed)
        guest_mem_unmap(&blk->mem);
    if (blk->mem_fd >= 0)
        close(blk->mem_fd);
    blk->mem_fd = NO_FD;
}

static int report(const struct blk* blk, int ret, const char* name, long long with) {
    if (ret < 0)
        return failed(ret, "%s(%lld) on %s", name, with, blk->dev.path);
    return 0;
}

int blk_set_disk(struct blk* blk, int fd) {
    return report(blk, vhost_call(&blk->dev, VIREO_BLK_SET_DISK, &fd), "VIREO_BLK_SET_DISK", fd);
}

int blk_get_config(struct blk* blk, struct vireo_blk_config* config) {
    memset(config, 0, sizeof(*config));
    config->size = sizeof(*config);
    return report(blk, vhost_call(&blk->dev, VIREO_BLK_GET_CONFIG, config), "VIREO_BLK_GET_CONFIG",
                  config->size);
}

int blk_set_config(struct blk* blk, const struct vireo_blk_config* config) {
    struct vireo_blk_config copy = *config;

    return report(blk, vhost_call(&blk->dev, VIREO_BLK_SET_CONFIG, &copy), "VIREO_BLK_SET_CONFIG",
                  copy.flags);
}

int blk_set_running(struct blk* blk, u32 queue, bool on) {
    struct vhost_vring_state state = {.index = queue, .num = on};

    return report(blk, vhost_call(&blk->dev, VIREO_BLK_SET_RUNNING, &state),
                  on ? "VIREO_BLK_SET_RUNNING 1" : "VIREO_BLK_SET_RUNNING 0", queue);
}

int blk_start(struct blk* blk, int fd) {
    int ret = blk_set_disk(blk, fd);

    for (u32 i = 0; i < blk->queues && !ret; i++)
        ret = blk_set_running(blk, i, true);
    return ret;
}

int blk_stop(struct blk* blk) {
    return blk_set_running(blk, VIREO_BLK_ALL_QUEUES, false);
}

int blk_reset_queue(struct blk* blk, u32 index) {
    struct blk_queue* queue = &blk->queue[index];
    struct fd_setup setup = queue->driver.setup;
    int ret = blk_set_running(blk, index, false);

    if (!ret)
        ret = queue_init(queue, &setup, 0);
    if (!ret)
        ret = vhost_queue_place(&queue->vhost, &queue->driver, 0);
    return ret;
}

/* Cutting */

struct cutter {
    struct blk_queue* queue;
    struct blk_request* request;
    const struct blk_shape* shape;
    u32 nsegs;
    u32 at; /* bytes of the request's memory that are given away */
};

/* One more segment. False: there is no room. */
static bool cut_piece(struct cutter* cutter, u32 bytes) {
    struct blk_request* request = cutter->request;
    u32 align = cutter->shape->align ? cutter->shape->align : BLK_SECTOR;
    u32 at = up_to(cutter->at, align) + cutter->shape->off;

    if (cutter->nsegs == cutter->queue->max_segs || (u64)at + bytes > request->room)
        return false;
    request->segs[cutter->nsegs++] =
        (struct vq_seg){.addr = guest_addr(cutter->queue->mem, request->base + at), .len = bytes};
    cutter->at = at + bytes;
    return true;
}

/* Where the next cut behind @from is, @bytes if there is none. */
static u32 next_cut(const struct blk_shape* shape, const u32* cuts, u32 usual, u32 data, u32 from,
                    u32 bytes) {
    u32 next = bytes;

    for (u32 i = 0; i < BLK_CUTS && cuts[i]; i++) {
        if (cuts[i] > from && cuts[i] < next)
            next = cuts[i];
    }
    if (!shape->whole && !cuts[0] && usual > from && usual < next)
        next = usual;
    if (shape->every) {
        u32 steps = from < data ? 0 : (from - data) / shape->every + 1;
        u64 cut = data + (u64)steps * shape->every;

        if (cut > from && cut < next)
            next = cut;
    }
    return next;
}

/* A part of @bytes, whose data begins at @data. */
static bool cut_part(struct cutter* cutter, const u32* cuts, u32 usual, u32 data, u32 bytes) {
    for (u32 from = 0; from < bytes;) {
        u32 to = next_cut(cutter->shape, cuts, usual, data, from, bytes);

        if (!cut_piece(cutter, to - from))
            return false;
        from = to;
    }
    return true;
}

/* Copies between segments and a buffer, from byte @at of them on. */
static void move(const struct blk_queue* queue, const struct vq_seg* segs, u32 count, u32 at,
                 u8* buffer, u32 bytes, bool to_segs) {
    for (u32 i = 0; i < count && bytes; i++) {
        u8* piece = guest_at(queue->mem, segs[i].addr);
        u32 length = segs[i].len;

        if (at >= length) {
            at -= length;
            continue;
        }
        length -= at;
        if (length > bytes)
            length = bytes;
        if (to_segs)
            memcpy(piece + at, buffer, length);
        else
            memcpy(buffer, piece + at, length);
        at = 0;
        buffer += length;
        bytes -= length;
    }
}

static int fill(struct blk_queue* queue, struct blk_request* request, u32 data_at,
                const struct blk_shape* shape) {
    static const struct blk_shape usual;
    struct cutter cutter = {.queue = queue, .request = request, .shape = shape ? shape : &usual};
    u32 in = request->in_bytes;
    bool fits = cut_part(&cutter, cutter.shape->out_cuts, data_at, data_at, request->out_bytes);

    request->nout = cutter.nsegs;
    fits = fits && cut_part(&cutter, cutter.shape->in_cuts, in ? in - 1 : 0, 0, in);
    request->nin = cutter.nsegs - request->nout;
    if (!fits)
        return failed(-EINVAL, "%u and %u bytes in %u bytes and %u segments", request->out_bytes,
                      in, request->room, queue->max_segs);
    memset(request->base, BLK_CANARY, request->dirty > cutter.at ? request->dirty : cutter.at);
    request->dirty = cutter.at;
    return 0;
}

int blk_fill(struct blk_queue* queue, struct blk_request* request, u32 type, u64 sector,
             const void* data, u32 out_bytes, u32 in_bytes, const struct blk_shape* shape) {
    struct virtio_blk_outhdr hdr = {.type = htole32(type), .sector = htole64(sector)};
    u8 status = BLK_NO_STATUS;
    int ret;

    request->type = type;
    request->sector = sector;
    request->out_bytes = BLK_HDR + out_bytes;
    request->in_bytes = in_bytes + 1;
    ret = fill(queue, request, BLK_HDR, shape);
    if (ret)
        return ret;
    move(queue, request->segs, request->nout, 0, (u8*)&hdr, sizeof(hdr), true);
    if (data)
        move(queue, request->segs, request->nout, BLK_HDR, (u8*)data, out_bytes, true);
    move(queue, request->segs + request->nout, request->nin, in_bytes, &status, 1, true);
    return 0;
}

int blk_fill_raw(struct blk_queue* queue, struct blk_request* request, const void* out,
                 u32 out_bytes, u32 in_bytes, const struct blk_shape* shape) {
    u8 status = BLK_NO_STATUS;
    int ret;

    request->type = ~0U;
    request->sector = 0;
    request->out_bytes = out_bytes;
    request->in_bytes = in_bytes;
    ret = fill(queue, request, out_bytes < BLK_HDR ? 0 : BLK_HDR, shape);
    if (ret)
        return ret;
    move(queue, request->segs, request->nout, 0, (u8*)out, out_bytes, true);
    if (in_bytes)
        move(queue, request->segs + request->nout, request->nin, in_bytes - 1, &status, 1, true);
    return 0;
}

/* The hot path */

struct blk_request* blk_get(struct blk_queue* queue) {
    return queue->nfree ? queue->free[--queue->nfree] : NULL;
}

void blk_put(struct blk_queue* queue, struct blk_request* request) {
    queue->free[queue->nfree++] = request;
}

int blk_add(struct blk_queue* queue, struct blk_request* request, enum fd_shape ring) {
    int id;

    /* One segment can not be divided between ring and table. */
    if (ring == FD_MIXED && (request->nout + request->nin < 2 || queue->driver.packed))
        ring = FD_INDIRECT;
    id = fd_add(&queue->driver, request->segs, request->nout, request->nin, ring, request);
    return id < 0 ? id : 0;
}

bool blk_show(struct blk_queue* queue) {
    return driver_show(&queue->driver, &queue->vhost, &queue->kicks);
}

int blk_reap(struct blk_queue* queue, struct blk_request** request) {
    struct fd_used used;
    int ret = fd_reap(&queue->driver, &used);

    if (ret < 0)
        return failed(ret, "take back requests: %s", queue->driver.error);
    if (!ret)
        return 0;
    *request = used.token;
    (*request)->written = used.len;
    return 1;
}

int blk_wait(struct blk_queue* queue, int milliseconds) {
    return driver_wait(&queue->driver, &queue->vhost, milliseconds);
}

int blk_reap_wait(struct blk_queue* queue, struct blk_request** request, int milliseconds) {
    int ret = blk_reap(queue, request);

    if (ret)
        return ret;
    ret = blk_wait(queue, milliseconds);
    if (ret)
        return ret;
    return blk_reap(queue, request);
}

/* What came of it */

u8 blk_status(const struct blk_queue* queue, const struct blk_request* request) {
    u8 status = BLK_NO_STATUS;

    if (request->in_bytes)
        blk_in(queue, request, request->in_bytes - 1, &status, 1);
    return status;
}

void blk_in(const struct blk_queue* queue, const struct blk_request* request, u32 at, void* to,
            u32 bytes) {
    move(queue, request->segs + request->nout, request->nin, at, to, bytes, false);
}

bool blk_intact(const struct blk_queue* queue, const struct blk_request* request) {
    u32 end_of_all =
        request->dirty + BEHIND < request->room ? request->dirty + BEHIND : request->room;
    u32 at = 0;

    /* Segments lie in ascending order. Those that the device reads hold what the caller knows. */
    for (u32 i = 0; i <= request->nout + request->nin; i++) {
        bool last = i == request->nout + request->nin;
        u32 end = last ? end_of_all
                       : (u32)((u8*)guest_at(queue->mem, request->segs[i].addr) - request->base);

        for (; at < end; at++) {
            if (request->base[at] != BLK_CANARY)
                return false;
        }
        if (!last)
            at += request->segs[i].len;
    }
    return true;
}

int blk_ask(struct blk_queue* queue, u32 type, u64 sector, const void* out, u32 out_bytes, void* in,
            u32 in_bytes, const struct blk_shape* shape, struct blk_answer* answer) {
    struct blk_request* request = blk_get(queue);
    struct blk_request* back = NULL;
    int ret;

    if (!request)
        return -ENOSPC;
    ret = blk_fill(queue, request, type, sector, out, out_bytes, in_bytes, shape);
    if (!ret)
        ret = blk_add(queue, request, shape ? shape->ring : FD_DIRECT);
    if (ret) {
        blk_put(queue, request);
        return ret;
    }
    blk_show(queue);
    ret = blk_reap_wait(queue, &back, 60000);
    if (ret != 1)
        return failed(ret ? ret : -EPROTO, "a request of type %u at sector %llu", type,
                      (unsigned long long)sector);
    if (back != request)
        return failed(-EPROTO, "another request came back than the one that was made");
    answer->status = blk_status(queue, request);
    answer->written = request->written;
    answer->intact = blk_intact(queue, request);
    if (in)
        blk_in(queue, request, 0, in, in_bytes);
    blk_put(queue, request);
    return 0;
}
