/* SPDX-License-Identifier: GPL-2.0-only */
/* The driver's half of a virtio-blk device: one queue, and requests that are made again and again.
 */
#ifndef RING_H
#define RING_H

#include "bench.h"

extern struct blk bench_blk;

/* What the driver is like, and its requests once it is made. */
struct blk_options ring_options(const struct bench* bench);
int ring_prepare(struct bench* bench);
/* Eventfds for a queue that no ioctl sets up; for one that has them, a call that is waited for. */
int ring_eventfds(void);
int ring_block(void);

/* Makes all idle requests available; kick: the device wants one. */
int ring_give(struct bench* bench, bool* kick);
/* Takes what has come back. How many, or negative errno. */
int ring_take(struct bench* bench);

#endif /* RING_H */
