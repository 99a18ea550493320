// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the virtio header asks for, both ways: segmentation and checksums left
 * to whoever comes next. And frames beyond the usual size: jumbo frames, big
 * packets, frames for which there is no room.
 */
#include <string.h>

#include "frames.h"
#include "tap_output.h"
#include "traffic_flow.h"

#include <linux/if_tun.h>

#define USUAL (F_VERSION_1 | F_EVENT_IDX | F_INDIRECT_DESC)
#define MERGED (USUAL | F_NET_MRG_RXBUF)
#define LEGACY F_EVENT_IDX
#define ROOM 70000
#define GSO_SIZE 1448
#define ALL_OFFLOADS (TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN)

static u8 sent[1 << 17];
static u8 got[1 << 17];

static void open_big(struct live* live, u64 features, unsigned int offloads, int mtu) {
    struct net_options options = {
        .features = features, .num = {128, 128}, .room = {ROOM, ROOM}, .max_segs = 40};
    struct tap_options tap = {.vnet_hdr = net_tap_hdr(features), .offloads = offloads, .mtu = mtu};

    live_open_with(live, &options, &tap);
}

/* A header that is a page's neighbour, a header in the midst of payload, segments of all sizes. */
static const struct net_shape big_shapes[] = {
    {.lens = {0}},
    {.lens = {12, 54, 4096}, .gap = 7},
    {.lens = {1, 11, 13, 41, 30000, 2000}, .gap = 1},
    {.lens = {2000}, .ring = FD_INDIRECT},
};

/* Segmentation */

static void expect_header(const struct virtio_net_hdr* hdr, const struct virtio_net_hdr* wanted) {
    check(hdr->flags == wanted->flags && hdr->gso_type == wanted->gso_type &&
              hdr->gso_size == wanted->gso_size && hdr->csum_start == wanted->csum_start &&
              hdr->csum_offset == wanted->csum_offset,
          "the header says flags %#x gso_type %u gso_size %u csum_start %u csum_offset %u, "
          "where %#x %u %u %u %u was sent",
          hdr->flags, hdr->gso_type, hdr->gso_size, hdr->csum_start, hdr->csum_offset,
          wanted->flags, wanted->gso_type, wanted->gso_size, wanted->csum_start,
          wanted->csum_offset);
}

static void gso_transmit(const void* arg) {
    static const u32 payloads[] = {2 * GSO_SIZE, 32000, 65535 - 40};
    u64 features = *(const u64*)arg;
    u32 shapes = features & F_INDIRECT_DESC ? COUNT(big_shapes) : COUNT(big_shapes) - 1;
    struct live live;

    open_big(&live, features, ALL_OFFLOADS, 0);
    for (u32 n = 0; n < 40 * COUNT(payloads); n++) {
        net_hdr hdr = {0};
        struct virtio_net_hdr seen;
        u32 bytes = tcp_frame_make(sent, payloads[n % COUNT(payloads)], n, GSO_SIZE, &hdr.hdr);
        ssize_t came;

        require_ok(
            net_send(&live.net, &hdr, sent, bytes, &big_shapes[n / COUNT(payloads) % shapes]));
        net_show(&live.net.queue[NET_TX]);
        came = tap_receive_wait(&live.tap, &seen, got, sizeof(got), WAIT_MS);
        require(came == bytes, "frame %u: %zd bytes came out where %u were sent", n, came, bytes);
        require(!memcmp(sent, got, bytes), "frame %u: its bytes differ", n);
        expect_header(&seen, &hdr.hdr);
        flow_drain(&live.net);
    }
    live_close(&live);
}

static void checksum_transmit(const void* arg) {
    u64 features = *(const u64*)arg;
    struct live live;

    open_big(&live, features, ALL_OFFLOADS, 0);
    for (u32 n = 0; n < 50; n++) {
        net_hdr hdr = {0};
        struct virtio_net_hdr seen;
        u32 bytes = tcp_frame_make(sent, 29 * n + 1, n, 0, &hdr.hdr);
        ssize_t came;

        require_ok(net_send(&live.net, &hdr, sent, bytes, &big_shapes[n % 3]));
        net_show(&live.net.queue[NET_TX]);
        came = tap_receive_wait(&live.tap, &seen, got, sizeof(got), WAIT_MS);
        require(came == bytes && !memcmp(sent, got, bytes), "frame %u went wrong", n);
        expect_header(&seen, &hdr.hdr);
        flow_drain(&live.net);
    }
    live_close(&live);
}

/* From outside comes one frame of @payload bytes to be segmented; whole, if the tap may. */
static void gso_receive(const void* arg) {
    static const u32 payloads[] = {2 * GSO_SIZE, 32000, 64000};
    u64 features = *(const u64*)arg;
    u32 buffer = features & F_NET_MRG_RXBUF ? 1526 : 65562;
    const struct net_shape shape = {.lens = {12, 4000}};
    struct net_packet packet;
    struct live live;

    open_big(&live, features, ALL_OFFLOADS, 0);
    for (u32 n = 0; n < 40 * COUNT(payloads); n++) {
        struct virtio_net_hdr hdr;
        u32 bytes = tcp_frame_make(sent, payloads[n % COUNT(payloads)], n, GSO_SIZE, &hdr);
        u32 whole = bytes + live.net.hdr_bytes;

        net_fill(&live.net, 128, buffer, &shape);
        net_show(&live.net.queue[NET_RX]);
        require_ok(tap_send(&live.tap, &hdr, sent, bytes));
        require(net_receive_wait(&live.net, &packet, got, sizeof(got), WAIT_MS) == 1,
                "frame %u does not arrive", n);
        require(packet.bytes == bytes && !memcmp(sent, got, bytes),
                "frame %u: %u bytes arrived, which differ from the %u that were sent", n,
                packet.bytes, bytes);
        expect_header(&packet.hdr.hdr, &hdr);
        check(packet.buffers == (whole + buffer - 1) / buffer, "frame %u took %u buffers", n,
              packet.buffers);
    }
    live_close(&live);
}

/* The tap may not: segments arrive, each with its checksum if that may not be left out either. */
static void segments_receive(const void* arg) {
    unsigned int offloads = *(const unsigned int*)arg;
    const u32 payload = 32000;
    struct virtio_net_hdr hdr;
    struct net_packet packet;
    struct live live;
    u32 at = 0;
    u32 bytes;

    open_big(&live, MERGED, offloads, 0);
    bytes = tcp_frame_make(sent, payload, 5, GSO_SIZE, &hdr);
    net_fill(&live.net, 64, 1600, NULL);
    net_show(&live.net.queue[NET_RX]);
    require_ok(tap_send(&live.tap, &hdr, sent, bytes));
    while (at < payload) {
        u32 here = payload - at < GSO_SIZE ? payload - at : GSO_SIZE;

        require(net_receive_wait(&live.net, &packet, got, sizeof(got), WAIT_MS) == 1,
                "of %u bytes %u arrived", payload, at);
        require(packet.bytes == TCP_FRAME_HEADER + here, "a segment of %u bytes where %u are due",
                packet.bytes, TCP_FRAME_HEADER + here);
        require(tcp_payload_matches(got + TCP_FRAME_HEADER, here, 5, at), "its payload differs");
        check(packet.hdr.hdr.gso_type == VIRTIO_NET_HDR_GSO_NONE, "it is to be segmented again");
        if (offloads & TUN_F_CSUM)
            check(packet.hdr.hdr.flags == VIRTIO_NET_HDR_F_NEEDS_CSUM, "its flags are %#x",
                  packet.hdr.hdr.flags);
        else
            check(!(packet.hdr.hdr.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) &&
                      tcp_frame_sum(got, packet.bytes) == 0xffff,
                  "flags %#x, and the checksum makes %#x", packet.hdr.hdr.flags,
                  tcp_frame_sum(got, packet.bytes));
        at += here;
    }
    live_close(&live);
}

/* Headers that make no sense */

/* Such a packet is dropped, its buffer comes back, and the next one goes through. */
static void bad_headers(const void* arg) {
    static const struct virtio_net_hdr bad[] = {
        {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .csum_start = 60000, .csum_offset = 16},
        {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .csum_start = 34, .csum_offset = 0xffff},
        {.gso_type = 99, .gso_size = 1000},
        {.gso_type = VIRTIO_NET_HDR_GSO_TCPV4, .gso_size = 0, .hdr_len = 54},
    };
    struct vireo_queue_stats stats;
    struct live live;
    u32 number = 0;

    open_big(&live, *(const u64*)arg, ALL_OFFLOADS, 0);
    if (!live.net.dev.is_vireo)
        skip_test("vhost-net serves no more behind a checksum outside of its packet");
    for (u32 i = 0; i < COUNT(bad); i++) {
        for (u32 k = 0; k < COUNT(big_shapes) - 1; k++) {
            net_hdr hdr = {.hdr = bad[i]};

            frame_make(sent, 1000, 77);
            require_ok(net_send(&live.net, &hdr, sent, 1000, &big_shapes[k]));
            frame_make(sent, 1000, number);
            require_ok(net_send(&live.net, NULL, sent, 1000, &big_shapes[k]));
            net_show(&live.net.queue[NET_TX]);
            require(tap_receive_wait(&live.tap, NULL, got, sizeof(got), WAIT_MS) == 1000 &&
                        frame_matches(got, 1000, number, 1000),
                    "header %u: what comes out is not the good frame behind it", i);
            number++;
            flow_drain(&live.net);
        }
    }
    require_ok(vhost_stats(&live.net.dev, NET_TX, &stats));
    /* Of the other kinds the tap knows alone. */
    check(
        stats.drops >= number / 2 && stats.drops + stats.packets == 2 * number &&
            !stats.last_error && !stats.ring_errors,
        "%u of %u frames had a checksum outside of them; %llu drops and %llu packets were counted",
        number / 2, 2 * number, (unsigned long long)stats.drops, (unsigned long long)stats.packets);
}

/* Size */

static const u32 jumbo_sizes[] = {60, 1514, 2048, 4096, 4097, 9014};
static const u32 giant_sizes[] = {60, 65535, 1514, 32768};

struct big {
    u64 features;
    const u32* sizes;
    u32 size_count;
    int mtu;
    u32 rx_buffer;
};

static void big_frames(const void* arg) {
    const struct big* big = arg;
    struct live live;

    open_big(&live, big->features, 0, big->mtu);
    live.flow.sizes = big->sizes;
    live.flow.size_count = big->size_count;
    live.flow.shapes = big_shapes;
    live.flow.shape_count =
        big->features & F_INDIRECT_DESC ? COUNT(big_shapes) : COUNT(big_shapes) - 1;
    live.flow.count = 240;
    live.flow.rx_buffer = big->rx_buffer;
    live.flow.rx_window = 64;
    live_check(&live);
    live_close(&live);
}

/*
 * A frame for which no buffer is long enough is dropped, and the buffer serves
 * for the next one.
 */
static void too_long(const void* arg) {
    static const struct net_shape shapes[] = {
        {.lens = {0}}, {.lens = {5, 20, 60}, .gap = 9}, {.lens = {30}, .ring = FD_INDIRECT}};
    u64 features = *(const u64*)arg;
    struct vireo_queue_stats stats;
    struct net_packet packet;
    struct live live;
    u32 number = 0;

    live_open(&live, features);
    for (u32 k = 0; k < COUNT(shapes); k++) {
        if (shapes[k].ring == FD_INDIRECT && !(features & F_INDIRECT_DESC))
            continue;
        require_ok(net_reset_queue(&live.net, NET_RX));
        require_ok(vhost_set_backend(&live.net.dev, NET_RX, live.tap.fd));
        net_fill(&live.net, 5, 150, &shapes[k]);
        net_show(&live.net.queue[NET_RX]);
        for (u32 i = 0; i < 5; i++) {
            /* One byte too many, then exactly as many as there is room for. */
            u32 most = 150 - live.net.hdr_bytes;

            frame_make(sent, most + 1 + 300 * (i & 1), 99);
            require_ok(tap_send(&live.tap, NULL, sent, most + 1 + 300 * (i & 1)));
            frame_make(sent, most, number);
            require_ok(tap_send(&live.tap, NULL, sent, most));
            require(net_receive_wait(&live.net, &packet, got, sizeof(got), WAIT_MS) == 1,
                    "shape %u: the short frame behind a long one does not arrive", k);
            require(frame_matches(got, packet.bytes, number, most) && packet.clean,
                    "shape %u: the short frame behind a long one went wrong", k);
            number++;
        }
    }
    if (!live.net.dev.is_vireo)
        return;
    require_ok(vhost_stats(&live.net.dev, NET_RX, &stats));
    check(stats.drops == number && stats.packets == number && !stats.last_error,
          "%u frames were too long and %u not; %llu drops and %llu packets were counted", number,
          number, (unsigned long long)stats.drops, (unsigned long long)stats.packets);
}

/* A frame longer than any that there is. */
static void transmit_too_long(const void* arg) {
    const u32 bytes = 100000;
    struct net_options options = {
        .features = MERGED, .num = {16, 64}, .room = {2048, 110000}, .max_segs = 40};
    struct tap_options tap = {.vnet_hdr = NET_HDR_LONG};
    const struct net_shape shape = {.lens = {4000}};
    struct live live;

    live_open_with(&live, &options, &tap);
    if (!live.net.dev.is_vireo)
        skip_test("vhost-net leaves it to the tap, which takes it");
    for (u32 n = 0; n < 100; n++) {
        frame_make(sent, bytes, 99);
        require_ok(net_send(&live.net, NULL, sent, bytes, n & 1 ? &shape : NULL));
        frame_make(sent, 60, n);
        require_ok(net_send(&live.net, NULL, sent, 60, NULL));
        net_show(&live.net.queue[NET_TX]);
        require(tap_receive_wait(&live.tap, NULL, got, sizeof(got), WAIT_MS) == 60 &&
                    frame_matches(got, 60, n, 60),
                "what comes out behind frame %u, which is too long, is not the next", n);
        flow_drain(&live.net);
    }
    live_close(&live);
}

static const u64 merged = MERGED;
static const u64 merged_packed = MERGED | F_RING_PACKED;
static const u64 merged_ordered = MERGED | F_RING_PACKED | F_IN_ORDER;
static const u64 single = USUAL;
static const u64 single_packed = USUAL | F_RING_PACKED;
static const u64 single_ordered = USUAL | F_IN_ORDER;
static const u64 legacy = LEGACY;
static const unsigned int no_offloads = 0;
static const unsigned int checksum_only = TUN_F_CSUM;
static const struct big jumbo[] = {
    {MERGED, jumbo_sizes, COUNT(jumbo_sizes), 9000, 1600},
    {MERGED | F_RING_PACKED, jumbo_sizes, COUNT(jumbo_sizes), 9000, 1600},
    {USUAL, jumbo_sizes, COUNT(jumbo_sizes), 9000, 9100},
    {MERGED | F_NET_VIRTIO_NET_HDR, jumbo_sizes, COUNT(jumbo_sizes), 9000, 1600},
    {MERGED, giant_sizes, COUNT(giant_sizes), 65521, 4000},
    {USUAL | F_RING_PACKED, giant_sizes, COUNT(giant_sizes), 65521, 66000},
    {LEGACY, giant_sizes, COUNT(giant_sizes), 65521, 66000},
};

static const struct test tests[] = {
    {"gso-transmit", gso_transmit, &merged},
    {"gso-transmit-packed", gso_transmit, &merged_packed},
    {"gso-transmit-legacy", gso_transmit, &legacy},
    {"checksum-transmit", checksum_transmit, &merged},
    {"checksum-transmit-packed", checksum_transmit, &single_packed},
    {"checksum-transmit-legacy", checksum_transmit, &legacy},
    {"gso-receive-mrg", gso_receive, &merged},
    {"gso-receive-mrg-packed-in-order", gso_receive, &merged_ordered},
    {"gso-receive-big", gso_receive, &single},
    {"gso-receive-big-packed", gso_receive, &single_packed},
    {"gso-receive-big-legacy", gso_receive, &legacy},
    {"segments-receive", segments_receive, &no_offloads},
    {"segments-receive-checksum", segments_receive, &checksum_only},
    {"bad-headers", bad_headers, &merged},
    {"bad-headers-packed", bad_headers, &merged_packed},
    {"bad-headers-legacy", bad_headers, &legacy},
    {"jumbo-mrg", big_frames, &jumbo[0]},
    {"jumbo-mrg-packed", big_frames, &jumbo[1]},
    {"jumbo-big", big_frames, &jumbo[2]},
    {"jumbo-mrg-own-hdr", big_frames, &jumbo[3]},
    {"giant-mrg", big_frames, &jumbo[4]},
    {"giant-big-packed", big_frames, &jumbo[5]},
    {"giant-big-legacy", big_frames, &jumbo[6]},
    {"too-long", too_long, &single},
    {"too-long-in-order", too_long, &single_ordered},
    {"too-long-packed", too_long, &single_packed},
    {"too-long-legacy", too_long, &legacy},
    {"transmit-too-long", transmit_too_long, NULL},
};

int main(int argc, char** argv) {
    return run_tests(tests, COUNT(tests), argc, argv);
}
