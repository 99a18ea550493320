/* SPDX-License-Identifier: GPL-2.0-only */
/* One run of the program: a driver, a device, and who else takes part. */
#ifndef RUN_H
#define RUN_H

#include "options.h"
#include "source.h"
#include "tasks.h"
#include "traffic.h"

struct run {
    struct options options;
    struct traffic traffic;
    struct vhost_dev dev;
    struct vhost_queue queue;
    struct source source;
    int wire; /* packet socket on the tap, for single frames */
    int tap;
    pid_t worker;
    u64 kicks;
    u64 calls;
};

/* Opens tap and device, and starts the queue. Returns 0 or -errno after a word on stderr. */
int run_open(struct run* run);

/* Each prints a line of JSON: what it measured. Or returns -errno after a word on stderr. */
int run_full(struct run* run);  /* the device, always with something to do */
int run_one(struct run* run);   /* the device, one frame at a time */
int run_floor(struct run* run); /* the tap alone */
int run_none(struct run* run);  /* driver and source alone */

/* The beginning of that line: what was measured. */
void run_print_head(const struct run* run);

/* What has been used up to a moment. */
struct sample {
    u64 clock;
    u64 busy;
    struct task_use worker;
    struct task_use driver;
    struct task_use source;
    u64 sent;
    u64 refused;
    u64 frames;
    u64 bytes;
    u64 kicks;
    u64 calls;
};

/* The profile (../plugin) counts what is done between the two. */
int sample_begin(const struct run* run, struct sample* sample);
int sample_end(const struct run* run, struct sample* sample);

/* Prints costs for a frame, and ends the line. */
int sample_print(const struct run* run, const struct sample* begin, const struct sample* end);

/* Takes what has come back, gives what is idle, kicks. Returns how many buffers came back. */
int run_turn(struct run* run);

/* Sleeps until the device calls. */
int run_sleep(struct run* run);

/* The same, unless it has something for us already; asks for the call. */
int run_wait(struct run* run);

#endif /* RUN_H */
