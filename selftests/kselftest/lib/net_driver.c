// SPDX-License-Identifier: GPL-2.0-only
#include "net_driver.h"

#include <stdlib.h>
#include <string.h>

#include "driver_queue.h"
#include "error.h"

#define PAGE 4096UL

u32 net_hdr_bytes(u64 features) {
    return features & (F_VERSION_1 | F_NET_MRG_RXBUF) ? NET_HDR_LONG : NET_HDR_SHORT;
}

int net_tap_hdr(u64 features) {
    return features & F_NET_VIRTIO_NET_HDR ? 0 : (int)net_hdr_bytes(features);
}

static size_t page_up(size_t bytes) {
    return (bytes + PAGE - 1) & ~(PAGE - 1);
}

/* Set-up */

/* The queue's private memory, and where in guest memory it ends. */
static int queue_alloc(struct net_queue* queue, struct fd_setup* setup, u32 room, u32 max_segs) {
    queue->max_segs = max_segs;
    queue->bufs = calloc(setup->num, sizeof(*queue->bufs));
    queue->free = calloc(setup->num, sizeof(*queue->free));
    queue->segs = calloc((size_t)setup->num * max_segs, sizeof(*queue->segs));
    queue->fd_bufs = calloc(setup->num, sizeof(*queue->fd_bufs));
    if (!queue->bufs || !queue->free || !queue->segs || !queue->fd_bufs)
        return failed(-ENOMEM, "a queue of %u buffers", setup->num);
    for (u32 i = 0; i < setup->num; i++) {
        queue->bufs[i].room = room;
        queue->bufs[i].segs = queue->segs + (size_t)i * max_segs;
    }
    setup->bufs = queue->fd_bufs;
    return 0;
}

static void queue_free_all(struct net_queue* queue) {
    queue->nfree = 0;
    /* The first buffer is on top. */
    for (u32 i = queue->driver.setup.num; i-- > 0;)
        queue->free[queue->nfree++] = &queue->bufs[i];
}

static int queue_init(struct net_queue* queue, const struct fd_setup* setup, u64 position) {
    int ret = driver_begin(&queue->driver, setup, position);

    if (ret)
        return ret;
    queue_free_all(queue);
    return 0;
}

static int open_memory(struct net_driver* net, const struct net_options* options) {
    struct fd_setup setup[NET_QUEUES] = {0};
    struct vhost_memory_region regions[MAX_REGIONS];
    u32 max_segs = options->max_segs ? options->max_segs : 16;
    u32 wanted = options->regions ? options->regions : 1;
    u32 room[NET_QUEUES];
    size_t payload;
    size_t bytes = 0;
    int ret;

    if (max_segs > NET_MAX_SEGS || wanted > MAX_REGIONS)
        return failed(-EINVAL, "a driver with buffers of %u segments and %u regions", max_segs,
                      wanted);
    for (u32 i = 0; i < NET_QUEUES; i++) {
        setup[i].features = net->features;
        setup[i].num = options->num[i] ? options->num[i] : 256;
        setup[i].table_max = net->features & F_INDIRECT_DESC ? max_segs : 0;
        setup[i].offset = bytes;
        bytes = fd_arena_bytes(&setup[i]);
        room[i] = options->room[i] ? options->room[i] : 2048;
        ret = queue_alloc(&net->queue[i], &setup[i], room[i], max_segs);
        if (ret)
            return ret;
    }
    payload = bytes;
    for (u32 i = 0; i < NET_QUEUES; i++)
        bytes += page_up((size_t)setup[i].num * room[i]);
    ret = guest_mem_map(&net->mem, bytes + page_up(options->spare));
    if (ret)
        return ret;
    net->spare = net->mem.base + bytes;

    for (u32 i = 0; i < NET_QUEUES; i++) {
        struct net_queue* queue = &net->queue[i];

        queue->mem = &net->mem;
        for (u32 k = 0; k < setup[i].num; k++)
            queue->bufs[k].base = net->mem.base + payload + (size_t)k * room[i];
        payload += page_up((size_t)setup[i].num * room[i]);
        setup[i].arena = net->mem.base;
        setup[i].arena_device = (unsigned long)net->mem.base;
        setup[i].arena_bytes = net->mem.bytes;
        ret = queue_init(queue, &setup[i], options->position[i]);
        if (ret)
            return ret;
    }
    return vhost_set_mem_table(&net->dev, regions, guest_mem_regions(&net->mem, regions, wanted));
}

int net_open(struct net_driver* net, const struct net_options* options) {
    int ret;

    memset(net, 0, sizeof(*net));
    for (u32 i = 0; i < NET_QUEUES; i++) {
        struct vhost_queue* vhost = &net->queue[i].vhost;

        vhost->kick = vhost->call = vhost->err = NO_FD;
    }
    net->features = options->features;
    net->hdr_bytes = net_hdr_bytes(options->features);
    ret = driver_open(&net->dev, options->path ? options->path : vhost_path(), options->features);
    if (!ret)
        ret = open_memory(net, options);
    for (u32 i = 0; !ret && i < NET_QUEUES; i++)
        ret = vhost_queue_open(&net->queue[i].vhost, &net->dev, i, &net->queue[i].driver, 0);
    if (ret)
        net_close(net);
    return ret;
}

void net_close(struct net_driver* net) {
    /* First the device, which uses the rest. */
    vhost_close(&net->dev);
    for (u32 i = 0; i < NET_QUEUES; i++) {
        struct net_queue* queue = &net->queue[i];

        vhost_queue_close(&queue->vhost);
        free(queue->bufs);
        free(queue->free);
        free(queue->segs);
        free(queue->fd_bufs);
        queue->bufs = NULL;
        queue->free = NULL;
        queue->segs = NULL;
        queue->fd_bufs = NULL;
    }
    guest_mem_unmap(&net->mem);
}

int net_start(struct net_driver* net, int tap_fd) {
    int ret = vhost_set_backend(&net->dev, NET_RX, tap_fd);

    if (!ret)
        ret = vhost_set_backend(&net->dev, NET_TX, tap_fd);
    return ret;
}

int net_stop(struct net_driver* net) {
    return net_start(net, NO_FD);
}

int net_reset_queue(struct net_driver* net, u32 index) {
    struct net_queue* queue = &net->queue[index];
    struct fd_setup setup = queue->driver.setup;
    int ret = vhost_set_backend(&net->dev, index, NO_FD);

    if (!ret)
        ret = queue_init(queue, &setup, 0);
    if (!ret)
        ret = vhost_queue_place(&queue->vhost, &queue->driver, 0);
    return ret;
}

/* The hot path */

struct net_buf* net_get(struct net_queue* queue) {
    return queue->nfree ? queue->free[--queue->nfree] : NULL;
}

void net_put(struct net_queue* queue, struct net_buf* buf) {
    queue->free[queue->nfree++] = buf;
}

int net_add(struct net_queue* queue, struct net_buf* buf, bool writable, enum fd_shape shape) {
    int id = fd_add(&queue->driver, buf->segs, writable ? 0 : buf->nsegs, writable ? buf->nsegs : 0,
                    shape, buf);

    if (id < 0)
        return id;
    buf->id = id;
    return 0;
}

bool net_show(struct net_queue* queue) {
    return driver_show(&queue->driver, &queue->vhost, &queue->kicks);
}

int net_reap(struct net_queue* queue, struct net_buf** buf, u32* written) {
    struct fd_used used;
    int ret = fd_reap(&queue->driver, &used);

    if (ret <= 0)
        return ret;
    *buf = used.token;
    *written = used.len;
    return 1;
}

int net_wait(struct net_queue* queue, int milliseconds) {
    return driver_wait(&queue->driver, &queue->vhost, milliseconds);
}

/* Segments */

bool net_layout(struct net_queue* queue, struct net_buf* buf, const u32* lens, u32 count, u32 gap) {
    u64 bytes = (u64)gap * count;
    u8* at = buf->base;

    for (u32 i = 0; i < count; i++)
        bytes += lens[i];
    if (bytes > buf->room || count > queue->max_segs)
        return false;
    for (u32 i = 0; i < count; i++) {
        buf->segs[i] = (struct vq_seg){.addr = guest_addr(queue->mem, at), .len = lens[i]};
        at += lens[i];
        memset(at, NET_CANARY, gap);
        at += gap;
    }
    buf->nsegs = count;
    return true;
}

void net_layout_flat(struct net_queue* queue, struct net_buf* buf, u32 bytes) {
    buf->segs[0] = (struct vq_seg){.addr = guest_addr(queue->mem, buf->base), .len = bytes};
    buf->nsegs = 1;
}

static u32 least(u32 a, u32 b) {
    return a < b ? a : b;
}

/* What lies in a segment of @left bytes that begin *skip bytes on; *skip goes down by what was
 * passed. */
static u8* piece_of(const struct net_queue* queue, const struct vq_seg* seg, u32* skip, u32 left,
                    u32* length) {
    u8* at = guest_at(queue->mem, seg->addr);

    if (*skip >= seg->len) {
        *skip -= seg->len;
        *length = 0;
        return at;
    }
    at += *skip;
    *length = least(seg->len - *skip, left);
    *skip = 0;
    return at;
}

void net_scatter(struct net_queue* queue, struct net_buf* buf, u32 at, const void* from,
                 u32 bytes) {
    const u8* data = from;

    for (u32 i = 0; i < buf->nsegs && bytes; i++) {
        u32 length;
        u8* piece = piece_of(queue, &buf->segs[i], &at, bytes, &length);

        memcpy(piece, data, length);
        data += length;
        bytes -= length;
    }
}

void net_gather(struct net_queue* queue, const struct net_buf* buf, u32 at, void* to, u32 bytes) {
    u8* data = to;

    for (u32 i = 0; i < buf->nsegs && bytes; i++) {
        u32 length;
        const u8* piece = piece_of(queue, &buf->segs[i], &at, bytes, &length);

        memcpy(data, piece, length);
        data += length;
        bytes -= length;
    }
}

bool net_canaries_intact(struct net_queue* queue, const struct net_buf* buf) {
    for (u32 i = 0; i < buf->nsegs; i++) {
        const u8* at = (u8*)guest_at(queue->mem, buf->segs[i].addr) + buf->segs[i].len;
        const u8* end = i + 1 < buf->nsegs ? guest_at(queue->mem, buf->segs[i + 1].addr) : at;

        for (; at < end; at++) {
            if (*at != NET_CANARY)
                return false;
        }
    }
    return true;
}

/* Packets */

u32 net_cut(const struct net_shape* shape, u32 bytes, u32* lens, u32 max) {
    u32 count = 0;
    u32 at = 0;

    if (!shape || !shape->lens[0]) {
        lens[0] = bytes;
        return 1;
    }
    while (bytes) {
        if (count == max)
            return 0;
        lens[count] = least(shape->lens[at], bytes);
        bytes -= lens[count++];
        if (at + 1 < sizeof(shape->lens) / sizeof(shape->lens[0]) && shape->lens[at + 1])
            at++;
    }
    return count;
}

/* A free buffer with @bytes in segments of this shape. 0, -ENOSPC, -EINVAL. */
static int shaped(struct net_queue* queue, struct net_buf** buf, u32 bytes,
                  const struct net_shape* shape) {
    u32 lens[NET_MAX_SEGS];
    u32 count = net_cut(shape, bytes, lens, queue->max_segs);

    *buf = net_get(queue);
    if (!*buf)
        return -ENOSPC;
    if (!count || !net_layout(queue, *buf, lens, count, shape ? shape->gap : 0)) {
        net_put(queue, *buf);
        return failed(-EINVAL, "%u bytes do not fit in a buffer of %u bytes in %u segments", bytes,
                      (*buf)->room, queue->max_segs);
    }
    return 0;
}

static int add_shaped(struct net_queue* queue, struct net_buf* buf, bool writable,
                      const struct net_shape* shape) {
    enum fd_shape ring = shape ? shape->ring : FD_DIRECT;
    int ret;

    /* One segment can not be divided between ring and table. */
    if (ring == FD_MIXED && (buf->nsegs < 2 || queue->driver.packed))
        ring = FD_INDIRECT;
    ret = net_add(queue, buf, writable, ring);
    if (ret)
        net_put(queue, buf);
    return ret;
}

int net_send(struct net_driver* net, const net_hdr* hdr, const void* packet, u32 bytes,
             const struct net_shape* shape) {
    static const net_hdr plain;
    struct net_queue* queue = &net->queue[NET_TX];
    struct net_buf* buf;
    int ret = shaped(queue, &buf, net->hdr_bytes + bytes, shape);

    if (ret)
        return ret;
    net_scatter(queue, buf, 0, hdr ? hdr : &plain, net->hdr_bytes);
    net_scatter(queue, buf, net->hdr_bytes, packet, bytes);
    return add_shaped(queue, buf, false, shape);
}

int net_reap_sent(struct net_driver* net) {
    struct net_queue* queue = &net->queue[NET_TX];
    struct net_buf* buf;
    u32 written;
    int count = 0;
    int ret;

    while ((ret = net_reap(queue, &buf, &written)) > 0) {
        net_put(queue, buf);
        count++;
    }
    if (ret < 0)
        return failed(ret, "take back sent buffers: %s", queue->driver.error);
    return count;
}

int net_fill(struct net_driver* net, u32 count, u32 bytes, const struct net_shape* shape) {
    struct net_queue* queue = &net->queue[NET_RX];
    u32 added = 0;

    for (; added < count; added++) {
        struct net_buf* buf;

        if (shaped(queue, &buf, bytes, shape))
            break;
        if (add_shaped(queue, buf, true, shape))
            break;
    }
    return (int)added;
}

/* Appends what a buffer holds behind @skip bytes to the packet. */
static void take_payload(struct net_driver* net, struct net_packet* packet, struct net_buf* buf,
                         u32 skip, u32 written, u8* data, u32 room) {
    struct net_queue* queue = &net->queue[NET_RX];
    u32 bytes = written - skip;
    u32 fits = packet->bytes < room ? least(bytes, room - packet->bytes) : 0;

    net_gather(queue, buf, skip, data + packet->bytes, fits);
    packet->bytes += bytes;
    packet->clean = packet->clean && net_canaries_intact(queue, buf);
    net_put(queue, buf);
}

int net_receive(struct net_driver* net, struct net_packet* packet, void* data, u32 room) {
    struct net_queue* queue = &net->queue[NET_RX];
    struct net_buf* buf;
    u32 written;
    u32 wanted = 1;
    int ret = net_reap(queue, &buf, &written);

    if (!ret)
        return 0;
    if (ret < 0)
        return failed(ret, "receive a packet: %s", queue->driver.error);
    memset(packet, 0, sizeof(*packet));
    packet->clean = true;
    packet->buffers = 1;
    if (written < net->hdr_bytes) {
        net_put(queue, buf);
        return failed(-EPROTO, "receive a packet: %u bytes written, less than a header", written);
    }
    net_gather(queue, buf, 0, &packet->hdr, net->hdr_bytes);
    if (net->features & F_NET_MRG_RXBUF)
        wanted = le16toh(packet->hdr.num_buffers);
    take_payload(net, packet, buf, net->hdr_bytes, written, data, room);

    for (; packet->buffers < wanted; packet->buffers++) {
        ret = net_reap(queue, &buf, &written);
        if (ret < 0)
            return failed(ret, "receive a packet: %s", queue->driver.error);
        if (!ret)
            return failed(-EPROTO, "receive a packet of %u buffers: only %u were given", wanted,
                          packet->buffers);
        take_payload(net, packet, buf, 0, written, data, room);
    }
    return 1;
}

int net_receive_wait(struct net_driver* net, struct net_packet* packet, void* data, u32 room,
                     int milliseconds) {
    int ret = net_receive(net, packet, data, room);

    if (ret)
        return ret;
    ret = net_wait(&net->queue[NET_RX], milliseconds);
    return ret ? ret : net_receive(net, packet, data, room);
}
