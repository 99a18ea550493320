// SPDX-License-Identifier: GPL-2.0-only
#include "traffic_flow.h"

#include "frames.h"
#include "tap_output.h"

static u8 frame[FRAME_MAX + 1];

static u32 size_of_frame(const struct flow* flow, u32 number) {
    return flow->sizes[number % flow->size_count];
}

static const struct net_shape* shape_of_frame(const struct flow* flow, u32 number) {
    /* Each shape meets each size. */
    return &flow->shapes[number / flow->size_count % flow->shape_count];
}

void flow_drain(struct net_driver* net) {
    struct net_queue* queue = &net->queue[NET_TX];

    while (queue->driver.in_flight) {
        int count = net_reap_sent(net);

        require(count >= 0, "the device broke the transmit ring");
        if (!count)
            require(!net_wait(queue, WAIT_MS), "%u sent buffers do not come back",
                    queue->driver.in_flight);
    }
}

/* Stages frames as long as there is room. Returns how many. */
static u32 stage(const struct flow* flow, u32 from) {
    u32 n = from;

    for (; n < flow->count; n++) {
        u32 bytes = size_of_frame(flow, n);
        int ret;

        frame_make(frame, bytes, n);
        ret = net_send(flow->net, NULL, frame, bytes, shape_of_frame(flow, n));
        if (ret == -ENOSPC)
            break;
        require(!ret, "frame %u of %u bytes could not be staged", n, bytes);
    }
    net_show(&flow->net->queue[NET_TX]);
    return n - from;
}

/* Takes what came out at the tap's other end. Returns how many. */
static u32 compare_sent(const struct flow* flow, u32 from) {
    u32 n = from;

    for (; n < flow->count; n++) {
        ssize_t got = tap_receive(flow->tap, NULL, frame, sizeof(frame));

        if (got == -EAGAIN)
            break;
        require(got >= 0, "receive frame %u: error %zd", n, got);
        require(frame_matches(frame, got, n, size_of_frame(flow, n)), "frame %u went wrong", n);
    }
    return n - from;
}

void flow_transmit(const struct flow* flow) {
    struct net_driver* net = flow->net;
    u32 sent = 0;
    u32 got = 0;

    while (got < flow->count) {
        u32 staged = stage(flow, sent);
        u32 came = compare_sent(flow, got);
        int back = net_reap_sent(net);

        require(back >= 0, "the device broke the transmit ring");
        sent += staged;
        got += came;
        if (staged || came || back)
            continue;
        if (sent < flow->count) {
            require(!net_wait(&net->queue[NET_TX], WAIT_MS),
                    "the ring is full after %u frames and none comes back (%u came out)", sent,
                    got);
        } else if (got < flow->count) {
            struct virtio_net_hdr hdr;
            ssize_t bytes = tap_receive_wait(flow->tap, &hdr, frame, sizeof(frame), WAIT_MS);

            require(bytes >= 0, "frame %u of %u does not come out: error %zd", got, sent, bytes);
            require(frame_matches(frame, bytes, got, size_of_frame(flow, got)),
                    "frame %u went wrong", got);
            got++;
        }
    }
    flow_drain(net);
    check(tap_receive(flow->tap, NULL, frame, sizeof(frame)) == -EAGAIN,
          "a frame came out that was not sent");
}

/* Makes buffers available until the ring is full. */
static void refill(const struct flow* flow, u32* filled) {
    struct net_queue* queue = &flow->net->queue[NET_RX];

    while (queue->nfree) {
        if (!net_fill(flow->net, 1, flow->rx_buffer, &flow->shapes[*filled % flow->shape_count]))
            break;
        ++*filled;
    }
    net_show(queue);
}

static void send_from_outside(const struct flow* flow, u32 number) {
    u32 bytes = size_of_frame(flow, number);
    int ret;

    frame_make(frame, bytes, number);
    ret = tap_send(flow->tap, NULL, frame, bytes);
    require(!ret, "send frame %u of %u bytes from outside: error %d", number, bytes, ret);
}

static void compare_received(const struct flow* flow, u32 number, const struct net_packet* packet) {
    const net_hdr* hdr = &packet->hdr;
    u32 capacity = flow->rx_buffer;
    u32 whole = packet->bytes + flow->net->hdr_bytes;

    require(frame_matches(frame, packet->bytes, number, size_of_frame(flow, number)),
            "frame %u went wrong", number);
    check(packet->clean, "frame %u: written beyond the buffer's segments", number);
    check(!hdr->hdr.flags && !hdr->hdr.gso_type && !hdr->hdr.gso_size && !hdr->hdr.csum_start &&
              !hdr->hdr.csum_offset,
          "frame %u: its header asks for something: flags %#x gso_type %#x", number, hdr->hdr.flags,
          hdr->hdr.gso_type);
    /* 5.1.6.4: no more buffers than it takes. */
    check(packet->buffers == (whole + capacity - 1) / capacity,
          "frame %u of %u bytes took %u buffers of %u", number, packet->bytes, packet->buffers,
          capacity);
}

void flow_receive(const struct flow* flow) {
    struct net_driver* net = flow->net;
    u32 window = flow->rx_window ? flow->rx_window : 256;
    struct net_packet packet;
    u32 filled = 0;
    u32 sent = 0;

    refill(flow, &filled);
    for (u32 got = 0; got < flow->count; got++) {
        int ret;

        /* In bursts, so that the ring is found empty and full. */
        if (sent == got) {
            while (sent < flow->count && sent < got + window)
                send_from_outside(flow, sent++);
        }
        ret = net_receive(net, &packet, frame, sizeof(frame));
        if (!ret) {
            refill(flow, &filled);
            ret = net_receive_wait(net, &packet, frame, sizeof(frame), WAIT_MS);
        }
        require(ret == 1, "frame %u of %u does not arrive: error %d", got, sent, ret);
        compare_received(flow, got, &packet);
    }
    check(net_receive(net, &packet, frame, sizeof(frame)) == 0,
          "a frame arrived that was not sent");
}

/* A live device */

static const u32 usual_sizes[] = {60, 1514, 14};
static const struct net_shape usual_shapes[] = {{.lens = {0}}, {.lens = {12, 2000}}};

void live_open_with(struct live* live, const struct net_options* options,
                    const struct tap_options* tap_options) {
    int ret = net_open(&live->net, options);

    /* The device takes all bits or none: what it took is what was asked. */
    if (ret == -EOPNOTSUPP)
        skip_test("%s does not offer features %#llx", options->path ? options->path : vhost_path(),
                  (unsigned long long)options->features);
    require(!ret, "open the device: error %d", ret);
    require_ok(tap_open(&live->tap, tap_options));
    require_ok(net_start(&live->net, live->tap.fd));
    live->flow = (struct flow){
        .net = &live->net,
        .tap = &live->tap,
        .sizes = usual_sizes,
        .size_count = COUNT(usual_sizes),
        .shapes = usual_shapes,
        .shape_count = COUNT(usual_shapes),
        .count = 300,
        .rx_buffer = 1600,
    };
}

void live_open(struct live* live, u64 features) {
    struct net_options options = {.features = features};
    struct tap_options tap = {.vnet_hdr = net_tap_hdr(features)};

    live_open_with(live, &options, &tap);
}

void live_close(struct live* live) {
    net_close(&live->net);
    tap_close(&live->tap);
}

void live_check(struct live* live) {
    flow_transmit(&live->flow);
    flow_receive(&live->flow);
}
