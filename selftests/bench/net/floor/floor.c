// SPDX-License-Identifier: GPL-2.0-only
/*
 * The floor of a vhost-net device: its calls into the tap, with nothing above
 * them. What is submitted has been prepared before the clock runs; no queue is
 * looked at and nobody is notified, and memory is described in the way that is
 * cheapest to copy from and to. A device cannot cost less than this.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/file.h>
#include <linux/if_tun.h>
#include <linux/ktime.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/net.h>
#include <linux/ptr_ring.h>
#include <linux/skbuff.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/uio.h>
#include <linux/virtio_net.h>
#include <net/sock.h>
#include <net/xdp.h>

#include "floor.h"

#define FLOOR_BATCH 64
#define FLOOR_VNET_HDR 12
/* Room before the frame, as vhost-net leaves it. */
#define FLOOR_PAD SKB_DATA_ALIGN(NET_IP_ALIGN + NET_SKB_PAD + XDP_PACKET_HEADROOM + FLOOR_VNET_HDR)
#define FLOOR_PAGE_ORDER 3 /* buffers are parts of such pages */

/**
 * struct floor - one measurement while it runs
 * @run: what and how much
 * @sock: the tap's
 * @ring: where the tap puts frames for us
 * @page: buffers come from it, as long as there is room
 * @offset: of the next one
 * @xdp: buffers that are prepared
 * @ptrs: frames taken from @ring
 */
struct floor {
	struct floor_run run;
	struct socket *sock;
	struct ptr_ring *ring;
	struct page *page;
	size_t offset;
	struct xdp_buff xdp[FLOOR_BATCH];
	void *ptrs[FLOOR_BATCH];
};

/* Bytes of a buffer for one frame; more than a page: the tap does not take it this way. */
static size_t floor_buffer_bytes(const struct floor *floor)
{
	return SKB_DATA_ALIGN(FLOOR_PAD + floor->run.bytes - FLOOR_VNET_HDR) +
	       SKB_DATA_ALIGN(sizeof(struct skb_shared_info));
}

/* A buffer that holds a reference on the page it is a part of. */
static void *floor_buffer(struct floor *floor, size_t bytes)
{
	void *buffer;

	bytes = ALIGN(bytes, SMP_CACHE_BYTES);
	if (floor->page && floor->offset + bytes > PAGE_SIZE << FLOOR_PAGE_ORDER) {
		put_page(floor->page);
		floor->page = NULL;
	}
	if (!floor->page) {
		floor->page = alloc_pages(GFP_KERNEL | __GFP_COMP, FLOOR_PAGE_ORDER);
		floor->offset = 0;
		if (!floor->page)
			return NULL;
	}
	buffer = page_address(floor->page) + floor->offset;
	floor->offset += bytes;
	get_page(floor->page);
	return buffer;
}

static int floor_prepare(struct floor *floor, struct xdp_buff *xdp)
{
	const void __user *frame = u64_to_user_ptr(floor->run.frame);
	size_t bytes = floor_buffer_bytes(floor);
	size_t len = floor->run.bytes - FLOOR_VNET_HDR;
	struct tun_xdp_hdr *hdr = floor_buffer(floor, bytes);

	if (!hdr)
		return -ENOMEM;
	hdr->buflen = bytes;
	if (copy_from_user(&hdr->gso, frame, sizeof(hdr->gso)) ||
	    copy_from_user((void *)hdr + FLOOR_PAD, frame + FLOOR_VNET_HDR, len)) {
		put_page(virt_to_head_page(hdr));
		return -EFAULT;
	}
	xdp_init_buff(xdp, bytes, NULL);
	xdp_prepare_buff(xdp, (void *)hdr, FLOOR_PAD, len, true);
	return 0;
}

static int floor_tx_batch(struct floor *floor, u32 count)
{
	struct tun_msg_ctl ctl = { .type = TUN_MSG_PTR, .num = count, .ptr = floor->xdp };
	struct msghdr msg = { .msg_flags = MSG_DONTWAIT, .msg_control = &ctl };
	u64 begin;
	int ret;

	msg.msg_controllen = sizeof(ctl);
	for (u32 i = 0; i < count; i++) {
		ret = floor_prepare(floor, &floor->xdp[i]);
		if (ret) {
			while (i--)
				put_page(virt_to_head_page(floor->xdp[i].data));
			return ret;
		}
	}
	begin = ktime_get_ns();
	ret = floor->sock->ops->sendmsg(floor->sock, &msg, 0);
	floor->run.ns += ktime_get_ns() - begin;
	if (ret < 0)
		return ret;
	floor->run.done += count;
	floor->run.moved += (u64)count * floor->run.bytes;
	return 0;
}

/* A frame that is too large for a batch: the tap copies it from where it is. */
static int floor_tx_one(struct floor *floor)
{
	void __user *frame = u64_to_user_ptr(floor->run.frame);
	struct msghdr msg = { .msg_flags = MSG_DONTWAIT };
	u64 begin = ktime_get_ns();
	int ret;

	iov_iter_ubuf(&msg.msg_iter, ITER_SOURCE, frame, floor->run.bytes);
	ret = floor->sock->ops->sendmsg(floor->sock, &msg, floor->run.bytes);
	floor->run.ns += ktime_get_ns() - begin;
	if (ret < 0)
		return ret;
	floor->run.done++;
	floor->run.moved += ret;
	return 0;
}

static int floor_tx(struct floor *floor)
{
	bool batched = floor_buffer_bytes(floor) <= PAGE_SIZE;
	int ret = 0;

	while (!ret && floor->run.done < floor->run.frames) {
		u32 left = floor->run.frames - floor->run.done;

		ret = batched ? floor_tx_batch(floor, min_t(u32, left, FLOOR_BATCH)) :
				floor_tx_one(floor);
		cond_resched();
	}
	return ret;
}

static int floor_rx_one(struct floor *floor, void *frame)
{
	void __user *to = u64_to_user_ptr(floor->run.frame);
	struct msghdr msg = { .msg_flags = MSG_DONTWAIT, .msg_control = frame };
	int ret;

	iov_iter_ubuf(&msg.msg_iter, ITER_DEST, to, floor->run.bytes);
	ret = floor->sock->ops->recvmsg(floor->sock, &msg, floor->run.bytes,
					MSG_DONTWAIT | MSG_TRUNC);
	if (ret < 0)
		return ret;
	floor->run.moved += ret;
	return 0;
}

static int floor_rx(struct floor *floor)
{
	int ret = 0;

	while (!ret && floor->run.done < floor->run.frames) {
		u32 most = min_t(u64, floor->run.frames - floor->run.done, FLOOR_BATCH);
		u64 begin = ktime_get_ns();
		int count = ptr_ring_consume_batched(floor->ring, floor->ptrs, most);

		/* The tap frees what it is handed, also when it fails. */
		for (int i = 0; i < count; i++) {
			int one = 0;

			if (floor->run.what == FLOOR_RX)
				one = floor_rx_one(floor, floor->ptrs[i]);
			else
				consume_skb(floor->ptrs[i]);
			ret = ret ?: one;
		}
		if (!count)
			break;
		floor->run.ns += ktime_get_ns() - begin;
		floor->run.done += count;
		cond_resched();
	}
	return ret;
}

static long floor_measure(struct floor *floor)
{
	struct file *tap = fget(floor->run.tap);
	long ret;

	if (!tap)
		return -EBADF;
	floor->sock = tun_get_socket(tap);
	floor->ring = tun_get_tx_ring(tap);
	if (IS_ERR(floor->sock) || IS_ERR(floor->ring))
		ret = -ENOTSOCK;
	else if (floor->run.what == FLOOR_TX)
		ret = floor_tx(floor);
	else
		ret = floor_rx(floor);
	fput(tap);
	if (floor->page)
		put_page(floor->page);
	return ret;
}

static long floor_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	void __user *user = (void __user *)arg;
	struct floor *floor;
	long ret = 0;

	if (cmd != FLOOR_RUN)
		return -ENOTTY;
	floor = kzalloc(sizeof(*floor), GFP_KERNEL);
	if (!floor)
		return -ENOMEM;
	if (copy_from_user(&floor->run, user, sizeof(floor->run)))
		ret = -EFAULT;
	else if (floor->run.what > FLOOR_FREE || floor->run.bytes <= FLOOR_VNET_HDR ||
		 floor->run.bytes > 1 << 17)
		ret = -EINVAL;
	if (!ret) {
		floor->run.done = 0;
		floor->run.moved = 0;
		floor->run.ns = 0;
		ret = floor_measure(floor);
	}
	if (!ret && copy_to_user(user, &floor->run, sizeof(floor->run)))
		ret = -EFAULT;
	kfree(floor);
	return ret;
}

static const struct file_operations floor_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = floor_ioctl,
};

static struct miscdevice floor_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "vireo-floor",
	.fops = &floor_fops,
	.mode = 0600,
};

module_misc_device(floor_device);
MODULE_DESCRIPTION("What a tap costs a vhost-net device, for its benchmark");
MODULE_LICENSE("GPL");
