/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * /dev/vireo-net: a queue pair of a network device over a tap.
 *
 * main.c has the file and its ioctls, backend.c the sockets that a queue can
 * be given, tx.c the way from the guest to the socket, rx.c the way back.
 */
#ifndef VIREO_NET_H
#define VIREO_NET_H

#include <linux/if_tun.h>
#include <linux/net.h>
#include <linux/virtio_net.h>

#include "frags.h"
#include "vireo.h"

/* As <linux/vhost.h> and virtio 1.2, 5.1.2 number them. */
enum { VIREO_NET_RX, VIREO_NET_TX, VIREO_NET_QUEUES };

#define VIREO_NET_F_MRG_RXBUF 15

/* A turn of a queue ends here, so that others get theirs. */
#define VIREO_NET_PACKETS 256
#define VIREO_NET_BYTES 0x80000

/**
 * struct vireo_net_queue - what both directions have
 * @q: the core's queue; its backend is a struct socket
 * @poll: waits for the socket: packets (rx), room (tx)
 * @hdr_len: bytes of the virtio header before each packet in guest memory
 * @sock_hlen: bytes of it that pass through the socket: all or none
 */
struct vireo_net_queue {
	struct vireo_queue q;
	struct vireo_poll poll;
	u32 hdr_len;
	u32 sock_hlen;
};

/**
 * struct vireo_net_tx - from the guest to the socket
 * @nq: what both have
 * @frags: pages that packets are copied to
 * @xdp: packets that wait to be handed over together
 * @n: how many; 0 between turns
 */
struct vireo_net_tx {
	struct vireo_net_queue nq;
	struct vireo_frags frags;
	struct xdp_buff *xdp;
	u32 n;
};

/**
 * struct vireo_net_rx - from the socket to the guest
 * @nq: what both have
 * @ring: the tap's packets; NULL: the socket is no tap
 * @packets: taken from @ring
 * @done: first of those that were delivered and are not freed yet
 * @head: first of those that were not delivered yet
 * @tail: behind the last
 * @popped: chains that were popped in this turn
 * @taken: chains of the packet under way, from @next on
 * @niov: entries of q->iov that they have
 * @msg: for the socket; all zero but for what a packet sets
 * @staged: in q->used, from here on entries are not published yet
 * @next: in q->chains, the first chain that is popped and not used
 * @end: behind the last that is popped
 *
 * Between turns @done and @head are equal, and so are @staged, @next and @end.
 */
struct vireo_net_rx {
	struct vireo_net_queue nq;
	struct ptr_ring *ring;
	void *packets[VIREO_BATCH];
	u32 done;
	u32 head;
	u32 tail;
	u32 staged;
	u32 next;
	u32 end;
	u32 popped;
	u32 taken;
	u32 niov;
	struct msghdr msg;
};

struct vireo_net {
	struct vireo_dev dev;
	struct vireo_net_rx rx;
	struct vireo_net_tx tx;
	struct vireo_queue *queues[VIREO_NET_QUEUES];
};

static inline struct vireo_net_queue *to_net_queue(struct vireo_queue *q)
{
	return container_of(q, struct vireo_net_queue, q);
}

/* backend.c */
struct socket *vireo_net_socket(int fd);
struct ptr_ring *vireo_net_ring(struct socket *sock);

/* tx.c */
int vireo_net_tx_init(struct vireo_net_tx *tx);
void vireo_net_tx_free(struct vireo_net_tx *tx);
void vireo_net_tx_run(struct vireo_queue *q);

/* rx.c */
void vireo_net_rx_run(struct vireo_queue *q);
void vireo_net_rx_return(struct vireo_net_rx *rx);

#endif /* VIREO_NET_H */
