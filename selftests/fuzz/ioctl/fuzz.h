/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the parts of the ioctl fuzzer share: README.md says how they play together.
 *
 * main.c starts rounds, one process each, and judges. A round (round.c) has a
 * world: devices, taps, guest memory. Actors do things in it: operators
 * (operate.c) call the devices (calls.c) and change memory (memory.c), a driver
 * (drive.c) keeps the rings in motion or breaks them.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <pthread.h>
#include <stdbool.h>

#include "frames.h"
#include "tap.h"
#include "vhost_dev.h"

#define DEVICES 3
#define QUEUES 2
#define TAPS 4
#define MAX_NUM 1024 /* of rings that are set up well */
#define TABLE_MAX 16

/* Guest memory: for each queue its ring and tables, then payload; the dirty log is behind it all.
 */
#define RING_ROOM (512U << 10)
#define PAYLOAD_ROOM (512U << 10)
#define QUEUE_ROOM (RING_ROOM + PAYLOAD_ROOM)
#define SLOT_BYTES 2048U
#define SLOTS (PAYLOAD_ROOM / SLOT_BYTES)
#define GUEST_BYTES (DEVICES * QUEUES * QUEUE_ROOM)
#define LOG_BYTES (64U << 10)
#define MEMORY_BYTES (GUEST_BYTES + LOG_BYTES)
#define PAGE 4096U

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct fuzz_queue {
    pthread_mutex_t lock; /* guards what the driver has: all down to slots */
    struct fake_driver driver;
    struct fd_buf bufs[MAX_NUM];
    bool ready;   /* the driver has a ring, and the device was told of it */
    bool hostile; /* the ring gets more than what a driver writes */
    u32 frame;    /* number of the next frame */
    u32 free_slots;
    u16 slots[SLOTS];
    int kick, call, err;
    struct vireo_queue_stats seen;
};

struct fuzz_device {
    int fd;
    u64 features;
    struct fuzz_queue queue[QUEUES];
};

struct world {
    const char* path;
    bool is_null;
    u64 offered;
    struct report* report;
    int memfd;
    u8* view;   /* ours: all of it is always there */
    u8* device; /* the same memory where devices find it, or do not */
    struct fuzz_device dev[DEVICES];
    struct tap tap[TAPS];
    u32 taps;
    bool own_tap;  /* the first is this round's alone, and may go */
    int keeper[2]; /* a socket pair that device files are left in, for others to take */
    bool over;
};

/* Who does something: a thread or a process. */
struct actor {
    struct world* world;
    u64 random;
    const char* name;
    u32 round;
    u32 number; /* of what it does */
};

static inline u32 below(struct actor* actor, u32 limit) {
    return random_below(&actor->random, limit);
}

static inline bool percent(struct actor* actor, u32 of_hundred) {
    return below(actor, 100) < of_hundred;
}

static inline u64 random64(struct actor* actor) {
    return (u64)below(actor, 1U << 31) << 33 ^ (u64)below(actor, 1U << 31) << 11 ^
           below(actor, 1U << 31);
}

#define ONE_OF(actor, array) ((array)[below((actor), COUNT(array))])

/* round.c: a process's life; does not return */
_Noreturn void round_run(struct world* world, u64 seed, u32 number);

/* world.c */
int world_open(struct world* world, const char* path); /* what all rounds share */
int world_enter(struct world* world, struct actor* actor);
int world_drain_keeper(struct world* world);
size_t queue_offset(const struct world* world, const struct fuzz_queue* queue);

/* setup.c: devices brought up as a good owner does it */
void device_open(struct actor* actor, struct fuzz_device* dev);
void device_close(struct actor* actor, struct fuzz_device* dev);
void device_bring_up(struct actor* actor, struct fuzz_device* dev);
void device_recover(struct actor* actor, struct fuzz_device* dev);
void device_switch_backend(struct actor* actor, struct fuzz_device* dev);
void device_toggle_log(struct actor* actor, struct fuzz_device* dev);
void device_harvest(struct actor* actor, struct fuzz_device* dev);
u64 plan_features(struct actor* actor);
u32 plan_num(struct actor* actor, u64 features);
int plan_tap(struct actor* actor, u64 features);
struct vhost_vring_addr ring_address(const struct world* world, const struct fuzz_device* dev,
                                     u32 index);
u32 plan_regions(struct actor* actor, struct vhost_memory_region* regions, u32 max);

/* calls.c: every call of a device is counted and noted */
int device_call(struct actor* actor, int fd, unsigned int call, void* arg);
void random_call(struct actor* actor, struct fuzz_device* dev);

/* messages.c: translations */
void messages_answer(struct actor* actor, struct fuzz_device* dev);
void messages_random(struct actor* actor, struct fuzz_device* dev);

/* memory.c: what happens to guest memory under the device */
void memory_disturb(struct actor* actor);
void memory_restore(struct actor* actor);

/* operate.c */
void operate(struct actor* actor);
_Noreturn void operate_child(struct actor* actor);

/* drive.c and mutate.c */
void* drive_main(void* actor);
void mutate_ring(struct actor* actor, struct fuzz_queue* queue);

#endif /* FUZZ_H */
