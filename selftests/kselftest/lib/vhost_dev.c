// SPDX-License-Identifier: GPL-2.0-only
#include "vhost_dev.h"

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "error.h"

#define PAGE 4096UL

const char* vhost_path(void) {
    const char* path = getenv("VIREO_DEV");

    return path && *path ? path : "/dev/vireo-net";
}

int vhost_open(struct vhost_dev* dev, const char* path) {
    const char* name = strrchr(path, '/');

    dev->path = path;
    dev->is_vireo = name && !strncmp(name, "/vireo-", strlen("/vireo-"));
    dev->fd = open(path, O_RDWR | O_CLOEXEC);
    if (dev->fd < 0)
        return failed_errno(
            "open %s (insmod vireo.ko and vireo_net.ko make it; "
            "VIREO_DEV=/dev/vhost-net names another)",
            path);
    return 0;
}

void vhost_close(struct vhost_dev* dev) {
    if (dev->fd >= 0)
        close(dev->fd);
    dev->fd = NO_FD;
}

int vhost_call(const struct vhost_dev* dev, unsigned long request, void* arg) {
    int ret = ioctl(dev->fd, request, arg);

    return ret < 0 ? -errno : ret;
}

/* One that is expected to work; what: its name and what matters of its argument. */
#define CALL(dev, request, arg, ...) report((dev), vhost_call((dev), (request), (arg)), __VA_ARGS__)

static int report(const struct vhost_dev* dev, int ret, const char* name, long long with) {
    if (ret < 0)
        return failed(ret, "%s(%lld) on %s", name, with, dev->path);
    return 0;
}

int vhost_set_owner(const struct vhost_dev* dev) {
    return CALL(dev, VHOST_SET_OWNER, NULL, "VHOST_SET_OWNER", 0);
}

int vhost_reset_owner(const struct vhost_dev* dev) {
    return CALL(dev, VHOST_RESET_OWNER, NULL, "VHOST_RESET_OWNER", 0);
}

int vhost_get_features(const struct vhost_dev* dev, u64* features) {
    return CALL(dev, VHOST_GET_FEATURES, features, "VHOST_GET_FEATURES", 0);
}

static int features_call(const struct vhost_dev* dev, unsigned long request, const char* name,
                         u64 features) {
    int ret = vhost_call(dev, request, &features);

    if (ret < 0)
        return failed(ret, "%s(%#llx) on %s", name, (unsigned long long)features, dev->path);
    return 0;
}

int vhost_set_features(const struct vhost_dev* dev, u64 features) {
    return features_call(dev, VHOST_SET_FEATURES, "VHOST_SET_FEATURES", features);
}

int vhost_get_backend_features(const struct vhost_dev* dev, u64* features) {
    return CALL(dev, VHOST_GET_BACKEND_FEATURES, features, "VHOST_GET_BACKEND_FEATURES", 0);
}

int vhost_set_backend_features(const struct vhost_dev* dev, u64 features) {
    return features_call(dev, VHOST_SET_BACKEND_FEATURES, "VHOST_SET_BACKEND_FEATURES", features);
}

int vhost_set_mem_table(const struct vhost_dev* dev, const struct vhost_memory_region* regions,
                        u32 count) {
    size_t bytes = count * sizeof(*regions);
    struct vhost_memory* table = calloc(1, sizeof(*table) + bytes);
    int ret;

    if (!table)
        return failed(-ENOMEM, "a memory table of %u regions", count);
    table->nregions = count;
    if (count)
        memcpy(table->regions, regions, bytes);
    ret = CALL(dev, VHOST_SET_MEM_TABLE, table, "VHOST_SET_MEM_TABLE with regions", count);
    free(table);
    return ret;
}

int vhost_set_log_base(const struct vhost_dev* dev, void* log) {
    u64 base = (unsigned long)log;

    return CALL(dev, VHOST_SET_LOG_BASE, &base, "VHOST_SET_LOG_BASE", (long long)base);
}

int vhost_set_log_fd(const struct vhost_dev* dev, int fd) {
    return CALL(dev, VHOST_SET_LOG_FD, &fd, "VHOST_SET_LOG_FD", fd);
}

static int state_call(const struct vhost_dev* dev, unsigned long request, const char* name,
                      u32 index, u32 value) {
    struct vhost_vring_state state = {.index = index, .num = value};

    return CALL(dev, request, &state, name, value);
}

int vhost_set_num(const struct vhost_dev* dev, u32 index, u32 num) {
    return state_call(dev, VHOST_SET_VRING_NUM, "VHOST_SET_VRING_NUM", index, num);
}

int vhost_set_base(const struct vhost_dev* dev, u32 index, u32 base) {
    return state_call(dev, VHOST_SET_VRING_BASE, "VHOST_SET_VRING_BASE", index, base);
}

int vhost_get_base(const struct vhost_dev* dev, u32 index, u32* base) {
    struct vhost_vring_state state = {.index = index};
    int ret = CALL(dev, VHOST_GET_VRING_BASE, &state, "VHOST_GET_VRING_BASE", index);

    *base = state.num;
    return ret;
}

int vhost_set_busyloop(const struct vhost_dev* dev, u32 index, u32 microseconds) {
    return state_call(dev, VHOST_SET_VRING_BUSYLOOP_TIMEOUT, "VHOST_SET_VRING_BUSYLOOP_TIMEOUT",
                      index, microseconds);
}

int vhost_set_addr(const struct vhost_dev* dev, const struct vhost_vring_addr* addr) {
    struct vhost_vring_addr copy = *addr;

    return CALL(dev, VHOST_SET_VRING_ADDR, &copy, "VHOST_SET_VRING_ADDR", addr->index);
}

static int file_call(const struct vhost_dev* dev, unsigned long request, const char* name,
                     u32 index, int fd) {
    struct vhost_vring_file file = {.index = index, .fd = fd};

    return CALL(dev, request, &file, name, fd);
}

int vhost_set_kick(const struct vhost_dev* dev, u32 index, int fd) {
    return file_call(dev, VHOST_SET_VRING_KICK, "VHOST_SET_VRING_KICK", index, fd);
}

int vhost_set_call(const struct vhost_dev* dev, u32 index, int fd) {
    return file_call(dev, VHOST_SET_VRING_CALL, "VHOST_SET_VRING_CALL", index, fd);
}

int vhost_set_err(const struct vhost_dev* dev, u32 index, int fd) {
    return file_call(dev, VHOST_SET_VRING_ERR, "VHOST_SET_VRING_ERR", index, fd);
}

int vhost_set_backend(const struct vhost_dev* dev, u32 index, int fd) {
    return file_call(dev, VHOST_NET_SET_BACKEND, "VHOST_NET_SET_BACKEND", index, fd);
}

int vhost_new_worker(const struct vhost_dev* dev, u32* id) {
    struct vhost_worker_state state = {0};
    int ret = vhost_call(dev, VHOST_NEW_WORKER, &state);

    *id = state.worker_id;
    return ret;
}

int vhost_free_worker(const struct vhost_dev* dev, u32 id) {
    struct vhost_worker_state state = {.worker_id = id};

    return vhost_call(dev, VHOST_FREE_WORKER, &state);
}

int vhost_attach_worker(const struct vhost_dev* dev, u32 index, u32 id) {
    struct vhost_vring_worker worker = {.index = index, .worker_id = id};

    return vhost_call(dev, VHOST_ATTACH_VRING_WORKER, &worker);
}

int vhost_get_worker(const struct vhost_dev* dev, u32 index, u32* id) {
    struct vhost_vring_worker worker = {.index = index};
    int ret = vhost_call(dev, VHOST_GET_VRING_WORKER, &worker);

    *id = worker.worker_id;
    return ret;
}

int vhost_stats(const struct vhost_dev* dev, u32 index, struct vireo_queue_stats* stats) {
    memset(stats, 0, sizeof(*stats));
    stats->index = index;
    stats->size = sizeof(*stats);
    if (!dev->is_vireo)
        return -ENOTTY;
    return CALL(dev, VIREO_GET_QUEUE_STATS, stats, "VIREO_GET_QUEUE_STATS", index);
}

/* Guest memory */

int guest_mem_map(struct guest_mem* mem, size_t bytes) {
    bytes = (bytes + PAGE - 1) & ~(PAGE - 1);
    mem->base = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    mem->bytes = bytes;
    if (mem->base == MAP_FAILED) {
        mem->base = NULL;
        return failed_errno("map %zu bytes of guest memory", bytes);
    }
    return 0;
}

void guest_mem_unmap(struct guest_mem* mem) {
    if (mem->base)
        munmap(mem->base, mem->bytes);
    mem->base = NULL;
}

u64 guest_addr(const struct guest_mem* mem, const void* at) {
    return FD_GUEST_BASE + (u64)((const u8*)at - mem->base);
}

void* guest_at(const struct guest_mem* mem, u64 addr) {
    return mem->base + (addr - FD_GUEST_BASE);
}

u32 guest_mem_regions(const struct guest_mem* mem, struct vhost_memory_region* regions, u32 count) {
    size_t pages = mem->bytes / PAGE;
    u32 n = 0;

    if (count > pages)
        count = pages;
    for (size_t begin = 0; n < count; n++) {
        size_t end = pages * (n + 1) / count;

        regions[n] = (struct vhost_memory_region){
            .guest_phys_addr = FD_GUEST_BASE + begin * PAGE,
            .memory_size = (end - begin) * PAGE,
            .userspace_addr = (unsigned long)mem->base + begin * PAGE,
        };
        begin = end;
    }
    return n;
}

/* Queues */

u32 vhost_driver_base(const struct fake_driver* driver) {
    if (!driver->packed)
        return driver->avail_idx;
    return driver->avail_idx | (u32)driver->avail_wrap << 15 | (u32)driver->used_idx << 16 |
           (u32)driver->used_wrap << 31;
}

void vhost_ring_addr(u32 index, const struct fake_driver* driver, u64 log_addr,
                     struct vhost_vring_addr* addr) {
    struct vq_setup setup;

    fd_describe(driver, &setup);
    *addr = (struct vhost_vring_addr){
        .index = index,
        .flags = log_addr ? 1U << VHOST_VRING_F_LOG : 0,
        .desc_user_addr = (unsigned long)setup.desc,
        .avail_user_addr = (unsigned long)setup.driver,
        .used_user_addr = (unsigned long)setup.device,
        .log_guest_addr = log_addr,
    };
}

int vhost_queue_place(const struct vhost_queue* queue, const struct fake_driver* driver,
                      u64 log_addr) {
    struct vhost_vring_addr addr;
    int ret;

    vhost_ring_addr(queue->index, driver, log_addr, &addr);
    ret = vhost_set_num(queue->dev, queue->index, driver->setup.num);
    if (!ret)
        ret = vhost_set_base(queue->dev, queue->index, vhost_driver_base(driver));
    if (!ret)
        ret = vhost_set_addr(queue->dev, &addr);
    return ret;
}

int vhost_queue_open(struct vhost_queue* queue, const struct vhost_dev* dev, u32 index,
                     const struct fake_driver* driver, u64 log_addr) {
    int ret;

    queue->dev = dev;
    queue->index = index;
    queue->kick = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    queue->call = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    queue->err = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (queue->kick < 0 || queue->call < 0 || queue->err < 0) {
        ret = failed_errno("eventfds of queue %u", index);
    } else {
        ret = vhost_queue_place(queue, driver, log_addr);
        if (!ret)
            ret = vhost_set_kick(dev, index, queue->kick);
        if (!ret)
            ret = vhost_set_call(dev, index, queue->call);
        if (!ret)
            ret = vhost_set_err(dev, index, queue->err);
    }
    if (ret)
        vhost_queue_close(queue);
    return ret;
}

static void close_fd(int* fd) {
    if (*fd >= 0)
        close(*fd);
    *fd = NO_FD;
}

void vhost_queue_close(struct vhost_queue* queue) {
    close_fd(&queue->kick);
    close_fd(&queue->call);
    close_fd(&queue->err);
}

void event_signal(int fd) {
    u64 one = 1;
    ssize_t done = write(fd, &one, sizeof(one));

    /* A counter that is full is signalled already. */
    (void)done;
}

u64 event_take(int fd) {
    u64 count = 0;

    return read(fd, &count, sizeof(count)) == sizeof(count) ? count : 0;
}

int event_wait(int fd, int milliseconds) {
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    int ready;

    do
        ready = poll(&wait, 1, milliseconds);
    while (ready < 0 && errno == EINTR);
    if (ready < 0)
        return failed_errno("wait for an eventfd");
    return ready ? 0 : -ETIMEDOUT;
}
