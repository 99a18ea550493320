// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where there is no room: a tap that takes no more, a driver without buffers.
 * Nothing is lost that there is room for, nobody spins, and what waits goes on
 * as soon as it can. And load in both directions at once: each gets its turns.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <unistd.h>

#include "frames.h"
#include "tap_output.h"
#include "traffic_flow.h"

#define SPLIT (F_VERSION_1 | F_NET_MRG_RXBUF | F_EVENT_IDX)
#define PACKED (SPLIT | F_RING_PACKED)
#define PLAIN (F_VERSION_1 | F_NET_MRG_RXBUF)

static u8 frame[65536];

static u64 wakeups(struct net_driver* net, u32 queue) {
    struct vireo_queue_stats stats;

    if (!net->dev.is_vireo)
        return 0;
    require_ok(vhost_stats(&net->dev, queue, &stats));
    return stats.wakeups;
}

/* The tap takes no more */

/*
 * Packets stay charged to the tap's socket while a queueing discipline holds
 * them:  tap -> (redirected) -> veth, slow -> its peer, where we listen.
 */
static void hold_packets(struct live* live) {
    const char* name = live->tap.name;
    char peer[IFNAMSIZ];

    (void)!system("modprobe -aq sch_tbf sch_ingress act_mirred cls_matchall veth");
    snprintf(peer, sizeof(peer), "p%.13s", name);
    /* What a test that failed has left. */
    (void)run_command("ip link del v%s || true", name);
    if (run_command("ip link add v%s type veth peer name %s", name, peer) ||
        run_command("tc qdisc add dev v%s root tbf rate 40mbit burst 4kb limit 10mb", name) ||
        run_command("tc qdisc add dev %s ingress", name) ||
        run_command("tc filter add dev %s ingress matchall action mirred egress redirect dev v%s",
                    name, name))
        skip_test("the kernel has no traffic control that slows packets down");
    snprintf(peer, sizeof(peer), "v%.13s", name);
    require_ok(interface_up(peer));
    peer[0] = 'p';
    require_ok(interface_up(peer));
    require_ok(tap_listen(&live->tap, peer));
}

static void full_socket(const void* arg) {
    static const u32 sizes[] = {60, 1514, 1000};
    struct net_options options = {.features = *(const u64*)arg};
    struct tap_options tap = {.vnet_hdr = NET_HDR_LONG, .sndbuf = 20000};
    struct vireo_queue_stats stats;
    struct live live;
    cpu_set_t first = {0};

    /*
     * Behind the tap frames pass from one CPU's backlog to another's, in any
     * order: all is done on one. Vireo's worker goes where its owner may go.
     */
    CPU_SET(0, &first);
    require(!sched_setaffinity(0, sizeof(first), &first), "stay on one CPU");
    live_open_with(&live, &options, &tap);
    if (!live.net.dev.is_vireo)
        skip_test("vhost-net's worker may run on other CPUs than its owner");
    hold_packets(&live);
    live.flow.sizes = sizes;
    live.flow.size_count = COUNT(sizes);
    live.flow.count = 2000;
    flow_transmit(&live.flow);
    (void)run_command("ip link del v%s", live.tap.name);
    require_ok(vhost_stats(&live.net.dev, NET_TX, &stats));
    check(stats.stalls >= 10, "a tap with room for %d bytes was full %llu times", tap.sndbuf,
          (unsigned long long)stats.stalls);
    /* Kicked, or waked up by the tap: both at most as often as there are packets. */
    check(stats.wakeups <= 2 * live.flow.count + 100, "%llu turns for %u packets: it spins",
          (unsigned long long)stats.wakeups, live.flow.count);
    check(stats.packets == live.flow.count && !stats.backend_errors && !stats.drops,
          "%llu packets, %llu errors, %llu drops", (unsigned long long)stats.packets,
          (unsigned long long)stats.backend_errors, (unsigned long long)stats.drops);
}

/* What is sent to an interface that is down is lost, as on a wire; the queue goes on. */
static void interface_down(const void* arg) {
    struct live live;

    live_open(&live, *(const u64*)arg);
    for (u32 round = 0; round < 3; round++) {
        live_check(&live);
        require_ok(tap_set_up(&live.tap, false));
        frame_make(frame, 60, 99);
        for (u32 i = 0; i < 300; i++) {
            while (net_send(&live.net, NULL, frame, 60, NULL) == -ENOSPC) {
                net_show(&live.net.queue[NET_TX]);
                require(!net_wait(&live.net.queue[NET_TX], WAIT_MS), "the ring is full for good");
                net_reap_sent(&live.net);
            }
        }
        net_show(&live.net.queue[NET_TX]);
        flow_drain(&live.net);
        require_ok(tap_set_up(&live.tap, true));
        /* The socket was told that its interface went down. */
        require_ok(tap_listen(&live.tap, live.tap.name));
    }
    live_check(&live);
}

/* The driver has no buffers */

static void send_numbered(struct live* live, u32 number, u32 bytes) {
    int ret;

    frame_make(frame, bytes, number);
    ret = tap_send(&live->tap, NULL, frame, bytes);
    require(!ret, "send frame %u from outside: error %d", number, ret);
}

static void expect_numbered(struct live* live, u32 number, u32 bytes) {
    struct net_packet packet;
    int ret = net_receive_wait(&live->net, &packet, frame, sizeof(frame), WAIT_MS);

    require(ret == 1, "frame %u does not arrive: error %d", number, ret);
    require(frame_matches(frame, packet.bytes, number, bytes), "frame %u went wrong", number);
}

static void give_buffers(struct live* live, u32 count, u32 bytes) {
    u32 given = net_fill(&live->net, count, bytes, NULL);

    require(given == count, "%u of %u buffers fit in the ring", given, count);
    net_show(&live->net.queue[NET_RX]);
}

/* As many as the tap's queue holds wait there, and none is lost. */
static void no_buffers(const void* arg) {
    const u32 held = 500;
    struct net_options options = {.features = *(const u64*)arg, .num = {512, 64}};
    struct tap_options tap = {.vnet_hdr = NET_HDR_LONG, .txqueue = 500};
    struct live live;
    u64 before;
    u64 turns;

    live_open_with(&live, &options, &tap);
    for (u32 round = 0; round < 3; round++) {
        before = wakeups(&live.net, NET_RX);
        for (u32 i = 0; i < held; i++)
            send_numbered(&live, i, 60 + i);
        /* The other queue goes on, and by then the worker has seen it all. */
        flow_transmit(&live.flow);
        turns = wakeups(&live.net, NET_RX) - before;
        check(turns <= 20, "%llu turns while there were no buffers for %u packets",
              (unsigned long long)turns, held);
        give_buffers(&live, held, 1600);
        for (u32 i = 0; i < held; i++)
            expect_numbered(&live, i, 60 + i);
    }
    /* Too many: the first of them are there, the others were the tap's to lose. */
    for (u32 i = 0; i < held + 200; i++) {
        frame_make(frame, 100, i);
        (void)tap_send(&live.tap, NULL, frame, 100);
    }
    give_buffers(&live, held, 1600);
    for (u32 i = 0; i < held; i++)
        expect_numbered(&live, i, 100);
    live_close(&live);
}

/* One buffer after the other, each when the one before has been used. */
static void one_buffer_at_a_time(const void* arg) {
    struct live live;

    live_open(&live, *(const u64*)arg);
    for (u32 i = 0; i < 400; i++)
        send_numbered(&live, i, 60 + i);
    for (u32 i = 0; i < 400; i++) {
        give_buffers(&live, 1, 1600);
        expect_numbered(&live, i, 60 + i);
    }
    for (u32 i = 0; i < 400; i++) {
        give_buffers(&live, 1, 1600);
        send_numbered(&live, i, 60 + i);
        expect_numbered(&live, i, 60 + i);
    }
    live_close(&live);
}

/* A packet that wants more buffers than there are waits until there are enough. */
static void buffers_piece_by_piece(const void* arg) {
    const u32 buffer = 100;
    u64 state = random_seed();
    struct live live;
    u32 have = 0;

    live_open(&live, *(const u64*)arg);
    say("VIREO_SEED=%llu", (unsigned long long)state);
    for (u32 i = 0; i < 1000; i++) {
        u32 bytes = 60 + random_below(&state, 800);
        u32 wanted = (bytes + live.net.hdr_bytes + buffer - 1) / buffer;
        struct net_packet packet;

        send_numbered(&live, i, bytes);
        while (have < wanted) {
            u32 more = 1 + random_below(&state, 3);

            check(net_receive(&live.net, &packet, frame, sizeof(frame)) == 0,
                  "frame %u arrives in %u buffers, and wants %u", i, have, wanted);
            give_buffers(&live, more, buffer);
            have += more;
        }
        expect_numbered(&live, i, bytes);
        have -= wanted;
    }
    live_close(&live);
}

/* Load */

struct flood {
    struct live* live;
    atomic_bool stop;
    atomic_uint sent;
};

static void* flood_transmit(void* arg) {
    struct flood* flood = arg;
    struct net_driver* net = &flood->live->net;
    static u8 packet[60];

    frame_make(packet, sizeof(packet), 7);
    while (!atomic_load(&flood->stop)) {
        while (!net_send(net, NULL, packet, sizeof(packet), NULL))
            atomic_fetch_add(&flood->sent, 1);
        net_show(&net->queue[NET_TX]);
        if (net_reap_sent(net) < 0)
            break;
    }
    return NULL;
}

static void* flood_from_outside(void* arg) {
    struct flood* flood = arg;
    static u8 packet[60];

    frame_make(packet, sizeof(packet), 7);
    while (!atomic_load(&flood->stop)) {
        (void)tap_send(&flood->live->tap, NULL, packet, sizeof(packet));
        atomic_fetch_add(&flood->sent, 1);
    }
    return NULL;
}

/* Transmits as fast as it can; meanwhile frames arrive. */
static void receive_under_load(const void* arg) {
    struct flood flood = {.stop = false};
    struct vireo_queue_stats stats;
    pthread_t thread;
    struct live live;

    live_open(&live, *(const u64*)arg);
    flood.live = &live;
    live.flow.count = 3000;
    require(!pthread_create(&thread, NULL, flood_transmit, &flood), "a thread");
    flow_receive(&live.flow);
    atomic_store(&flood.stop, true);
    pthread_join(thread, NULL);
    check(atomic_load(&flood.sent) > 256, "meanwhile only %u frames were transmitted",
          atomic_load(&flood.sent));
    if (!live.net.dev.is_vireo)
        return;
    require_ok(vhost_stats(&live.net.dev, NET_TX, &stats));
    check(stats.packets <= 256 * stats.wakeups, "%llu packets in %llu turns, which have a budget",
          (unsigned long long)stats.packets, (unsigned long long)stats.wakeups);
}

/* Frames arrive as fast as they can; meanwhile it transmits. */
static void transmit_under_load(const void* arg) {
    struct flood flood = {.stop = false};
    struct net_packet packet;
    pthread_t thread;
    struct live live;
    u32 received = 0;
    u32 back = 0;

    live_open(&live, *(const u64*)arg);
    flood.live = &live;
    require(!pthread_create(&thread, NULL, flood_from_outside, &flood), "a thread");
    frame_make(frame, 60, 7);
    for (unsigned long long limit = now_ms() + WAIT_MS; back < 3000 || received < 3000;) {
        int count;

        require(now_ms() < limit, "%u frames transmitted, %u received: one of both starves", back,
                received);
        net_fill(&live.net, 64, 1600, NULL);
        net_show(&live.net.queue[NET_RX]);
        while (net_receive(&live.net, &packet, frame, sizeof(frame)) == 1)
            received++;
        while (!net_send(&live.net, NULL, frame, 60, NULL))
            continue;
        net_show(&live.net.queue[NET_TX]);
        count = net_reap_sent(&live.net);
        require(count >= 0, "the device broke the transmit ring");
        back += count;
    }
    atomic_store(&flood.stop, true);
    pthread_join(thread, NULL);
}

/* Nobody asks for anything: no turns. With busy polling too, once it has given up. */
static void idle(const void* arg) {
    u32 busyloop = *(const u32*)arg;
    struct live live;
    u64 before[NET_QUEUES] = {0};

    live_open(&live, SPLIT);
    if (!live.net.dev.is_vireo)
        skip_test("turns are not counted by vhost-net");
    for (u32 i = 0; i < NET_QUEUES; i++)
        require_ok(vhost_set_busyloop(&live.net.dev, i, busyloop));
    for (u32 round = 0; round < 5; round++) {
        live_check(&live);
        /* Until what was asked for before is over. */
        for (u32 same = 0; same < 20; same++) {
            for (u32 i = 0; i < NET_QUEUES; i++) {
                u64 now = wakeups(&live.net, i);

                same = now == before[i] ? same : 0;
                before[i] = now;
            }
            usleep(5000);
        }
        usleep(100000);
        for (u32 i = 0; i < NET_QUEUES; i++)
            check(wakeups(&live.net, i) == before[i], "queue %u had %llu turns for nothing", i,
                  (unsigned long long)(wakeups(&live.net, i) - before[i]));
    }
    live_close(&live);
}

static const u64 split = SPLIT;
static const u64 packed = PACKED;
static const u64 plain = PLAIN;
static const u64 plain_packed = PLAIN | F_RING_PACKED;
static const u64 ordered = SPLIT | F_IN_ORDER;
static const u32 no_polling = 0;
static const u32 polling = 200;

#define FOR_FORMATS(name, function)                                                           \
    {name, function, &split}, {name "-packed", function, &packed},                            \
        {name "-plain", function, &plain}, {name "-plain-packed", function, &plain_packed}, { \
        name "-in-order", function, &ordered                                                  \
    }

static const struct test tests[] = {
    FOR_FORMATS("full-socket", full_socket),
    FOR_FORMATS("no-buffers", no_buffers),
    FOR_FORMATS("one-buffer-at-a-time", one_buffer_at_a_time),
    FOR_FORMATS("buffers-piece-by-piece", buffers_piece_by_piece),
    {"interface-down", interface_down, &split},
    {"interface-down-packed", interface_down, &packed},
    {"receive-under-load", receive_under_load, &split},
    {"receive-under-load-packed", receive_under_load, &packed},
    {"transmit-under-load", transmit_under_load, &split},
    {"transmit-under-load-packed", transmit_under_load, &packed},
    {"idle", idle, &no_polling},
    {"idle-polling", idle, &polling},
};

int main(int argc, char** argv) {
    return run_tests(tests, COUNT(tests), argc, argv);
}
