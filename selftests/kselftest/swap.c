// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a live device stands on is changed under it while traffic goes both
 * ways: its memory table, the place of its rings, eventfds, the backend,
 * workers, busy polling. No frame is lost, doubled or changed, frames keep
 * their order, and neither a kick nor a call gets lost: the guest sleeps until
 * it is called.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "dirty_pages.h"
#include "frames.h"
#include "stream.h"
#include "tap_output.h"
#include "traffic_flow.h"

#define ROUNDS 60
#define BETWEEN 40 /* frames each way from one change to the next, at least */

#define SPLIT (F_VERSION_1 | F_NET_MRG_RXBUF | F_EVENT_IDX | F_INDIRECT_DESC)
#define PACKED (SPLIT | F_RING_PACKED)

struct world {
    struct net_driver net;
    struct tap tap[STREAM_TAPS];
    struct stream stream;
    int memory; /* the file that guest memory is, if it is one */
    u8* view;   /* where the device has it; the driver has a mapping of its own */
};

/* Opens all, and starts traffic. */
static void open_world(struct world* world, u64 features, u32 taps) {
    struct net_options options = {.features = features, .num = {128, 128}};
    struct tap_options tap = {.vnet_hdr = net_tap_hdr(features)};
    int ret = net_open(&world->net, &options);

    if (ret == -EOPNOTSUPP)
        skip_test("%s does not offer features %#llx", vhost_path(), (unsigned long long)features);
    require(!ret, "open the device: error %d", ret);
    for (u32 t = 0; t < taps; t++)
        require_ok(tap_open(&world->tap[t], &tap));
    require_ok(net_start(&world->net, world->tap[0].fd));
    stream_start(&world->stream, &world->net, &world->tap[0], taps > 1 ? &world->tap[1] : NULL);
}

static void close_world(struct world* world) {
    stream_run(&world->stream, BETWEEN);
    stream_finish(&world->stream);
    net_close(&world->net);
}

/* The memory table */

static void set_regions(const struct world* world, u32 count) {
    static struct vhost_memory_region regions[MAX_REGIONS];
    u32 n = guest_mem_regions(&world->net.mem, regions, count);

    require_ok(vhost_set_mem_table(&world->net.dev, regions, n));
}

/* The same memory as more and fewer regions, in any order. */
static void regions_changed(const void* arg) {
    const u64* features = arg;
    static const u32 counts[] = {1, 64, 3, 17, 2, 50, 1};
    static struct world world;
    /* vhost, unless told otherwise, takes no more than 64. */
    bool vireo = strstr(vhost_path(), "/vireo-");

    open_world(&world, *features, 1);
    for (u32 round = 0; round < ROUNDS; round++) {
        u32 count = counts[round % COUNT(counts)];

        set_regions(&world, vireo && round % 5 == 0 ? 512 : count);
        stream_run(&world.stream, BETWEEN);
    }
    close_world(&world);
}

/* Makes guest memory a mapping of a file, which can be mapped elsewhere too. */
static void memory_to_file(struct world* world) {
    struct guest_mem* mem = &world->net.mem;

    world->memory = memfd_create("guest", MFD_CLOEXEC);
    require(world->memory >= 0 &&
                write(world->memory, mem->base, mem->bytes) == (ssize_t)mem->bytes &&
                mmap(mem->base, mem->bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
                     world->memory, 0) == mem->base,
            "a file of guest memory");
}

/* The table and the rings in another mapping, as the owner's addresses. */
static void use_view(struct world* world, u8* view) {
    struct vhost_memory_region region = {.guest_phys_addr = FD_GUEST_BASE,
                                         .memory_size = world->net.mem.bytes,
                                         .userspace_addr = (unsigned long)view};

    require_ok(vhost_set_mem_table(&world->net.dev, &region, 1));
    for (u32 i = 0; i < NET_QUEUES; i++) {
        struct net_queue* queue = &world->net.queue[i];
        struct vhost_vring_addr addr;

        queue->driver.setup.arena_device = (unsigned long)view;
        dirty_ring_addr(queue, 0, &addr);
        require_ok(vhost_set_addr(&world->net.dev, &addr));
    }
}

static void move_memory(struct world* world) {
    u8* view =
        mmap(NULL, world->net.mem.bytes, PROT_READ | PROT_WRITE, MAP_SHARED, world->memory, 0);

    require(view != MAP_FAILED, "a mapping of guest memory");
    use_view(world, view);
    if (world->view)
        munmap(world->view, world->net.mem.bytes);
    world->view = view;
}

/*
 * The same contents at another address of the owner's; the address before is
 * gone. The guest need not stop, since it sees no difference.
 */
static void memory_moved(const void* arg) {
    const u64* features = arg;
    static struct world world;
    struct net_options options = {.features = *features, .num = {128, 128}};
    int ret = net_open(&world.net, &options);

    if (ret == -EOPNOTSUPP)
        skip_test("%s does not offer features %#llx", vhost_path(), (unsigned long long)*features);
    require(!ret, "open the device: error %d", ret);
    memory_to_file(&world);
    require_ok(tap_open(&world.tap[0], &(struct tap_options){.vnet_hdr = net_tap_hdr(*features)}));
    move_memory(&world);
    require_ok(net_start(&world.net, world.tap[0].fd));
    stream_start(&world.stream, &world.net, &world.tap[0], NULL);
    for (u32 round = 0; round < ROUNDS; round++) {
        move_memory(&world);
        stream_run(&world.stream, BETWEEN);
    }
    close_world(&world);
}

static bool queue_told(void* arg) {
    const struct vhost_queue* queue = arg;

    return event_take(queue->err);
}

/* A part of guest memory is gone, and a buffer there stops the queue; with the memory it goes on.
 */
static void region_removed_and_back(const void* arg) {
    const u64* features = arg;
    static u8 frame[64];
    struct live live;
    struct vhost_memory_region regions[2];
    struct net_queue* rx = &live.net.queue[NET_RX];
    struct net_packet packet;
    size_t rings;

    live_open(&live, *features);
    if (!live.net.dev.is_vireo)
        skip_test("vhost drops packets for which there is no memory");
    rings = rx->bufs[0].base - live.net.mem.base;
    for (u32 round = 0; round < 5; round++) {
        guest_mem_regions(&live.net.mem, &regions[0], 1);
        regions[1] = regions[0];
        regions[0].memory_size = rings;
        require_ok(vhost_set_mem_table(&live.net.dev, regions, 1));
        net_fill(&live.net, rx->nfree, 1600, NULL);
        net_show(rx);
        for (u32 n = 0; n < 10; n++) {
            frame_make(frame, sizeof(frame), n);
            require_ok(tap_send(&live.tap, NULL, frame, sizeof(frame)));
        }
        check(wait_until(queue_told, &rx->vhost), "nobody says that the queue stopped");
        check(!net_receive(&live.net, &packet, frame, sizeof(frame)),
              "a frame came, where there is no memory for it");
        require_ok(vhost_set_mem_table(&live.net.dev, &regions[1], 1));
        for (u32 n = 0; n < 10; n++) {
            require(net_receive_wait(&live.net, &packet, frame, sizeof(frame), WAIT_MS) == 1,
                    "round %u: frame %u does not arrive when its memory is back", round, n);
            check(frame_matches(frame, packet.bytes, n, sizeof(frame)), "frame %u", n);
        }
        event_take(rx->vhost.err);
    }
    live_close(&live);
}

/* Eventfds */

static int new_event(void) {
    int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

    require(fd >= 0, "an eventfd");
    return fd;
}

/*
 * As QEMU and KVM do it: a new kick is waited for before the guest uses it, and
 * what the old call got until it was replaced is passed on.
 */
static void eventfds_replaced(const void* arg) {
    const u64* features = arg;
    static struct world world;

    open_world(&world, *features, 1);
    for (u32 round = 0; round < ROUNDS; round++) {
        for (u32 i = 0; i < NET_QUEUES; i++) {
            struct vhost_queue* queue = &world.net.queue[i].vhost;
            int kick = new_event();
            int call = new_event();
            int old = queue->call;

            stream_stop_guest(&world.stream);
            require_ok(vhost_set_kick(&world.net.dev, i, kick));
            queue->kick = kick;
            require_ok(vhost_set_call(&world.net.dev, i, call));
            queue->call = call;
            if (event_take(old))
                event_signal(call);
            stream_let_guest(&world.stream);
        }
        stream_run(&world.stream, BETWEEN);
    }
    close_world(&world);
}

/* A guest that is not told of by calls, for a while, and kicks that nobody waits for. */
static void eventfds_taken_away(const void* arg) {
    const u64* features = arg;
    static struct world world;

    open_world(&world, *features, 1);
    for (u32 round = 0; round < ROUNDS; round++) {
        stream_stop_guest(&world.stream);
        for (u32 i = 0; i < NET_QUEUES; i++) {
            require_ok(vhost_set_kick(&world.net.dev, i, NO_FD));
            require_ok(vhost_set_call(&world.net.dev, i, NO_FD));
        }
        stream_let_guest(&world.stream);
        usleep(1000);
        stream_stop_guest(&world.stream);
        for (u32 i = 0; i < NET_QUEUES; i++) {
            struct vhost_queue* queue = &world.net.queue[i].vhost;

            require_ok(vhost_set_call(&world.net.dev, i, queue->call));
            /* It may have been signalled meanwhile, and has to be seen. */
            require_ok(vhost_set_kick(&world.net.dev, i, queue->kick));
            /* Calls that came to nobody: as QEMU does when a vector is unmasked. */
            event_signal(queue->call);
        }
        stream_let_guest(&world.stream);
        stream_run(&world.stream, BETWEEN);
    }
    close_world(&world);
}

/* A kick that is signalled already when the device gets it. */
static void kicked_before(const void* arg) {
    const u64* features = arg;
    struct live live;
    struct net_queue* tx = &live.net.queue[NET_TX];
    u8 frame[64];

    live_open(&live, *features);
    live_check(&live);
    for (u32 n = 0; n < 50; n++) {
        int kick = new_event();

        frame_make(frame, sizeof(frame), n);
        require_ok(net_send(&live.net, NULL, frame, sizeof(frame), NULL));
        (void)fd_show(&tx->driver);
        event_signal(kick);
        require_ok(vhost_set_kick(&live.net.dev, NET_TX, kick));
        require(tap_receive_wait(&live.tap, NULL, frame, sizeof(frame), WAIT_MS) == sizeof(frame),
                "frame %u does not come out", n);
        check(frame_matches(frame, sizeof(frame), n, sizeof(frame)), "frame %u", n);
        close(tx->vhost.kick);
        tx->vhost.kick = kick;
    }
    live_close(&live);
}

/* Backend */

static void backend_switched(const void* arg) {
    const u64* features = arg;
    static struct world world;

    open_world(&world, *features, STREAM_TAPS);
    for (u32 round = 0; round < ROUNDS; round++) {
        const struct tap* tap = &world.tap[(round + 1) % STREAM_TAPS];

        require_ok(vhost_set_backend(&world.net.dev, NET_TX, tap->fd));
        require_ok(vhost_set_backend(&world.net.dev, NET_RX, tap->fd));
        stream_run(&world.stream, BETWEEN);
    }
    /* What waits in either has to arrive. */
    stream_end_sending(&world.stream);
    for (u32 t = 0; t < STREAM_TAPS; t++) {
        require_ok(vhost_set_backend(&world.net.dev, NET_RX, world.tap[t].fd));
        stream_drain(&world.stream, t);
    }
    stream_finish(&world.stream);
}

static void backend_off_and_on(const void* arg) {
    const u64* features = arg;
    static struct world world;

    open_world(&world, *features, 1);
    for (u32 round = 0; round < ROUNDS; round++) {
        u32 base[NET_QUEUES];

        require_ok(net_stop(&world.net));
        /* Stopped is stopped: the guest goes on making buffers available. */
        for (u32 i = 0; i < NET_QUEUES; i++)
            require_ok(vhost_get_base(&world.net.dev, i, &base[i]));
        usleep(500);
        for (u32 i = 0; i < NET_QUEUES; i++) {
            u32 now;

            require_ok(vhost_get_base(&world.net.dev, i, &now));
            check(base[i] == now, "queue %u moved on to %#x from %#x when it was stopped", i, now,
                  base[i]);
            if (round % 2)
                require_ok(vhost_set_base(&world.net.dev, i, base[i]));
        }
        require_ok(net_start(&world.net, world.tap[0].fd));
        stream_run(&world.stream, BETWEEN);
    }
    close_world(&world);
}

/* Positions are read while all goes on. */
static void positions_read(const void* arg) {
    const u64* features = arg;
    static struct world world;
    u32 base;

    open_world(&world, *features, 1);
    for (u32 round = 0; round < ROUNDS; round++) {
        for (u32 i = 0; i < 20; i++)
            require_ok(vhost_get_base(&world.net.dev, i % NET_QUEUES, &base));
        stream_run(&world.stream, BETWEEN);
    }
    close_world(&world);
}

/* Workers and polling */

static void workers_moved(const void* arg) {
    const u64* features = arg;
    static struct world world;
    u32 ids[3];

    open_world(&world, *features, 1);
    if (!world.net.dev.is_vireo)
        skip_test("%s has no worker ioctls", vhost_path());
    require_ok(vhost_get_worker(&world.net.dev, 0, &ids[0]));
    for (u32 round = 0; round < ROUNDS / 4; round++) {
        for (u32 i = 1; i < COUNT(ids); i++)
            require_ok(vhost_new_worker(&world.net.dev, &ids[i]));
        for (u32 k = 0; k < 6; k++) {
            require_ok(vhost_attach_worker(&world.net.dev, k % NET_QUEUES, ids[(k + round) % 3]));
            stream_run(&world.stream, 10);
        }
        for (u32 i = 0; i < NET_QUEUES; i++)
            require_ok(vhost_attach_worker(&world.net.dev, i, ids[0]));
        for (u32 i = 1; i < COUNT(ids); i++)
            require_ok(vhost_free_worker(&world.net.dev, ids[i]));
    }
    close_world(&world);
}

static void busy_polling_toggled(const void* arg) {
    const u64* features = arg;
    static const u32 microseconds[] = {50, 0, 1, 1000, 0};
    static struct world world;

    open_world(&world, *features, 1);
    for (u32 round = 0; round < ROUNDS; round++) {
        for (u32 i = 0; i < NET_QUEUES; i++)
            require_ok(vhost_set_busyloop(&world.net.dev, i,
                                          microseconds[(round + i) % COUNT(microseconds)]));
        stream_run(&world.stream, BETWEEN);
    }
    close_world(&world);
}

/* Everything at once, in an order that the seed says. */
static void all_together(const void* arg) {
    const u64* features = arg;
    static struct world world;
    u64 seed = random_seed();

    open_world(&world, *features, 1);
    say("VIREO_SEED=%llu", (unsigned long long)seed);
    for (u32 round = 0; round < 3 * ROUNDS; round++) {
        u32 i = random_below(&seed, NET_QUEUES);
        struct vhost_queue* queue = &world.net.queue[i].vhost;

        switch (random_below(&seed, 5)) {
            case 0:
                set_regions(&world, 1 + random_below(&seed, 60));
                break;
            case 1:
                require_ok(vhost_set_busyloop(&world.net.dev, i, random_below(&seed, 100)));
                break;
            case 2:
                require_ok(net_stop(&world.net));
                require_ok(net_start(&world.net, world.tap[0].fd));
                break;
            case 3: {
                int kick = new_event();

                stream_stop_guest(&world.stream);
                require_ok(vhost_set_kick(&world.net.dev, i, kick));
                queue->kick = kick;
                stream_let_guest(&world.stream);
                break;
            }
            default: {
                struct vhost_vring_addr addr;

                dirty_ring_addr(&world.net.queue[i], 0, &addr);
                require_ok(vhost_set_addr(&world.net.dev, &addr));
            }
        }
        if (random_below(&seed, 2))
            stream_run(&world.stream, 1 + random_below(&seed, BETWEEN));
    }
    close_world(&world);
}

/* The list of tests */

static const u64 split = SPLIT;
static const u64 packed = PACKED;
static const u64 split_no_event = SPLIT & ~F_EVENT_IDX;
static const u64 packed_in_order = PACKED | F_IN_ORDER;

#define EACH(name, run)                                                               \
    {name "-split", run, &split}, {name "-split-no-event-idx", run, &split_no_event}, \
        {name "-packed", run, &packed}, {                                             \
        name "-packed-in-order", run, &packed_in_order                                \
    }

static const struct test tests[] = {
    EACH("regions-changed", regions_changed),
    EACH("memory-moved", memory_moved),
    EACH("region-removed-and-back", region_removed_and_back),
    EACH("eventfds-replaced", eventfds_replaced),
    EACH("eventfds-taken-away", eventfds_taken_away),
    EACH("kicked-before", kicked_before),
    EACH("backend-switched", backend_switched),
    EACH("backend-off-and-on", backend_off_and_on),
    EACH("positions-read", positions_read),
    EACH("workers-moved", workers_moved),
    EACH("busy-polling-toggled", busy_polling_toggled),
    EACH("all-together", all_together),
};

int main(int argc, char** argv) {
    return run_tests(tests, COUNT(tests), argc, argv);
}
