// SPDX-License-Identifier: GPL-2.0-only
/* The things a round has: taps that all rounds share, memory of its own. */
#include <fcntl.h>
#include <linux/if_tun.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "error.h"
#include "fuzz.h"

/*
 * Far from where the system puts mappings: what is unmapped there is not
 * filled by something that the program needs.
 */
#define DEVICE_VIEW ((void*)0x100000000000UL)

static int taps_open(struct world* world) {
    const struct tap_options options[] = {
        {.vnet_hdr = NET_HDR_LONG},
        {.vnet_hdr = NET_HDR_LONG, .offloads = TAP_ALL_OFFLOADS, .sndbuf = 30000},
        {.vnet_hdr = 0},
    };
    const struct tap_options macvtap = {.vnet_hdr = NET_HDR_LONG};

    for (u32 i = 0; i < COUNT(options); i++) {
        int ret = tap_open(&world->tap[i], &options[i]);

        if (ret)
            return ret;
    }
    world->taps = COUNT(options);
    if (!macvtap_open(&world->tap[world->taps], &macvtap))
        world->taps++;
    return 0;
}

int world_open(struct world* world, const char* path) {
    struct vhost_dev dev;
    int ret;

    memset(world, 0, sizeof(*world));
    world->path = path;
    world->is_null = strstr(path, "null");
    for (u32 i = 0; i < DEVICES; i++)
        world->dev[i].fd = NO_FD;
    ret = vhost_open(&dev, path);
    if (ret)
        return ret;
    ret = vhost_get_features(&dev, &world->offered);
    vhost_close(&dev);
    if (!ret)
        ret = taps_open(world);
    if (!ret && socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, world->keeper))
        ret = failed_errno("socket pair");
    return ret;
}

size_t queue_offset(const struct world* world, const struct fuzz_queue* queue) {
    const struct fuzz_device* dev = world->dev;

    for (size_t i = 0; i < (size_t)DEVICES * QUEUES; i++)
        if (queue == &dev[i / QUEUES].queue[i % QUEUES])
            return i * QUEUE_ROOM;
    return 0;
}

static int memory_open(struct world* world) {
    world->memfd = memfd_create("guest", 0);
    if (world->memfd < 0 || ftruncate(world->memfd, MEMORY_BYTES))
        return failed_errno("guest memory");
    world->view = mmap(NULL, MEMORY_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, world->memfd, 0);
    world->device = mmap(DEVICE_VIEW, MEMORY_BYTES, PROT_READ | PROT_WRITE,
                         MAP_SHARED | MAP_FIXED_NOREPLACE, world->memfd, 0);
    if (world->view == MAP_FAILED || world->device == MAP_FAILED)
        return failed_errno("map guest memory");
    return 0;
}

/* The taps as other rounds left them, made usable again; some rounds have one of their own. */
static int taps_enter(struct world* world, struct actor* actor) {
    struct tap_options options = {.vnet_hdr = NET_HDR_LONG};

    for (u32 i = 0; i < world->taps; i++) {
        if (!world->tap[i].macvtap)
            (void)tap_set_up(&world->tap[i], true);
    }
    world->own_tap = !world->is_null && percent(actor, 15);
    if (!world->own_tap)
        return 0;
    options.multi_queue = percent(actor, 50);
    options.txqueue = percent(actor, 50) ? 16 : 0;
    return tap_open(&world->tap[0], &options);
}

/* In the round's own process. */
int world_enter(struct world* world, struct actor* actor) {
    int ret = memory_open(world);

    if (!ret)
        ret = taps_enter(world, actor);
    for (u32 i = 0; i < DEVICES; i++) {
        for (u32 k = 0; k < QUEUES; k++) {
            struct fuzz_queue* queue = &world->dev[i].queue[k];

            pthread_mutex_init(&queue->lock, NULL);
            queue->kick = eventfd(0, EFD_NONBLOCK);
            queue->call = eventfd(0, EFD_NONBLOCK);
            queue->err = eventfd(0, EFD_NONBLOCK);
        }
    }
    return ret;
}

int world_drain_keeper(struct world* world) {
    close(world->keeper[0]);
    close(world->keeper[1]);
    return 0;
}
