// SPDX-License-Identifier: GPL-2.0-only
/*
 * The driver of a virtio-blk device, whoever that is. Each request has its
 * place in guest memory for good, and is made available again and again with
 * another sector, as a guest's driver does it.
 */
#include "ring.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "error.h"
#include "user.h"
#include "vhost_user.h"

#define USER_BYTES (64U << 20)

/* The header is at the beginning of a request's memory, the data is a page. */
static const struct blk_shape shape = {.align = 4096};

struct blk bench_blk;

static struct blk_request* idle[256];
static u32 idle_count;

struct blk_options ring_options(const struct bench* bench) {
    const struct options* options = &bench->options;

    return (struct blk_options){
        .path = options->device,
        .features = F_VERSION_1 | F_BLK_FLUSH | (options->event_idx ? F_EVENT_IDX : 0) |
                    (options->indirect ? F_INDIRECT_DESC : 0) |
                    (options->packed ? F_RING_PACKED : 0),
        .num = 256,
        .room = 3 * 4096,
        .max_segs = 4,
    };
}

int ring_prepare(struct bench* bench) {
    struct blk_queue* queue = &bench_blk.queue[0];
    u32 type = bench->options.write ? VIRTIO_BLK_T_OUT : VIRTIO_BLK_T_IN;
    u32 out = bench->options.write ? BENCH_BYTES : 0;

    for (idle_count = 0; idle_count < bench->options.depth; idle_count++) {
        struct blk_request* request = blk_get(queue);
        int ret = blk_fill(queue, request, type, 0, NULL, out, BENCH_BYTES - out, &shape);

        if (ret)
            return ret;
        idle[idle_count] = request;
    }
    return 0;
}

int ring_give(struct bench* bench, bool* kick) {
    struct blk_queue* queue = &bench_blk.queue[0];
    enum fd_shape how = bench->options.indirect ? FD_INDIRECT : FD_DIRECT;

    while (idle_count) {
        struct blk_request* request = idle[--idle_count];
        struct virtio_blk_outhdr* hdr = (struct virtio_blk_outhdr*)request->base;
        int ret;

        hdr->sector = bench_offset(bench) / BLK_SECTOR;
        ret = blk_add(queue, request, how);
        if (ret)
            return failed(ret, "make a request available");
    }
    *kick = fd_show(&queue->driver);
    return 0;
}

int ring_take(struct bench* bench) {
    struct blk_queue* queue = &bench_blk.queue[0];
    struct blk_request* request;
    int count = 0;
    int ret;

    while ((ret = blk_reap(queue, &request)) > 0) {
        const u8* status = guest_at(queue->mem, request->segs[2].addr);

        if (*status != VIRTIO_BLK_S_OK)
            return failed(-EIO, "a request is answered with status %u", *status);
        idle[idle_count++] = request;
        count++;
    }
    if (ret < 0)
        return ret;
    bench->done += count;
    return count;
}

/* Sleeps until the device calls, unless there is something already. */
static int wait_for_call(struct bench* bench) {
    struct blk_queue* queue = &bench_blk.queue[0];
    u64 count;

    if (fd_enable_call(&queue->driver))
        return 0;
    while (read(queue->vhost.call, &count, sizeof(count)) != sizeof(count)) {
        /* A process that was given the eventfd may have made it one that does not block. */
        if (errno != EAGAIN || ring_block())
            return failed_errno("wait for a call");
    }
    bench->calls += count;
    fd_disable_call(&queue->driver);
    return 0;
}

int ring_drive(struct bench* bench, u64 requests) {
    struct blk_queue* queue = &bench_blk.queue[0];
    u64 end = bench->done + requests;

    while (bench->done < end || queue->driver.in_flight) {
        bool kick = false;
        int ret = bench->done < end ? ring_give(bench, &kick) : 0;

        if (kick) {
            event_signal(queue->vhost.kick);
            bench->kicks++;
        }
        if (!ret)
            ret = ring_take(bench);
        if (!ret)
            ret = wait_for_call(bench);
        if (ret < 0)
            return ret;
    }
    return 0;
}

int ring_block(void) {
    if (fcntl(bench_blk.queue[0].vhost.call, F_SETFL, 0) < 0)
        return failed_errno("make the call eventfd block");
    return 0;
}

int ring_eventfds(void) {
    struct vhost_queue* vhost = &bench_blk.queue[0].vhost;

    vhost->kick = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    vhost->call = eventfd(0, EFD_CLOEXEC);
    return vhost->kick < 0 || vhost->call < 0 ? failed_errno("eventfds") : 0;
}

/* A vhost device of the kernel */

int vhost_path_open(struct bench* bench) {
    struct blk_options options = ring_options(bench);
    int ret = blk_open(&bench_blk, &options);

    if (ret == -EOPNOTSUPP)
        return failed(ret, "the features of %s", options.path);
    if (!ret)
        ret = ring_block();
    if (!ret && bench->options.busyloop)
        ret = vhost_set_busyloop(&bench_blk.dev, 0, bench->options.busyloop);
    if (!ret)
        ret = blk_start(&bench_blk, bench->disk);
    return ret ? ret : ring_prepare(bench);
}

/* A device of another process */

int vhost_user_open(struct bench* bench) {
    struct blk_options options = ring_options(bench);
    int ret;

    options.shared = true;
    ret = blk_make(&bench_blk, &options);
    if (!ret)
        ret = ring_eventfds();
    if (!ret)
        ret = vhost_user_start(bench->options.socket, &bench_blk);
    return ret ? ret : ring_prepare(bench);
}

/* The VMM's own device, in this process */

int user_open(struct bench* bench) {
    struct blk_options options = ring_options(bench);
    const struct fake_driver* driver = &bench_blk.queue[0].driver;
    struct user_queue queue;
    int ret;

    options.memory_bytes = USER_BYTES;
    options.memory = user_memory(FD_GUEST_BASE, USER_BYTES);
    if (!options.memory)
        return -ENOMEM;
    ret = blk_make(&bench_blk, &options);
    if (!ret)
        ret = ring_eventfds();
    if (ret)
        return ret;
    queue = (struct user_queue){
        .disk = bench->options.disk,
        .aio = bench->options.aio,
        .features = bench_blk.features,
        .size = driver->setup.num,
        .desc = FD_GUEST_BASE + driver->desc,
        .driver = FD_GUEST_BASE + driver->driver,
        .device = FD_GUEST_BASE + driver->device,
        .kick = bench_blk.queue[0].vhost.kick,
        .call = bench_blk.queue[0].vhost.call,
    };
    ret = ring_prepare(bench);
    return ret ? ret : user_serve(&queue);
}
