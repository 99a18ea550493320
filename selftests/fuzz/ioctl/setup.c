// SPDX-License-Identifier: GPL-2.0-only
/*
 * Devices brought up as a good owner does it, with choices at random where an
 * owner has a choice: so that what the fuzzer disturbs is a device at work.
 */
#include <fcntl.h>
#include <linux/if_tun.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "fuzz.h"
#include "report.h"

u64 plan_features(struct actor* actor) {
    static const struct {
        u64 bit;
        u32 percent;
    } choices[] = {
        {F_EVENT_IDX, 60},       {F_INDIRECT_DESC, 60}, {F_IN_ORDER, 20},
        {F_NET_MRG_RXBUF, 60},   {F_LOG_ALL, 25},       {F_NET_VIRTIO_NET_HDR, 25},
        {F_NOTIFY_ON_EMPTY, 10}, {F_RING_RESET, 20},
    };
    u64 features = 0;

    for (u32 i = 0; i < COUNT(choices); i++)
        features |= percent(actor, choices[i].percent) ? choices[i].bit : 0;
    if (percent(actor, 85))
        features |= F_VERSION_1 | (percent(actor, 45) ? F_RING_PACKED : 0) |
                    (percent(actor, 25) ? F_ACCESS_PLATFORM : 0);
    return features & actor->world->offered;
}

u32 plan_num(struct actor* actor, u64 features) {
    static const u32 split[] = {1, 2, 4, 16, 64, 64, 256, 256, 256, MAX_NUM};
    static const u32 packed[] = {1, 2, 3, 17, 64, 100, 255, 256, 256, 1000};

    return features & F_RING_PACKED ? ONE_OF(actor, packed) : ONE_OF(actor, split);
}

/* A file that suits the features, most of the time; null: its switch. */
int plan_tap(struct actor* actor, u64 features) {
    struct world* world = actor->world;
    int header = features & (F_VERSION_1 | F_NET_MRG_RXBUF) ? NET_HDR_LONG : NET_HDR_SHORT;
    struct tap* tap;

    if (world->is_null)
        return 1;
    if (percent(actor, 5))
        return world->tap[below(actor, world->taps)].raw;
    if (percent(actor, 10))
        return world->tap[below(actor, world->taps)].fd;
    /* The third is without a header. */
    if (features & F_NET_VIRTIO_NET_HDR)
        return world->tap[2].fd;
    tap = &world->tap[below(actor, 10) < 7 ? 0 : below(actor, world->taps)];
    if (tap != &world->tap[2])
        (void)ioctl(tap->fd, TUNSETVNETHDRSZ, &header);
    return tap->fd;
}

u32 plan_regions(struct actor* actor, struct vhost_memory_region* regions, u32 max) {
    const struct guest_mem mem = {.base = actor->world->device, .bytes = GUEST_BYTES};

    return guest_mem_regions(&mem, regions, percent(actor, 50) ? 1 : 1 + below(actor, max));
}

/* The device's addresses for a ring: behind an IOMMU they are the driver's. */
struct vhost_vring_addr ring_address(const struct world* world, const struct fuzz_device* dev,
                                     u32 index) {
    const struct fuzz_queue* queue = &dev->queue[index];
    u64 shift =
        dev->features & F_ACCESS_PLATFORM ? FD_GUEST_BASE - (unsigned long)world->device : 0;
    struct vhost_vring_addr addr = {.index = index};
    struct vq_setup setup;

    fd_describe(&queue->driver, &setup);
    addr.desc_user_addr = (unsigned long)setup.desc + shift;
    addr.avail_user_addr = (unsigned long)setup.driver + shift;
    addr.used_user_addr = (unsigned long)setup.device + shift;
    if (dev->features & F_LOG_ALL) {
        addr.flags = 1 << VHOST_VRING_F_LOG;
        addr.log_guest_addr =
            (unsigned long)setup.device - (unsigned long)world->device + FD_GUEST_BASE;
    }
    return addr;
}

void device_open(struct actor* actor, struct fuzz_device* dev) {
    struct report* report = actor->world->report;
    int flags =
        O_RDWR | (percent(actor, 70) ? O_NONBLOCK : 0) | (percent(actor, 50) ? O_CLOEXEC : 0);
    u64 number = note(actor, "open");
    int fd = open(actor->world->path, flags);

    note_result(report, number, fd);
    count_up(report->calls[C_OPEN][fd < 0 ? errno : 0], 1);
    dev->fd = fd;
    for (u32 i = 0; i < QUEUES; i++)
        memset(&dev->queue[i].seen, 0, sizeof(dev->queue[i].seen));
}

void device_close(struct actor* actor, struct fuzz_device* dev) {
    int fd = dev->fd;

    if (fd < 0)
        return;
    device_harvest(actor, dev);
    note(actor, "close");
    dev->fd = NO_FD;
    count_up(actor->world->report->calls[C_CLOSE][close(fd) ? errno : 0], 1);
}

/* A new driver for a queue: ring, tables, payload. */
static bool driver_renew(struct actor* actor, struct fuzz_device* dev, u32 index, u32 num) {
    struct world* world = actor->world;
    struct fuzz_queue* queue = &dev->queue[index];
    struct fd_setup setup = {
        .features = dev->features,
        .num = num,
        .table_max = dev->features & F_INDIRECT_DESC ? TABLE_MAX : 0,
        .arena = world->view,
        .arena_device = (unsigned long)world->device,
        .arena_bytes = GUEST_BYTES,
        .offset = queue_offset(world, queue),
        .bufs = queue->bufs,
    };
    int ret;

    pthread_mutex_lock(&queue->lock);
    queue->ready = false;
    ret = fd_init(&queue->driver, &setup);
    queue->hostile = percent(actor, 30);
    queue->free_slots = 0;
    for (u32 i = 0; i < SLOTS; i++)
        queue->slots[queue->free_slots++] = i;
    pthread_mutex_unlock(&queue->lock);
    return !ret;
}

/* From the driver's start, or from where a ring wraps. */
static u32 plan_base(struct actor* actor, struct fake_driver* driver) {
    u16 at = driver->packed ? driver->setup.num - 1 : 0xfffe;

    if (percent(actor, 20))
        fd_set_position(driver, at, true, at, true);
    return vhost_driver_base(driver);
}

static int queue_files(struct actor* actor, struct fuzz_device* dev, u32 index) {
    struct fuzz_queue* queue = &dev->queue[index];
    struct vhost_vring_file file = {.index = index, .fd = queue->kick};
    int ret = device_call(actor, dev->fd, C_SET_VRING_KICK, &file);

    file.fd = percent(actor, 90) ? queue->call : NO_FD;
    if (!ret)
        ret = device_call(actor, dev->fd, C_SET_VRING_CALL, &file);
    file.fd = percent(actor, 80) ? queue->err : NO_FD;
    return ret ? ret : device_call(actor, dev->fd, C_SET_VRING_ERR, &file);
}

static int queue_place(struct actor* actor, struct fuzz_device* dev, u32 index) {
    struct fuzz_queue* queue = &dev->queue[index];
    struct vhost_vring_state state = {.index = index, .num = plan_num(actor, dev->features)};
    struct vhost_vring_addr addr;
    int ret;

    if (!driver_renew(actor, dev, index, state.num))
        return -EINVAL;
    ret = device_call(actor, dev->fd, C_SET_VRING_NUM, &state);
    state.num = plan_base(actor, &queue->driver);
    addr = ring_address(actor->world, dev, index);
    if (!ret)
        ret = device_call(actor, dev->fd, C_SET_VRING_BASE, &state);
    if (!ret)
        ret = device_call(actor, dev->fd, C_SET_VRING_ADDR, &addr);
    return ret;
}

static int queue_backend(struct actor* actor, struct fuzz_device* dev, u32 index, int fd) {
    struct vhost_vring_file file = {.index = index, .fd = fd};
    u32 on = fd != NO_FD;
    int ret;

    if (actor->world->is_null)
        ret = device_call(actor, dev->fd, C_SET_BACKEND, &on);
    else
        ret = device_call(actor, dev->fd, C_SET_BACKEND, &file);
    if (!ret && fd != NO_FD)
        count_up(actor->world->report->live, 1);
    return ret;
}

static int queue_bring_up(struct actor* actor, struct fuzz_device* dev, u32 index) {
    int ret = queue_place(actor, dev, index);
    struct vhost_vring_state busy = {.index = index, .num = 1 + below(actor, 200)};

    if (!ret)
        ret = queue_files(actor, dev, index);
    if (!ret && percent(actor, 25))
        ret = device_call(actor, dev->fd, C_SET_VRING_BUSYLOOP, &busy);
    return ret;
}

static int queues_start(struct actor* actor, struct fuzz_device* dev) {
    int fd = plan_tap(actor, dev->features);
    int ret = 0;

    for (u32 i = 0; i < QUEUES && !ret; i++)
        ret = queue_backend(actor, dev, i, fd);
    for (u32 i = 0; i < QUEUES && !ret; i++) {
        pthread_mutex_lock(&dev->queue[i].lock);
        dev->queue[i].ready = true;
        pthread_mutex_unlock(&dev->queue[i].lock);
        event_signal(dev->queue[i].kick);
    }
    return ret;
}

static int device_memory(struct actor* actor, struct fuzz_device* dev) {
    struct {
        struct vhost_memory head;
        struct vhost_memory_region regions[64];
    } table = {.head.padding = 0};

    table.head.nregions = plan_regions(actor, table.regions, COUNT(table.regions));
    return device_call(actor, dev->fd, C_SET_MEM_TABLE, &table);
}

static void stop(struct actor* actor, struct fuzz_device* dev) {
    for (u32 i = 0; i < QUEUES; i++)
        queue_backend(actor, dev, i, NO_FD);
}

/* All steps in their order, wherever the device stands. */
void device_bring_up(struct actor* actor, struct fuzz_device* dev) {
    u64 log = (unsigned long)actor->world->device + GUEST_BYTES;
    u64 features = plan_features(actor);
    u64 backend = percent(actor, 70);
    int ret;

    if (dev->fd < 0)
        device_open(actor, dev);
    ret = device_call(actor, dev->fd, C_SET_OWNER, NULL);
    if (ret && ret != -EBUSY)
        return;
    if (ret)
        stop(actor, dev);
    if (device_call(actor, dev->fd, C_SET_FEATURES, &features))
        return;
    dev->features = features;
    backend <<= VHOST_BACKEND_F_IOTLB_MSG_V2;
    if (percent(actor, 70))
        device_call(actor, dev->fd, C_SET_BACKEND_FEATURES, &backend);
    ret = device_memory(actor, dev);
    if (!ret && (features & F_LOG_ALL))
        ret = device_call(actor, dev->fd, C_SET_LOG_BASE, &log);
    for (u32 i = 0; i < QUEUES && !ret; i++)
        ret = queue_bring_up(actor, dev, i);
    if (!ret)
        queues_start(actor, dev);
}

/* The rings anew, as after a reset, and on again. */
void device_recover(struct actor* actor, struct fuzz_device* dev) {
    int ret = 0;

    if (dev->fd < 0)
        return;
    device_harvest(actor, dev);
    stop(actor, dev);
    if (percent(actor, 50))
        ret = device_memory(actor, dev);
    for (u32 i = 0; i < QUEUES && !ret; i++)
        ret = queue_place(actor, dev, i);
    if (!ret)
        queues_start(actor, dev);
}

void device_switch_backend(struct actor* actor, struct fuzz_device* dev) {
    u32 index = below(actor, QUEUES);

    /* Off and on again at the same place, or from one to the next at once. */
    if (percent(actor, 50))
        queue_backend(actor, dev, index, NO_FD);
    queue_backend(actor, dev, index, plan_tap(actor, dev->features));
}

/* As for a migration: logging on or off under a live device, and what was logged. */
void device_toggle_log(struct actor* actor, struct fuzz_device* dev) {
    struct world* world = actor->world;
    u64 log = (unsigned long)world->device + GUEST_BYTES;
    u64 features = dev->features ^ F_LOG_ALL;
    u64* bits = (u64*)(world->view + GUEST_BYTES);
    u64 pages = 0;

    device_call(actor, dev->fd, C_SET_LOG_BASE, &log);
    if (!device_call(actor, dev->fd, C_SET_FEATURES, &features))
        dev->features = features;
    for (u32 i = 0; i < QUEUES; i++) {
        struct vhost_vring_addr addr = ring_address(world, dev, i);

        if (dev->queue[i].ready)
            device_call(actor, dev->fd, C_SET_VRING_ADDR, &addr);
    }
    for (u32 i = 0; i < LOG_BYTES / sizeof(u64); i++)
        pages += __builtin_popcountll(__atomic_exchange_n(&bits[i], 0, __ATOMIC_RELAXED));
    count_up(world->report->logged, pages);
}

static void harvest(struct report* report, u32 index, const struct vireo_queue_stats* now,
                    struct vireo_queue_stats* seen) {
    bool stopped = now->ring_errors + now->faults != seen->ring_errors + seen->faults;

    count_up(report->packets[index], now->packets - seen->packets);
    count_up(report->chains, now->chains - seen->chains);
    count_up(report->drops, now->drops - seen->drops);
    count_up(report->stalls, now->stalls - seen->stalls);
    count_up(report->backend_errors, now->backend_errors - seen->backend_errors);
    count_up(report->misses, now->iotlb_misses - seen->iotlb_misses);
    if (stopped)
        count_up(report->queue_errors[now->last_error % QUEUE_ERRORS], 1);
    *seen = *now;
}

/* What the device has counted since the last time. */
void device_harvest(struct actor* actor, struct fuzz_device* dev) {
    for (u32 i = 0; i < QUEUES; i++) {
        struct vireo_queue_stats now = {.index = i, .size = sizeof(now)};

        if (!device_call(actor, dev->fd, C_GET_STATS, &now))
            harvest(actor->world->report, i, &now, &dev->queue[i].seen);
    }
}
