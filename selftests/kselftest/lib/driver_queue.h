/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What every driver program does with a ring that a device serves: begin, tell
 * the device, wait for its call.
 */
#ifndef DRIVER_QUEUE_H
#define DRIVER_QUEUE_H

#include "vhost_dev.h"

/* Opens the device, takes it, and agrees on features; -EOPNOTSUPP: one is not offered. */
int driver_open(struct vhost_dev* dev, const char* path, u64 features);

/*
 * An empty ring. position: of the first buffer: split: index; packed: slot |
 * wrap << 15 (0: the start).
 */
int driver_begin(struct fake_driver* driver, const struct fd_setup* setup, u64 position);

/* Shows what was added; true if the device was kicked, which is counted. */
bool driver_show(struct fake_driver* driver, const struct vhost_queue* vhost, u64* kicks);

/* Waits until something has come back. 0 or -ETIMEDOUT. */
int driver_wait(struct fake_driver* driver, const struct vhost_queue* vhost, int milliseconds);

#endif /* DRIVER_QUEUE_H */
