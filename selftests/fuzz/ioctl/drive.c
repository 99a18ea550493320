// SPDX-License-Identifier: GPL-2.0-only
/*
 * The driver of all queues of a round, in a thread: buffers made available,
 * kicks, buffers taken back, packets from outside, translations. On a hostile
 * queue, anything besides.
 */
#include <string.h>
#include <unistd.h>

#include "fuzz.h"
#include "net_driver.h"
#include "report.h"

#define MOST_SEGS 6
#define FRAME_BYTES 1514

/* A buffer's memory, or NULL. Slots are named by tokens from 1 on. */
static u8* slot_take(struct world* world, struct fuzz_queue* queue, void** token) {
    u16 slot;

    if (!queue->free_slots)
        return NULL;
    slot = queue->slots[--queue->free_slots];
    *token = (void*)(unsigned long)(slot + 1);
    return world->view + queue_offset(world, queue) + RING_ROOM + slot * SLOT_BYTES;
}

static void slot_give(struct fuzz_queue* queue, const void* token) {
    if (queue->free_slots < SLOTS)
        queue->slots[queue->free_slots++] = (unsigned long)token - 1;
}

/* A buffer in pieces. Returns how many. */
static u32 cut(struct actor* actor, u64 addr, u32 bytes, struct vq_seg* segs, u32 most) {
    u32 n = 0;

    while (bytes && n < most) {
        u32 here = n + 1 == most || percent(actor, 40) ? bytes : 1 + below(actor, bytes);

        segs[n++] = (struct vq_seg){.addr = addr, .len = here};
        addr += here;
        bytes -= here;
    }
    return n;
}

static enum fd_shape plan_shape(struct actor* actor, const struct fuzz_queue* queue, u32 segs) {
    if (!queue->driver.setup.table_max || percent(actor, 50))
        return FD_DIRECT;
    return !queue->driver.packed && segs > 1 && percent(actor, 30) ? FD_MIXED : FD_INDIRECT;
}

/* Makes one buffer available, its first @out bytes readable. */
static bool add(struct actor* actor, struct fuzz_queue* queue, u8* base, void* token, u32 out,
                u32 in) {
    u64 addr = FD_GUEST_BASE + (u64)(base - actor->world->view);
    u32 most = queue->driver.setup.num < MOST_SEGS ? 1 : MOST_SEGS;
    struct vq_seg segs[2 * MOST_SEGS];
    u32 nout = cut(actor, addr, out, segs, most);
    u32 nin = cut(actor, addr + out, in, segs + nout, most);

    if (fd_add(&queue->driver, segs, nout, nin, plan_shape(actor, queue, nout + nin), token) >= 0)
        return true;
    slot_give(queue, token);
    return false;
}

static u32 frame_bytes(struct actor* actor) {
    return percent(actor, 95) ? 14 + below(actor, FRAME_BYTES - 13) : below(actor, 14);
}

/* A packet with its header. Large ones reach into others' slots. */
static u32 make_packet(struct actor* actor, struct fuzz_queue* queue, u8* base, u32 header) {
    struct virtio_net_hdr* hdr = (struct virtio_net_hdr*)base;
    u32 bytes = frame_bytes(actor);

    memset(base, 0, header);
    frame_make(base + header, bytes < 14 ? 14 : bytes, queue->frame++);
    if (percent(actor, 10)) {
        struct virtio_net_hdr plan;

        bytes = tcp_frame_make(base + header, 1 + below(actor, 1400), queue->frame,
                               percent(actor, 60) ? 100 + below(actor, 400) : 0, &plan);
        *hdr = plan;
    } else if (percent(actor, 5)) {
        for (u32 i = 0; i < header; i++)
            base[i] = below(actor, 256);
    } else if (percent(actor, 5)) {
        u64 left = actor->world->view + GUEST_BYTES - base;

        bytes = below(actor, 66000);
        if (bytes + header > left)
            bytes = left - header;
    }
    return header + bytes;
}

/* Available buffers for queue 1, or any of a null device. */
static void give_out(struct actor* actor, struct fuzz_device* dev, struct fuzz_queue* queue) {
    u32 header = net_hdr_bytes(dev->features);

    for (u32 n = 1 + below(actor, 8); n; n--) {
        void* token;
        u8* base = slot_take(actor->world, queue, &token);
        u32 bytes;

        if (!base)
            return;
        bytes = make_packet(actor, queue, base, header);
        if (actor->world->is_null)
            bytes = below(actor, SLOT_BYTES / 2);
        if (!add(actor, queue, base, token, bytes, actor->world->is_null ? 1 + bytes : 0))
            return;
    }
}

/* Buffers for queue 0: of a size that holds a frame, or less where they are merged. */
static void give_in(struct actor* actor, struct fuzz_device* dev, struct fuzz_queue* queue) {
    bool merged = dev->features & F_NET_MRG_RXBUF;

    for (u32 n = 1 + below(actor, 16); n; n--) {
        u32 bytes = merged && percent(actor, 50) ? 1 + below(actor, 600) : 1600;
        void* token;
        u8* base = slot_take(actor->world, queue, &token);

        if (!base || !add(actor, queue, base, token, 0, bytes))
            return;
    }
}

static void take_back(struct actor* actor, struct fuzz_queue* queue) {
    struct report* report = actor->world->report;
    struct fd_used used;
    int ret;

    while ((ret = fd_reap(&queue->driver, &used)) > 0) {
        slot_give(queue, used.token);
        count_up(report->reaped, 1);
    }
    if (ret >= 0)
        return;
    count_up(report->protocol, 1);
    queue->ready = false;
}

static void drive_queue(struct actor* actor, struct fuzz_device* dev, u32 index) {
    struct fuzz_queue* queue = &dev->queue[index];

    if (pthread_mutex_trylock(&queue->lock))
        return;
    if (queue->ready) {
        if (index == NET_TX || actor->world->is_null)
            give_out(actor, dev, queue);
        else
            give_in(actor, dev, queue);
        if (queue->hostile && percent(actor, 30))
            mutate_ring(actor, queue);
        if (fd_show(&queue->driver) || percent(actor, 10))
            event_signal(queue->kick);
        if (queue->hostile && percent(actor, 30)) {
            mutate_ring(actor, queue);
            event_signal(queue->kick);
        }
        take_back(actor, queue);
        if (percent(actor, 50))
            fd_enable_call(&queue->driver);
        else
            fd_disable_call(&queue->driver);
    }
    pthread_mutex_unlock(&queue->lock);
}

/* What comes from the network, and what went there. */
static void drive_tap(struct actor* actor, struct tap* tap) {
    static const u8 vlan[] = {0x81, 0x00, 0x00, 0x07};
    static _Thread_local u8 frame[FRAME_MAX + 1];

    for (u32 n = below(actor, 6); n; n--) {
        u32 bytes = 14 + below(actor, percent(actor, 90) ? 1500 : 4000);

        frame_make(frame, bytes, n);
        if (bytes > 18 && percent(actor, 5))
            memcpy(frame + 12, vlan, sizeof(vlan));
        if (tap_send(tap, NULL, frame, bytes))
            break;
    }
    for (u32 n = 0; n < 64; n++)
        if (tap_receive(tap, NULL, frame, sizeof(frame)) < 0)
            break;
}

void* drive_main(void* data) {
    struct actor* actor = data;
    struct world* world = actor->world;

    while (!__atomic_load_n(&world->over, __ATOMIC_RELAXED)) {
        for (u32 i = 0; i < DEVICES; i++) {
            struct fuzz_device* dev = &world->dev[i];

            for (u32 k = 0; k < QUEUES; k++)
                drive_queue(actor, dev, k);
            if (dev->fd >= 0 && (dev->features & F_ACCESS_PLATFORM))
                messages_answer(actor, dev);
        }
        drive_tap(actor, &world->tap[below(actor, world->taps)]);
        usleep(below(actor, 5000));
    }
    return NULL;
}
