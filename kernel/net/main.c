// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/vireo-net: the file, its ioctls, and the backends of its queues.
 *
 * One open file is one queue pair. A network device with several pairs opens
 * the file as often, as with vhost-net.
 */
#include <linux/file.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/nospec.h>
#include <linux/slab.h>
#include <net/sock.h>

#include "net.h"

/*
 * Bit 27 means VHOST_NET_F_VIRTIO_NET_HDR here, as with vhost-net: ANY_LAYOUT,
 * the driver's bit of that number, needs no help from us.
 */
#define VIREO_NET_FEATURES (VIREO_CORE_FEATURES | VIREO_FEATURE(VIREO_NET_F_MRG_RXBUF))

static_assert(VIREO_F_ANY_LAYOUT == VHOST_NET_F_VIRTIO_NET_HDR);

static struct vireo_net *to_net(struct vireo_queue *q)
{
	return container_of(q->dev, struct vireo_net, dev);
}

/* Whose the header before a packet is; under the queue's mutex. */
static void net_features_set(struct vireo_queue *q)
{
	struct vireo_net_queue *nq = to_net_queue(q);
	bool merge = vireo_has(q, VIREO_NET_F_MRG_RXBUF) || vireo_has(q, VIREO_F_VERSION_1);

	nq->hdr_len = merge ? sizeof(struct virtio_net_hdr_mrg_rxbuf) :
			      sizeof(struct virtio_net_hdr);
	nq->sock_hlen = vireo_has(q, VHOST_NET_F_VIRTIO_NET_HDR) ? 0 : nq->hdr_len;
}

static void net_run(struct vireo_queue *q)
{
	if (q->index == VIREO_NET_TX)
		vireo_net_tx_run(q);
	else
		vireo_net_rx_run(q);
}

/* Under the queue's mutex; the caller puts the socket. */
static struct socket *net_detach(struct vireo_queue *q)
{
	struct vireo_net_rx *rx = &to_net(q)->rx;

	vireo_poll_stop(&to_net_queue(q)->poll);
	if (q->index == VIREO_NET_RX) {
		vireo_net_rx_return(rx);
		rx->ring = NULL;
		rx->msg.msg_control = NULL;
	}
	return vireo_queue_stop(q);
}

static int net_attach(struct vireo_queue *q, struct socket *sock)
{
	int err;

	if (q->index == VIREO_NET_RX)
		to_net(q)->rx.ring = vireo_net_ring(sock);
	err = vireo_queue_start(q, sock);
	if (!err && q->index == VIREO_NET_RX)
		err = vireo_poll_start(&to_net_queue(q)->poll, sock->file);
	if (err)
		net_detach(q);
	return err;
}

static void net_stop(struct vireo_queue *q)
{
	struct socket *sock;

	mutex_lock(&q->mutex);
	sock = net_detach(q);
	mutex_unlock(&q->mutex);
	if (sock)
		sockfd_put(sock);
}

static const struct vireo_dev_ops net_ops = {
	.features = VIREO_NET_FEATURES,
	.features_set = net_features_set,
	.run = net_run,
	.stop = net_stop,
};

/*
 * Give a queue another socket, or none. When this returns, the worker has left
 * the old one and, without a new one, the ring.
 */
static int net_replace(struct vireo_queue *q, int fd)
{
	struct socket *sock, *old = NULL;
	int err;

	if (fd == VHOST_FILE_UNBIND) {
		net_stop(q);
		return 0;
	}
	mutex_lock(&q->mutex);
	err = vireo_queue_check(q);
	if (err)
		goto out;
	sock = vireo_net_socket(fd);
	if (IS_ERR(sock)) {
		err = PTR_ERR(sock);
		goto out;
	}
	if (sock == q->backend) {
		old = sock; /* the count that was just taken */
		goto out;
	}
	old = net_detach(q);
	err = net_attach(q, sock);
	if (err)
		sockfd_put(sock);
out:
	mutex_unlock(&q->mutex);
	if (old)
		sockfd_put(old);
	return err;
}

static long net_set_backend(struct vireo_net *net, struct vhost_vring_file __user *argp)
{
	struct vhost_vring_file f;
	long err;

	if (copy_from_user(&f, argp, sizeof(f)))
		return -EFAULT;
	mutex_lock(&net->dev.mutex);
	err = vireo_dev_check_owner(&net->dev);
	if (!err && f.index >= VIREO_NET_QUEUES)
		err = -ENOBUFS;
	if (!err)
		err = net_replace(net->queues[array_index_nospec(f.index, VIREO_NET_QUEUES)], f.fd);
	mutex_unlock(&net->dev.mutex);
	return err;
}

static long net_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct vireo_net *net = file->private_data;

	if (cmd == VHOST_NET_SET_BACKEND)
		return net_set_backend(net, (void __user *)arg);
	return vireo_dev_ioctl(&net->dev, cmd, (void __user *)arg);
}

static int net_open(struct inode *inode, struct file *file)
{
	struct vireo_net *net = kvzalloc(sizeof(*net), GFP_KERNEL_ACCOUNT);

	if (!net)
		return -ENOMEM;
	if (vireo_net_tx_init(&net->tx)) {
		kvfree(net);
		return -ENOMEM;
	}
	net->queues[VIREO_NET_RX] = &net->rx.nq.q;
	net->queues[VIREO_NET_TX] = &net->tx.nq.q;
	vireo_dev_init(&net->dev, &net_ops, net->queues, VIREO_NET_QUEUES);
	vireo_poll_init(&net->rx.nq.poll, net->queues[VIREO_NET_RX], EPOLLIN, NULL);
	vireo_poll_init(&net->tx.nq.poll, net->queues[VIREO_NET_TX], EPOLLOUT, NULL);
	file->private_data = net;
	return 0;
}

static int net_release(struct inode *inode, struct file *file)
{
	struct vireo_net *net = file->private_data;

	vireo_dev_release(&net->dev);
	vireo_net_tx_free(&net->tx);
	kvfree(net);
	return 0;
}

static ssize_t net_read_iter(struct kiocb *iocb, struct iov_iter *to)
{
	struct file *file = iocb->ki_filp;
	struct vireo_net *net = file->private_data;

	return vireo_dev_read_iter(&net->dev, to, file->f_flags & O_NONBLOCK);
}

static ssize_t net_write_iter(struct kiocb *iocb, struct iov_iter *from)
{
	struct vireo_net *net = iocb->ki_filp->private_data;

	return vireo_dev_write_iter(&net->dev, from);
}

static __poll_t net_poll(struct file *file, poll_table *wait)
{
	struct vireo_net *net = file->private_data;

	return vireo_dev_poll(&net->dev, file, wait);
}

static const struct file_operations net_fops = {
	.owner = THIS_MODULE,
	.open = net_open,
	.release = net_release,
	.read_iter = net_read_iter,
	.write_iter = net_write_iter,
	.poll = net_poll,
	.unlocked_ioctl = net_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.llseek = noop_llseek,
};

static struct miscdevice net_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "vireo-net",
	.fops = &net_fops,
	.mode = 0660,
};

module_misc_device(net_misc);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Vireo: virtio-net queues processed in the kernel, over a tap");
MODULE_AUTHOR("The Vireo developers");
MODULE_IMPORT_NS(VIREO);
