// SPDX-License-Identifier: GPL-2.0-only
#include "iommu.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tap_output.h"

#define PAGE IOMMU_PAGE

u8* iommu_place(const struct iommu* iommu, u32 page) {
    return iommu->places + (2UL * (iommu->pages - 1 - page) + iommu->place[page]) * PAGE;
}

static void map_place(const struct iommu* iommu, u32 page) {
    u8* at = iommu_place(iommu, page);

    require(mmap(at, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, iommu->file,
                 (off_t)(page * PAGE)) == at,
            "map page %u: %s", page, strerror(errno));
}

static void unmap_place(u8* at) {
    require(mmap(at, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == at,
            "unmap a page: %s", strerror(errno));
}

static void allow(struct iommu* iommu, const void* from, const void* to, u8 rights) {
    const u8* base = iommu->net->mem.base;

    for (size_t i = ((const u8*)from - base) / PAGE; i * PAGE < (size_t)((const u8*)to - base); i++)
        iommu->rights[i] |= rights;
}

/* What a device needs, and not more. */
static void set_rights(struct iommu* iommu) {
    u8* base = iommu->net->mem.base;

    for (u32 i = 0; i < NET_QUEUES; i++) {
        const struct net_queue* queue = &iommu->net->queue[i];
        const struct fake_driver* driver = &queue->driver;
        const u8* payload = queue->bufs[0].base;

        allow(iommu, base + driver->desc, base + driver->driver,
              driver->packed ? VHOST_ACCESS_RW : VHOST_ACCESS_RO);
        allow(iommu, base + driver->driver, base + driver->device, VHOST_ACCESS_RO);
        allow(iommu, base + driver->device, base + driver->tables, VHOST_ACCESS_RW);
        allow(iommu, base + driver->tables, base + fd_arena_bytes(&driver->setup), VHOST_ACCESS_RO);
        allow(iommu, payload, payload + (size_t)driver->setup.num * queue->bufs[0].room,
              i == NET_TX ? VHOST_ACCESS_RO : VHOST_ACCESS_WO);
    }
}

/* With the lock. */
int iommu_give(struct iommu* iommu, u32 page) {
    return iotlb_update(&iommu->talk, FD_GUEST_BASE + page * PAGE, PAGE, iommu_place(iommu, page),
                        iommu->rights[page]);
}

void iommu_answer(struct iommu* iommu, const struct vhost_iotlb_msg* miss) {
    u32 page = (miss->iova - FD_GUEST_BASE) / PAGE;

    require(miss->type == VHOST_IOTLB_MISS, "a message of type %u", miss->type);
    require(miss->iova >= FD_GUEST_BASE && page < iommu->pages, "asked for address %#llx",
            (unsigned long long)miss->iova);
    check(miss->perm && !(miss->perm & ~iommu->rights[page]),
          "page %u: access %#x asked for, %#x is what it needs", page, miss->perm,
          iommu->rights[page]);
    pthread_mutex_lock(&iommu->lock);
    check_ret(iommu_give(iommu, page), 0);
    pthread_mutex_unlock(&iommu->lock);
    iommu->misses++;
}

static void* iommu_thread(void* arg) {
    struct iommu* iommu = arg;

    while (!__atomic_load_n(&iommu->end, __ATOMIC_ACQUIRE)) {
        struct pollfd wait = {.fd = iommu->talk.dev->fd, .events = POLLIN};
        struct vhost_iotlb_msg miss;
        int ret;

        if (iommu->reading == NOT_BLOCKING && poll(&wait, 1, 100) < 1)
            continue;
        ret = iotlb_read(&iommu->talk, &miss);
        /* poll() may be woken for nothing. The end of a blocking reader is a signal. */
        if (ret == -EAGAIN || ret == -EINTR)
            continue;
        require(!ret, "read a miss: error %d", ret);
        iommu_answer(iommu, &miss);
    }
    return NULL;
}

static void on_signal(int signal) {}

static void iommu_open(struct iommu* iommu, struct net_driver* net, bool v2, enum reading reading) {
    struct guest_mem* mem = &net->mem;
    struct sigaction quiet = {.sa_handler = on_signal}; /* no SA_RESTART */

    memset(iommu, 0, sizeof(*iommu));
    iommu->talk = (struct iotlb_talk){.dev = &net->dev, .v2 = v2};
    iommu->net = net;
    iommu->reading = reading;
    iommu->pages = mem->bytes / PAGE;
    iommu->place = calloc(iommu->pages, 1);
    iommu->rights = calloc(iommu->pages, 1);
    iommu->file = memfd_create("guest", MFD_CLOEXEC);
    iommu->places = mmap(NULL, 2 * mem->bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    pthread_mutex_init(&iommu->lock, NULL);
    sigaction(SIGUSR1, &quiet, NULL);
    require(iommu->place && iommu->rights && iommu->file >= 0 && iommu->places != MAP_FAILED &&
                write(iommu->file, mem->base, mem->bytes) == (ssize_t)mem->bytes &&
                mmap(mem->base, mem->bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
                     iommu->file, 0) == mem->base,
            "guest memory in a file: %s", strerror(errno));
    for (u32 i = 0; i < iommu->pages; i++)
        map_place(iommu, i);
    set_rights(iommu);
    if (v2)
        require_ok(vhost_set_backend_features(&net->dev, BACKEND_F_MSG_V2));
    if (reading == NOT_BLOCKING)
        require(!fcntl(net->dev.fd, F_SETFL, fcntl(net->dev.fd, F_GETFL) | O_NONBLOCK),
                "O_NONBLOCK");
    require_ok(iotlb_place_rings(net));
    /* vhost does not ask for rings when it starts. */
    for (u32 i = 0; !net->dev.is_vireo && i < NET_QUEUES; i++) {
        const struct fake_driver* driver = &net->queue[i].driver;

        for (size_t at = driver->desc; at < driver->tables; at += PAGE)
            require_ok(iommu_give(iommu, at / PAGE));
    }
}

void iommu_start(struct iommu* iommu) {
    require(!pthread_create(&iommu->thread, NULL, iommu_thread, iommu), "a thread");
}

void iommu_end(struct iommu* iommu) {
    __atomic_store_n(&iommu->end, true, __ATOMIC_RELEASE);
    /* Until it is seen: it may be about to read. */
    while (pthread_tryjoin_np(iommu->thread, NULL)) {
        pthread_kill(iommu->thread, SIGUSR1);
        usleep(1000);
    }
}

void iommu_move(struct iommu* iommu, u32 page) {
    u8* old;

    pthread_mutex_lock(&iommu->lock);
    old = iommu_place(iommu, page);
    iommu->place[page] ^= 1;
    map_place(iommu, page);
    check_ret(iotlb_invalidate(&iommu->talk, FD_GUEST_BASE + page * PAGE, PAGE), 0);
    unmap_place(old);
    pthread_mutex_unlock(&iommu->lock);
}

void iommu_world_open(struct iommu_world* world, const struct iommu_setting* setting) {
    struct net_options options = {.features = setting->features,
                                  .num = {setting->num, setting->num}};
    int ret = net_open(&world->net, &options);

    if (ret == -EOPNOTSUPP)
        skip_test("%s does not offer features %#llx", vhost_path(),
                  (unsigned long long)setting->features);
    require(!ret, "open the device: error %d", ret);
    require_ok(
        tap_open(&world->tap, &(struct tap_options){.vnet_hdr = net_tap_hdr(setting->features)}));
    iommu_open(&world->iommu, &world->net, setting->v2, setting->reading);
}

void iommu_world_start(struct iommu_world* world) {
    iommu_start(&world->iommu);
    require_ok(net_start(&world->net, world->tap.fd));
    stream_start(&world->stream, &world->net, &world->tap, NULL);
}

void iommu_world_finish(struct iommu_world* world) {
    stream_finish(&world->stream);
    require_ok(net_stop(&world->net));
    iommu_end(&world->iommu);
    say("%u misses, %u pages", world->iommu.misses, world->iommu.pages);
}
