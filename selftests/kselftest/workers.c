// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ioctls about workers, which Vireo has on every kernel; the thread that
 * they make; and ioctls of many threads at once.
 */
#include <dirent.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "frames.h"
#include "tap_output.h"
#include "traffic_flow.h"

#define USUAL (F_VERSION_1 | F_NET_MRG_RXBUF | F_EVENT_IDX)
#define NO_WORKER 0x7fffffff

/* The threads that work for this process, by name. */
static u32 threads_of(pid_t pid) {
    char wanted[2][32];
    DIR* proc = opendir("/proc");
    struct dirent* entry;
    u32 count = 0;

    require(proc, "read /proc");
    snprintf(wanted[0], sizeof(wanted[0]), "vireo-%d\n", pid);
    snprintf(wanted[1], sizeof(wanted[1]), "vhost-%d\n", pid);
    while ((entry = readdir(proc))) {
        char path[300];
        char name[32] = "";
        FILE* file;

        if (entry->d_name[0] < '1' || entry->d_name[0] > '9')
            continue;
        snprintf(path, sizeof(path), "/proc/%s/comm", entry->d_name);
        file = fopen(path, "re");
        if (!file)
            continue;
        if (fgets(name, sizeof(name), file))
            count += !strcmp(name, wanted[0]) || !strcmp(name, wanted[1]);
        fclose(file);
    }
    closedir(proc);
    return count;
}

static bool no_threads(void* arg) {
    return !threads_of(getpid());
}

static void thread_lives_with_owner(const void* arg) {
    struct vhost_dev dev;

    require_ok(vhost_open(&dev, vhost_path()));
    if (!dev.is_vireo)
        skip_test("a worker of vhost is a kernel thread or a thread of the owner, by version");
    check(threads_of(getpid()) == 0, "a device without an owner has a worker");
    require_ok(vhost_set_owner(&dev));
    check(threads_of(getpid()) == 1, "the owner has %u workers where one is due",
          threads_of(getpid()));
    require_ok(vhost_reset_owner(&dev));
    check(threads_of(getpid()) == 0, "the worker outlives ownership");
    require_ok(vhost_set_owner(&dev));
    vhost_close(&dev);
    check(wait_until(no_threads, NULL), "the worker outlives the device");
}

static void need_workers(const struct vhost_dev* dev) {
    if (!dev->is_vireo)
        skip_test("%s has no worker ioctls", dev->path);
}

static void made_and_freed(const void* arg) {
    struct vhost_dev dev;
    u32 first[NET_QUEUES];
    u32 made[16];
    u32 count;
    u32 id;

    require_ok(vhost_open(&dev, vhost_path()));
    need_workers(&dev);
    check_ret(vhost_new_worker(&dev, &id), -EINVAL);
    check_ret(vhost_free_worker(&dev, 0), -EINVAL);
    check_ret(vhost_get_worker(&dev, 0, &id), -EINVAL);
    check_ret(vhost_attach_worker(&dev, 0, 0), -EINVAL);
    require_ok(vhost_set_owner(&dev));

    /* One is shared at first. */
    require_ok(vhost_get_worker(&dev, 0, &first[0]));
    require_ok(vhost_get_worker(&dev, 1, &first[1]));
    check(first[0] == first[1], "queues begin with workers %u and %u", first[0], first[1]);
    check_ret(vhost_free_worker(&dev, first[0]), -EBUSY);
    check_ret(vhost_free_worker(&dev, NO_WORKER), -ENODEV);
    check_ret(vhost_attach_worker(&dev, 0, NO_WORKER), -ENODEV);
    check_ret(vhost_attach_worker(&dev, 2, first[0]), -ENOBUFS);
    check_ret(vhost_get_worker(&dev, 2, &id), -ENOBUFS);
    check_ret(vhost_attach_worker(&dev, 0, first[0]), 0);

    /* As many more as there are queues, for a worker costs the host. */
    for (count = 0; count < COUNT(made); count++) {
        int ret = vhost_new_worker(&dev, &made[count]);

        if (ret) {
            check(ret == -ENOSPC, "worker %u: %d where ENOSPC is due", count, ret);
            break;
        }
        for (u32 i = 0; i < count; i++)
            check(made[i] != made[count], "two workers have the id %u", made[i]);
    }
    check(count == NET_QUEUES, "%u workers could be made where %d are allowed", count, NET_QUEUES);
    check(threads_of(getpid()) == 1 + count, "%u threads for %u workers", threads_of(getpid()),
          1 + count);

    require_ok(vhost_attach_worker(&dev, 0, made[0]));
    require_ok(vhost_get_worker(&dev, 0, &id));
    check(id == made[0], "queue 0 has worker %u where %u was attached", id, made[0]);
    check_ret(vhost_free_worker(&dev, made[0]), -EBUSY);
    check_ret(vhost_free_worker(&dev, first[0]), -EBUSY);
    require_ok(vhost_attach_worker(&dev, 1, made[1]));
    check_ret(vhost_free_worker(&dev, first[0]), 0);
    check_ret(vhost_free_worker(&dev, first[0]), -ENODEV);
    check_ret(vhost_attach_worker(&dev, 0, first[0]), -ENODEV);
    check(threads_of(getpid()) == count, "%u threads after one of %u was freed",
          threads_of(getpid()), 1 + count);
    /* Its place is free again. */
    check_ret(vhost_new_worker(&dev, &id), 0);
    vhost_close(&dev);
    check(wait_until(no_threads, NULL), "workers outlive the device");
}

static void one_for_each_queue(const void* arg) {
    struct live live;
    u32 id[NET_QUEUES];
    u32 shared;

    live_open(&live, USUAL);
    need_workers(&live.net.dev);
    require_ok(vhost_get_worker(&live.net.dev, 0, &shared));
    for (u32 i = 0; i < NET_QUEUES; i++) {
        require_ok(vhost_new_worker(&live.net.dev, &id[i]));
        require_ok(vhost_attach_worker(&live.net.dev, i, id[i]));
    }
    require_ok(vhost_free_worker(&live.net.dev, shared));
    live_check(&live);
}

/* Queues change their workers while frames go through. */
struct mover {
    const struct vhost_dev* dev;
    u32 id[NET_QUEUES];
    atomic_bool stop;
    atomic_uint moves;
};

static void* move_workers(void* arg) {
    struct mover* mover = arg;

    while (!atomic_load(&mover->stop)) {
        for (u32 i = 0; i < NET_QUEUES; i++)
            check_ret(vhost_attach_worker(mover->dev, i, mover->id[(mover->moves >> i) & 1]), 0);
        mover->moves++;
    }
    return NULL;
}

static void moved_under_traffic(const void* arg) {
    struct live live;
    struct mover mover = {.moves = 0};
    pthread_t thread;

    live_open(&live, USUAL);
    need_workers(&live.net.dev);
    mover.dev = &live.net.dev;
    for (u32 i = 0; i < NET_QUEUES; i++)
        require_ok(vhost_new_worker(&live.net.dev, &mover.id[i]));
    require(!pthread_create(&thread, NULL, move_workers, &mover), "a thread");
    for (u32 round = 0; round < 5 || mover.moves < 20; round++) {
        live_check(&live);
    }
    atomic_store(&mover.stop, true);
    pthread_join(thread, NULL);
}

/* Many threads at once */

#define STORM_THREADS 4
#define STORM_CALLS 1500

struct storm {
    const struct vhost_dev* dev;
    const struct live* live;
    u64 seed;
};

/* All of these may fail, and none may do harm. */
static void one_call(struct storm* storm) {
    const struct vhost_dev* dev = storm->dev;
    u64* seed = &storm->seed;
    u32 index = random_below(seed, 3);
    struct vhost_vring_state state = {.index = index, .num = 1U << random_below(seed, 10)};
    struct vhost_vring_file file = {.index = index, .fd = NO_FD};
    struct vhost_vring_worker worker = {.index = index, .worker_id = random_below(seed, 5)};
    struct vhost_worker_state id = {.worker_id = random_below(seed, 5)};
    struct vireo_queue_stats stats = {.index = index, .size = sizeof(stats)};
    u64 features = USUAL ^ (random_below(seed, 2) ? F_RING_PACKED : 0);
    struct {
        struct vhost_memory head;
        struct vhost_memory_region region;
    } memory = {.head.nregions = 1};

    switch (random_below(seed, 16)) {
        case 0:
            vhost_call(dev, VHOST_SET_VRING_NUM, &state);
            break;
        case 1:
            vhost_call(dev, VHOST_SET_VRING_BASE, &state);
            break;
        case 2:
            vhost_call(dev, VHOST_GET_VRING_BASE, &state);
            break;
        case 3:
            file.fd = eventfd(0, EFD_CLOEXEC);
            vhost_call(dev, VHOST_SET_VRING_KICK, &file);
            event_signal(file.fd);
            close(file.fd);
            break;
        case 4:
            file.fd = eventfd(0, EFD_CLOEXEC);
            vhost_call(dev, random_below(seed, 2) ? VHOST_SET_VRING_CALL : VHOST_SET_VRING_ERR,
                       &file);
            close(file.fd);
            break;
        case 5:
            vhost_call(dev, VHOST_SET_VRING_KICK, &file);
            break;
        case 6:
            vhost_call(dev, VHOST_SET_FEATURES, &features);
            break;
        case 7:
            guest_mem_regions(&storm->live->net.mem, &memory.region, 1);
            vhost_call(dev, VHOST_SET_MEM_TABLE, &memory);
            break;
        case 8:
        case 9:
            file.fd = storm->live->tap.fd;
            vhost_call(dev, VHOST_NET_SET_BACKEND, &file);
            break;
        case 10:
            vhost_call(dev, VHOST_NET_SET_BACKEND, &file);
            break;
        case 11:
            vhost_call(dev, VHOST_NEW_WORKER, &id);
            vhost_call(dev, VHOST_FREE_WORKER, &id);
            break;
        case 12:
            vhost_call(dev, VHOST_ATTACH_VRING_WORKER, &worker);
            break;
        case 13:
            vhost_call(dev, VIREO_GET_QUEUE_STATS, &stats);
            break;
        case 14:
            event_signal(storm->live->net.queue[index & 1].vhost.kick);
            break;
        default:
            if (!random_below(seed, 20))
                vhost_call(dev, VHOST_RESET_OWNER, NULL);
            vhost_call(dev, VHOST_SET_OWNER, NULL);
    }
}

static void* storm_thread(void* arg) {
    for (u32 i = 0; i < STORM_CALLS; i++)
        one_call(arg);
    return NULL;
}

static void many_threads(const void* arg) {
    struct live live;
    struct live after;
    struct storm storms[STORM_THREADS];
    pthread_t threads[STORM_THREADS];

    live_open(&live, USUAL);
    say("VIREO_SEED=%llu", (unsigned long long)random_seed());
    for (u32 i = 0; i < STORM_THREADS; i++) {
        storms[i] = (struct storm){
            .dev = &live.net.dev, .live = &live, .seed = random_seed() * 7919 + i + 1};
        require(!pthread_create(&threads[i], NULL, storm_thread, &storms[i]), "a thread");
    }
    for (u32 i = 0; i < STORM_THREADS; i++)
        pthread_join(threads[i], NULL);
    live_close(&live);

    live_open(&after, USUAL);
    live_check(&after);
}

static const struct test tests[] = {
    {"thread-lives-with-owner", thread_lives_with_owner, NULL},
    {"made-and-freed", made_and_freed, NULL},
    {"one-for-each-queue", one_for_each_queue, NULL},
    {"moved-under-traffic", moved_under_traffic, NULL},
    {"many-threads", many_threads, NULL},
};

int main(int argc, char** argv) {
    return run_tests(tests, COUNT(tests), argc, argv);
}
