// SPDX-License-Identifier: GPL-2.0-only
/*
 * A device's questions for translations (VIRTIO_F_ACCESS_PLATFORM): each is
 * asked once, and only what is needed when it is read. A queue that needs an
 * answer no more takes its question back: the driver may have unmapped the
 * address since, and an IOMMU that is asked for it then reports the device.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dirty_pages.h"
#include "frames.h"
#include "iommu.h"
#include "kernel_state.h"
#include "tap_output.h"
#include "traffic_flow.h"

#define MANY 64 /* questions; there are never so many */

static u8 frame[FRAME_MAX];

static u32 read_all(struct iommu_world* world, struct vhost_iotlb_msg* misses) {
    u32 count = 0;

    while (count < MANY && !iotlb_read(&world->iommu.talk, &misses[count]))
        count++;
    return count;
}

static bool readable(void* arg) {
    const struct iommu_world* world = arg;
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

/* A call that wants the queue at rest returns when its turn has ended. */
static void await_rest(const struct vhost_queue* queue) {
    u32 base;

    require_ok(vhost_get_base(queue->dev, queue->index, &base));
}

/* The turn that something gives a queue, one only, has ended. */
static void await_turn(const struct vhost_queue* queue, u64 before) {
    struct turns turns = {.queue = queue, .before = before};

    require(wait_until(has_had_turn, &turns), "queue %u has no turn", queue->index);
    await_rest(queue);
}

/* A turn that nothing but a kick gives. */
static void turn(const struct vhost_queue* queue) {
    u64 before = turns_of(queue);

    event_signal(queue->kick);
    await_turn(queue, before);
}

/* Both queues have a turn, and ask for their rings. */
static void ask_for_rings(struct iommu_world* world) {
    u64 before[NET_QUEUES];

    for (u32 i = 0; i < NET_QUEUES; i++)
        before[i] = turns_of(&world->net.queue[i].vhost);
    require_ok(net_start(&world->net, world->tap.fd));
    for (u32 i = 0; i < NET_QUEUES; i++)
        await_turn(&world->net.queue[i].vhost, before[i]);
}

static void asked_once(const void* arg) {
    static struct iommu_world world;
    struct vhost_iotlb_msg misses[MANY];
    u32 count;

    iommu_world_open(&world, arg);
    if (!world.net.dev.is_vireo)
        skip_test("vhost asks for more than one page of a ring at once");
    ask_for_rings(&world);
    for (u32 i = 0; i < 10; i++)
        turn(&world.net.queue[i % NET_QUEUES].vhost);
    count = read_all(&world, misses);
    check(count == NET_QUEUES, "%u questions for %u rings", count, NET_QUEUES);
    for (u32 i = 0; i < count; i++) {
        for (u32 k = 0; k < i; k++)
            check(misses[i].iova != misses[k].iova || misses[i].perm != misses[k].perm,
                  "asked twice for %#llx", (unsigned long long)misses[i].iova);
    }
    /* Who has read it and does not answer is asked again, when there is work. */
    for (u32 i = 0; i < NET_QUEUES; i++)
        turn(&world.net.queue[i].vhost);
    check(readable(&world), "nobody asks for the rings again");
    count = read_all(&world, misses);
    check(count == NET_QUEUES, "%u questions for %u rings, again", count, NET_QUEUES);
    /* It can be stopped, and started again: then it asks again. */
    require_ok(net_stop(&world.net));
    for (u32 i = 0; i < count; i++)
        iommu_answer(&world.iommu, &misses[i]);
    iommu_world_start(&world);
    stream_run(&world.stream, 200);
    iommu_world_finish(&world);
}

/* A buffer that may be read only is no receive buffer, as often as this is said. */
static void wrong_rights(const void* arg) {
    static struct iommu_world world;
    struct net_queue* rx = &world.net.queue[NET_RX];
    struct vhost_iotlb_msg miss;
    struct net_packet packet;
    u32 first;
    u32 last;

    iommu_world_open(&world, arg);
    if (!world.net.dev.is_vireo)
        skip_test("vhost does not ask for rights");
    for (u32 i = 0; i < world.iommu.pages; i++)
        require_ok(iommu_give(&world.iommu, i));
    first = (rx->bufs[0].base - world.net.mem.base) / IOMMU_PAGE;
    last = first + (u32)(IOMMU_NUM * rx->bufs[0].room / IOMMU_PAGE);
    for (u32 i = first; i < last; i++)
        require_ok(iotlb_update(&world.iommu.talk, FD_GUEST_BASE + i * IOMMU_PAGE, IOMMU_PAGE,
                                iommu_place(&world.iommu, i), VHOST_ACCESS_RO));
    require_ok(net_start(&world.net, world.tap.fd));
    net_fill(&world.net, 10, 1600, NULL);
    net_show(rx);
    frame_make(frame, 60, 7);
    require_ok(tap_send(&world.tap, NULL, frame, 60));
    for (u32 round = 0; round < 5; round++) {
        u32 page;

        check(wait_until(readable, &world), "round %u: nobody asks for the right to write", round);
        check_ret(iotlb_read(&world.iommu.talk, &miss), 0);
        page = (miss.iova - FD_GUEST_BASE) / IOMMU_PAGE;
        check(miss.perm & VHOST_ACCESS_WO && page >= first && page < last,
              "asked for access %#x to page %u", miss.perm, page);
        check(!net_receive(&world.net, &packet, frame, sizeof(frame)),
              "a frame was written to where it may not be");
        require_ok(iotlb_update(&world.iommu.talk, FD_GUEST_BASE + page * IOMMU_PAGE, IOMMU_PAGE,
                                iommu_place(&world.iommu, page), VHOST_ACCESS_RO));
    }
    for (u32 i = first; i < last; i++)
        require_ok(iommu_give(&world.iommu, i));
    require(net_receive_wait(&world.net, &packet, frame, sizeof(frame), WAIT_MS) == 1,
            "the frame does not arrive when it may");
    check(frame_matches(frame, packet.bytes, 7, 60), "the frame");
}

/* Questions that nobody needs any more */

static bool in_ring(const struct iommu_world* world, u32 index, u64 addr) {
    const struct fake_driver* driver = &world->net.queue[index].driver;
    u64 offset = addr - FD_GUEST_BASE;

    return offset >= driver->desc && offset < driver->tables;
}

static void open_asking(struct iommu_world* world, const void* setting) {
    iommu_world_open(world, setting);
    if (!world->net.dev.is_vireo)
        skip_test("vhost leaves its questions");
}

static void stopped(const void* arg) {
    static struct iommu_world world;
    struct vhost_iotlb_msg misses[MANY];

    open_asking(&world, arg);
    ask_for_rings(&world);
    require_ok(net_stop(&world.net));
    check(!readable(&world), "stopped queues ask");
    check_ret(iotlb_read(&world.iommu.talk, misses), -EAGAIN);

    ask_for_rings(&world);
    require_ok(vhost_set_backend(&world.net.dev, NET_RX, NO_FD));
    check(read_all(&world, misses) == 1 && in_ring(&world, NET_TX, misses[0].iova),
          "one queue is stopped, and the other's question is not what is left");
    require_ok(net_stop(&world.net));
}

/* What two queues ask for is asked once, and by one of them still if the other is stopped. */
static void asked_by_two(const void* arg) {
    static struct iommu_world world;
    struct vhost_iotlb_msg misses[MANY];
    const struct fake_driver* rx = &world.net.queue[NET_RX].driver;

    open_asking(&world, arg);
    require_ok(vhost_queue_place(&world.net.queue[NET_TX].vhost, rx, 0));
    ask_for_rings(&world);
    check(read_all(&world, misses) == 1 && in_ring(&world, NET_RX, misses[0].iova),
          "the same is asked for twice");
    for (u32 i = 0; i < NET_QUEUES; i++)
        turn(&world.net.queue[i].vhost);
    require_ok(vhost_set_backend(&world.net.dev, NET_RX, NO_FD));
    check(read_all(&world, misses) == 1 && in_ring(&world, NET_RX, misses[0].iova),
          "what the other queue needs is not asked for");
    require_ok(net_stop(&world.net));
}

static void ring_moved(const void* arg) {
    static struct iommu_world world;
    struct vhost_iotlb_msg misses[MANY];
    struct net_queue* queue = &world.net.queue[NET_TX];
    struct vhost_vring_addr addr;
    u64 before;
    u32 count;

    open_asking(&world, arg);
    ask_for_rings(&world);
    /* Somewhere else; there, nobody answers either. */
    dirty_ring_addr(&world.net.queue[NET_RX], 0, &addr);
    addr.index = NET_TX;
    before = turns_of(&queue->vhost);
    require_ok(vhost_set_addr(&world.net.dev, &addr));
    await_turn(&queue->vhost, before);
    count = read_all(&world, misses);
    for (u32 i = 0; i < count; i++)
        check(!in_ring(&world, NET_TX, misses[i].iova), "asked for where the ring was");
    check(count == 1, "%u questions for one place", count);
    require_ok(net_stop(&world.net));
}

/* A frame waits for its buffer, which is asked for; the other pages are known. */
static u64 ask_for_buffer(struct iommu_world* world, const void* setting) {
    struct vhost_iotlb_msg misses[MANY];
    struct net_queue* queue = &world->net.queue[NET_TX];
    const struct vhost_queue* vhost = &queue->vhost;
    u64 before;
    u64 addr;
    u32 first;

    open_asking(world, setting);
    first = (queue->bufs[0].base - world->net.mem.base) / IOMMU_PAGE;
    for (u32 i = 0; i < first; i++)
        require_ok(iommu_give(&world->iommu, i));
    ask_for_rings(world);
    check(!readable(world), "all is given, and something is asked for");
    frame_make(frame, 200, 1);
    require_ok(net_send(&world->net, NULL, frame, 200, NULL));
    before = turns_of(vhost);
    require(net_show(queue), "the device wants no kick");
    await_turn(vhost, before);
    check(read_all(world, misses) == 1, "not one question for one buffer");
    addr = misses[0].iova;
    check(addr >= guest_addr(&world->net.mem, queue->bufs[0].base), "asked for %#llx",
          (unsigned long long)addr);
    /* What has been read and is needed is asked again: now there is one unread. */
    turn(vhost);
    require(readable(world), "nobody asks for the buffer again");
    return addr;
}

/* A buffer in another page. */
static u64 elsewhere(struct iommu_world* world, u64 addr) {
    const struct net_queue* queue = &world->net.queue[NET_TX];
    u64 first = guest_addr(&world->net.mem, queue->bufs[0].base);

    return addr - first >= IOMMU_PAGE
               ? first
               : guest_addr(&world->net.mem, queue->bufs[queue->driver.setup.num - 1].base);
}

/* Not as a driver should: what it has made available already lies elsewhere now. */
static u64 redirect(struct iommu_world* world, u64 from) {
    struct net_queue* queue = &world->net.queue[NET_TX];
    struct fake_driver* driver = &queue->driver;
    u64 to = elsewhere(world, from);
    u32 found = 0;

    memcpy(guest_at(&world->net.mem, to), guest_at(&world->net.mem, from), queue->bufs[0].room);
    for (u32 i = 0; i < driver->setup.num; i++) {
        u64* addr = driver->packed ? (u64*)&fd_packed_desc(driver, i)->addr
                                   : (u64*)&fd_split_desc(driver, i)->addr;

        if (*addr == from) {
            __atomic_store_n(addr, to, __ATOMIC_RELEASE);
            found++;
        }
    }
    require(found == 1, "%u descriptors of the buffer", found);
    return to;
}

static void give(struct iommu_world* world, u64 addr) {
    require_ok(iommu_give(&world->iommu, (addr - FD_GUEST_BASE) / IOMMU_PAGE));
}

static void check_sent(struct iommu_world* world) {
    static u8 got[FRAME_MAX];

    require(tap_receive_wait(&world->tap, NULL, got, sizeof(got), WAIT_MS) == 200,
            "the frame does not arrive");
    check(frame_matches(got, 200, 1, 200), "the frame differs");
    await_rest(&world->net.queue[NET_TX].vhost);
    check(!readable(world), "what was not needed in the end is asked for");
    require_ok(net_stop(&world->net));
}

static void gone_on(const void* arg) {
    static struct iommu_world world;
    u64 addr = ask_for_buffer(&world, arg);

    give(&world, redirect(&world, addr));
    check_sent(&world);
}

static void asked_for_another(const void* arg) {
    static struct iommu_world world;
    struct vhost_iotlb_msg misses[MANY];
    u64 addr = ask_for_buffer(&world, arg);
    u64 other = redirect(&world, addr);
    u32 count;

    turn(&world.net.queue[NET_TX].vhost);
    count = read_all(&world, misses);
    check(count == 1 && misses[0].iova == other, "%u questions, one for %#llx; needed is %#llx",
          count, (unsigned long long)(count ? misses[0].iova : 0), (unsigned long long)other);
    give(&world, other);
    check_sent(&world);
}

/* What is taken back while it is asked for is asked for again, if it is needed; nobody kicks. */
static void invalidated(const void* arg) {
    static struct iommu_world world;
    struct vhost_iotlb_msg misses[MANY];
    u64 addr = ask_for_buffer(&world, arg);
    u64 page = addr & ~(IOMMU_PAGE - 1);
    const struct vhost_queue* queue = &world.net.queue[NET_TX].vhost;
    u64 before;

    before = turns_of(queue);
    give(&world, elsewhere(&world, addr));
    await_turn(queue, before);
    before = turns_of(queue);
    require_ok(iotlb_invalidate(&world.iommu.talk, page, IOMMU_PAGE));
    await_turn(queue, before);
    check(read_all(&world, misses) == 1 && misses[0].iova == addr, "asked for something else");
    turn(queue);
    require(readable(&world), "what is needed still is not asked for again");

    redirect(&world, addr);
    require_ok(iotlb_invalidate(&world.iommu.talk, page, IOMMU_PAGE));
    check_sent(&world);
}

static void broken(const void* arg) {
    static struct iommu_world world;
    struct net_queue* queue = &world.net.queue[NET_TX];
    struct fake_driver* driver = &queue->driver;
    struct vireo_queue_stats stats;

    ask_for_buffer(&world, arg);
    /* A buffer to be written to has no place here. */
    if (driver->packed)
        fd_packed_desc(driver, 0)->flags |= VQ_DESC_F_WRITE;
    else
        fd_split_desc(driver, fd_avail(driver)->ring[0])->flags |= VQ_DESC_F_WRITE;
    event_signal(queue->vhost.kick);
    require(!event_wait(queue->vhost.err, WAIT_MS), "no error is signalled");
    await_rest(&queue->vhost);
    require_ok(vhost_stats(&world.net.dev, NET_TX, &stats));
    check(stats.last_error == VIREO_ERROR_DIRECTION, "the error is %u", stats.last_error);
    check(!readable(&world), "a broken queue asks");
    require_ok(net_stop(&world.net));
}

/* A reader without room for what it reads: the question is asked again. */
static void read_to_nowhere(const void* arg) {
    static struct iommu_world world;
    struct vhost_iotlb_msg misses[MANY];
    u64 addr = ask_for_buffer(&world, arg);
    u32 page = (addr - FD_GUEST_BASE) / IOMMU_PAGE;
    const struct vhost_queue* queue = &world.net.queue[NET_TX].vhost;
    u64 before = turns_of(queue);
    u8* nowhere;

    /* The page's other place, where nothing is. */
    world.iommu.place[page] ^= 1;
    nowhere = iommu_place(&world.iommu, page);
    world.iommu.place[page] ^= 1;
    check(read(world.net.dev.fd, nowhere, sizeof(struct vhost_msg)) < 0 && errno == EFAULT,
          "a message was written to where nothing is");
    await_turn(queue, before);
    check(read_all(&world, misses) == 1 && misses[0].iova == addr, "asked for something else");
    give(&world, addr);
    check_sent(&world);
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
    require_ok(vhost_set_features(dev, IOMMU_SPLIT));
}

static void on_signal(int signal) {}

static void reader_woken(const void* arg) {
    struct sigaction quiet = {.sa_handler = on_signal};
    struct reader reader;
    struct vhost_dev dev;

    open_dev(&dev);
    start_reader(&reader, &dev);
    require_ok(vhost_set_features(&dev, IOMMU_SPLIT & ~F_ACCESS_PLATFORM));
    require(wait_until(reader_done, &reader), "it sleeps on where the feature is off");
    check(reader.ret == -EBADFD, "without the feature: %d", reader.ret);
    pthread_join(reader.thread, NULL);

    require_ok(vhost_set_features(&dev, IOMMU_SPLIT));
    start_reader(&reader, &dev);
    require_ok(vhost_reset_owner(&dev));
    require(wait_until(reader_done, &reader), "it sleeps on where there is no owner");
    check(reader.ret == -EBADFD, "without an owner: %d", reader.ret);
    pthread_join(reader.thread, NULL);

    require_ok(vhost_set_owner(&dev));
    require_ok(vhost_set_features(&dev, IOMMU_SPLIT));
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

static const struct iommu_setting split = {IOMMU_SPLIT, true, NOT_BLOCKING, IOMMU_NUM};
static const struct iommu_setting packed = {IOMMU_PACKED, true, NOT_BLOCKING, IOMMU_NUM};

#define BOTH_RINGS(name, run)        \
    {name "-split", run, &split}, {  \
        name "-packed", run, &packed \
    }

static const struct test tests[] = {
    BOTH_RINGS("asked-once", asked_once),
    BOTH_RINGS("wrong-rights", wrong_rights),
    BOTH_RINGS("stopped", stopped),
    BOTH_RINGS("asked-by-two", asked_by_two),
    BOTH_RINGS("ring-moved", ring_moved),
    BOTH_RINGS("gone-on", gone_on),
    BOTH_RINGS("asked-for-another", asked_for_another),
    BOTH_RINGS("invalidated", invalidated),
    BOTH_RINGS("broken", broken),
    BOTH_RINGS("read-to-nowhere", read_to_nowhere),
    {"reader-woken", reader_woken, NULL},
    {"reader-killed", reader_killed, NULL},
};

int main(int argc, char** argv) {
    return run_tests(tests, COUNT(tests), argc, argv);
}
