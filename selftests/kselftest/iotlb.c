// SPDX-License-Identifier: GPL-2.0-only
/*
 * A driver behind an IOMMU (VIRTIO_F_ACCESS_PLATFORM), with traffic: pages are
 * given when they are asked for, move, and are taken back; and what the device
 * is told makes no sense. Who asks for what, and when, is misses.c.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "frames.h"
#include "iommu.h"
#include "kernel_state.h"
#include "tap_output.h"

/* Traffic */

static void pages_on_demand(const void* arg) {
    static struct iommu_world world;

    iommu_world_open(&world, arg);
    iommu_world_start(&world);
    stream_run(&world.stream, 1000);
    iommu_world_finish(&world);
    check(world.iommu.misses > world.iommu.pages / 4, "only %u misses for %u pages",
          world.iommu.misses, world.iommu.pages);
}

/* Payload and rings move, one page after the other. */
static void pages_moved(const void* arg) {
    static struct iommu_world world;
    u64 seed = random_seed();

    iommu_world_open(&world, arg);
    say("VIREO_SEED=%llu", (unsigned long long)seed);
    iommu_world_start(&world);
    for (u32 round = 0; round < 100; round++) {
        for (u32 i = 0; i < 10; i++)
            iommu_move(&world.iommu, random_below(&seed, world.iommu.pages));
        for (u32 i = 0; round % 4 == 0 && i < NET_QUEUES; i++) {
            const struct fake_driver* driver = &world.net.queue[i].driver;

            for (size_t at = driver->desc; at < driver->tables; at += IOMMU_PAGE)
                iommu_move(&world.iommu, at / IOMMU_PAGE);
        }
        stream_run(&world.stream, 10);
    }
    iommu_world_finish(&world);
}

/* All translations are taken back at once, and smaller and larger ones given. */
static void all_invalidated(const void* arg) {
    static struct iommu_world world;
    const u64 bytes = 1ULL << 40;

    iommu_world_open(&world, arg);
    iommu_world_start(&world);
    for (u32 round = 0; round < 60; round++) {
        /* From 0 on, 0 bytes are 2^64. */
        u64 size = round % 3 == 2 ? 0 : bytes;

        require_ok(iotlb_invalidate(&world.iommu.talk, round % 3 == 1 ? FD_GUEST_BASE : 0, size));
        stream_run(&world.stream, 20);
    }
    iommu_world_finish(&world);
}

/* Rings that are in pieces in the owner's memory */

static void check_in_pieces(struct iommu_world* world, u32 index) {
    const struct net_queue* queue = &world->net.queue[index];
    struct vireo_queue_stats stats;

    require(!event_wait(queue->vhost.err, WAIT_MS), "queue %u: no error is signalled", index);
    event_take(queue->vhost.err);
    require_ok(vhost_stats(&world->net.dev, index, &stats));
    check(stats.last_error == VIREO_ERROR_ADDRESS && stats.faults == 1 && !stats.ring_errors,
          "queue %u: error %u, %llu faults, %llu errors of the ring", index, stats.last_error,
          (unsigned long long)stats.faults, (unsigned long long)stats.ring_errors);
}

static void ring_in_pieces(const void* arg) {
    static struct iommu_world world;
    struct net_driver* net = &world.net;

    iommu_world_open(&world, arg);
    if (!net->dev.is_vireo)
        skip_test("vhost takes rings in pieces");
    /* It is found out page by page, while the queue is live. */
    iommu_start(&world.iommu);
    require_ok(net_start(net, world.tap.fd));
    for (u32 i = 0; i < NET_QUEUES; i++)
        check_in_pieces(&world, i);
    /* Now it is known before. */
    require_ok(net_stop(net));
    for (u32 i = 0; i < NET_QUEUES; i++)
        check_ret(vhost_set_backend(&net->dev, i, world.tap.fd), -EFAULT);
    iommu_end(&world.iommu);

    /* In one piece it serves. */
    require_ok(iotlb_update(&world.iommu.talk, FD_GUEST_BASE, net->mem.bytes, net->mem.base,
                            VHOST_ACCESS_RW));
    require_ok(net_start(net, world.tap.fd));
    stream_start(&world.stream, net, &world.tap, NULL);
    stream_run(&world.stream, 200);
    stream_finish(&world.stream);
    require_ok(net_stop(net));
    for (u32 i = 0; i < NET_QUEUES; i++)
        check(!event_take(net->queue[i].vhost.err), "queue %u: an error is signalled", i);
}

/* Messages that make no sense */

static bool readable(const struct vhost_dev* dev) {
    struct pollfd wait = {.fd = dev->fd, .events = POLLIN};

    return poll(&wait, 1, 0) == 1 && wait.revents & POLLIN;
}

static int send_bytes(const struct vhost_dev* dev, const void* bytes, size_t count) {
    return write(dev->fd, bytes, count) < 0 ? -errno : 0;
}

static void bad_messages(const void* arg) {
    const struct iommu_setting* setting = arg;
    static struct iommu_world world;
    const struct vhost_dev* dev = &world.net.dev;
    struct iotlb_talk* talk = &world.iommu.talk;
    u8* at;
    struct vhost_msg_v2 whole = {.type = VHOST_IOTLB_MSG_V2,
                                 .iotlb = {.iova = 0, .size = 0, .type = VHOST_IOTLB_INVALIDATE}};
    struct vhost_iotlb_msg strange = {.iova = FD_GUEST_BASE, .size = IOMMU_PAGE, .type = 77};
    char room[sizeof(struct vhost_msg)];
    struct vhost_iotlb_msg miss;
    int type = 0x77;
    pid_t child;

    iommu_world_open(&world, setting);
    at = world.iommu.places;
    check_ret(send_bytes(dev, "x", 1), -EINVAL);
    check_ret(send_bytes(dev, &type, sizeof(type)), -EINVAL);
    check_ret(send_bytes(dev, &whole, 4), -EINVAL);
    check_ret(send_bytes(dev, &whole, offsetof(struct vhost_msg_v2, iotlb) + 8), -EINVAL);
    check_ret(iotlb_send(talk, &strange), -EFAULT);
    strange.type = VHOST_IOTLB_MISS;
    check_ret(iotlb_send(talk, &strange), -EFAULT);
    check_ret(iotlb_update(talk, FD_GUEST_BASE, 0, at, VHOST_ACCESS_RW), -EINVAL);
    check_ret(
        iotlb_update(talk, FD_GUEST_BASE, IOMMU_PAGE, (void*)0xffff800000000000, VHOST_ACCESS_RW),
        -EFAULT);
    check_ret(iotlb_update(talk, FD_GUEST_BASE, 1ULL << 63, at, VHOST_ACCESS_RW), -EFAULT);
    check_ret(iotlb_update(talk, ~0ULL - IOMMU_PAGE, 2 * IOMMU_PAGE + 2, at, VHOST_ACCESS_RW),
              -EFAULT);
    check_ret(iotlb_invalidate(talk, 1ULL << 50, IOMMU_PAGE), 0);
    check_ret(iotlb_update(talk, FD_GUEST_BASE, IOMMU_PAGE, at, VHOST_ACCESS_RW), 0);
    check_ret(iotlb_invalidate(talk, FD_GUEST_BASE, IOMMU_PAGE), 0);

    /* Nor may anybody but the owner say where memory is. */
    child = fork();
    if (!child) {
        if (dev->is_vireo)
            check_ret(iotlb_update(talk, FD_GUEST_BASE, IOMMU_PAGE, at, VHOST_ACCESS_RW), -EFAULT);
        _exit(0);
    }
    waitpid(child, NULL, 0);

    /* Nothing is asked yet; a message is read whole or not at all. */
    check_ret(iotlb_read(talk, &miss), -EAGAIN);
    check(read(dev->fd, room, 8) <= 0, "a part of a message");
    check(!readable(dev), "poll() says that there is a message");

    /* All of this did no harm. */
    iommu_world_start(&world);
    stream_run(&world.stream, 200);
    iommu_world_finish(&world);

    if (!dev->is_vireo)
        return;
    require_ok(vhost_set_features(dev, setting->features & ~F_ACCESS_PLATFORM));
    check_ret(iotlb_update(talk, FD_GUEST_BASE, IOMMU_PAGE, at, VHOST_ACCESS_RW), -EFAULT);
    check_ret(iotlb_invalidate(talk, FD_GUEST_BASE, IOMMU_PAGE), -EFAULT);
}

/* A table that holds fewer translations than are in use: the oldest go. */
static void small_table(const void* arg) {
    static struct iommu_world world;
    char module[64];

    module_of_device(vhost_path(), module, sizeof(module));
    if (strncmp(module, "vireo_", strlen("vireo_")) != 0)
        skip_test("%s is not a device of Vireo", vhost_path());
    require_ok(module_remove(module));
    require_ok(module_remove("vireo"));
    require_ok(module_insert("vireo", "max_iotlb_entries=24"));
    require_ok(module_insert(module, NULL));

    iommu_world_open(&world, arg);
    iommu_world_start(&world);
    stream_run(&world.stream, 500);
    iommu_world_finish(&world);
    check(world.iommu.misses > world.iommu.pages, "%u misses: a table of 24 holds %u pages?",
          world.iommu.misses, world.iommu.pages);
    net_close(&world.net);

    require_ok(module_remove(module));
    require_ok(module_remove("vireo"));
    require_ok(module_insert("vireo", NULL));
    require_ok(module_insert(module, NULL));
}

static const struct iommu_setting split_v1 = {IOMMU_SPLIT, false, BLOCKING, IOMMU_NUM};
static const struct iommu_setting split_v2 = {IOMMU_SPLIT, true, BLOCKING, IOMMU_NUM};
static const struct iommu_setting split_v1_poll = {IOMMU_SPLIT, false, NOT_BLOCKING, IOMMU_NUM};
static const struct iommu_setting split_v2_poll = {IOMMU_SPLIT, true, NOT_BLOCKING, IOMMU_NUM};
static const struct iommu_setting packed_v2 = {IOMMU_PACKED, true, BLOCKING, IOMMU_NUM};
/* Descriptors of two pages */
static const struct iommu_setting split_large = {IOMMU_SPLIT, true, BLOCKING, 512};
static const struct iommu_setting packed_large = {IOMMU_PACKED, true, BLOCKING, 512};

static const struct test tests[] = {
    {"pages-on-demand-split-v1", pages_on_demand, &split_v1},
    {"pages-on-demand-split-v2", pages_on_demand, &split_v2},
    {"pages-on-demand-split-v1-poll", pages_on_demand, &split_v1_poll},
    {"pages-on-demand-split-v2-poll", pages_on_demand, &split_v2_poll},
    {"pages-on-demand-packed-v2", pages_on_demand, &packed_v2},
    {"pages-moved-split", pages_moved, &split_v2},
    {"pages-moved-packed", pages_moved, &packed_v2},
    {"all-invalidated-split", all_invalidated, &split_v2},
    {"all-invalidated-packed", all_invalidated, &packed_v2},
    {"ring-in-pieces-split", ring_in_pieces, &split_large},
    {"ring-in-pieces-packed", ring_in_pieces, &packed_large},
    {"bad-messages-v1", bad_messages, &split_v1_poll},
    {"bad-messages-v2", bad_messages, &split_v2_poll},
    {"small-table-split", small_table, &split_v2},
    {"small-table-packed", small_table, &packed_v2},
};

int main(int argc, char** argv) {
    return run_tests(tests, COUNT(tests), argc, argv);
}
