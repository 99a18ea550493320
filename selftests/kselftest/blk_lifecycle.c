// SPDX-License-Identifier: GPL-2.0-only
/*
 * A disk's device and those around it who come and go: a queue that is stopped
 * in the midst of requests, after which nothing is written to its driver's
 * memory any more; memory that is replaced; owners that are killed; workers;
 * and modules that are removed when nobody needs them, and not before.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "blk_load.h"
#include "frames.h"
#include "kernel_state.h"
#include "tap_output.h"

#define MIBS 16
#define SECTORS (MIBS * MIB / BLK_SECTOR)
#define FOREVER 3600000
#define PART 4096 /* sectors of a queue */
#define QUEUES 3

struct world {
    struct disk below;
    struct disk disk;
    struct blk_live live;
};

static void open_world(struct world* world, u64 features, u32 regions) {
    struct null_options null = {.mib = MIBS};
    struct blk_options options = {
        .features = features, .queues = QUEUES, .num = 64, .regions = regions};

    memset(world, 0, sizeof(*world));
    disk_null(&world->disk, "vtest", &null);
    blk_live_open(&world->live, &world->disk, &options);
}

static void close_world(struct world* world) {
    blk_live_check(&world->live);
    blk_live_close(&world->live);
    disk_remove(&world->disk);
    if (world->below.path[0])
        disk_remove(&world->below);
}

/* On a disk that holds requests back when it is told to. */
static void open_holding(struct world* world) {
    static const struct blk_options options = {.features = BLK_USUAL, .queues = QUEUES, .num = 64};

    memset(world, 0, sizeof(*world));
    disk_null(&world->below, "vtest", &(struct null_options){.mib = MIBS});
    disk_dm(&world->disk, "vtest-hold", "0 %llu delay %s 0 0\n", (unsigned long long)SECTORS,
            world->below.path);
    blk_live_open(&world->live, &world->disk, &options);
}

static void hold(struct world* world, bool on) {
    disk_dm_reload(&world->disk, "0 %llu delay %s 0 %u\n", (unsigned long long)SECTORS,
                   world->below.path, on ? FOREVER : 0);
}

/* A split ring's load: the device has begun all of it. */
static bool all_begun(void* arg) {
    const struct blk_load* load = arg;
    u32 base;

    require_ok(vhost_get_base(&load->blk->dev, load->queue, &base));
    return base == load->blk->queue[load->queue].driver.avail_idx;
}

/* Requests that the disk holds. */
static void leave_begun(struct blk_load* load) {
    load_leave(load);
    require(wait_until(all_begun, load), "%u requests are not begun", load->in_flight);
}

static void start_loads(struct world* world, struct blk_load* loads) {
    for (u32 i = 0; i < QUEUES; i++) {
        load_init(&loads[i], &world->live.blk, i, (u64)i * PART, PART, true);
        load_start(&loads[i]);
    }
}

static void end_loads(struct world* world, struct blk_load* loads) {
    for (u32 i = 0; i < QUEUES; i++)
        load_stop(&loads[i]);
    for (u32 i = 0; i < QUEUES; i++) {
        load_verify(&loads[i], &world->disk);
        load_free(&loads[i]);
    }
}

/* Stopping */

/* What is in flight is done when a stop returns, and memory stays as it is then. */
static void stopped_under_load(const void* arg) {
    const u64* features = arg;
    struct blk_load loads[QUEUES];
    struct world world;
    u8* copy;

    open_world(&world, BLK_USUAL | *features, 3);
    copy = malloc(world.live.blk.mem.bytes);
    require(copy, "a copy of guest memory");
    for (u32 i = 0; i < QUEUES; i++)
        load_init(&loads[i], &world.live.blk, i, (u64)i * PART, PART, true);
    for (u32 round = 0; round < 30; round++) {
        struct blk* blk = &world.live.blk;
        u32 done = 0;

        for (u32 i = 0; i < QUEUES; i++)
            load_leave(&loads[i]);
        if (round % 2) {
            require_ok(blk_stop(blk));
        } else {
            for (u32 i = 0; i < QUEUES; i++)
                require_ok(blk_set_running(blk, i, false));
        }
        memcpy(copy, blk->mem.base, blk->mem.bytes);
        usleep(2000);
        check(!memcmp(copy, blk->mem.base, blk->mem.bytes),
              "round %u: memory is written after all queues were stopped", round);
        for (u32 i = 0; i < QUEUES; i++) {
            struct blk_queue* queue = &blk->queue[i];
            u32 base;

            /* No entry is in between: it was not begun, or it is used. */
            require_ok(vhost_get_base(&blk->dev, i, &base));
            done += queue->driver.in_flight;
            require_ok(vhost_set_base(&blk->dev, i, base));
            require_ok(blk_set_running(blk, i, true));
            load_drain(&loads[i]);
        }
        check(done, "round %u: nothing was in flight", round);
    }
    for (u32 i = 0; i < QUEUES; i++) {
        load_verify(&loads[i], &world.disk);
        load_free(&loads[i]);
    }
    free(copy);
    close_world(&world);
}

struct stopper {
    struct blk* blk;
    bool returned;
};

static void* stop_thread(void* arg) {
    struct stopper* stopper = arg;

    require_ok(blk_stop(stopper->blk));
    __atomic_store_n(&stopper->returned, true, __ATOMIC_RELEASE);
    return NULL;
}

/* The disk has requests, and a stop waits for it as long as that takes. */
static void stop_waits(const void* arg) {
    struct blk_load load;
    struct world world;
    struct stopper stopper = {.blk = &world.live.blk};
    pthread_t thread;

    open_holding(&world);
    load_init(&load, &world.live.blk, 0, 0, PART, true);
    load_run(&load, 100);
    hold(&world, true);
    leave_begun(&load);
    require(!pthread_create(&thread, NULL, stop_thread, &stopper), "a thread");
    usleep(100000);
    check(!__atomic_load_n(&stopper.returned, __ATOMIC_ACQUIRE),
          "a stop returned while the disk had requests");
    hold(&world, false);
    pthread_join(thread, NULL);
    /* All that was begun is there without a further turn of the device. */
    for (struct blk_request* request; load.in_flight;) {
        require(blk_reap(&world.live.blk.queue[0], &request) == 1,
                "%u requests are not given back by the stop", load.in_flight);
        blk_put(&world.live.blk.queue[0], request);
        load.in_flight--;
    }
    load_free(&load);
    for (u32 i = 0; i < QUEUES; i++)
        require_ok(blk_set_running(&world.live.blk, i, true));
    close_world(&world);
}

/* Memory */

/* The table is replaced over and over, by one that says the same in other pieces. */
static void table_replaced_under_load(const void* arg) {
    struct vhost_memory_region regions[64];
    struct blk_load loads[QUEUES];
    struct world world;

    open_world(&world, BLK_USUAL, 1);
    start_loads(&world, loads);
    for (u32 round = 0; round < 100; round++) {
        u32 count = guest_mem_regions(&world.live.blk.mem, regions, 1 + round % 64);

        require_ok(vhost_set_mem_table(&world.live.blk.dev, regions, count));
        if (round % 10 == 0)
            load_wait(&loads[round % QUEUES], 20);
    }
    end_loads(&world, loads);
    close_world(&world);
}

/* Memory goes while the disk has requests for it; they end, and where to matters to nobody. */
static void memory_gone_under_load(const void* arg) {
    struct vhost_memory_region none = {
        .guest_phys_addr = 0, .memory_size = 4096, .userspace_addr = 0};
    struct vireo_queue_stats stats;
    struct blk_request* request;
    struct blk_load load;
    struct world world;
    struct blk* blk = &world.live.blk;
    u8* elsewhere;

    open_holding(&world);
    load_init(&load, blk, 0, 0, PART, true);
    hold(&world, true);
    leave_begun(&load);
    elsewhere = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    require(elsewhere != MAP_FAILED, "a page");
    none.userspace_addr = (unsigned long)elsewhere;
    require_ok(vhost_set_mem_table(&blk->dev, &none, 1));
    hold(&world, false);
    /* The queue says that it cannot answer, and stops. */
    require(!event_wait(blk->queue[0].vhost.err, WAIT_MS), "the owner is not told");
    require_ok(vhost_stats(&blk->dev, 0, &stats));
    check(stats.faults == 1 && stats.last_error == VIREO_ERROR_ADDRESS, "%llu faults, the last %u",
          (unsigned long long)stats.faults, stats.last_error);
    require_ok(blk_stop(blk));
    while (blk_reap(&blk->queue[0], &request) == 1)
        continue;
    load_free(&load);

    /* With memory again, and set up anew, all is well. */
    guest_mem_regions(&blk->mem, &none, 1);
    require_ok(vhost_set_mem_table(&blk->dev, &none, 1));
    for (u32 i = 0; i < QUEUES; i++) {
        require_ok(blk_reset_queue(blk, i));
        require_ok(blk_set_running(blk, i, true));
    }
    close_world(&world);
}

/* Workers */

static void workers_change_under_load(const void* arg) {
    struct blk_load loads[QUEUES];
    struct world world;
    struct vhost_dev* dev = &world.live.blk.dev;
    u32 ids[QUEUES];
    u32 first;

    open_world(&world, BLK_USUAL, 1);
    require_ok(vhost_get_worker(dev, 0, &first));
    start_loads(&world, loads);
    for (u32 round = 0; round < 20; round++) {
        for (u32 i = 0; i < QUEUES; i++) {
            require_ok(vhost_new_worker(dev, &ids[i]));
            require_ok(vhost_attach_worker(dev, i, ids[i]));
        }
        load_wait(&loads[round % QUEUES], 20);
        for (u32 i = 0; i < QUEUES; i++) {
            require_ok(vhost_attach_worker(dev, i, round % 2 ? first : ids[0]));
        }
        for (u32 i = 0; i < QUEUES; i++) {
            require_ok(vhost_attach_worker(dev, i, first));
        }
        for (u32 i = 0; i < QUEUES; i++)
            require_ok(vhost_free_worker(dev, ids[i]));
    }
    end_loads(&world, loads);
    close_world(&world);
}

static void many_queues(const void* arg) {
    static struct blk_load loads[64];
    struct null_options null = {.mib = MIBS};
    struct blk_options options = {.features = BLK_USUAL, .queues = COUNT(loads), .num = 16};
    struct world world;

    disk_null(&world.disk, "vtest", &null);
    blk_live_open(&world.live, &world.disk, &options);
    for (u32 i = 0; i < COUNT(loads); i++) {
        load_init(&loads[i], &world.live.blk, i, i * 256ULL, 256, true);
        loads[i].depth = 8;
        load_leave(&loads[i]);
    }
    for (u32 round = 0; round < 5; round++) {
        for (u32 i = 0; i < COUNT(loads); i++)
            load_run(&loads[i], 10);
    }
    for (u32 i = 0; i < COUNT(loads); i++) {
        load_verify(&loads[i], &world.disk);
        load_free(&loads[i]);
    }
    blk_live_close(&world.live);
    disk_remove(&world.disk);
}

/* Owners that are killed */

struct owner {
    pid_t pid;
    int ready[2];
};

/* A child that has a device at work, until it is killed. */
static void start_owner(struct owner* owner, const struct disk* disk, bool held) {
    char byte;

    require(!pipe(owner->ready), "a pipe");
    owner->pid = fork();
    if (!owner->pid) {
        static const struct blk_options options = {
            .features = BLK_USUAL, .queues = QUEUES, .num = 64};
        struct blk_load loads[QUEUES];
        struct disk mine = *disk;
        struct blk_live live;

        mine.fd = -1;
        blk_live_open(&live, &mine, &options);
        for (u32 i = 0; i < QUEUES; i++) {
            load_init(&loads[i], &live.blk, i, (u64)i * PART, PART, false);
            if (held)
                load_leave(&loads[i]);
            else
                load_start(&loads[i]);
        }
        if (!held)
            load_wait(&loads[0], 50);
        if (write(owner->ready[1], "r", 1) == 1)
            pause();
        _exit(1);
    }
    close(owner->ready[1]);
    require(owner->pid > 0 && read(owner->ready[0], &byte, 1) == 1, "the owner ended");
    close(owner->ready[0]);
}

static bool unused(void* arg) {
    return !module_users("vireo_blk");
}

static void killed_under_load(const void* arg) {
    u64 seed = random_seed();
    struct owner owner;
    struct disk disk;

    disk_null(&disk, "vtest", &(struct null_options){.mib = MIBS});
    for (u32 round = 0; round < 10; round++) {
        start_owner(&owner, &disk, false);
        usleep(random_below(&seed, 10000));
        check_ret(module_remove("vireo_blk"), -EAGAIN);
        kill(owner.pid, SIGKILL);
        waitpid(owner.pid, NULL, 0);
        check(wait_until(workers_gone, &owner.pid), "round %u: the worker outlives its owner",
              round);
        check(wait_until(unused, NULL), "round %u: %ld users are left", round,
              module_users("vireo_blk"));
    }
    disk_remove(&disk);
}

static bool ended(void* arg) {
    struct owner* owner = arg;

    return waitpid(owner->pid, NULL, WNOHANG) == owner->pid;
}

/* Requests that the disk has when their owner dies: their pages are the disk's until they end. */
static void killed_while_held(const void* arg) {
    struct owner owner;
    struct world world;

    open_holding(&world);
    blk_live_close(&world.live);
    close(world.disk.fd);
    world.disk.fd = -1;
    hold(&world, true);
    start_owner(&owner, &world.disk, true);
    kill(owner.pid, SIGKILL);
    usleep(50000);
    check_ret(module_remove("vireo_blk"), -EAGAIN);
    hold(&world, false);
    require(wait_until(ended, &owner), "the owner does not die");
    check(wait_until(workers_gone, &owner.pid), "the worker outlives its owner");
    check(wait_until(unused, NULL), "%ld users are left", module_users("vireo_blk"));
    disk_remove(&world.disk);
    disk_remove(&world.below);
}

/* The file is handed on: the device of a dead owner touches nothing, and closes with its last file.
 */
static void killed_while_others_hold_it(const void* arg) {
    struct vhost_dev held = {.path = blk_path()};
    struct owner owner;
    struct disk disk;
    u64 features;
    int number = -1;

    disk_null(&disk, "vtest", &(struct null_options){.mib = MIBS});
    start_owner(&owner, &disk, false);
    for (int fd = 3; fd < 32 && number < 0; fd++) {
        char link[64];
        char to[64] = "";

        snprintf(link, sizeof(link), "/proc/%d/fd/%d", owner.pid, fd);
        if (readlink(link, to, sizeof(to) - 1) > 0 && !strcmp(to, blk_path()))
            number = fd;
    }
    require(number >= 0, "the owner's file");
    held.fd = file_of(owner.pid, number);
    require(held.fd >= 0, "the owner's file");
    kill(owner.pid, SIGKILL);
    waitpid(owner.pid, NULL, 0);
    check_ret(vhost_get_features(&held, &features), 0);
    check_ret(module_remove("vireo_blk"), -EAGAIN);
    vhost_close(&held);
    check(wait_until(workers_gone, &owner.pid), "the worker outlives the last file");
    check(wait_until(unused, NULL), "%ld users are left", module_users("vireo_blk"));
    disk_remove(&disk);
}

/* Modules */

static void removed_and_inserted(const void* arg) {
    struct blk_load load;
    struct world world;

    for (u32 round = 0; round < 5; round++) {
        open_world(&world, BLK_USUAL, 1);
        load_init(&load, &world.live.blk, 0, 0, PART, true);
        load_start(&load);
        load_wait(&load, 50);
        check_ret(module_remove("vireo_blk"), -EAGAIN);
        check_ret(module_remove("vireo"), -EAGAIN);
        load_stop(&load);
        load_verify(&load, &world.disk);
        load_free(&load);
        close_world(&world);
        require(wait_until(unused, NULL), "%ld users after the last file was closed",
                module_users("vireo_blk"));
        require_ok(module_remove("vireo_blk"));
        check(access(blk_path(), F_OK), "%s is there without its module", blk_path());
        require_ok(module_insert("vireo_blk", NULL));
    }
}

static const u64 split = 0;
static const u64 packed = F_RING_PACKED;

static const struct test tests[] = {
    {"stopped-under-load-split", stopped_under_load, &split},
    {"stopped-under-load-packed", stopped_under_load, &packed},
    {"stop-waits", stop_waits, NULL},
    {"table-replaced-under-load", table_replaced_under_load, NULL},
    {"memory-gone-under-load", memory_gone_under_load, NULL},
    {"workers-change-under-load", workers_change_under_load, NULL},
    {"many-queues", many_queues, NULL},
    {"killed-under-load", killed_under_load, NULL},
    {"killed-while-held", killed_while_held, NULL},
    {"killed-while-others-hold-it", killed_while_others_hold_it, NULL},
    {"removed-and-inserted", removed_and_inserted, NULL},
};

int main(int argc, char** argv) {
    return run_tests(tests, COUNT(tests), argc, argv);
}
