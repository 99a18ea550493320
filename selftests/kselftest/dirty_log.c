// SPDX-License-Identifier: GPL-2.0-only
/*
 * The dirty log, with memory itself as the oracle: it is compared with what it
 * was before, each page that changed has to be logged, and no page that nobody
 * wrote to. The driver writes nothing in between.
 */
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "dirty_pages.h"
#include "frames.h"
#include "iotlb_msg.h"
#include "tap_output.h"
#include "traffic_flow.h"

#define USUAL (F_VERSION_1 | F_NET_MRG_RXBUF | F_EVENT_IDX)
#define FRAMES 24 /* of a step */
#define POISON 0xEE

struct setting {
    char name[96];
    u64 features;
    u32 num;
    u64 position;
};

struct step {
    u32 rx_buffer; /* bytes */
    struct net_shape shape;
};

static const u32 sizes[] = {60, 1514, 700};

/* Buffers lie across pages, and their segments too. */
static const struct step steps[] = {
    {.rx_buffer = 1600, .shape = {.lens = {0}}},
    {.rx_buffer = 1600, .shape = {.lens = {12, 2000}, .gap = 64}},
    {.rx_buffer = 1600, .shape = {.lens = {1, 9, 30, 200}, .gap = 3}},
    {.rx_buffer = 1600, .shape = {.lens = {300, 700}, .ring = FD_INDIRECT}},
    {.rx_buffer = 1600, .shape = {.lens = {5, 600}, .gap = 9, .ring = FD_INDIRECT}},
};
static const struct step merged = {.rx_buffer = 190, .shape = {.lens = {0}}};

struct world {
    struct live live;
    struct dirty_pages dirty;
    u32 number; /* of the next frame each way */
    bool used[1024];
};

static u8 frame[FRAME_MAX];

static u32 size_of_frame(u32 number) {
    return sizes[number % COUNT(sizes)];
}

static void open_world(struct world* world, const struct net_options* options) {
    struct tap_options tap = {.vnet_hdr = net_tap_hdr(options->features)};

    world->number = 0;
    live_open_with(&world->live, options, &tap);
    require_ok(net_stop(&world->live.net));
    require_ok(dirty_open(&world->dirty, &world->live.net.mem, FD_GUEST_BASE));
}

static void close_world(struct world* world) {
    live_close(&world->live);
    dirty_close(&world->dirty);
}

/* Which of a queue's buffers the device has. */
static void buffers_out(const struct net_queue* queue, bool* out) {
    memset(out, 0, queue->driver.setup.num * sizeof(*out));
    for (u32 i = 0; i < queue->driver.setup.num; i++) {
        const struct net_buf* buf = queue->driver.setup.bufs[i].token;

        if (buf)
            out[buf - queue->bufs] = true;
    }
}

/* Frames out, while the driver does nothing but look. */
static void transmit_step(struct world* world, const struct net_shape* shape) {
    struct net_driver* net = &world->live.net;
    struct net_queue* queue = &net->queue[NET_TX];
    unsigned long long limit = now_ms() + WAIT_MS;
    u32 first = world->number;

    for (; world->number < first + FRAMES; world->number++) {
        u32 bytes = size_of_frame(world->number);
        int ret;

        frame_make(frame, bytes, world->number);
        ret = net_send(net, NULL, frame, bytes, shape);
        if (ret == -ENOSPC)
            break;
        require(!ret, "frame %u could not be staged", world->number);
    }
    net_show(queue);

    dirty_begin(&world->dirty);
    dirty_expect_ring(&world->dirty, &queue->driver);
    require_ok(vhost_set_backend(&net->dev, NET_TX, world->live.tap.fd));
    while (queue->driver.in_flight) {
        require(net_reap_sent(net) >= 0, "the device broke the transmit ring");
        require(now_ms() < limit, "%u sent buffers do not come back", queue->driver.in_flight);
        usleep(200);
    }
    require_ok(vhost_set_backend(&net->dev, NET_TX, NO_FD));
    dirty_check(&world->dirty, "transmit");
    check(dirty_logged_pages(&world->dirty), "transmit: nothing is logged");

    for (u32 n = first; n < world->number; n++) {
        ssize_t got = tap_receive_wait(&world->live.tap, NULL, frame, sizeof(frame), WAIT_MS);

        require(got >= 0 && frame_matches(frame, got, n, size_of_frame(n)), "frame %u: %zd", n,
                got);
    }
}

/* Takes the frames from @first on from the driver's buffers. */
static void take_frames(struct world* world, u32 first, u32 count) {
    unsigned long long limit = now_ms() + WAIT_MS;

    for (u32 n = first; n < first + count; n++) {
        struct net_packet packet;
        int ret;

        while (!(ret = net_receive(&world->live.net, &packet, frame, sizeof(frame)))) {
            require(now_ms() < limit, "frame %u of %u does not arrive", n, count);
            usleep(200);
        }
        require(ret == 1 && frame_matches(frame, packet.bytes, n, size_of_frame(n)),
                "frame %u went wrong: %d", n, ret);
        check(packet.clean, "frame %u: written beyond the buffer's segments", n);
    }
}

/* What the device wrote to in receiving: the buffers that it gave back. */
static void expect_received(struct world* world) {
    struct net_queue* queue = &world->live.net.queue[NET_RX];
    static bool still[COUNT(world->used)];

    dirty_expect_ring(&world->dirty, &queue->driver);
    buffers_out(queue, still);
    for (u32 i = 0; i < queue->driver.setup.num; i++) {
        const struct net_buf* buf = &queue->bufs[i];

        for (u32 k = 0; world->used[i] && !still[i] && k < buf->nsegs; k++)
            dirty_expect(&world->dirty, guest_at(&world->live.net.mem, buf->segs[k].addr),
                         buf->segs[k].len);
    }
}

/* Frames in; all buffers are poisoned, so that what is written is a change. */
static void receive_step(struct world* world, const struct step* step) {
    struct net_driver* net = &world->live.net;
    struct net_queue* queue = &net->queue[NET_RX];
    u32 num = queue->driver.setup.num;
    u32 first = world->number;
    u32 room = 0;

    require_ok(net_reset_queue(net, NET_RX));
    dirty_log_ring(&world->dirty, queue);
    memset(queue->bufs[0].base, POISON, (size_t)num * queue->bufs[0].room);
    while (queue->nfree && net_fill(net, 1, step->rx_buffer, &step->shape))
        room += step->rx_buffer;
    net_show(queue);
    for (u32 n = 0; n < FRAMES; n++) {
        u32 bytes = size_of_frame(world->number);

        /* A packet begins a buffer. */
        if (room < bytes + net->hdr_bytes + step->rx_buffer)
            break;
        room -= (bytes + net->hdr_bytes + step->rx_buffer - 1) / step->rx_buffer * step->rx_buffer;
        frame_make(frame, bytes, world->number++);
        require_ok(tap_send(&world->live.tap, NULL, frame, bytes));
    }
    require(world->number > first, "no room for a frame");

    buffers_out(queue, world->used);
    dirty_begin(&world->dirty);
    require_ok(vhost_set_backend(&net->dev, NET_RX, world->live.tap.fd));
    take_frames(world, first, world->number - first);
    require_ok(vhost_set_backend(&net->dev, NET_RX, NO_FD));
    expect_received(world);
    dirty_check(&world->dirty, "receive");
    check(dirty_logged_pages(&world->dirty) > 1, "receive: no payload is logged");
}

static void all_steps(struct world* world, u64 features) {
    for (u32 i = 0; i < COUNT(steps); i++) {
        if (steps[i].shape.ring != FD_DIRECT && !(features & F_INDIRECT_DESC))
            continue;
        transmit_step(world, &steps[i].shape);
        receive_step(world, &steps[i]);
    }
    if (features & F_NET_MRG_RXBUF)
        receive_step(world, &merged);
}

static void each_change_logged(const void* arg) {
    const struct setting* setting = arg;
    struct net_options options = {
        .features = setting->features,
        .num = {setting->num, setting->num},
        .room = {5000, 5000}, /* so that some buffer alone goes over a page's end */
        .regions = 7,
        .position = {setting->position, setting->position},
    };
    static struct world world;

    open_world(&world, &options);
    dirty_log_on(&world.dirty, &world.live.net);
    all_steps(&world, setting->features);
    close_world(&world);
}

/* The log of the used ring goes where the owner wants it, entry by entry. */
static void used_ring_logged_elsewhere(const void* arg) {
    const struct setting* setting = arg;
    const u64 elsewhere = FD_GUEST_BASE + (2ULL << 30);
    struct net_options options = {.features = setting->features,
                                  .num = {0, setting->num},
                                  .position = {0, setting->position}};
    static struct world world;
    struct net_queue* queue = &world.live.net.queue[NET_TX];
    struct vhost_vring_addr addr;

    open_world(&world, &options);
    dirty_log_on(&world.dirty, &world.live.net);
    dirty_ring_addr(queue, elsewhere, &addr);
    require_ok(vhost_set_addr(&world.live.net.dev, &addr));
    for (u32 n = 0; n < 12; n++) {
        frame_make(frame, 60, n);
        require_ok(net_send(&world.live.net, NULL, frame, 60, NULL));
    }
    net_show(queue);
    dirty_begin(&world.dirty);
    require_ok(vhost_set_backend(&world.live.net.dev, NET_TX, world.live.tap.fd));
    flow_drain(&world.live.net);
    require_ok(vhost_set_backend(&world.live.net.dev, NET_TX, NO_FD));
    for (size_t at = 0; at < queue->driver.tables - queue->driver.device; at += DIRTY_PAGE) {
        u32 page = (queue->driver.device + at) / DIRTY_PAGE;

        check(dirty_logged_at(&world.dirty, elsewhere + at) == dirty_changed(&world.dirty, page),
              "used ring, page %zu: changed %d, logged %d", at / DIRTY_PAGE,
              dirty_changed(&world.dirty, page), dirty_logged_at(&world.dirty, elsewhere + at));
        check(!dirty_logged_at(&world.dirty, world.dirty.guest + page * DIRTY_PAGE),
              "used ring, page %zu: logged where it is, too", at / DIRTY_PAGE);
    }

    /* Without the flag nobody asked for it. */
    dirty_ring_addr(queue, 0, &addr);
    require_ok(vhost_set_addr(&world.live.net.dev, &addr));
    dirty_begin(&world.dirty);
    require_ok(vhost_set_backend(&world.live.net.dev, NET_TX, world.live.tap.fd));
    for (u32 n = 0; n < 12; n++)
        require(tap_receive_wait(&world.live.tap, NULL, frame, sizeof(frame), WAIT_MS) == 60,
                "frame %u does not come out", n);
    flow_transmit(&world.live.flow);
    if (!(setting->features & F_RING_PACKED))
        check(!dirty_logged_pages(&world.dirty), "%u pages are logged that nobody asked for",
              dirty_logged_pages(&world.dirty));
    close_world(&world);
}

/* Live */

static bool in_device_area(const struct fake_driver* driver, u32 page) {
    return page >= driver->device / DIRTY_PAGE && page < driver->tables / DIRTY_PAGE;
}

/*
 * Logging goes on and off between bursts of frames that the device is busy
 * with. Pages that only the device writes to: receive buffers, used rings.
 */
static void toggled_under_traffic(const void* arg) {
    const struct setting* setting = arg;
    static struct world world;
    struct live* live = &world.live;
    struct net_queue* rx = &live->net.queue[NET_RX];
    struct net_options options = {.features = setting->features,
                                  .num = {setting->num, setting->num}};
    u32 payload;

    open_world(&world, &options);
    require_ok(net_start(&live->net, live->tap.fd));
    payload = (rx->bufs[0].base - live->net.mem.base) / DIRTY_PAGE;
    for (u32 round = 0; round < 6; round++) {
        u32 first = world.number;

        net_fill(&live->net, rx->nfree, 1600, NULL);
        net_show(rx);
        for (u32 n = 0; n < 2 * FRAMES; n++) {
            frame_make(frame, size_of_frame(world.number), world.number);
            require_ok(tap_send(&live->tap, NULL, frame, size_of_frame(world.number)));
            world.number++;
            if (n == FRAMES && round % 2 == 0)
                dirty_log_on(&world.dirty, &live->net);
            if (n == FRAMES && round % 2 == 1)
                dirty_log_off(&live->net);
            if (n == FRAMES)
                dirty_begin(&world.dirty);
        }
        take_frames(&world, first, world.number - first);
        flow_transmit(&live->flow);
        /* Each used ring has its own page, and receive buffers theirs. */
        for (u32 i = 0; i < world.dirty.pages; i++) {
            bool device = (i >= payload && i < payload + setting->num * 2048 / DIRTY_PAGE) ||
                          in_device_area(&rx->driver, i) ||
                          in_device_area(&live->net.queue[NET_TX].driver, i);
            bool logged = dirty_logged_at(&world.dirty, FD_GUEST_BASE + i * DIRTY_PAGE);

            if (round % 2)
                check(!logged, "round %u: page %u is logged, with the log off", round, i);
            else if (device)
                check(logged || !dirty_changed(&world.dirty, i),
                      "round %u: page %u changed and is not logged", round, i);
        }
        check(round % 2 || dirty_logged_pages(&world.dirty), "round %u: nothing logged", round);
    }
    close_world(&world);
}

/* Another log takes over while frames arrive: what is not in the old one is in the new. */
static void log_moved_under_traffic(const void* arg) {
    static struct world world;
    struct live* live = &world.live;
    struct net_queue* rx = &live->net.queue[NET_RX];
    struct net_options options = {.features = USUAL};
    struct dirty_pages other;
    u32 payload;

    open_world(&world, &options);
    require_ok(dirty_open(&other, &live->net.mem, FD_GUEST_BASE));
    dirty_log_on(&world.dirty, &live->net);
    require_ok(net_start(&live->net, live->tap.fd));
    payload = (rx->bufs[0].base - live->net.mem.base) / DIRTY_PAGE;
    dirty_begin(&world.dirty);
    for (u32 round = 0; round < 40; round++) {
        u32 first = world.number;

        net_fill(&live->net, rx->nfree, 1600, NULL);
        net_show(rx);
        for (u32 n = 0; n < FRAMES; n++) {
            frame_make(frame, size_of_frame(world.number), world.number);
            require_ok(tap_send(&live->tap, NULL, frame, size_of_frame(world.number)));
            world.number++;
        }
        require_ok(vhost_set_log_base(&live->net.dev, round % 2 ? world.dirty.log : other.log));
        take_frames(&world, first, world.number - first);
    }
    for (u32 i = payload; i < payload + 256 * 2048 / DIRTY_PAGE; i++) {
        u64 guest = FD_GUEST_BASE + i * DIRTY_PAGE;

        check(!dirty_changed(&world.dirty, i) || dirty_logged_at(&world.dirty, guest) ||
                  dirty_logged_at(&other, guest),
              "page %u changed and is in neither log", i);
    }
    check(dirty_logged_pages(&world.dirty) && dirty_logged_pages(&other),
          "%u and %u pages in the two logs", dirty_logged_pages(&world.dirty),
          dirty_logged_pages(&other));
    close_world(&world);
}

/* Someone who waits for a change of the log hears of it. */
static void owner_told(const void* arg) {
    static struct world world;
    struct net_options options = {.features = USUAL};
    int event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

    open_world(&world, &options);
    require(event >= 0, "an eventfd");
    require_ok(vhost_set_log_fd(&world.live.net.dev, event));
    dirty_log_on(&world.dirty, &world.live.net);
    require_ok(net_start(&world.live.net, world.live.tap.fd));
    flow_transmit(&world.live.flow);
    check(!event_wait(event, WAIT_MS), "the log of the transmit queue changed silently");
    require_ok(vhost_set_backend(&world.live.net.dev, NET_TX, NO_FD));
    event_take(event);
    flow_receive(&world.live.flow);
    check(!event_wait(event, WAIT_MS), "the log of the receive queue changed silently");
    require_ok(vhost_set_log_fd(&world.live.net.dev, NO_FD));
    event_take(event);
    flow_receive(&world.live.flow);
    check(!event_take(event), "the eventfd is signalled after it was taken away");
    close_world(&world);
}

/* What is refused, and leaves all as it was */

static int set_log_base(const struct net_driver* net, unsigned long base) {
    u64 value = base;

    return vhost_call(&net->dev, VHOST_SET_LOG_BASE, &value);
}

static void small_log_refused(const void* arg) {
    /* The last page of the address space: the log of 1 GiB does not fit behind it. */
    const unsigned long top = 0x7fffffffe000;
    static struct world world;
    struct net_driver* net = &world.live.net;
    struct net_options options = {.features = USUAL};
    u64 features = USUAL | F_LOG_ALL;
    struct vhost_memory_region regions[2];
    struct {
        struct vhost_memory head;
        struct vhost_memory_region regions[2];
    } table = {.head.nregions = 2};
    struct vhost_vring_file file = {.fd = 0};

    open_world(&world, &options);

    /* With the log on before there is a backend, the backend is refused. */
    require_ok(vhost_set_features(&net->dev, features));
    check_ret(set_log_base(net, top), 0);
    file.fd = world.live.tap.fd;
    check_ret(vhost_call(&net->dev, VHOST_NET_SET_BACKEND, &file), -EFAULT);

    /* With a live backend, the log. */
    require_ok(vhost_set_features(&net->dev, USUAL));
    require_ok(net_start(net, world.live.tap.fd));
    check_ret(vhost_call(&net->dev, VHOST_SET_FEATURES, &features), -EFAULT);
    dirty_log_on(&world.dirty, net);
    check_ret(set_log_base(net, top), -EFAULT);

    /* Or the memory that it does not reach. */
    require(guest_mem_regions(&net->mem, regions, 1) == 1, "a region");
    table.regions[0] = regions[0];
    table.regions[1] = (struct vhost_memory_region){.guest_phys_addr = 1ULL << 62,
                                                    .memory_size = DIRTY_PAGE,
                                                    .userspace_addr = regions[0].userspace_addr};
    check_ret(vhost_call(&net->dev, VHOST_SET_MEM_TABLE, &table), -EFAULT);

    live_check(&world.live);
    check(dirty_logged_pages(&world.dirty), "the log that was there before is used no more");
    close_world(&world);
}

static bool queue_told(void* arg) {
    const struct vhost_queue* queue = arg;

    return event_take(queue->err);
}

/* The log goes away under traffic: an error of the queue, and nothing else. */
static void log_unmapped(const void* arg) {
    static struct world world;
    struct net_driver* net = &world.live.net;
    struct net_queue* rx = &net->queue[NET_RX];
    struct net_options options = {.features = USUAL};
    struct vireo_queue_stats stats;

    open_world(&world, &options);
    if (!net->dev.is_vireo)
        skip_test("vhost says nothing when its log is gone");
    dirty_log_on(&world.dirty, net);
    require_ok(net_start(net, world.live.tap.fd));
    live_check(&world.live);
    require(!munmap(world.dirty.log, world.dirty.log_bytes), "unmap the log");
    world.dirty.log = NULL;
    net_fill(net, rx->nfree, 1600, NULL);
    net_show(rx);
    frame_make(frame, 60, 0);
    require_ok(tap_send(&world.live.tap, NULL, frame, 60));
    check(wait_until(queue_told, &rx->vhost), "nobody says that the receive queue stopped");
    require_ok(vhost_stats(&net->dev, NET_RX, &stats));
    check(stats.last_error == VIREO_ERROR_LOG && stats.faults == 1,
          "the receive queue: error %u, faults %llu", stats.last_error,
          (unsigned long long)stats.faults);
    require_ok(vhost_stats(&net->dev, NET_TX, &stats));
    check(!stats.last_error, "the transmit queue, which wrote nothing: error %u", stats.last_error);

    /* Set up again, both serve. */
    dirty_close(&world.dirty);
    require_ok(dirty_open(&world.dirty, &net->mem, FD_GUEST_BASE));
    dirty_log_on(&world.dirty, net);
    for (u32 i = 0; i < NET_QUEUES; i++)
        require_ok(net_reset_queue(net, i));
    dirty_log_on(&world.dirty, net);
    require_ok(net_start(net, world.live.tap.fd));
    live_check(&world.live);
    close_world(&world);
}

/* Other ways to the same memory */

/* The driver's buffers are at another guest address of the same memory. */
static void aliased_memory(const void* arg) {
    const struct setting* setting = arg;
    const u64 apart = 1ULL << 30;
    static struct world world;
    struct net_driver* net = &world.live.net;
    struct net_queue* rx = &net->queue[NET_RX];
    struct net_options options = {.features = setting->features};
    struct vhost_memory_region regions[3];
    u32 changed = 0;

    open_world(&world, &options);
    for (u32 i = 0; i < COUNT(regions); i++) {
        guest_mem_regions(&net->mem, &regions[i], 1);
        regions[i].guest_phys_addr += i * apart;
    }
    require_ok(vhost_set_mem_table(&net->dev, regions, COUNT(regions)));
    dirty_log_on(&world.dirty, net);
    for (u32 i = 0; i < FRAMES; i++) {
        struct net_buf* buf = net_get(rx);

        memset(buf->base, POISON, buf->room);
        net_layout_flat(rx, buf, 1600);
        buf->segs[0].addr += apart;
        require_ok(net_add(rx, buf, true, FD_DIRECT));
        frame_make(frame, size_of_frame(i), i);
        require_ok(tap_send(&world.live.tap, NULL, frame, size_of_frame(i)));
    }
    net_show(rx);
    dirty_begin(&world.dirty);
    require_ok(vhost_set_backend(&net->dev, NET_RX, world.live.tap.fd));
    for (u32 i = 0; i < FRAMES; i++) {
        unsigned long long limit = now_ms() + WAIT_MS;
        struct net_buf* buf;
        u32 written;
        int ret;

        while (!(ret = net_reap(rx, &buf, &written))) {
            require(now_ms() < limit, "frame %u does not arrive", i);
            usleep(200);
        }
        require(ret == 1 && frame_matches(buf->base + net->hdr_bytes, written - net->hdr_bytes, i,
                                          size_of_frame(i)),
                "frame %u went wrong", i);
    }
    require_ok(vhost_set_backend(&net->dev, NET_RX, NO_FD));
    for (u32 i = 0; i < world.dirty.pages; i++) {
        u64 guest = FD_GUEST_BASE + i * DIRTY_PAGE;
        bool payload = net->mem.base + i * DIRTY_PAGE >= rx->bufs[0].base;

        if (!dirty_changed(&world.dirty, i))
            continue;
        changed++;
        check(dirty_logged_at(&world.dirty, payload ? guest + apart : guest),
              "page %u changed and is not logged at the address that was used", i);
    }
    check(changed > FRAMES / 2, "only %u pages changed", changed);
    close_world(&world);
}

/* Behind an IOMMU the log is still one of guest memory. */
static void behind_an_iommu(const void* arg) {
    const struct setting* setting = arg;
    const u64 guest = FD_GUEST_BASE + (1ULL << 30); /* not where the driver sees it */
    static struct world world;
    struct net_driver* net = &world.live.net;
    struct net_options options = {
        .features = setting->features, .num = {setting->num, setting->num}, .room = {1900, 1900}};
    struct iotlb_talk talk = {.dev = &net->dev, .v2 = true};
    struct vhost_memory_region region;
    size_t half;
    int ret;

    ret = net_open(net, &options);
    if (ret == -EOPNOTSUPP)
        skip_test("%s does not offer features %#llx", vhost_path(),
                  (unsigned long long)options.features);
    require(!ret, "open the device: error %d", ret);
    require_ok(tap_open(&world.live.tap,
                        &(struct tap_options){.vnet_hdr = net_tap_hdr(setting->features)}));
    require_ok(dirty_open(&world.dirty, &net->mem, guest));
    guest_mem_regions(&net->mem, &region, 1);
    region.guest_phys_addr = guest;
    require_ok(vhost_set_mem_table(&net->dev, &region, 1));
    require_ok(vhost_set_backend_features(&net->dev, BACKEND_F_MSG_V2));
    require_ok(iotlb_place_rings(net));
    half = net->mem.bytes / DIRTY_PAGE / 2 * DIRTY_PAGE;
    dirty_log_on(&world.dirty, net);
    /* Behind SET_FEATURES, with which vhost forgets them. */
    require_ok(iotlb_update(&talk, FD_GUEST_BASE, half, net->mem.base, VHOST_ACCESS_RW));
    require_ok(iotlb_update(&talk, FD_GUEST_BASE + half, net->mem.bytes - half,
                            net->mem.base + half, VHOST_ACCESS_RW));
    all_steps(&world, setting->features);
    close_world(&world);
}

/* The list of tests */

static struct setting settings[64];
static struct test tests[64];
static u32 count;

static void add(void (*run)(const void* arg), const char* prefix, u64 features, u32 num,
                u64 position) {
    static const struct {
        u64 bit;
        const char* name;
    } names[] = {{F_RING_PACKED, "packed"},
                 {F_EVENT_IDX, "event-idx"},
                 {F_IN_ORDER, "in-order"},
                 {F_NET_MRG_RXBUF, "mrg"},
                 {F_NET_VIRTIO_NET_HDR, "own-hdr"}};
    struct setting* setting = &settings[count];
    size_t at;

    *setting = (struct setting){.features = features, .num = num, .position = position};
    at = snprintf(setting->name, sizeof(setting->name), "%s%s", prefix,
                  features & F_RING_PACKED ? "" : "-split");
    for (u32 i = 0; i < COUNT(names); i++) {
        if (features & names[i].bit)
            at += snprintf(setting->name + at, sizeof(setting->name) - at, "-%s", names[i].name);
    }
    if (position)
        snprintf(setting->name + at, sizeof(setting->name) - at, "-from-the-end");
    tests[count++] = (struct test){.name = setting->name, .run = run, .arg = setting};
}

static void add_plain(const char* name, void (*run)(const void* arg)) {
    tests[count++] = (struct test){.name = name, .run = run};
}

int main(int argc, char** argv) {
    static const u64 varied[] = {F_EVENT_IDX, F_IN_ORDER, F_NET_MRG_RXBUF};
    const u64 always = F_VERSION_1 | F_INDIRECT_DESC;

    for (u32 packed = 0; packed < 2; packed++) {
        u64 ring = packed ? F_RING_PACKED : 0;
        u32 num = packed ? 600 : 1024; /* rings of three pages */

        for (u32 choice = 0; choice < 1U << COUNT(varied); choice++) {
            u64 features = always | ring;

            for (u32 i = 0; i < COUNT(varied); i++)
                features |= choice >> i & 1 ? varied[i] : 0;
            add(each_change_logged, "logged", features, num, 0);
        }
        add(each_change_logged, "logged", always | ring | F_NET_VIRTIO_NET_HDR, num, 0);
        add(each_change_logged, "logged", always | ring | F_EVENT_IDX, num, packed ? 595 : 0xfffa);
        add(toggled_under_traffic, "toggled-under-traffic", USUAL | ring, num, 0);
        add(aliased_memory, "aliased-memory", USUAL | ring, num, 0);
        add(behind_an_iommu, "behind-an-iommu", USUAL | ring | F_INDIRECT_DESC | F_ACCESS_PLATFORM,
            num, 0);
    }
    /* Of two pages, written across their border: entry 511 begins 4 bytes before it. */
    add(used_ring_logged_elsewhere, "used-ring-logged-elsewhere", USUAL, 1024, 505);
    add(used_ring_logged_elsewhere, "used-ring-logged-elsewhere", USUAL | F_RING_PACKED, 1024, 0);
    add_plain("log-moved-under-traffic", log_moved_under_traffic);
    add_plain("owner-told", owner_told);
    add_plain("small-log-refused", small_log_refused);
    add_plain("log-unmapped", log_unmapped);
    return run_tests(tests, count, argc, argv);
}
