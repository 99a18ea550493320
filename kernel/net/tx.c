// SPDX-License-Identifier: GPL-2.0-only
/*
 * From the guest to the socket.
 *
 * Small packets are copied to page fragments, headroom in front, as the tap
 * wants them to build packets without another copy, and go to it in batches.
 * Large ones, and all packets to a socket whose queue is limited, go one by
 * one from guest memory. Packets of a queue keep their order: a batch goes
 * before a single one.
 *
 * A socket that takes no more stops the queue: the chains go back to the ring,
 * and when the socket has room again, its poll gives the queue a turn.
 */
#include <linux/module.h>
#include <linux/skbuff.h>
#include <linux/slab.h>
#include <net/sock.h>
#include <net/xdp.h>

#include "access.h"
#include "net.h"

/* Room in front of a packet for the stack to put headers. */
#define TX_PAD (NET_IP_ALIGN + NET_SKB_PAD)

/* What a turn knows about its socket. */
struct tx_turn {
	struct vireo_net_tx *tx;
	struct socket *sock;
	bool batching;
	u32 pad;
	u32 chains;
	u32 packets;
	u64 bytes;
};

int vireo_net_tx_init(struct vireo_net_tx *tx)
{
	tx->n = 0;
	tx->xdp = kvmalloc_array(VIREO_BATCH, sizeof(*tx->xdp), GFP_KERNEL_ACCOUNT);
	return tx->xdp ? 0 : -ENOMEM;
}

void vireo_net_tx_free(struct vireo_net_tx *tx)
{
	vireo_frags_free(&tx->frags);
	kvfree(tx->xdp);
}

/* Hand the batch over. The tap takes all, or is gone and takes none. */
static void tx_flush(struct tx_turn *turn)
{
	struct vireo_net_tx *tx = turn->tx;
	struct tun_msg_ctl ctl = { .type = TUN_MSG_PTR, .num = tx->n, .ptr = tx->xdp };
	struct msghdr msg = {
		.msg_control = &ctl,
		.msg_controllen = sizeof(ctl),
		.msg_flags = MSG_DONTWAIT,
	};
	u32 i;

	if (!tx->n)
		return;
	if (unlikely(turn->sock->ops->sendmsg(turn->sock, &msg, 0) < 0)) {
		tx->nq.q.stats.backend_errors += tx->n;
		turn->packets -= tx->n;
		for (i = 0; i < tx->n; i++) {
			turn->bytes -= tx->xdp[i].data_end - tx->xdp[i].data;
			page_frag_free(tx->xdp[i].data_hard_start);
		}
	}
	tx->n = 0;
}

/*
 * virtio 1.2, 5.1.6.2: a checksum lies within the headers. The tap keeps as
 * much in one piece as hdr_len says, so it has to reach behind the checksum.
 */
static bool tx_header_ok(struct virtio_net_hdr *hdr, u32 len)
{
	u32 need;

	if (!(hdr->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM))
		return true;
	need = le16_to_cpu((__force __le16)hdr->csum_start) +
	       le16_to_cpu((__force __le16)hdr->csum_offset) + sizeof(__sum16);
	if (need <= le16_to_cpu((__force __le16)hdr->hdr_len))
		return true;
	if (need > len)
		return false;
	hdr->hdr_len = (__force __virtio16)cpu_to_le16(need);
	return true;
}

/* Does a packet of @len bytes fit a fragment? */
static bool tx_fits(const struct tx_turn *turn, u32 len)
{
	return SKB_DATA_ALIGN(turn->pad + len) + SKB_DATA_ALIGN(sizeof(struct skb_shared_info)) <=
	       PAGE_SIZE;
}

/*
 * The header of a packet, of 0, 10 or 12 bytes, in as many reads as it has
 * words. @hdr has room for more than a struct virtio_net_hdr.
 */
static int tx_header_get(void *hdr, const void __user *from, u32 len)
{
	if (!len)
		return 0;
	if (!user_access_begin(from, len))
		return -EFAULT;
	unsafe_get_user(*(u64 *)hdr, (const u64 __user *)from, fault);
	if (likely(len == sizeof(struct virtio_net_hdr_mrg_rxbuf)))
		unsafe_get_user(*(u32 *)(hdr + 8), (const u32 __user *)(from + 8), fault);
	else
		unsafe_get_user(*(u16 *)(hdr + 8), (const u16 __user *)(from + 8), fault);
	user_access_end();
	return 0;
fault:
	user_access_end();
	return -EFAULT;
}

/* Header and payload from guest memory. */
static int tx_copy(struct vireo_net_queue *nq, const struct vq_seg *segs, void *hdr, void *data,
		   u32 len)
{
	void __user *from = NULL;
	int err;

	if (likely(segs->len == nq->hdr_len + len))
		from = vireo_translate_hot(&nq->q, segs->addr, segs->len, VHOST_ACCESS_RO);
	if (likely(from)) {
		err = tx_header_get(hdr, from, nq->sock_hlen);
		return err ?: vireo_copy_from_user(data, from + nq->hdr_len, len);
	}
	err = vireo_copy_from_guest(&nq->q, segs, 0, hdr, nq->sock_hlen);
	return err ?: vireo_copy_from_guest(&nq->q, segs, nq->hdr_len, data, len);
}

/*
 * Copy a packet of @len bytes and its header to a fragment, and add it to the
 * batch. 0, or a negative errno: the chain was not used.
 */
static int tx_add(struct tx_turn *turn, const struct vq_seg *segs, u32 len)
{
	struct vireo_net_tx *tx = turn->tx;
	struct vireo_net_queue *nq = &tx->nq;
	u32 buflen = SKB_DATA_ALIGN(turn->pad + len) +
		     SKB_DATA_ALIGN(sizeof(struct skb_shared_info));
	struct xdp_buff *xdp;
	struct tun_xdp_hdr *hdr;
	int err;

	if (unlikely(!vireo_frags_has(&tx->frags, buflen))) {
		/* What the stack is done with then can be used again. */
		tx_flush(turn);
		if (vireo_frags_refill(&tx->frags, buflen))
			return -ENOMEM;
	}
	hdr = vireo_frags_get(&tx->frags, buflen);
	hdr->buflen = buflen;
	hdr->gso = (struct virtio_net_hdr){};
	err = tx_copy(nq, segs, &hdr->gso, (void *)hdr + turn->pad, len);
	if (unlikely(err)) {
		vireo_memory_error(&nq->q, err);
		goto err_free;
	}
	if (unlikely(!tx_header_ok(&hdr->gso, len))) {
		nq->q.stats.drops++;
		goto err_free;
	}
	xdp = &tx->xdp[tx->n];
	xdp_init_buff(xdp, buflen, NULL);
	xdp_prepare_buff(xdp, (void *)hdr, turn->pad, len, true);
	turn->packets++;
	turn->bytes += len;
	if (++tx->n == VIREO_BATCH)
		tx_flush(turn);
	return 0;

err_free:
	page_frag_free(hdr);
	return err;
}

/* Send a packet of @len bytes from where it is. Return as tx_add(). */
static int tx_send(struct tx_turn *turn, const struct vq_seg *segs, u32 nsegs, u32 len, bool more)
{
	struct vireo_net_queue *nq = &turn->tx->nq;
	struct vireo_queue *q = &nq->q;
	struct msghdr msg = { .msg_flags = MSG_DONTWAIT | (more ? MSG_MORE : 0) };
	int n, ret;

	n = vireo_translate_iov(q, segs, nsegs, VHOST_ACCESS_RO, q->iov, VIREO_MAX_SEGS);
	if (unlikely(n == -E2BIG)) {
		q->stats.drops++;
		return 0;
	}
	if (unlikely(n < 0))
		return vireo_memory_error(q, n);
	tx_flush(turn);
	iov_iter_init(&msg.msg_iter, ITER_SOURCE, q->iov, n, nq->hdr_len + len);
	iov_iter_advance(&msg.msg_iter, nq->hdr_len - nq->sock_hlen);
	ret = turn->sock->ops->sendmsg(turn->sock, &msg, nq->sock_hlen + len);
	switch (ret) {
	case -EAGAIN:
	case -ENOMEM:
	case -ENOBUFS:
		return -ENOBUFS;
	case -EFAULT:
		return vireo_memory_error(q, ret);
	}
	if (unlikely(ret < 0)) {
		q->stats.backend_errors++;
		return 0;
	}
	turn->packets++;
	turn->bytes += len;
	return 0;
}

/*
 * One chain. 0: it is done with, also if its packet was dropped; negative: it
 * goes back to the ring, and the turn ends.
 */
static int tx_chain(struct tx_turn *turn, struct vq_chain *chain, bool more)
{
	struct vireo_net_queue *nq = &turn->tx->nq;
	struct vq_seg *segs;
	u64 len = 0;
	int err;
	u32 i;

	err = vireo_expand(&nq->q, chain, &segs);
	if (unlikely(err))
		return err;
	if (unlikely(chain->nin)) {
		vireo_queue_break(&nq->q, VIREO_ERROR_DIRECTION);
		return -EPROTO;
	}
	for (i = 0; i < chain->nout; i++)
		len += segs[i].len;
	/* Behind the virtio header comes an Ethernet frame; the tap counts with 16 bits. */
	if (unlikely(len < nq->hdr_len + ETH_HLEN || len - nq->hdr_len > U16_MAX + ETH_HLEN)) {
		nq->q.stats.drops++;
		return 0;
	}
	len -= nq->hdr_len;
	if (likely(turn->batching && tx_fits(turn, len)))
		return tx_add(turn, segs, len);
	return tx_send(turn, segs, chain->nout, len, more);
}

/* The chains that were popped. 0, or negative: the turn is over. */
static int tx_batch(struct tx_turn *turn, u32 n)
{
	struct vireo_queue *q = &turn->tx->nq.q;
	int err = 0;
	u32 i;

	for (i = 0; i < n; i++) {
		err = tx_chain(turn, &q->chains[i], i + 1 < n);
		if (unlikely(err))
			break;
		vq_stage(&q->used[i], &q->chains[i], 0);
	}
	tx_flush(turn);
	vireo_unpop(q, i, n - i);
	if (unlikely(vireo_publish(q, 0, i)))
		return -EFAULT;
	if (unlikely(err == -ENOBUFS || err == -ENOMEM)) {
		q->stats.stalls++;
		/* A socket that is gone has no room ever; sending says so. */
		if (vireo_poll_start(&turn->tx->nq.poll, turn->sock->file))
			vireo_queue_again(q);
	}
	return err;
}

/* A turn, up to its budget. */
void vireo_net_tx_run(struct vireo_queue *q)
{
	struct vireo_net_tx *tx = container_of(q, struct vireo_net_tx, nq.q);
	struct socket *sock = q->backend;
	struct tx_turn turn = {
		.tx = tx,
		.sock = sock,
		.batching = sock->sk->sk_sndbuf == INT_MAX,
		.pad = SKB_DATA_ALIGN(TX_PAD + tx->nq.sock_hlen +
				      (sock_flag(sock->sk, SOCK_XDP) ? XDP_PACKET_HEADROOM : 0)),
	};
	int n;

	vireo_poll_stop(&tx->nq.poll);
	if (vireo_disable_kick(q))
		return;
	while (turn.chains < VIREO_NET_PACKETS && turn.bytes < VIREO_NET_BYTES) {
		n = vireo_pop(q, 0, VIREO_BATCH);
		if (n < 0)
			goto out;
		turn.chains += n;
		if (n) {
			if (tx_batch(&turn, n))
				goto out;
			continue;
		}
		if (vireo_busy_poll(q, NULL))
			continue;
		if (vireo_enable_kick(q, 0) <= 0)
			goto out;
		if (vireo_disable_kick(q))
			goto out;
	}
	vireo_queue_again(q);
out:
	q->stats.packets += turn.packets;
	q->stats.bytes += turn.bytes;
}
