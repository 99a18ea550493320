// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every combination of features that change a ring or a header, ring sizes of
 * both formats, and positions from which they go on: frames of many sizes in
 * segments of many shapes, both ways, each byte compared.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frames.h"
#include "tap_output.h"
#include "traffic_flow.h"

/* As many segments as the smallest frames have bytes, header included. */
#define MOST_SEGS 96

struct setting {
    char name[96];
    u64 features;
    u32 num;
    u64 position; /* of both rings */
};

/* The features that are varied, with the names that tests have. */
static const struct {
    u64 bit;
    const char* name;
} varied[] = {
    {F_RING_PACKED, "packed"},         {F_EVENT_IDX, "event-idx"}, {F_INDIRECT_DESC, "indirect"},
    {F_IN_ORDER, "in-order"},          {F_NET_MRG_RXBUF, "mrg"},   {F_VERSION_1, "v1"},
    {F_NET_VIRTIO_NET_HDR, "own-hdr"},
};

/* Small and large, odd and even, below and above what a device may copy at once. */
static const u32 sizes[] = {14, 15, 60, 61, 64, 255, 1000, 1514};

static const u32 tiny_sizes[] = {14, 33, 60, 80};

/*
 * Whole; the header by itself; the header cut anywhere, with gaps; the two
 * bytes more that a long header has by themselves.
 */
static const struct net_shape shapes[] = {
    {.lens = {0}},
    {.lens = {12, 2000}},
    {.lens = {10, 2, 2000}, .gap = 64},
    {.lens = {1, 4, 6, 20, 100}, .gap = 3},
    {.lens = {300, 7, 500}, .gap = 1},
};
static const struct net_shape single_bytes = {.lens = {1}, .gap = 1};

/* The same by way of tables, and behind a direct descriptor. */
static u32 with_rings(const struct setting* setting, const struct net_shape* from, u32 count,
                      struct net_shape* to) {
    u32 n = 0;

    for (enum fd_shape ring = FD_DIRECT; ring <= FD_MIXED; ring++) {
        if (ring != FD_DIRECT && !(setting->features & F_INDIRECT_DESC))
            continue;
        if (ring == FD_MIXED && (setting->features & F_RING_PACKED))
            continue;
        for (u32 i = 0; i < count; i++) {
            /* A chain that is longer than the ring never fits. */
            if (ring == FD_DIRECT && setting->num < 16 && from[i].lens[0])
                continue;
            to[n] = from[i];
            to[n++].ring = ring;
        }
    }
    return n;
}

static void open_world(struct live* world, const struct setting* setting) {
    struct net_options options = {
        .features = setting->features,
        .num = {setting->num, setting->num},
        .room = {2048, 2048},
        .max_segs = MOST_SEGS,
        .regions = 7, /* buffers lie across their borders */
        .position = {setting->position, setting->position},
    };
    struct tap_options tap = {.vnet_hdr = net_tap_hdr(setting->features)};

    live_open_with(world, &options, &tap);
}

/* What the device counted, against what went through. */
static void check_counters(struct net_driver* net, u32 index, u64 packets) {
    struct vireo_queue_stats stats;

    if (!net->dev.is_vireo)
        return;
    require_ok(vhost_stats(&net->dev, index, &stats));
    check(stats.packets == packets, "queue %u: %llu packets counted, %llu went through", index,
          (unsigned long long)stats.packets, (unsigned long long)packets);
    check(!stats.drops && !stats.backend_errors && !stats.ring_errors && !stats.faults &&
              !stats.last_error,
          "queue %u: drops %llu, backend errors %llu, ring errors %llu, faults %llu, last %u",
          index, (unsigned long long)stats.drops, (unsigned long long)stats.backend_errors,
          (unsigned long long)stats.ring_errors, (unsigned long long)stats.faults,
          stats.last_error);
}

/* Both ways; more than the ring holds, so that each descriptor is used anew. */
static void both_ways(const void* arg) {
    const struct setting* setting = arg;
    struct net_shape cut[3 * COUNT(shapes)];
    struct net_shape bytes[3];
    struct live world;
    struct flow flow = {
        .net = &world.net,
        .tap = &world.tap,
        .sizes = sizes,
        .size_count = COUNT(sizes),
        .shapes = cut,
        .shape_count = with_rings(setting, shapes, COUNT(shapes), cut),
        .count = 2 * setting->num + 3 * COUNT(sizes) * COUNT(shapes),
        .rx_buffer = 1600,
    };
    u32 sent = flow.count;
    u32 received = flow.count;

    open_world(&world, setting);
    flow_transmit(&flow);
    flow_receive(&flow);

    flow.sizes = tiny_sizes;
    flow.size_count = COUNT(tiny_sizes);
    flow.shapes = bytes;
    flow.shape_count = with_rings(setting, &single_bytes, 1, bytes);
    flow.count = 24;
    flow.rx_buffer = 80 + world.net.hdr_bytes;
    if (setting->num >= MOST_SEGS) {
        flow_transmit(&flow);
        sent += flow.count;
    }

    /* What is left in the receive ring is of the old shape: begin anew. */
    require_ok(net_reset_queue(&world.net, NET_RX));
    require_ok(vhost_set_backend(&world.net.dev, NET_RX, world.tap.fd));
    if (setting->num >= MOST_SEGS) {
        flow_receive(&flow);
        received += flow.count;
    }

    if (setting->features & F_NET_MRG_RXBUF) {
        /* Packets over many buffers, whose size divides nothing. */
        require_ok(net_reset_queue(&world.net, NET_RX));
        require_ok(vhost_set_backend(&world.net.dev, NET_RX, world.tap.fd));
        flow.sizes = sizes;
        flow.size_count = COUNT(sizes);
        flow.shapes = cut;
        flow.shape_count = with_rings(setting, shapes, 1, cut);
        flow.rx_buffer = 1514 / (setting->num < 16 ? 2 : 13) + 7;
        flow.count = 2 * setting->num + COUNT(sizes);
        flow_receive(&flow);
        received += flow.count;
    }
    check_counters(&world.net, NET_TX, sent);
    check_counters(&world.net, NET_RX, received);
    live_close(&world);
}

/* Random sizes in random shapes. */
static void random_shapes(const void* arg) {
    const struct setting* setting = arg;
    u64 state = random_seed();
    u32 random_sizes[61];
    struct net_shape cut[37];
    struct live world;
    struct flow flow = {
        .net = &world.net,
        .tap = &world.tap,
        .sizes = random_sizes,
        .size_count = COUNT(random_sizes),
        .shapes = cut,
        .shape_count = COUNT(cut),
        .count = 3000,
        .rx_buffer = 1600,
    };
    bool indirect = setting->features & F_INDIRECT_DESC;
    bool packed = setting->features & F_RING_PACKED;

    for (u32 i = 0; i < COUNT(random_sizes); i++)
        random_sizes[i] = FRAME_MIN + random_below(&state, 1514 - FRAME_MIN + 1);
    memset(cut, 0, sizeof(cut));
    for (u32 i = 0; i < COUNT(cut); i++) {
        u32 last = random_below(&state, COUNT(cut[i].lens));

        for (u32 k = 0; k < last; k++)
            cut[i].lens[k] = 1 + random_below(&state, 40);
        cut[i].lens[last] = 60 + random_below(&state, 1500);
        cut[i].gap = random_below(&state, 6);
        if (indirect)
            cut[i].ring = random_below(&state, packed ? FD_INDIRECT + 1 : FD_MIXED + 1);
    }
    open_world(&world, setting);
    say("VIREO_SEED=%llu", (unsigned long long)random_seed());
    flow_transmit(&flow);
    flow_receive(&flow);
    check_counters(&world.net, NET_TX, flow.count);
    check_counters(&world.net, NET_RX, flow.count);
    live_close(&world);
}

/* The list of tests */

static struct setting settings[256];
static struct test tests[256];
static u32 count;

static void add(void (*run)(const void* arg), const char* prefix, u64 features, u32 num,
                u64 position) {
    struct setting* setting = &settings[count];
    size_t at;

    setting->features = features;
    setting->num = num;
    setting->position = position;
    at = snprintf(setting->name, sizeof(setting->name), "%s", prefix);
    if (!(features & F_RING_PACKED))
        at += snprintf(setting->name + at, sizeof(setting->name) - at, "-split");
    for (u32 i = 0; i < COUNT(varied); i++) {
        if (features & varied[i].bit)
            at += snprintf(setting->name + at, sizeof(setting->name) - at, "-%s", varied[i].name);
    }
    snprintf(setting->name + at, sizeof(setting->name) - at, "-%u%s", num,
             position ? "-from-the-end" : "");
    tests[count] = (struct test){.name = setting->name, .run = run, .arg = setting};
    count++;
}

static void list_tests(void) {
    const u64 usual = F_VERSION_1 | F_NET_MRG_RXBUF | F_EVENT_IDX | F_INDIRECT_DESC;
    static const u32 split_sizes[] = {2, 4, 32, 1024, 32768};
    static const u32 packed_sizes[] = {2, 3, 33, 1000, 32768};

    for (u32 choice = 0; choice < 1U << COUNT(varied); choice++) {
        u64 features = 0;

        for (u32 i = 0; i < COUNT(varied); i++)
            features |= choice >> i & 1 ? varied[i].bit : 0;
        /* A packed ring has no legacy form (2.8). */
        if ((features & F_RING_PACKED) && !(features & F_VERSION_1))
            continue;
        add(both_ways, "matrix", features, features & F_RING_PACKED ? 100 : 128, 0);
    }
    for (u32 i = 0; i < COUNT(split_sizes); i++)
        add(both_ways, "size", usual, split_sizes[i], 0);
    for (u32 i = 0; i < COUNT(packed_sizes); i++)
        add(both_ways, "size", usual | F_RING_PACKED, packed_sizes[i], 0);
    /* Near where indices wrap, and in the lap in which a packed ring's wrap counter is 0. */
    add(both_ways, "position", usual, 128, 0xfff0);
    add(both_ways, "position", usual | F_IN_ORDER, 128, 0xfff0);
    add(both_ways, "position", usual | F_RING_PACKED, 100, 97);
    add(both_ways, "position", usual | F_RING_PACKED | F_IN_ORDER, 100, 97 | 1 << 15);
    add(random_shapes, "random", usual, 256, 0);
    add(random_shapes, "random", usual | F_IN_ORDER, 256, 0);
    add(random_shapes, "random", usual | F_RING_PACKED, 199, 0);
    add(random_shapes, "random", usual | F_RING_PACKED | F_IN_ORDER, 199, 0);
    add(random_shapes, "random", F_NET_VIRTIO_NET_HDR, 256, 0);
}

int main(int argc, char** argv) {
    list_tests();
    return run_tests(tests, count, argc, argv);
}
