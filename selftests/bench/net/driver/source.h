/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The packet source: the kernel's pktgen, on the transmit side of a network
 * device. It sends as fast as it is let.
 */
#ifndef SOURCE_H
#define SOURCE_H

#include <sys/types.h>

#include "vq/vq.h"

struct source {
    const char* device;
    pid_t thread;  /* pktgen's */
    pid_t starter; /* our child, blocked for as long as pktgen runs */
};

/* Frames of @size bytes, @count of them or 0 for no end. Returns 0 or -errno. */
int source_prepare(struct source* source, const char* device, unsigned int size, u64 count);
int source_start(struct source* source);
int source_stop(struct source* source);   /* also one that has come to its end */
int source_finish(struct source* source); /* waits for its end */

/* Frames sent since the start, and those that the device refused. */
int source_sent(const struct source* source, u64* sent, u64* refused);

#endif /* SOURCE_H */
