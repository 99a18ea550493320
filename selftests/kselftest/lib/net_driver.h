/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A virtio-net driver of one queue pair in this process.
 *
 * Each queue has as many packet buffers as it has descriptors, in guest memory
 * behind the rings. The layers, from the one that a benchmark's loop uses up:
 *
 *	net_get, net_put        a free buffer
 *	net_add, net_show       made available, and the device kicked if it wants
 *	net_reap                one that came back
 *	net_send, net_receive   a packet, copied to and from segments of any size
 *
 * Only a kick and waiting are system calls. Nothing is copied or allocated
 * below net_send() and net_receive().
 */
#ifndef NET_DRIVER_H
#define NET_DRIVER_H

#include <linux/virtio_net.h>

#include "tap.h"
#include "vhost_dev.h"

enum { NET_RX = 0, NET_TX = 1, NET_QUEUES = 2 };

#define NET_MAX_SEGS 1024 /* of one buffer */
#define NET_CANARY 0xC5   /* what lies between segments */

struct net_buf {
    u8* base;
    u32 room; /* bytes at base, which are one piece in guest addresses too */
    u32 nsegs;
    u16 id;              /* as fd_add() returned it */
    struct vq_seg* segs; /* as they were made available; room for max_segs */
};

struct net_queue {
    struct fake_driver driver;
    struct vhost_queue vhost;
    const struct guest_mem* mem;
    struct net_buf* bufs;
    struct net_buf** free; /* a stack */
    u32 nfree;
    struct vq_seg* segs; /* of all buffers */
    u32 max_segs;
    struct fd_buf* fd_bufs;
    u64 kicks; /* that were signalled */
};

struct net_options {
    const char* path;         /* of the device; NULL: vhost_path() */
    u64 features;             /* to be negotiated; all must be offered */
    u32 num[NET_QUEUES];      /* ring sizes; 0: 256 */
    u32 room[NET_QUEUES];     /* bytes of a packet buffer; 0: 2048 */
    u32 max_segs;             /* of a buffer, and of an indirect table; 0: 16 */
    u32 regions;              /* of the memory table; 0: one */
    u64 position[NET_QUEUES]; /* of the first buffer: split: index; packed: slot | wrap << 15 (0:
                                 the start) */
    size_t spare;             /* bytes of guest memory left to the caller, at net->spare */
};

struct net_driver {
    struct vhost_dev dev;
    struct guest_mem mem;
    struct net_queue queue[NET_QUEUES];
    u64 features;
    u32 hdr_bytes; /* of the header before each packet in a buffer */
    u8* spare;
};

/* A header whose last field counts without MRG_RXBUF or VERSION_1 for nothing. */
typedef struct virtio_net_hdr_mrg_rxbuf net_hdr;

/*
 * Opens the device and sets up everything but the backend. -EOPNOTSUPP: the
 * device does not offer a wanted feature; nothing is said then.
 */
int net_open(struct net_driver* net, const struct net_options* options);
void net_close(struct net_driver* net);

/* Sets both queues' backend, or NO_FD. */
int net_start(struct net_driver* net, int tap_fd);
int net_stop(struct net_driver* net);

/*
 * Begins a queue anew, as after a virtqueue reset: backend off, rings
 * emptied, buffers free. The caller sets the backend again.
 */
int net_reset_queue(struct net_driver* net, u32 index);

/* The header that the tap must have for these features, in bytes; 0: none. */
int net_tap_hdr(u64 features);
u32 net_hdr_bytes(u64 features);

/* The hot path */

/* NULL if none is free. */
struct net_buf* net_get(struct net_queue* queue);
void net_put(struct net_queue* queue, struct net_buf* buf);

/* Makes buf->segs[0..nsegs) available with the next net_show(). 0, -ENOSPC, -EINVAL. */
int net_add(struct net_queue* queue, struct net_buf* buf, bool writable, enum fd_shape shape);

/* Shows what was added; true if the device was kicked. */
bool net_show(struct net_queue* queue);

/* 1 with a buffer that came back and the bytes written to it; 0; -EPROTO. */
int net_reap(struct net_queue* queue, struct net_buf** buf, u32* written);

/* Waits until net_reap() would give something. 0 or -ETIMEDOUT, -EPROTO. */
int net_wait(struct net_queue* queue, int milliseconds);

/* Laying out a buffer's segments */

/*
 * One segment per length, @gap bytes of NET_CANARY between them and behind the
 * last. false if the buffer has no room for that.
 */
bool net_layout(struct net_queue* queue, struct net_buf* buf, const u32* lens, u32 count, u32 gap);
/* The whole buffer as one segment of @bytes. */
void net_layout_flat(struct net_queue* queue, struct net_buf* buf, u32 bytes);
void net_scatter(struct net_queue* queue, struct net_buf* buf, u32 at, const void* from, u32 bytes);
void net_gather(struct net_queue* queue, const struct net_buf* buf, u32 at, void* to, u32 bytes);
/* Is all that lies between the segments as net_layout() left it? */
bool net_canaries_intact(struct net_queue* queue, const struct net_buf* buf);

/* Packets */

/* How a buffer is cut into segments. */
struct net_shape {
    u32 lens[8]; /* the first segments; the last one given repeats. lens[0] 0: one segment */
    u32 gap;
    enum fd_shape ring; /* FD_DIRECT... */
};

/* Fills lens[] for @bytes; returns how many, 0 if more than @max. */
u32 net_cut(const struct net_shape* shape, u32 bytes, u32* lens, u32 max);

/*
 * Stages one packet. 0, -ENOSPC (ring or buffers), -EINVAL (it does not fit).
 */
int net_send(struct net_driver* net, const net_hdr* hdr, const void* packet, u32 bytes,
             const struct net_shape* shape);
/* Takes back what the device is done with. Number of buffers or -EPROTO. */
int net_reap_sent(struct net_driver* net);

/* Adds up to @count rx buffers of @bytes each, header included. Returns how many. */
int net_fill(struct net_driver* net, u32 count, u32 bytes, const struct net_shape* shape);

struct net_packet {
    net_hdr hdr;
    u32 bytes;   /* of the packet, without header */
    u32 buffers; /* that it took */
    bool clean;  /* nothing was written between segments */
};

/*
 * Takes one packet: 1, 0 if there is none, -EPROTO (said why on stderr).
 * All its buffers are there once the first is: the device gives them together.
 */
int net_receive(struct net_driver* net, struct net_packet* packet, void* data, u32 room);
/* The same, waiting: -ETIMEDOUT. */
int net_receive_wait(struct net_driver* net, struct net_packet* packet, void* data, u32 room,
                     int milliseconds);

#endif /* NET_DRIVER_H */
