// SPDX-License-Identifier: GPL-2.0-only
/*
 * A guest moves between two devices with memory of their own, to and fro, under
 * traffic both ways. Memory is copied in rounds by what the log says, the ring
 * positions by VHOST_GET_VRING_BASE and VHOST_SET_VRING_BASE. Memory on both
 * sides has to be the same then, and no frame may be lost, doubled, changed or
 * come out of order.
 *
 * What the driver writes nobody logs here (with a real guest, KVM does): pages
 * that it may write are copied when it stands still, and what the device
 * writes afterwards is found by the log alone.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "dirty_pages.h"
#include "stream.h"
#include "tap_output.h"
#include "traffic_flow.h"

#define MOVES 8
#define BETWEEN 400 /* frames each way from one move to the next, at least */

/* A device and its view of the guest's memory. */
struct side {
    struct vhost_dev dev;
    struct guest_mem mem;
    struct dirty_pages dirty;
};

struct guest {
    struct net_driver net; /* its device and memory are those of the side where it is */
    struct tap tap;
    struct stream stream;
};

/* Moving */

static void copy_page(const struct side* from, const struct side* to, u32 page) {
    memcpy(to->mem.base + page * DIRTY_PAGE, from->mem.base + page * DIRTY_PAGE, DIRTY_PAGE);
}

static u32 copy_logged(struct side* from, const struct side* to) {
    u32 count = 0;

    for (u32 i = 0; i < from->dirty.pages; i++) {
        if (!dirty_take(&from->dirty, i))
            continue;
        copy_page(from, to, i);
        count++;
    }
    return count;
}

static void copy_range(const struct side* from, const struct side* to, size_t begin, size_t end) {
    memcpy(to->mem.base + begin, from->mem.base + begin, end - begin);
}

/* All that the driver may have written: rings but for the device's areas, tables, sent packets. */
static void copy_drivers(const struct guest* guest, const struct side* from,
                         const struct side* to) {
    for (u32 i = 0; i < NET_QUEUES; i++) {
        const struct net_queue* queue = &guest->net.queue[i];
        const struct fake_driver* driver = &queue->driver;

        copy_range(from, to, driver->desc, driver->device);
        copy_range(from, to, driver->tables, fd_arena_bytes(&driver->setup));
    }
    for (u32 i = 0; i < guest->net.queue[NET_TX].driver.setup.num; i++) {
        const struct net_buf* buf = &guest->net.queue[NET_TX].bufs[i];
        size_t begin = buf->base - from->mem.base;

        copy_range(from, to, begin, begin + buf->room);
    }
}

static void compare_memory(const struct side* from, const struct side* to, u32 move) {
    for (u32 i = 0; i < from->dirty.pages; i++)
        check(!memcmp(from->mem.base + i * DIRTY_PAGE, to->mem.base + i * DIRTY_PAGE, DIRTY_PAGE),
              "move %u: page %u is not the same on both sides", move, i);
}

static void set_memory(const struct side* side) {
    struct vhost_memory_region regions[3];

    require_ok(vhost_set_mem_table(&side->dev, regions,
                                   guest_mem_regions(&side->mem, regions, COUNT(regions))));
}

/* The driver goes on with another device and other memory, from where the old device was. */
static void move_driver(struct guest* guest, const struct side* to, const u32* base) {
    struct net_driver* net = &guest->net;
    ptrdiff_t apart = to->mem.base - net->mem.base;

    net->dev = to->dev;
    net->mem = to->mem;
    require_ok(vhost_set_features(&net->dev, net->features));
    set_memory(to);
    for (u32 i = 0; i < NET_QUEUES; i++) {
        struct net_queue* queue = &net->queue[i];
        struct vhost_vring_addr addr;

        for (u32 k = 0; k < queue->driver.setup.num; k++)
            queue->bufs[k].base += apart;
        queue->driver.setup.arena = to->mem.base;
        queue->driver.setup.arena_device = (unsigned long)to->mem.base;
        dirty_ring_addr(queue, 0, &addr);
        require_ok(vhost_set_num(&net->dev, i, queue->driver.setup.num));
        require_ok(vhost_set_base(&net->dev, i, base[i]));
        require_ok(vhost_set_addr(&net->dev, &addr));
        require_ok(vhost_set_kick(&net->dev, i, queue->vhost.kick));
        require_ok(vhost_set_call(&net->dev, i, queue->vhost.call));
        require_ok(vhost_set_err(&net->dev, i, queue->vhost.err));
    }
    require_ok(net_start(net, guest->tap.fd));
}

static void migrate(struct guest* guest, struct side* from, struct side* to, u32 move) {
    struct net_driver* net = &guest->net;
    u32 base[NET_QUEUES];
    u32 again;
    u32 logged = 0;

    dirty_log_on(&from->dirty, net);
    copy_range(from, to, 0, from->mem.bytes);
    for (u32 round = 0; round < 5; round++) {
        stream_run(&guest->stream, 20);
        logged += copy_logged(from, to);
    }
    stream_stop_guest(&guest->stream);
    copy_drivers(guest, from, to);
    usleep(1000); /* in which the device goes on */
    require_ok(net_stop(net));
    logged += copy_logged(from, to);
    for (u32 i = 0; i < NET_QUEUES; i++) {
        require_ok(vhost_get_base(&from->dev, i, &base[i]));
        require_ok(vhost_get_base(&from->dev, i, &again));
        check(base[i] == again, "queue %u: position %#x, then %#x", i, base[i], again);
    }
    compare_memory(from, to, move);
    check(logged, "move %u: nothing was ever logged", move);
    /* What is left here shall not be used again. */
    memset(from->mem.base, 0xEE, from->mem.bytes);
    move_driver(guest, to, base);
    stream_let_guest(&guest->stream);
}

static void open_sides(struct guest* guest, struct side* sides, const struct net_options* options) {
    struct net_driver* net = &guest->net;
    int ret = net_open(net, options);

    if (ret == -EOPNOTSUPP)
        skip_test("%s does not offer features %#llx", vhost_path(),
                  (unsigned long long)options->features);
    require(!ret, "open the device: error %d", ret);
    sides[0].dev = net->dev;
    sides[0].mem = net->mem;
    require_ok(vhost_open(&sides[1].dev, vhost_path()));
    require_ok(guest_mem_map(&sides[1].mem, net->mem.bytes));
    require_ok(vhost_set_owner(&sides[1].dev));
    for (u32 i = 0; i < 2; i++)
        require_ok(dirty_open(&sides[i].dirty, &sides[i].mem, FD_GUEST_BASE));
}

static void to_and_fro(const void* arg) {
    const u64* features = arg;
    static struct guest guest;
    static struct side sides[2];
    struct net_options options = {.features = *features, .num = {128, 128}, .regions = 3};

    open_sides(&guest, sides, &options);
    require_ok(tap_open(&guest.tap, &(struct tap_options){.vnet_hdr = net_tap_hdr(*features)}));
    require_ok(net_start(&guest.net, guest.tap.fd));
    stream_start(&guest.stream, &guest.net, &guest.tap, NULL);
    for (u32 move = 0; move < MOVES && !checks_failed(); move++) {
        stream_run(&guest.stream, BETWEEN);
        migrate(&guest, &sides[move % 2], &sides[1 - move % 2], move);
    }
    stream_run(&guest.stream, BETWEEN);
    stream_finish(&guest.stream);
}

#define ALWAYS (F_VERSION_1 | F_INDIRECT_DESC)

static const u64 split = ALWAYS;
static const u64 split_event = ALWAYS | F_EVENT_IDX | F_NET_MRG_RXBUF;
static const u64 split_in_order = ALWAYS | F_EVENT_IDX | F_NET_MRG_RXBUF | F_IN_ORDER;
static const u64 packed = ALWAYS | F_RING_PACKED;
static const u64 packed_event = ALWAYS | F_RING_PACKED | F_EVENT_IDX | F_NET_MRG_RXBUF;
static const u64 packed_in_order =
    ALWAYS | F_RING_PACKED | F_EVENT_IDX | F_NET_MRG_RXBUF | F_IN_ORDER;

static const struct test tests[] = {
    {"split", to_and_fro, &split},
    {"split-event-idx-mrg", to_and_fro, &split_event},
    {"split-event-idx-mrg-in-order", to_and_fro, &split_in_order},
    {"packed", to_and_fro, &packed},
    {"packed-event-idx-mrg", to_and_fro, &packed_event},
    {"packed-event-idx-mrg-in-order", to_and_fro, &packed_in_order},
};

int main(int argc, char** argv) {
    return run_tests(tests, COUNT(tests), argc, argv);
}
