// SPDX-License-Identifier: GPL-2.0-only
/*
 * A driver behind an IOMMU (VIRTIO_F_ACCESS_PLATFORM): every address that it
 * gives, rings included, is one that the owner translates when it is asked.
 *
 * Here the owner gives each page by itself, with no more rights than needed,
 * and keeps pages that are neighbours for the driver apart in its own memory.
 * A translation that was taken back is not used any more: behind it there is
 * nothing.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "frames.h"
#include "iotlb_msg.h"
#include "kernel_state.h"
#include "stream.h"
#include "tap_output.h"
#include "traffic_flow.h"

#define PAGE 4096UL
#define SPLIT (F_ACCESS_PLATFORM | F_VERSION_1 | F_NET_MRG_RXBUF | F_EVENT_IDX | F_INDIRECT_DESC)
#define PACKED (SPLIT | F_RING_PACKED)
#define NUM 64

enum reading { BLOCKING, NOT_BLOCKING };

/* Driver's memory as a file, and the owner's mappings of its pages. */
struct iommu {
    struct iotlb_talk talk;
    struct net_driver* net;
    int file;
    u32 pages;
    u8* places;           /* two for each page, in no order */
    u8* place;            /* of the two, which */
    u8* rights;           /* VHOST_ACCESS_ of a page */
    pthread_mutex_t lock; /* a translation changes here and in the device at once */
    pthread_t thread;
    enum reading reading;
    bool end;
    u32 misses;
};

static u8* place_of(const struct iommu* iommu, u32 page) {
    return iommu->places + (2UL * (iommu->pages - 1 - page) + iommu->place[page]) * PAGE;
}

static void map_place(const struct iommu* iommu, u32 page) {
    u8* at = place_of(iommu, page);

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
        allow(iommu, payload, payload + (size_t)NUM * queue->bufs[0].room,
              i == NET_TX ? VHOST_ACCESS_RO : VHOST_ACCESS_WO);
    }
}

/* With the lock. */
static int give_page(struct iommu* iommu, u32 page) {
    return iotlb_update(&iommu->talk, FD_GUEST_BASE + page * PAGE, PAGE, place_of(iommu, page),
                        iommu->rights[page]);
}

static void answer(struct iommu* iommu, const struct vhost_iotlb_msg* miss) {
    u32 page = (miss->iova - FD_GUEST_BASE) / PAGE;

    require(miss->type == VHOST_IOTLB_MISS, "a message of type %u", miss->type);
    require(miss->iova >= FD_GUEST_BASE && page < iommu->pages, "asked for address %#llx",
            (unsigned long long)miss->iova);
    check(miss->perm && !(miss->perm & ~iommu->rights[page]),
          "page %u: access %#x asked for, %#x is what it needs", page, miss->perm,
          iommu->rights[page]);
    pthread_mutex_lock(&iommu->lock);
    check_ret(give_page(iommu, page), 0);
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
        answer(iommu, &miss);
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
            require_ok(give_page(iommu, at / PAGE));
    }
}

static void iommu_start(struct iommu* iommu) {
    require(!pthread_create(&iommu->thread, NULL, iommu_thread, iommu), "a thread");
}

static void iommu_end(struct iommu* iommu) {
    __atomic_store_n(&iommu->end, true, __ATOMIC_RELEASE);
    /* Until it is seen: it may be about to read. */
    while (pthread_tryjoin_np(iommu->thread, NULL)) {
        pthread_kill(iommu->thread, SIGUSR1);
        usleep(1000);
    }
}

/* Another place for a page, and nothing at the old one. */
static void move_page(struct iommu* iommu, u32 page) {
    u8* old;

    pthread_mutex_lock(&iommu->lock);
    old = place_of(iommu, page);
    iommu->place[page] ^= 1;
    map_place(iommu, page);
    check_ret(iotlb_invalidate(&iommu->talk, FD_GUEST_BASE + page * PAGE, PAGE), 0);
    unmap_place(old);
    pthread_mutex_unlock(&iommu->lock);
}

/* Traffic */

struct world {
    struct net_driver net;
    struct tap tap;
    struct iommu iommu;
    struct stream stream;
};

struct setting {
    u64 features;
    bool v2;
    enum reading reading;
};

static void open_world(struct world* world, const struct setting* setting) {
    struct net_options options = {.features = setting->features, .num = {NUM, NUM}};
    int ret = net_open(&world->net, &options);

    if (ret == -EOPNOTSUPP)
        skip_test("%s does not offer features %#llx", vhost_path(),
                  (unsigned long long)setting->features);
    require(!ret, "open the device: error %d", ret);
    require_ok(
        tap_open(&world->tap, &(struct tap_options){.vnet_hdr = net_tap_hdr(setting->features)}));
    iommu_open(&world->iommu, &world->net, setting->v2, setting->reading);
}

static void start_world(struct world* world) {
    iommu_start(&world->iommu);
    require_ok(net_start(&world->net, world->tap.fd));
    stream_start(&world->stream, &world->net, &world->tap, NULL);
}

static void finish_world(struct world* world) {
    stream_finish(&world->stream);
    require_ok(net_stop(&world->net));
    iommu_end(&world->iommu);
    say("%u misses, %u pages", world->iommu.misses, world->iommu.pages);
}

static void pages_on_demand(const void* arg) {
    static struct world world;

    open_world(&world, arg);
    start_world(&world);
    stream_run(&world.stream, 1000);
    finish_world(&world);
    check(world.iommu.misses > world.iommu.pages / 4, "only %u misses for %u pages",
          world.iommu.misses, world.iommu.pages);
}

/* Payload and rings move, one page after the other. */
static void pages_moved(const void* arg) {
    static struct world world;
    u64 seed = random_seed();

    open_world(&world, arg);
    say("VIREO_SEED=%llu", (unsigned long long)seed);
    start_world(&world);
    for (u32 round = 0; round < 100; round++) {
        for (u32 i = 0; i < 10; i++)
            move_page(&world.iommu, random_below(&seed, world.iommu.pages));
        for (u32 i = 0; round % 4 == 0 && i < NET_QUEUES; i++) {
            const struct fake_driver* driver = &world.net.queue[i].driver;

            for (size_t at = driver->desc; at < driver->tables; at += PAGE)
                move_page(&world.iommu, at / PAGE);
        }
        stream_run(&world.stream, 10);
    }
    finish_world(&world);
}

/* All translations are taken back at once, and smaller and larger ones given. */
static void all_invalidated(const void* arg) {
    static struct world world;
    const u64 bytes = 1ULL << 40;

    open_world(&world, arg);
    start_world(&world);
    for (u32 round = 0; round < 60; round++) {
        /* From 0 on, 0 bytes are 2^64. */
        u64 size = round % 3 == 2 ? 0 : bytes;

        require_ok(iotlb_invalidate(&world.iommu.talk, round % 3 == 1 ? FD_GUEST_BASE : 0, size));
        stream_run(&world.stream, 20);
    }
    finish_world(&world);
}

/* Questions that nobody answers */

static u32 read_all(struct world* world, struct vhost_iotlb_msg* misses, u32 room) {
    u32 count = 0;

    while (count < room && !iotlb_read(&world->iommu.talk, &misses[count]))
        count++;
    return count;
}

static bool readable(void* arg) {
    const struct world* world = arg;
    struct pollfd wait = {.fd = world->net.dev.fd, .events = POLLIN};

    return poll(&wait, 1, 0) == 1 && wait.revents & POLLIN;
}

struct turns {
    const struct vhost_queue* queue;
    u64 before;
};

static u64 turns_of(const struct vhost_queue* queue) {
    struct vireo_queue_stats stats;

    require_ok(vhost_stats(queue->dev, queue->index, &stats));
    return stats.wakeups;
}

static bool has_had_turn(void* arg) {
    const struct turns* turns = arg;

    return turns_of(turns->queue) > turns->before;
}

/* Kicks, each of which gives a queue its turn. */
static void let_turn(struct world* world, u32 kicks) {
    for (u32 i = 0; i < kicks; i++) {
        struct turns turns = {.queue = &world->net.queue[i % NET_QUEUES].vhost};

        turns.before = turns_of(turns.queue);
        event_signal(turns.queue->kick);
        check(wait_until(has_had_turn, &turns), "queue %u has no turn after a kick",
              turns.queue->index);
    }
}

static void asked_once(const void* arg) {
    static struct world world;
    struct vhost_iotlb_msg misses[64];
    u32 count;

    open_world(&world, arg);
    if (!world.net.dev.is_vireo)
        skip_test("vhost asks for more than one page of a ring at once");
    require_ok(net_start(&world.net, world.tap.fd));
    check(wait_until(readable, &world), "nobody asks for the rings");
    let_turn(&world, 10);
    count = read_all(&world, misses, COUNT(misses));
    check(count == NET_QUEUES, "%u questions for %u rings", count, NET_QUEUES);
    for (u32 i = 0; i < count; i++) {
        for (u32 k = 0; k < i; k++)
            check(misses[i].iova != misses[k].iova || misses[i].perm != misses[k].perm,
                  "asked twice for %#llx", (unsigned long long)misses[i].iova);
    }
    /* Who has read it and does not answer is asked again, when there is work. */
    let_turn(&world, NET_QUEUES);
    check(readable(&world), "nobody asks for the rings again");
    count = read_all(&world, misses, COUNT(misses));
    check(count == NET_QUEUES, "%u questions for %u rings, again", count, NET_QUEUES);
    /* It can be stopped, and started again: then it asks again. */
    require_ok(net_stop(&world.net));
    for (u32 i = 0; i < count; i++)
        answer(&world.iommu, &misses[i]);
    start_world(&world);
    stream_run(&world.stream, 200);
    finish_world(&world);
}

/* A buffer that may be read only is no receive buffer, as often as this is said. */
static void wrong_rights(const void* arg) {
    static struct world world;
    static u8 frame[FRAME_MAX];
    struct net_queue* rx = &world.net.queue[NET_RX];
    struct vhost_iotlb_msg miss;
    struct net_packet packet;
    u32 first;
    u32 last;

    open_world(&world, arg);
    if (!world.net.dev.is_vireo)
        skip_test("vhost does not ask for rights");
    for (u32 i = 0; i < world.iommu.pages; i++)
        require_ok(give_page(&world.iommu, i));
    first = (rx->bufs[0].base - world.net.mem.base) / PAGE;
    last = first + (u32)(NUM * rx->bufs[0].room / PAGE);
    for (u32 i = first; i < last; i++)
        require_ok(iotlb_update(&world.iommu.talk, FD_GUEST_BASE + i * PAGE, PAGE,
                                place_of(&world.iommu, i), VHOST_ACCESS_RO));
    require_ok(net_start(&world.net, world.tap.fd));
    net_fill(&world.net, 10, 1600, NULL);
    net_show(rx);
    frame_make(frame, 60, 7);
    require_ok(tap_send(&world.tap, NULL, frame, 60));
    for (u32 round = 0; round < 5; round++) {
        u32 page;

        check(wait_until(readable, &world), "round %u: nobody asks for the right to write", round);
        check_ret(iotlb_read(&world.iommu.talk, &miss), 0);
        page = (miss.iova - FD_GUEST_BASE) / PAGE;
        check(miss.perm & VHOST_ACCESS_WO && page >= first && page < last,
              "asked for access %#x to page %u", miss.perm, page);
        check(!net_receive(&world.net, &packet, frame, sizeof(frame)),
              "a frame was written to where it may not be");
        require_ok(iotlb_update(&world.iommu.talk, FD_GUEST_BASE + page * PAGE, PAGE,
                                place_of(&world.iommu, page), VHOST_ACCESS_RO));
    }
    for (u32 i = first; i < last; i++)
        require_ok(give_page(&world.iommu, i));
    require(net_receive_wait(&world.net, &packet, frame, sizeof(frame), WAIT_MS) == 1,
            "the frame does not arrive when it may");
    check(frame_matches(frame, packet.bytes, 7, 60), "the frame");
}

/* Messages that make no sense */

static int send_bytes(const struct vhost_dev* dev, const void* bytes, size_t count) {
    return write(dev->fd, bytes, count) < 0 ? -errno : 0;
}

static void bad_messages(const void* arg) {
    const struct setting* setting = arg;
    static struct world world;
    const struct vhost_dev* dev = &world.net.dev;
    struct iotlb_talk* talk = &world.iommu.talk;
    u8* at;
    struct vhost_msg_v2 whole = {.type = VHOST_IOTLB_MSG_V2,
                                 .iotlb = {.iova = 0, .size = 0, .type = VHOST_IOTLB_INVALIDATE}};
    struct vhost_iotlb_msg strange = {.iova = FD_GUEST_BASE, .size = PAGE, .type = 77};
    char room[sizeof(struct vhost_msg)];
    struct vhost_iotlb_msg miss;
    int type = 0x77;
    pid_t child;

    open_world(&world, setting);
    at = world.iommu.places;
    check_ret(send_bytes(dev, "x", 1), -EINVAL);
    check_ret(send_bytes(dev, &type, sizeof(type)), -EINVAL);
    check_ret(send_bytes(dev, &whole, 4), -EINVAL);
    check_ret(send_bytes(dev, &whole, offsetof(struct vhost_msg_v2, iotlb) + 8), -EINVAL);
    check_ret(iotlb_send(talk, &strange), -EFAULT);
    strange.type = VHOST_IOTLB_MISS;
    check_ret(iotlb_send(talk, &strange), -EFAULT);
    check_ret(iotlb_update(talk, FD_GUEST_BASE, 0, at, VHOST_ACCESS_RW), -EINVAL);
    check_ret(iotlb_update(talk, FD_GUEST_BASE, PAGE, (void*)0xffff800000000000, VHOST_ACCESS_RW),
              -EFAULT);
    check_ret(iotlb_update(talk, FD_GUEST_BASE, 1ULL << 63, at, VHOST_ACCESS_RW), -EFAULT);
    check_ret(iotlb_update(talk, ~0ULL - PAGE, 2 * PAGE + 2, at, VHOST_ACCESS_RW), -EFAULT);
    check_ret(iotlb_invalidate(talk, 1ULL << 50, PAGE), 0);
    check_ret(iotlb_update(talk, FD_GUEST_BASE, PAGE, at, VHOST_ACCESS_RW), 0);
    check_ret(iotlb_invalidate(talk, FD_GUEST_BASE, PAGE), 0);

    /* Nor may anybody but the owner say where memory is. */
    child = fork();
    if (!child) {
        if (dev->is_vireo)
            check_ret(iotlb_update(talk, FD_GUEST_BASE, PAGE, at, VHOST_ACCESS_RW), -EFAULT);
        _exit(0);
    }
    waitpid(child, NULL, 0);

    /* Nothing is asked yet; a message is read whole or not at all. */
    check_ret(iotlb_read(talk, &miss), -EAGAIN);
    check(read(dev->fd, room, 8) <= 0, "a part of a message");
    check(!readable(&world), "poll() says that there is a message");

    /* All of this did no harm. */
    start_world(&world);
    stream_run(&world.stream, 200);
    finish_world(&world);

    if (!dev->is_vireo)
        return;
    require_ok(vhost_set_features(dev, setting->features & ~F_ACCESS_PLATFORM));
    check_ret(iotlb_update(talk, FD_GUEST_BASE, PAGE, at, VHOST_ACCESS_RW), -EFAULT);
    check_ret(iotlb_invalidate(talk, FD_GUEST_BASE, PAGE), -EFAULT);
}

/* Readers that sleep */

struct reader {
    struct iotlb_talk talk;
    pthread_t thread;
    bool done;
    int ret;
};

static void* reader_thread(void* arg) {
    struct reader* reader = arg;
    struct vhost_iotlb_msg miss;

    reader->ret = iotlb_read(&reader->talk, &miss);
    __atomic_store_n(&reader->done, true, __ATOMIC_RELEASE);
    return NULL;
}

static bool reader_done(void* arg) {
    const struct reader* reader = arg;

    return __atomic_load_n(&reader->done, __ATOMIC_ACQUIRE);
}

static void start_reader(struct reader* reader, const struct vhost_dev* dev) {
    *reader = (struct reader){.talk = {.dev = dev}};
    require(!pthread_create(&reader->thread, NULL, reader_thread, reader), "a thread");
    usleep(20000); /* that it sleeps is likely then, and not needed */
}

static void open_dev(struct vhost_dev* dev) {
    require_ok(vhost_open(dev, vhost_path()));
    if (!dev->is_vireo)
        skip_test("vhost lets its readers sleep");
    require_ok(vhost_set_owner(dev));
    require_ok(vhost_set_features(dev, SPLIT));
}

static void reader_woken(const void* arg) {
    struct sigaction quiet = {.sa_handler = on_signal};
    struct reader reader;
    struct vhost_dev dev;

    open_dev(&dev);
    start_reader(&reader, &dev);
    require_ok(vhost_set_features(&dev, SPLIT & ~F_ACCESS_PLATFORM));
    require(wait_until(reader_done, &reader), "it sleeps on where the feature is off");
    check(reader.ret == -EBADFD, "without the feature: %d", reader.ret);
    pthread_join(reader.thread, NULL);

    require_ok(vhost_set_features(&dev, SPLIT));
    start_reader(&reader, &dev);
    require_ok(vhost_reset_owner(&dev));
    require(wait_until(reader_done, &reader), "it sleeps on where there is no owner");
    check(reader.ret == -EBADFD, "without an owner: %d", reader.ret);
    pthread_join(reader.thread, NULL);

    require_ok(vhost_set_owner(&dev));
    require_ok(vhost_set_features(&dev, SPLIT));
    sigaction(SIGUSR1, &quiet, NULL);
    start_reader(&reader, &dev);
    pthread_kill(reader.thread, SIGUSR1);
    require(wait_until(reader_done, &reader), "it sleeps on where there is a signal");
    check(reader.ret == -EINTR, "with a signal: %d", reader.ret);
    pthread_join(reader.thread, NULL);
}

static bool users_as_before(void* arg) {
    char module[64];

    module_of_device(vhost_path(), module, sizeof(module));
    return module_users(module) == *(const long*)arg;
}

static void reader_killed(const void* arg) {
    char module[64];
    long users;
    pid_t child;

    module_of_device(vhost_path(), module, sizeof(module));
    users = module_users(module);
    child = fork();
    if (!child) {
        struct reader reader;
        struct vhost_dev dev;

        open_dev(&dev);
        start_reader(&reader, &dev);
        /* The file is closed while somebody sleeps in it. */
        vhost_close(&dev);
        kill(getpid(), SIGKILL);
    }
    waitpid(child, NULL, 0);
    check(wait_until(users_as_before, &users), "%ld users of %s are left", module_users(module),
          module);
}

/* A table that holds fewer translations than are in use: the oldest go. */
static void small_table(const void* arg) {
    static struct world world;
    char module[64];

    module_of_device(vhost_path(), module, sizeof(module));
    if (strncmp(module, "vireo_", strlen("vireo_")) != 0)
        skip_test("%s is not a device of Vireo", vhost_path());
    require_ok(module_remove(module));
    require_ok(module_remove("vireo"));
    require_ok(module_insert("vireo", "max_iotlb_entries=24"));
    require_ok(module_insert(module, NULL));

    open_world(&world, arg);
    start_world(&world);
    stream_run(&world.stream, 500);
    finish_world(&world);
    check(world.iommu.misses > world.iommu.pages, "%u misses: a table of 24 holds %u pages?",
          world.iommu.misses, world.iommu.pages);
    net_close(&world.net);

    require_ok(module_remove(module));
    require_ok(module_remove("vireo"));
    require_ok(module_insert("vireo", NULL));
    require_ok(module_insert(module, NULL));
}

static const struct setting split_v1 = {SPLIT, false, BLOCKING};
static const struct setting split_v2 = {SPLIT, true, BLOCKING};
static const struct setting split_v1_poll = {SPLIT, false, NOT_BLOCKING};
static const struct setting split_v2_poll = {SPLIT, true, NOT_BLOCKING};
static const struct setting packed_v2 = {PACKED, true, BLOCKING};
static const struct setting packed_v2_poll = {PACKED, true, NOT_BLOCKING};

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
    {"asked-once-split", asked_once, &split_v2_poll},
    {"asked-once-packed", asked_once, &packed_v2_poll},
    {"wrong-rights-split", wrong_rights, &split_v2_poll},
    {"wrong-rights-packed", wrong_rights, &packed_v2_poll},
    {"bad-messages-v1", bad_messages, &split_v1_poll},
    {"bad-messages-v2", bad_messages, &split_v2_poll},
    {"reader-woken", reader_woken, NULL},
    {"reader-killed", reader_killed, NULL},
    {"small-table-split", small_table, &split_v2},
    {"small-table-packed", small_table, &packed_v2},
};

int main(int argc, char** argv) {
    return run_tests(tests, COUNT(tests), argc, argv);
}
