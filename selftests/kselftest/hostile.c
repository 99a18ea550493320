// SPDX-License-Identifier: GPL-2.0-only
/*
 * Rings as no honest driver writes them, and buffers that are not there. Each
 * stops its queue and nothing else: the owner hears of it by eventfd and learns
 * the reason, the other queue goes on, and a queue that is set up anew serves
 * again. A packet that makes no sense for the device is dropped, and stops
 * nothing.
 */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "dirty_pages.h"
#include "frames.h"
#include "tap_output.h"
#include "traffic_flow.h"

#define SPLIT (F_VERSION_1 | F_NET_MRG_RXBUF | F_EVENT_IDX | F_INDIRECT_DESC)
#define PACKED (SPLIT | F_RING_PACKED)
#define PAGE 4096UL

#define N VQ_DESC_F_NEXT
#define W VQ_DESC_F_WRITE
#define I VQ_DESC_F_INDIRECT

/* Places in guest memory */
enum place {
    GOOD,   /* a buffer */
    TABLE,  /* of descriptors */
    BELOW,  /* where no memory is */
    LAST,   /* the last byte of memory */
    WRAP,   /* the last bytes of all addresses */
    GONE,   /* was unmapped under the device */
    SEALED, /* can not be written */
    BEHIND, /* one byte before what was unmapped */
};

struct desc {
    enum place place;
    u32 len;
    u16 flags;
    u16 next;
};

enum outcome {
    STOPS,      /* for what was found in the ring: the frame that met it waits */
    STOPS_LATE, /* when the frame was on its way: it is lost */
    DROPS,      /* goes on, and counts it */
    PASSES,     /* goes on: what is wrong is not seen */
};

struct attack {
    const char* name;
    u32 queues; /* bits: 1 receive, 2 transmit; RX means that descriptors become writable */
    u64 formats[2];
    enum outcome outcome;
    u32 error;
    struct desc chain[4];
    struct desc table[4];                             /* what place TABLE holds */
    void (*prepare)(struct live*, struct net_queue*); /* instead of, or before, the chain */
    u16 head;                                         /* split */
    u16 more;     /* split: that much too many in the avail index */
    u32 num;      /* ring size */
    bool lenient; /* vhost-net lets it pass */
};

struct scene {
    char name[64];
    const struct attack* attack;
    u64 features;
    u32 queue;
};

static u8 frame[4096];
static u8* gone;   /* a page that is not there */
static u8* sealed; /* one that can not be written */

static u64 address(struct live* live, struct net_queue* queue, enum place place) {
    switch (place) {
        case BELOW:
            return 1 << 20;
        case LAST:
            return FD_GUEST_BASE + live->net.mem.bytes - 1;
        case WRAP:
            return ~0ULL - 10;
        case GONE:
            return guest_addr(&live->net.mem, gone);
        case BEHIND:
            return guest_addr(&live->net.mem, gone) - 1;
        case SEALED:
            return guest_addr(&live->net.mem, sealed);
        case TABLE:
            return guest_addr(&live->net.mem, live->net.spare);
        default:
            return guest_addr(&live->net.mem, queue->bufs[0].base);
    }
}

static void write_split(struct vq_split_desc* to, u64 addr, const struct desc* from, u16 flags) {
    to->addr = addr;
    to->len = from->len;
    to->flags = flags;
    to->next = from->next;
}

static void write_packed(struct vq_packed_desc* to, u64 addr, const struct desc* from, u16 flags) {
    to->addr = addr;
    to->len = from->len;
    to->id = 0;
    __atomic_store_n(&to->flags, flags, __ATOMIC_RELEASE);
}

static u32 length_of(const struct desc* chain) {
    u32 n = 0;

    while (n < 4 && (chain[n].len || chain[n].flags || chain[n].place))
        n++;
    return n;
}

/* Receive buffers are writable, where the attack is not about that. */
static u16 flags_of(const struct scene* scene, const struct desc* desc) {
    bool about = scene->attack->error == VIREO_ERROR_DIRECTION ||
                 scene->attack->error == VIREO_ERROR_ORDER || desc->flags & (I | W);

    return desc->flags | (scene->queue == NET_RX && !about ? W : 0);
}

static void write_table(const struct scene* scene, struct live* live, struct net_queue* queue) {
    const struct attack* attack = scene->attack;

    for (u32 i = 0; i < COUNT(attack->table); i++) {
        const struct desc* desc = &attack->table[i];
        u64 addr = address(live, queue, desc->place);

        if (queue->driver.packed)
            write_packed((struct vq_packed_desc*)live->net.spare + i, addr, desc,
                         flags_of(scene, desc));
        else
            write_split((struct vq_split_desc*)live->net.spare + i, addr, desc,
                        flags_of(scene, desc));
    }
}

static void offer_split(const struct scene* scene, struct live* live, struct net_queue* queue) {
    const struct attack* attack = scene->attack;
    struct fake_driver* driver = &queue->driver;
    u16 slot = driver->avail_idx & (driver->setup.num - 1);

    for (u32 i = 0; i < length_of(attack->chain); i++)
        write_split(fd_split_desc(driver, i), address(live, queue, attack->chain[i].place),
                    &attack->chain[i], flags_of(scene, &attack->chain[i]));
    fd_avail(driver)->ring[slot] = attack->head == 0xffff ? driver->setup.num : attack->head;
    driver->avail_idx += 1 + attack->more;
    __atomic_store_n(&fd_avail(driver)->idx, driver->avail_idx, __ATOMIC_RELEASE);
}

static void offer_packed(const struct scene* scene, struct live* live, struct net_queue* queue) {
    const struct attack* attack = scene->attack;
    struct fake_driver* driver = &queue->driver;

    /* The last first: the device sees all when it sees the first. */
    for (u32 i = length_of(attack->chain); i-- > 0;) {
        u32 slot = (driver->avail_idx + i) % driver->setup.num;
        bool wrap = driver->avail_wrap != (driver->avail_idx + i >= driver->setup.num);
        u16 flags = flags_of(scene, &attack->chain[i]) | (wrap ? VQ_DESC_F_AVAIL : VQ_DESC_F_USED);

        write_packed(fd_packed_desc(driver, slot), address(live, queue, attack->chain[i].place),
                     &attack->chain[i], flags);
    }
}

/* Attacks that a table of descriptors does not describe */

/* A chain of as many descriptors as there are, or of more than a device takes. */
static void long_chain(struct live* live, struct net_queue* queue) {
    struct fake_driver* driver = &queue->driver;
    u16 dir = queue->vhost.index == NET_RX ? W : 0;
    u64 addr = guest_addr(&live->net.mem, queue->bufs[0].base);
    u32 num = driver->setup.num;

    for (u32 i = num; i-- > 0;) {
        struct desc desc = {.len = 1, .next = (i + 1) % num};
        u32 slot = (driver->avail_idx + i) % num;
        bool wrap = driver->avail_wrap != (driver->avail_idx + i >= num);

        if (driver->packed)
            write_packed(fd_packed_desc(driver, slot), addr, &desc,
                         N | dir | (wrap ? VQ_DESC_F_AVAIL : VQ_DESC_F_USED));
        else
            write_split(fd_split_desc(driver, i), addr, &desc, N | dir);
    }
}

static void protect(void* at, size_t bytes, int how, const char* what) {
    require(!mprotect(at, bytes, how), "mprotect %s", what);
}

static size_t page_of(size_t offset) {
    return offset & ~(PAGE - 1);
}

static void take_driver_area(struct live* live, struct net_queue* queue) {
    size_t area = queue->driver.packed ? queue->driver.desc : queue->driver.driver;

    protect(live->net.mem.base + page_of(area), PAGE, PROT_NONE, "the driver's area");
}

static void seal_device_area(struct live* live, struct net_queue* queue) {
    size_t area = queue->driver.packed ? queue->driver.desc : queue->driver.device;

    protect(live->net.mem.base + page_of(area), PAGE, PROT_READ, "the device's area");
}

/* Not a driver's deed, but its owner's. */
static void move_ring_askew(struct live* live, struct net_queue* queue) {
    struct vhost_vring_addr addr;

    dirty_ring_addr(queue, 0, &addr);
    addr.desc_user_addr += 8;
    require_ok(vhost_set_addr(&live->net.dev, &addr));
}

static void make_whole(struct live* live) {
    struct vhost_memory_region region;

    protect(live->net.mem.base, live->net.mem.bytes, PROT_READ | PROT_WRITE, "all memory");
    require_ok(vhost_set_mem_table(&live->net.dev, &region,
                                   guest_mem_regions(&live->net.mem, &region, 1)));
}

#define BOTH 3
#define RX_ONLY 1
#define TX_ONLY 2
#define EACH {SPLIT, PACKED}
#define NO_INDIRECT {SPLIT & ~F_INDIRECT_DESC, PACKED & ~F_INDIRECT_DESC}

static const struct attack attacks[] = {
    /* Where buffers are */
    {"outside", BOTH, EACH, STOPS, VIREO_ERROR_ADDRESS, .chain = {{BELOW, 1600, 0, 0}}},
    {"second-outside", BOTH, EACH, STOPS, VIREO_ERROR_ADDRESS,
     .chain = {{GOOD, 20, N, 1}, {BELOW, 1600, 0, 0}}},
    {"across-the-end", BOTH, EACH, STOPS, VIREO_ERROR_ADDRESS, .chain = {{LAST, 1600, 0, 0}}},
    {"around-all-addresses", BOTH, EACH, STOPS, VIREO_ERROR_ADDRESS, .chain = {{WRAP, 1600, 0, 0}}},
    {"huge", RX_ONLY, EACH, STOPS, VIREO_ERROR_ADDRESS, .chain = {{GOOD, 0xffffffff, 0, 0}}},
    {"huge", TX_ONLY, EACH, DROPS, 0, .chain = {{GOOD, 0xffffffff, 0, 0}}},
    {"huge-many", TX_ONLY, EACH, DROPS, 0,
     .chain = {{GOOD, 0xffffffff, N, 1}, {GOOD, 0xffffffff, N, 2}, {GOOD, 100, 0, 0}}},
    {"unmapped", BOTH, EACH, STOPS_LATE, VIREO_ERROR_BUFFER_FAULT, .chain = {{GONE, 1600, 0, 0}}},
    {"unmapped-large", TX_ONLY, EACH, STOPS, VIREO_ERROR_BUFFER_FAULT,
     .chain = {{GOOD, 12, N, 1}, {GONE, 4096, 0, 0}}},
    {"unmapped-from-second-byte", BOTH, EACH, STOPS_LATE, VIREO_ERROR_BUFFER_FAULT,
     .chain = {{BEHIND, 1600, 0, 0}}},
    {"read-only", RX_ONLY, EACH, STOPS_LATE, VIREO_ERROR_BUFFER_FAULT,
     .chain = {{SEALED, 1600, 0, 0}}},
    /* A tap does not say that it could not write the payload. */
    {"read-only-second", RX_ONLY, EACH, PASSES, 0,
     .chain = {{GOOD, 40, N, 1}, {SEALED, 1600, 0, 0}}},
    /* What they are */
    {"wrong-direction", RX_ONLY, EACH, STOPS, VIREO_ERROR_DIRECTION, .chain = {{GOOD, 1600, 0, 0}}},
    {"wrong-direction", TX_ONLY, EACH, STOPS, VIREO_ERROR_DIRECTION, .chain = {{GOOD, 1600, W, 0}}},
    {"half-wrong-direction", BOTH, EACH, STOPS, VIREO_ERROR_DIRECTION,
     .chain = {{GOOD, 100, N, 1}, {GOOD, 1500, W, 0}}},
    {"readable-behind-writable", BOTH, EACH, STOPS, VIREO_ERROR_ORDER,
     .chain = {{GOOD, 100, W | N, 1}, {GOOD, 1500, 0, 0}}},
    {"empty", RX_ONLY, EACH, STOPS, VIREO_ERROR_DIRECTION, .chain = {{GOOD, 0, W, 0}}},
    {"empty", TX_ONLY, EACH, DROPS, 0, .chain = {{BELOW, 0, N, 1}, {BELOW, 0, 0, 0}}},
    /* Where nothing is to be read or written, no memory is needed. */
    {"empty-between", BOTH, EACH, PASSES, 0,
     .chain = {{GOOD, 20, N, 1}, {BELOW, 0, N, 2}, {GOOD, 1580, N, 3}, {WRAP, 0, 0, 0}}},
    {"empty-between-large", TX_ONLY, EACH, PASSES, 0,
     .chain = {{GOOD, 12, N, 1}, {BELOW, 0, N, 2}, {GOOD, 5000, N, 3}, {WRAP, 0, 0, 0}}},
    {"header-alone", TX_ONLY, EACH, DROPS, 0, .chain = {{GOOD, 12, 0, 0}}},
    {"half-a-header", TX_ONLY, EACH, DROPS, 0, .chain = {{GOOD, 5, 0, 0}}},
    {"less-than-ethernet", TX_ONLY, EACH, DROPS, 0, .chain = {{GOOD, 12 + 13, 0, 0}}},
    /* Tables */
    {"table-not-negotiated", BOTH, NO_INDIRECT, STOPS, VIREO_ERROR_INDIRECT_OFF,
     .chain = {{TABLE, 16, I, 0}}, .table = {{GOOD, 1600, 0, 0}}, .lenient = true},
    {"table-empty", BOTH, EACH, STOPS, VIREO_ERROR_INDIRECT_LENGTH, .chain = {{TABLE, 0, I, 0}}},
    {"table-of-a-half", BOTH, EACH, STOPS, VIREO_ERROR_INDIRECT_LENGTH,
     .chain = {{TABLE, 24, I, 0}}, .table = {{GOOD, 1600, 0, 0}}},
    {"table-huge", BOTH, EACH, STOPS, VIREO_ERROR_INDIRECT_LENGTH,
     .chain = {{TABLE, 0xfffffff0, I, 0}}},
    {"table-outside", BOTH, EACH, STOPS, VIREO_ERROR_ADDRESS, .chain = {{BELOW, 32, I, 0}}},
    {"table-across-the-end", BOTH, EACH, STOPS, VIREO_ERROR_ADDRESS, .chain = {{LAST, 32, I, 0}}},
    {"table-unmapped", BOTH, EACH, STOPS, VIREO_ERROR_RING_FAULT, .chain = {{GONE, 32, I, 0}}},
    /* Of a packed table's flags all but WRITE are ignored (2.8.7). */
    {"table-in-a-table",
     BOTH,
     {SPLIT},
     STOPS,
     VIREO_ERROR_INDIRECT_FLAGS,
     .chain = {{TABLE, 16, I, 0}},
     .table = {{TABLE, 16, I, 0}}},
    {"table-next-outside",
     BOTH,
     {SPLIT},
     STOPS,
     VIREO_ERROR_NEXT,
     .chain = {{TABLE, 32, I, 0}},
     .table = {{GOOD, 100, N, 2}, {GOOD, 1500, 0, 0}},
     .lenient = true},
    {"table-loop",
     BOTH,
     {SPLIT},
     STOPS,
     VIREO_ERROR_LOOP,
     .chain = {{TABLE, 32, I, 0}},
     .table = {{GOOD, 100, N, 1}, {GOOD, 1500, N, 0}}},
    {"table-linked-on", BOTH, EACH, STOPS, VIREO_ERROR_INDIRECT_FLAGS,
     .chain = {{TABLE, 16, I | N, 1}, {GOOD, 100, 0, 0}}, .table = {{GOOD, 1600, 0, 0}},
     .lenient = true},
    /* The ring */
    {"index-jump",
     BOTH,
     {SPLIT},
     STOPS,
     VIREO_ERROR_AVAIL_INDEX,
     .chain = {{GOOD, 1600, 0, 0}},
     .more = 256},
    {"index-back",
     BOTH,
     {SPLIT},
     STOPS,
     VIREO_ERROR_AVAIL_INDEX,
     .chain = {{GOOD, 1600, 0, 0}},
     .more = 0xfffd},
    {"head-outside",
     BOTH,
     {SPLIT},
     STOPS,
     VIREO_ERROR_HEAD,
     .chain = {{GOOD, 1600, 0, 0}},
     .head = 0xffff},
    {"next-outside", BOTH, {SPLIT}, STOPS, VIREO_ERROR_NEXT, .chain = {{GOOD, 100, N, 256}}},
    {"loop-of-one", BOTH, {SPLIT}, STOPS, VIREO_ERROR_LOOP, .chain = {{GOOD, 100, N, 0}}},
    {"loop-of-two",
     BOTH,
     {SPLIT},
     STOPS,
     VIREO_ERROR_LOOP,
     .chain = {{GOOD, 100, N, 1}, {GOOD, 100, N, 0}}},
    {"endless", BOTH, EACH, STOPS, VIREO_ERROR_LOOP, .prepare = long_chain},
    {"too-long", BOTH, EACH, STOPS, VIREO_ERROR_TOO_LONG, .prepare = long_chain, .num = 2048},
    {"ring-unmapped", BOTH, EACH, STOPS, VIREO_ERROR_RING_FAULT, .chain = {{GOOD, 1600, 0, 0}},
     .prepare = take_driver_area},
    {"ring-read-only", BOTH, EACH, STOPS_LATE, VIREO_ERROR_RING_FAULT,
     .chain = {{GOOD, 1600, 0, 0}}, .prepare = seal_device_area},
    {"ring-moved-askew", BOTH, EACH, STOPS, VIREO_ERROR_BASE, .chain = {{GOOD, 1600, 0, 0}},
     .prepare = move_ring_askew, .lenient = true},
};

/* The scene */

static void open_scene(struct live* live, const struct scene* scene) {
    u32 num = scene->attack->num ? scene->attack->num : 256;
    struct net_options options = {
        .features = scene->features, .num = {num, num}, .spare = 8 * PAGE};
    struct tap_options tap = {.vnet_hdr = NET_HDR_LONG};

    live_open_with(live, &options, &tap);
    if (!live->net.dev.is_vireo && scene->attack->outcome >= DROPS)
        skip_test("vhost-net takes such a packet for an error of the ring");
    if (!live->net.dev.is_vireo && scene->attack->lenient)
        skip_test("vhost-net lets it pass");
    if (!live->net.dev.is_vireo && scene->attack->error == VIREO_ERROR_BUFFER_FAULT)
        skip_test("vhost-net does not tell of buffers that are not there");
    /* spare: the table, then a page that is there, one that is not, one that is read-only */
    gone = live->net.spare + 2 * PAGE;
    sealed = live->net.spare + 4 * PAGE;
}

static void check_other_queue(struct live* live, u32 broken) {
    if (broken == NET_TX)
        flow_receive(&live->flow);
    else
        flow_transmit(&live->flow);
}

static void attack(struct live* live, const struct scene* scene) {
    const struct attack* how = scene->attack;
    struct net_queue* queue = &live->net.queue[scene->queue];
    bool ring = how->prepare == take_driver_area || how->prepare == seal_device_area;

    protect(gone, PAGE, PROT_NONE, "a page");
    protect(sealed, PAGE, PROT_READ, "a page");
    write_table(scene, live, queue);
    if (how->prepare && !ring)
        how->prepare(live, queue);
    if (queue->driver.packed)
        offer_packed(scene, live, queue);
    else
        offer_split(scene, live, queue);
    /* When the ring itself is taken away, what it offers is there before. */
    if (ring)
        how->prepare(live, queue);
    event_signal(queue->vhost.kick);
}

/* One error of this kind has been signalled and counted. */
static void check_error(const struct live* live, u32 index, u32 error) {
    struct vireo_queue_stats stats;
    bool rule = (error > VIREO_ERROR_RING_FAULT && error < VIREO_ERROR_ADDRESS) ||
                error == VIREO_ERROR_DIRECTION || error == VIREO_ERROR_BASE;

    require(!event_wait(live->net.queue[index].vhost.err, WAIT_MS), "no error is signalled");
    event_take(live->net.queue[index].vhost.err);
    if (!live->net.dev.is_vireo)
        return;
    require_ok(vhost_stats(&live->net.dev, index, &stats));
    check(stats.last_error == error, "the error is %u where %u is due", stats.last_error, error);
    check(stats.ring_errors == rule && stats.faults == !rule,
          "%llu errors of the ring and %llu faults are counted",
          (unsigned long long)stats.ring_errors, (unsigned long long)stats.faults);
}

static void check_stopped(struct live* live, const struct scene* scene) {
    struct net_queue* queue = &live->net.queue[scene->queue];
    struct vireo_queue_stats stats;
    struct vireo_queue_stats later;

    check_error(live, scene->queue, scene->attack->error);
    if (!live->net.dev.is_vireo)
        return;
    require_ok(vhost_stats(&live->net.dev, scene->queue, &stats));

    /* It stays stopped, and does nothing, whatever comes. */
    for (u32 i = 0; i < 10; i++)
        event_signal(queue->vhost.kick);
    check_other_queue(live, scene->queue);
    require_ok(vhost_stats(&live->net.dev, scene->queue, &later));
    check(later.chains == stats.chains && later.wakeups == stats.wakeups &&
              later.last_error == stats.last_error,
          "stopped, the queue had %llu turns and gave %llu chains back",
          (unsigned long long)(later.wakeups - stats.wakeups),
          (unsigned long long)(later.chains - stats.chains));
    check(!event_take(queue->vhost.err), "the error is signalled again");
    require_ok(vhost_stats(&live->net.dev, !scene->queue, &later));
    check(!later.last_error && !later.ring_errors && !later.faults, "the other queue has error %u",
          later.last_error);
}

static void recover(struct live* live, const struct scene* scene, u32 waiting) {
    struct net_packet packet;

    require_ok(vhost_set_backend(&live->net.dev, scene->queue, NO_FD));
    make_whole(live);
    require_ok(net_reset_queue(&live->net, scene->queue));
    require_ok(vhost_set_backend(&live->net.dev, scene->queue, live->tap.fd));
    /* If it could be sent, but not given back, it was sent. */
    while (scene->attack->outcome == STOPS_LATE &&
           tap_receive(&live->tap, NULL, frame, sizeof(frame)) >= 0)
        continue;
    if (scene->queue == NET_RX && scene->attack->outcome == STOPS) {
        /* What came meanwhile has waited. */
        net_fill(&live->net, 10, 1600, NULL);
        net_show(&live->net.queue[NET_RX]);
        require(net_receive_wait(&live->net, &packet, frame, sizeof(frame), WAIT_MS) == 1,
                "the frame that met the error was lost");
        check(frame_matches(frame, packet.bytes, waiting, 100), "the frame that waited differs");
    }
    live_check(live);
}

static void stopped(struct live* live, const struct scene* scene) {
    check_stopped(live, scene);
    recover(live, scene, 4711);
}

struct passed {
    struct live* live;
    u32 queue;
    struct vireo_queue_stats stats;
};

static bool has_passed(void* arg) {
    struct passed* passed = arg;

    require_ok(vhost_stats(&passed->live->net.dev, passed->queue, &passed->stats));
    return passed->stats.drops + passed->stats.packets == 301;
}

/* It is one of 301 packets so far, and what is behind it goes on. */
static void dropped(struct live* live, const struct scene* scene) {
    struct vireo_queue_stats stats;
    struct passed passed = {.live = live, .queue = scene->queue};

    check(wait_until(has_passed, &passed), "the packet does not come back");
    stats = passed.stats;
    check(stats.drops == (scene->attack->outcome == DROPS) && !stats.backend_errors &&
              !stats.last_error && !stats.faults && !stats.ring_errors,
          "%llu drops, %llu errors of the backend, error %u", (unsigned long long)stats.drops,
          (unsigned long long)stats.backend_errors, stats.last_error);
    check(!event_take(live->net.queue[scene->queue].vhost.err), "an error is signalled");
    if (scene->attack->outcome == PASSES && scene->queue == NET_TX)
        require(tap_receive_wait(&live->tap, NULL, frame, sizeof(frame), WAIT_MS) > 0,
                "what passed does not arrive");
    recover(live, scene, 0);
}

static void run(const void* arg) {
    const struct scene* scene = arg;
    struct live live;

    open_scene(&live, scene);
    live_check(&live);
    /* In the receive ring the attack comes before all buffers. */
    if (scene->queue == NET_RX) {
        require_ok(net_reset_queue(&live.net, NET_RX));
        require_ok(vhost_set_backend(&live.net.dev, NET_RX, live.tap.fd));
    }
    attack(&live, scene);
    if (scene->queue == NET_RX) {
        frame_make(frame, 100, 4711);
        require_ok(tap_send(&live.tap, NULL, frame, 100));
    }
    if (scene->attack->outcome >= DROPS)
        dropped(&live, scene);
    else
        stopped(&live, scene);
    live_close(&live);
}

/* Memory that is taken away and given back: no queue has to be set up anew, no frame is lost. */
static void mended(const void* arg) {
    struct net_packet packet;
    struct live live;

    live_open(&live, *(const u64*)arg);
    live_check(&live);
    require_ok(net_reset_queue(&live.net, NET_RX));
    require_ok(vhost_set_backend(&live.net.dev, NET_RX, live.tap.fd));
    require_ok(vhost_set_mem_table(&live.net.dev, NULL, 0));

    net_fill(&live.net, 10, 1600, NULL);
    net_show(&live.net.queue[NET_RX]);
    frame_make(frame, 100, 1);
    require_ok(tap_send(&live.tap, NULL, frame, 100));
    require_ok(net_send(&live.net, NULL, frame, 100, NULL));
    net_show(&live.net.queue[NET_TX]);
    for (u32 i = 0; i < NET_QUEUES; i++)
        require(!event_wait(live.net.queue[i].vhost.err, WAIT_MS), "queue %u: no error", i);

    make_whole(&live);
    /* vhost looks again when it is kicked. */
    for (u32 i = 0; i < NET_QUEUES && !live.net.dev.is_vireo; i++)
        event_signal(live.net.queue[i].vhost.kick);
    require(tap_receive_wait(&live.tap, NULL, frame, sizeof(frame), WAIT_MS) == 100 &&
                frame_matches(frame, 100, 1, 100),
            "what was to be transmitted is lost");
    flow_drain(&live.net);
    require(net_receive_wait(&live.net, &packet, frame, sizeof(frame), WAIT_MS) == 1 &&
                frame_matches(frame, packet.bytes, 1, 100),
            "what was to be received is lost");
    live_check(&live);
}

/* The log is all queues': it is gone, each stops, and goes on when it is there again. */
static void log_gone(const void* arg) {
    const size_t bytes = DIRTY_REACH / DIRTY_PAGE / 8;
    struct vhost_vring_addr addr;
    struct net_packet packet;
    struct live live;
    void* log = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    require(log != MAP_FAILED, "room for a log");
    live_open(&live, *(const u64*)arg);
    if (!live.net.dev.is_vireo)
        skip_test("vhost does not tell of a log that is not there");
    live_check(&live);
    require_ok(net_reset_queue(&live.net, NET_RX));
    require_ok(vhost_set_backend(&live.net.dev, NET_RX, live.tap.fd));
    net_fill(&live.net, 10, 1600, NULL);
    net_show(&live.net.queue[NET_RX]);
    require_ok(vhost_set_log_base(&live.net.dev, log));
    require_ok(vhost_set_features(&live.net.dev, live.net.features | F_LOG_ALL));
    for (u32 i = 0; i < NET_QUEUES; i++) {
        dirty_ring_addr(&live.net.queue[i], FD_GUEST_BASE + live.net.queue[i].driver.device, &addr);
        require_ok(vhost_set_addr(&live.net.dev, &addr));
    }
    frame_make(frame, 100, 1);
    require_ok(tap_send(&live.tap, NULL, frame, 100));
    check_error(&live, NET_RX, VIREO_ERROR_LOG);
    require_ok(net_send(&live.net, NULL, frame, 100, NULL));
    net_show(&live.net.queue[NET_TX]);
    check_error(&live, NET_TX, VIREO_ERROR_LOG);

    protect(log, bytes, PROT_READ | PROT_WRITE, "the log");
    make_whole(&live);
    require(net_receive_wait(&live.net, &packet, frame, sizeof(frame), WAIT_MS) == 1 &&
                frame_matches(frame, packet.bytes, 1, 100),
            "what was to be received is lost");
    require(tap_receive_wait(&live.tap, NULL, frame, sizeof(frame), WAIT_MS) == 100 &&
                frame_matches(frame, 100, 1, 100),
            "what was to be transmitted is lost");
    flow_drain(&live.net);
    live_check(&live);
    for (u32 i = 0; i < NET_QUEUES; i++)
        check(!event_take(live.net.queue[i].vhost.err), "queue %u: an error is signalled", i);
}

/*
 * Three buffers are with the device, which has not given them back, and a
 * fourth goes on where the first is.
 */
static void overcommitted(const void* arg) {
    struct net_options options = {.features = PACKED, .num = {4, 256}};
    struct tap_options tap = {.vnet_hdr = NET_HDR_LONG};
    struct net_packet packet;
    struct net_queue* queue;
    struct live live;

    live_open_with(&live, &options, &tap);
    queue = &live.net.queue[NET_RX];
    for (u32 i = 0; i < 4; i++) {
        frame_make(frame, 100, i);
        require_ok(tap_send(&live.tap, NULL, frame, 100));
    }
    for (u32 slot = 4; slot-- > 0;) {
        struct desc desc = {.len = 1600};

        write_packed(fd_packed_desc(&queue->driver, slot),
                     guest_addr(&live.net.mem, queue->bufs[slot].base), &desc,
                     W | VQ_DESC_F_AVAIL | (slot == 3 ? N : 0));
    }
    event_signal(queue->vhost.kick);
    check_error(&live, NET_RX, VIREO_ERROR_OVERCOMMIT);
    flow_transmit(&live.flow);

    require_ok(net_reset_queue(&live.net, NET_RX));
    require_ok(vhost_set_backend(&live.net.dev, NET_RX, live.tap.fd));
    net_fill(&live.net, 4, 1600, NULL);
    net_show(queue);
    require(net_receive_wait(&live.net, &packet, frame, sizeof(frame), WAIT_MS) == 1,
            "the frame that met the error was lost");
    check(frame_matches(frame, packet.bytes, 3, 100), "the frame that waited differs");
    live_check(&live);
}

static const u64 formats[] = {SPLIT, PACKED};
static struct scene scenes[4 * COUNT(attacks)];
static struct test tests[4 * COUNT(attacks) + 5];

int main(int argc, char** argv) {
    u32 count = 0;

    for (u32 i = 0; i < COUNT(attacks); i++) {
        for (u32 k = 0; k < 4; k++) {
            u32 queue = k & 1;
            struct scene* scene = &scenes[count];
            u64 features = attacks[i].formats[k >> 1];

            if (!features || !(attacks[i].queues >> queue & 1))
                continue;
            scene->attack = &attacks[i];
            scene->features = features;
            scene->queue = queue;
            snprintf(scene->name, sizeof(scene->name), "%s-%s%s", attacks[i].name,
                     queue == NET_RX ? "receive" : "transmit",
                     features & F_RING_PACKED ? "-packed" : "");
            tests[count] = (struct test){.name = scene->name, .run = run, .arg = scene};
            count++;
        }
    }
    tests[count++] = (struct test){.name = "mended", .run = mended, .arg = &formats[0]};
    tests[count++] = (struct test){.name = "mended-packed", .run = mended, .arg = &formats[1]};
    tests[count++] = (struct test){.name = "log-gone", .run = log_gone, .arg = &formats[0]};
    tests[count++] = (struct test){.name = "log-gone-packed", .run = log_gone, .arg = &formats[1]};
    tests[count++] = (struct test){.name = "overcommitted-packed", .run = overcommitted};
    return run_tests(tests, count, argc, argv);
}
