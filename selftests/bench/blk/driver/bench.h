/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One run of the program. Somebody does requests of 4 KiB, as many at a time as
 * depth says: the kernel itself, asked by io_uring or libaio, or a virtio-blk
 * device whose driver this program is.
 */
#ifndef BENCH_H
#define BENCH_H

#include "blk_driver.h"
#include "options.h"

#define BENCH_BYTES 4096U
#define BENCH_SPAN (16U << 20) /* bytes of the disk that are used, over and over */

struct bench {
    struct options options;
    int disk;
    u32 next; /* request: where on the disk it is */
    u64 done;
    u64 kicks;
    u64 calls;
    pid_t worker; /* of the device; 0: there is none, or none of its own */
    double alone; /* path=driver: what the driver costs for a request */
};

/* Where the next request goes, in bytes. */
static inline u64 bench_offset(struct bench* bench) {
    return (u64)bench->next++ * BENCH_BYTES % BENCH_SPAN;
}

/* A way to do I/O. drive() returns when so many more requests are done. */
struct path {
    const char* name;
    int (*open)(struct bench* bench);
    int (*drive)(struct bench* bench, u64 requests);
};

/* Asking the kernel. */
int uring_open(struct bench* bench);
int uring_drive(struct bench* bench, u64 requests);
int aio_open(struct bench* bench);
int aio_drive(struct bench* bench, u64 requests);

/* Being the driver of a device: vhost, vhost-user, in this process, or of nobody. */
int vhost_path_open(struct bench* bench);
int vhost_user_open(struct bench* bench);
int user_open(struct bench* bench);
int ring_drive(struct bench* bench, u64 requests);
int alone_open(struct bench* bench);
int alone_drive(struct bench* bench, u64 requests);

#endif /* BENCH_H */
