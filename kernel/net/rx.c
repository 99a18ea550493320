// SPDX-License-Identifier: GPL-2.0-only
/*
 * From the socket to the guest.
 *
 * Packets are taken from the tap's ring in batches. For each, chains are taken
 * from the virtqueue until they hold it: one, or with mergeable buffers as many
 * as it takes. The socket copies the packet there. Used entries are published
 * in batches too.
 *
 * A packet leaves us only to a guest's buffer. While the guest has none, up to
 * a batch of packets waits here and the rest in the tap; a kick goes on. When
 * the queue stops, what waits here goes back to the tap.
 */
#include <linux/if_vlan.h>
#include <linux/ptr_ring.h>
#include <linux/skbuff.h>
#include <net/sock.h>
#include <net/xdp.h>

#include "access.h"
#include "net.h"

/* Results of rx_collect() and rx_packet(), beside 0 and errors that end a turn. */
#define RX_NO_BUFFERS 1
#define RX_TOO_SMALL 2

/* Give packets that were not delivered back to the tap, in their order. */
void vireo_net_rx_return(struct vireo_net_rx *rx)
{
	if (rx->ring && rx->head != rx->tail)
		ptr_ring_unconsume(rx->ring, rx->packets + rx->head, rx->tail - rx->head,
				   tun_ptr_free);
	rx->head = 0;
	rx->tail = 0;
	rx->done = 0;
}

/*
 * Free the skbs that were delivered, a batch of them at once: so they go back
 * to their allocator in bulk, as a network driver's do. What serves for that
 * belongs to the CPU's softirqs, which are kept away.
 */
static void rx_release(struct vireo_net_rx *rx)
{
	if (rx->done == rx->head)
		return;
	local_bh_disable();
	for (; rx->done < rx->head; rx->done++)
		napi_consume_skb(rx->packets[rx->done], 1);
	local_bh_enable();
}

static u32 socket_next(struct sock *sk)
{
	struct sk_buff *skb;
	unsigned long flags;
	u32 len = 0;

	spin_lock_irqsave(&sk->sk_receive_queue.lock, flags);
	skb = skb_peek(&sk->sk_receive_queue);
	if (skb)
		len = skb->len + (skb_vlan_tag_present(skb) ? VLAN_HLEN : 0);
	spin_unlock_irqrestore(&sk->sk_receive_queue.lock, flags);
	return len;
}

/* Bytes of the next packet, without a header; 0: there is none. */
static u32 rx_next(struct vireo_net_rx *rx, struct socket *sock)
{
	struct sk_buff *skb;
	void *packet;

	if (unlikely(!rx->ring))
		return socket_next(sock->sk);
	if (rx->head == rx->tail) {
		rx_release(rx);
		rx->head = 0;
		rx->done = 0;
		rx->tail = ptr_ring_consume_batched(rx->ring, rx->packets, VIREO_BATCH);
		if (!rx->tail)
			return 0;
	}
	packet = rx->packets[rx->head];
	if (unlikely(tun_is_xdp_frame(packet)))
		return tun_ptr_to_xdp(packet)->len;
	skb = packet;
	return skb->len + (skb_vlan_tag_present(skb) ? VLAN_HLEN : 0);
}

static bool rx_ready(struct vireo_queue *q)
{
	struct vireo_net_rx *rx = container_of(q, struct vireo_net_rx, nq.q);
	struct socket *sock = q->backend;

	/* Under its lock: a tap's ring is another when its length changes. */
	if (rx->ring)
		return !ptr_ring_empty(rx->ring);
	return !skb_queue_empty_lockless(&sock->sk->sk_receive_queue);
}

/* Publish what is staged. When nothing is popped beyond, begin anew. */
static int rx_publish(struct vireo_net_rx *rx)
{
	int err = vireo_publish(&rx->nq.q, rx->staged, rx->next - rx->staged);

	rx->staged = rx->next;
	if (rx->next == rx->end) {
		rx->staged = 0;
		rx->next = 0;
		rx->end = 0;
	}
	return err;
}

/* Pop more chains behind those that there are. Their number, or negative. */
static int rx_pop(struct vireo_net_rx *rx)
{
	u32 waiting = rx->ring ? rx->tail - rx->head : 1;
	struct vireo_queue *q = &rx->nq.q;
	u32 keep;
	int n;

	if (unlikely(rx->end == VIREO_MAX_CHAINS)) {
		/* In the midst of a packet: move its chains to the beginning. */
		if (vireo_publish(q, rx->staged, rx->next - rx->staged))
			return -EFAULT;
		keep = rx->end - rx->next;
		memmove(q->chains, q->chains + rx->next, keep * sizeof(*q->chains));
		memmove(q->used, q->used + rx->next, keep * sizeof(*q->used));
		rx->staged = 0;
		rx->next = 0;
		rx->end = keep;
		if (keep == VIREO_MAX_CHAINS)
			return -E2BIG;
	}
	n = vireo_pop(q, rx->end, waiting);
	if (n > 0) {
		rx->end += n;
		rx->popped += n;
	}
	return n;
}

/*
 * Put the chains that were popped and not used back. Also when they are wanted
 * for the next packet: one whose table was read does not know it any more.
 */
static void rx_unpop(struct vireo_net_rx *rx)
{
	vireo_unpop(&rx->nq.q, rx->next, rx->end - rx->next);
	rx->end = rx->next;
}

/*
 * Find buffers for @need bytes: q->iov is where they are, used entries for
 * their chains are staged from q->used[rx->next] on.
 *
 * Return: 0; RX_NO_BUFFERS, RX_TOO_SMALL; or negative: the turn is over.
 */
static int rx_collect(struct vireo_net_rx *rx, u32 need)
{
	struct vireo_queue *q = &rx->nq.q;
	bool mergeable = vireo_has(q, VIREO_NET_F_MRG_RXBUF);
	u32 taken = 0, count = 0, left = need;
	struct vq_chain *chain;
	struct vq_seg *segs;
	u64 len;
	int n, i;

	do {
		if (rx->next + taken == rx->end) {
			n = rx_pop(rx);
			if (n == -E2BIG)
				return RX_TOO_SMALL;
			if (n <= 0)
				return n ?: RX_NO_BUFFERS;
		}
		chain = &q->chains[rx->next + taken];
		n = vireo_expand(q, chain, &segs);
		if (unlikely(n))
			return n;
		if (unlikely(chain->nout || !chain->nin)) {
			vireo_queue_break(q, VIREO_ERROR_DIRECTION);
			return -EPROTO;
		}
		n = vireo_translate_iov(q, segs, chain->nin, VHOST_ACCESS_WO, q->iov + count,
					VIREO_MAX_SEGS - count);
		if (unlikely(n == -E2BIG))
			return RX_TOO_SMALL;
		if (unlikely(n < 0))
			return vireo_memory_error(q, n);
		for (len = 0, i = 0; i < n; i++)
			len += q->iov[count + i].iov_len;
		count += n;
		len = min_t(u64, len, left);
		vq_stage(&q->used[rx->next + taken], chain, len);
		left -= len;
		taken++;
	} while (left && mergeable);
	rx->taken = taken;
	rx->niov = count;
	return left ? RX_TOO_SMALL : 0;
}

/*
 * rx_collect() as it goes nearly always: the next chain is one segment, lies
 * where the last one did, and holds the packet. False: it is not so.
 */
static bool rx_collect_plain(struct vireo_net_rx *rx, u32 need)
{
	struct vireo_queue *q = &rx->nq.q;
	const struct vq_chain *chain = &q->chains[rx->next];
	const struct vq_seg *seg;

	if (unlikely(rx->next == rx->end || chain->table_len || chain->nout || chain->nin != 1))
		return false;
	seg = &q->segs[chain->first];
	if (unlikely(seg->len < need))
		return false;
	q->iov->iov_base = vireo_translate_hot(q, seg->addr, seg->len, VHOST_ACCESS_WO);
	if (unlikely(!q->iov->iov_base))
		return false;
	q->iov->iov_len = seg->len;
	vq_stage(&q->used[rx->next], chain, need);
	rx->taken = 1;
	rx->niov = 1;
	return true;
}

/* Write to a buffer that has at least @offset + @len bytes. */
static int rx_put(const struct iovec *iov, u32 offset, const void *from, u32 len)
{
	u32 here;

	for (; offset >= iov->iov_len; iov++)
		offset -= iov->iov_len;
	for (; len; iov++, offset = 0) {
		here = min_t(u32, len, iov->iov_len - offset);
		if (vireo_copy_to_user(iov->iov_base + offset, from, here))
			return -EFAULT;
		from += here;
		len -= here;
	}
	return 0;
}

/*
 * virtio 1.2, 5.1.6.4.1: num_buffers is there, and says how many, whenever
 * the header has the field.
 */
static int rx_header(struct vireo_net_rx *rx)
{
	struct virtio_net_hdr_mrg_rxbuf hdr = {};
	const struct iovec *iov = rx->nq.q.iov;
	__le16 n = cpu_to_le16(rx->taken);
	u32 offset = offsetof(struct virtio_net_hdr_mrg_rxbuf, num_buffers);

	if (unlikely(!rx->nq.sock_hlen)) {
		hdr.num_buffers = (__force __virtio16)n;
		return rx_put(iov, 0, &hdr, rx->nq.hdr_len);
	}
	if (rx->nq.hdr_len < sizeof(hdr))
		return 0;
	if (likely(iov->iov_len >= sizeof(hdr)))
		return __put_user(n, (__le16 __user *)(iov->iov_base + offset));
	return rx_put(iov, offset, &n, sizeof(n));
}

/* Take the next packet and throw it away. */
static void rx_drop(struct vireo_net_rx *rx, struct socket *sock)
{
	struct msghdr msg = {};

	rx->nq.q.stats.drops++;
	if (rx->ring) {
		tun_ptr_free(rx->packets[rx->head]);
		rx->packets[rx->head++] = NULL;
	} else {
		sock->ops->recvmsg(sock, &msg, 0, MSG_DONTWAIT | MSG_TRUNC);
	}
}

/*
 * The next packet, for the socket to deliver and drop its reference. An skb has
 * one more, for rx_release(); a frame has none.
 */
static void *rx_take(struct vireo_net_rx *rx)
{
	void *packet = rx->packets[rx->head];

	if (likely(!tun_is_xdp_frame(packet)))
		skb_get(packet);
	else
		rx->packets[rx->head] = NULL;
	rx->head++;
	return packet;
}

/* The next packet, of @len bytes, to the guest. Return as rx_collect(). */
static int rx_packet(struct vireo_net_rx *rx, struct socket *sock, u32 len)
{
	struct vireo_queue *q = &rx->nq.q;
	u32 need = rx->nq.hdr_len + len;
	struct msghdr *msg = &rx->msg;
	int ret;

	if (unlikely(!rx_collect_plain(rx, need))) {
		ret = rx_collect(rx, need);
		if (ret)
			return ret;
	}
	if (likely(rx->ring))
		msg->msg_control = rx_take(rx);
	if (likely(rx->niov == 1))
		iov_iter_ubuf(&msg->msg_iter, ITER_DEST, q->iov->iov_base, need);
	else
		iov_iter_init(&msg->msg_iter, ITER_DEST, q->iov, rx->niov, need);
	if (unlikely(!rx->nq.sock_hlen))
		iov_iter_advance(&msg->msg_iter, rx->nq.hdr_len);
	len += rx->nq.sock_hlen;
	ret = sock->ops->recvmsg(sock, msg, len, MSG_DONTWAIT | MSG_TRUNC);
	if (unlikely(ret == -EFAULT || (ret == len && rx_header(rx))))
		return vireo_memory_error(q, -EFAULT);
	if (unlikely(ret != len)) {
		/* Not what was announced: the buffers serve for the next. */
		q->stats.backend_errors++;
		rx_unpop(rx);
		return 0;
	}
	if (vireo_logging(q))
		vireo_log_iov(q, q->iov, rx->niov, need);
	rx->next += rx->taken;
	q->stats.packets++;
	q->stats.bytes += need - rx->nq.hdr_len;
	return 0;
}

/* The guest has no buffers for the next packet. 0: now it has. */
static int rx_stall(struct vireo_net_rx *rx)
{
	struct vireo_queue *q = &rx->nq.q;
	u32 skip = 0, i;

	for (i = rx->next; i < rx->end; i++)
		skip += q->chains[i].slots;
	rx_unpop(rx);
	if (rx_publish(rx))
		return -EFAULT;
	if (vireo_enable_kick(q, skip) <= 0) {
		/* A kick goes on from here; that there are packets is known. */
		vireo_poll_stop(&rx->nq.poll);
		q->stats.stalls++;
		return -EAGAIN;
	}
	return vireo_disable_kick(q);
}

/* No packet. 0: now there is one; else its arrival gives the next turn. */
static int rx_idle(struct vireo_net_rx *rx, struct socket *sock)
{
	struct vireo_queue *q = &rx->nq.q;

	if (rx_publish(rx))
		return -EFAULT;
	if (vireo_busy_poll(q, rx_ready))
		return 0;
	if (!vireo_poll_waits(&rx->nq.poll))
		vireo_poll_start(&rx->nq.poll, sock->file);
	return -EAGAIN;
}

/* One packet, or whatever else there is to do. 0, or the turn is over. */
static int rx_step(struct vireo_net_rx *rx, struct socket *sock, u64 *bytes)
{
	u32 len = rx_next(rx, sock);
	int ret;

	if (!len)
		return rx_idle(rx, sock);
	if (rx->next == rx->end && rx->next >= VIREO_BATCH && rx_publish(rx))
		return -EFAULT;
	*bytes += len;
	ret = rx_packet(rx, sock, len);
	if (ret == RX_NO_BUFFERS)
		return rx_stall(rx);
	if (unlikely(ret == RX_TOO_SMALL)) {
		rx_unpop(rx);
		rx_drop(rx, sock);
		return 0;
	}
	return ret;
}

/* A turn, up to its budget. */
void vireo_net_rx_run(struct vireo_queue *q)
{
	struct vireo_net_rx *rx = container_of(q, struct vireo_net_rx, nq.q);
	struct socket *sock = q->backend;
	u32 packets = 0;
	u64 bytes = 0;

	rx->popped = 0;
	/* Kicks are wanted only while buffers are what is missing. */
	if (vireo_disable_kick(q))
		return;
	do {
		if (rx_step(rx, sock, &bytes))
			goto out;
		/* Empty chains cost as well, though they bring no packet further. */
	} while (++packets < VIREO_NET_PACKETS && bytes < VIREO_NET_BYTES &&
		 rx->popped < VIREO_MAX_CHAINS);
	vireo_queue_again(q);
out:
	rx_unpop(rx);
	rx_publish(rx);
	rx_release(rx);
}
