/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A virtio-blk driver in this process: rings and buffers of some queues in
 * guest memory, and requests of any shape in them.
 *
 * Each queue has as many requests as its ring has descriptors, and each of
 * them a piece of guest memory, in which what lies between its segments is
 * filled with BLK_CANARY. The layers, from the one that a benchmark's loop
 * uses up:
 *
 *	blk_get, blk_put        a free request
 *	blk_fill                what it asks for, cut into segments
 *	blk_add, blk_show       made available, and the device kicked if it wants
 *	blk_reap, blk_wait      one that came back
 *	blk_ask                 all of that for one request
 *
 * Only a kick and waiting are system calls. Queues of one driver may be used
 * by a thread each.
 */
#ifndef BLK_DRIVER_H
#define BLK_DRIVER_H

#include <linux/virtio_blk.h>

#include "vhost_dev.h"

#define BLK_MAX_QUEUES VIREO_BLK_QUEUES
#define BLK_MAX_SEGS 1100 /* of one request */
#define BLK_CANARY 0xC5
#define BLK_NO_STATUS 0xEE /* what the status is before the device writes it */
#define BLK_SECTOR 512U
#define BLK_HDR 16U

/* Feature bits, as in <linux/virtio_blk.h>. */
#define F_BLK_RO F_BIT(VIRTIO_BLK_F_RO)
#define F_BLK_FLUSH F_BIT(VIRTIO_BLK_F_FLUSH)
#define F_BLK_CONFIG_WCE F_BIT(VIRTIO_BLK_F_CONFIG_WCE)
#define F_BLK_MQ F_BIT(VIRTIO_BLK_F_MQ)
#define F_BLK_DISCARD F_BIT(VIRTIO_BLK_F_DISCARD)
#define F_BLK_WRITE_ZEROES F_BIT(VIRTIO_BLK_F_WRITE_ZEROES)
/* What a usual driver negotiates, on a split ring. */
#define BLK_USUAL                                                                           \
    (F_VERSION_1 | F_EVENT_IDX | F_INDIRECT_DESC | F_BLK_FLUSH | F_BLK_MQ | F_BLK_DISCARD | \
     F_BLK_WRITE_ZEROES)

/*
 * How the two parts of a request are cut into segments: what the device reads
 * (header, then data) and what it writes (data, then status). Without cuts of
 * its own a part is cut where a usual driver does: behind the header, and
 * before the status.
 */
#define BLK_CUTS 8
struct blk_shape {
    u32 out_cuts[BLK_CUTS]; /* byte positions, ascending, up to the first 0 */
    u32 in_cuts[BLK_CUTS];
    u32 every;  /* cut there too, every so many bytes of data; 0: not */
    bool whole; /* no usual cut: each part is one segment, but for the cuts above */
    u32 align;  /* segments begin at a multiple of it; 0: 512 ... */
    u32 off;    /* ... and so many bytes */
    enum fd_shape ring;
};

struct blk_request {
    u8* base; /* its memory */
    u32 room;
    u32 type;
    u64 sector;
    u32 out_bytes; /* header and data */
    u32 in_bytes;  /* data and status */
    u32 nout;      /* segments */
    u32 nin;
    struct vq_seg* segs;
    u32 dirty;   /* bytes of its memory that are not BLK_CANARY any more */
    u32 written; /* that the device says it wrote */
    u64 number;  /* the test's */
    void* owner; /* the test's */
};

struct blk_queue {
    struct fake_driver driver;
    struct vhost_queue vhost;
    const struct guest_mem* mem;
    struct blk_request* requests;
    struct blk_request** free; /* a stack */
    u32 nfree;
    struct vq_seg* segs;
    u32 max_segs;
    struct fd_buf* fd_bufs;
    u64 kicks;
};

struct blk_options {
    const char* path; /* of the device; NULL: blk_path() */
    u64 features;     /* to be negotiated; all must be offered */
    u32 queues;       /* 0: 1 */
    u32 num;          /* ring size; 0: 128 */
    u32 room;         /* bytes of a request's memory; 0: 40 KiB */
    u32 max_segs;     /* of a request, and of an indirect table; 0: 16 */
    u32 regions;      /* of the memory table; 0: one */
    u64 position;     /* of the first buffer, as in net_options */
    bool shared;      /* guest memory is a memfd, mem_fd */
    u8* memory;       /* guest memory is there already: zeroed, and it stays */
    size_t memory_bytes;
    size_t spare; /* bytes of guest memory left to the caller, at blk->spare */
};

struct blk {
    struct vhost_dev dev;
    struct guest_mem mem;
    int mem_fd;
    bool borrowed; /* the memory is the caller's */
    u64 features;
    u32 queues;
    struct blk_queue queue[BLK_MAX_QUEUES];
    u8* spare;
};

/* $VIREO_BLK_DEV, or /dev/vireo-blk. */
const char* blk_path(void);

/* Memory and rings only; no device. */
int blk_make(struct blk* blk, const struct blk_options* options);
/*
 * The same, and a device that knows of them: all is set up but the disk.
 * -EOPNOTSUPP: the device does not offer a wanted feature; nothing is said.
 */
int blk_open(struct blk* blk, const struct blk_options* options);
void blk_close(struct blk* blk);

int blk_set_disk(struct blk* blk, int fd);
int blk_get_config(struct blk* blk, struct vireo_blk_config* config);
int blk_set_config(struct blk* blk, const struct vireo_blk_config* config);
/* Makes a queue live, or stops it, which waits for what is in flight. */
int blk_set_running(struct blk* blk, u32 queue, bool on);
/* Sets the disk, and makes all queues live. */
int blk_start(struct blk* blk, int fd);
/* Stops all queues. */
int blk_stop(struct blk* blk);
/* Begins a queue anew, as after a virtqueue reset; it is stopped then. */
int blk_reset_queue(struct blk* blk, u32 queue);

/* Requests */

struct blk_request* blk_get(struct blk_queue* queue); /* NULL if none is free */
void blk_put(struct blk_queue* queue, struct blk_request* request);

/*
 * A request with @out_bytes of data behind its header (data: NULL leaves
 * BLK_CANARY there), and room for @in_bytes and a status. -EINVAL: no room.
 */
int blk_fill(struct blk_queue* queue, struct blk_request* request, u32 type, u64 sector,
             const void* data, u32 out_bytes, u32 in_bytes, const struct blk_shape* shape);
/* Any two parts, also such as no driver makes; the device reads @out. */
int blk_fill_raw(struct blk_queue* queue, struct blk_request* request, const void* out,
                 u32 out_bytes, u32 in_bytes, const struct blk_shape* shape);

int blk_add(struct blk_queue* queue, struct blk_request* request, enum fd_shape ring);
bool blk_show(struct blk_queue* queue);

/* 1 with a request that came back; 0; -EPROTO, said why. */
int blk_reap(struct blk_queue* queue, struct blk_request** request);
/* The same, waiting for a call: -ETIMEDOUT. */
int blk_reap_wait(struct blk_queue* queue, struct blk_request** request, int milliseconds);
/* Waits until blk_reap() would give something. 0 or -ETIMEDOUT. */
int blk_wait(struct blk_queue* queue, int milliseconds);

u8 blk_status(const struct blk_queue* queue, const struct blk_request* request);
/* What the device wrote, from byte @at of its part on. */
void blk_in(const struct blk_queue* queue, const struct blk_request* request, u32 at, void* to,
            u32 bytes);
/* Is all that the device may not write as it was made? */
bool blk_intact(const struct blk_queue* queue, const struct blk_request* request);

struct blk_answer {
    u8 status; /* BLK_NO_STATUS: not written */
    u32 written;
    bool intact;
};

/*
 * One request from beginning to end. in: may be NULL. 0, or -ENOSPC, -EINVAL,
 * -ETIMEDOUT, -EPROTO.
 */
int blk_ask(struct blk_queue* queue, u32 type, u64 sector, const void* out, u32 out_bytes, void* in,
            u32 in_bytes, const struct blk_shape* shape, struct blk_answer* answer);

#endif /* BLK_DRIVER_H */
