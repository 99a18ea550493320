/* SPDX-License-Identifier: GPL-2.0-only */
/* Buffers of one direction and how the driver gives and takes them. */
#ifndef TRAFFIC_H
#define TRAFFIC_H

#include <stdbool.h>

#include "options.h"
#include "vhost_dev.h"

#define SEGMENTS_MAX 17 /* a frame of 64 KiB in pages, and its header */

struct buffer {
    struct vq_seg segs[SEGMENTS_MAX];
    unsigned int count;
};

struct traffic {
    const struct options* options;
    struct guest_mem mem;
    struct fake_driver driver;
    struct fd_buf* private;
    struct buffer* buffers;
    struct buffer** idle; /* not in the ring, a stack */
    unsigned int idle_count;
    unsigned int heads; /* buffers that a frame takes */
    u64 features;
    /* what has come back */
    u64 heads_back;
    u64 bytes_back;
};

int traffic_init(struct traffic* traffic, const struct options* options);
void traffic_free(struct traffic* traffic);

/*
 * Stages up to @most buffers and shows them. Returns how many, with *kick: the
 * device asks to be told.
 */
unsigned int traffic_give(struct traffic* traffic, unsigned int most, bool* kick);

/* Takes back what was used. Returns how many buffers, or -EPROTO. */
int traffic_take(struct traffic* traffic);

/* Asks for a call; true: something has come back meanwhile. */
bool traffic_want_call(struct traffic* traffic);
void traffic_want_no_call(struct traffic* traffic);

/* Frames that have gone or come. */
u64 traffic_frames(const struct traffic* traffic);

#endif /* TRAFFIC_H */
