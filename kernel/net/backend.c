// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a queue can be given as its other end: a tap, a macvtap, or a raw
 * packet socket.
 */
#include <linux/file.h>
#include <linux/if_packet.h>
#include <linux/if_tap.h>
#include <net/sock.h>

#include "net.h"

static struct socket *tap_socket(int fd)
{
	struct file *file = fget(fd);
	struct socket *sock;

	if (!file)
		return ERR_PTR(-EBADF);
	sock = tun_get_socket(file);
	if (IS_ERR(sock))
		sock = tap_get_socket(file);
	/* The socket has no count of its own; it lives as long as its file. */
	if (IS_ERR(sock))
		fput(file);
	return sock;
}

/**
 * vireo_net_socket() - the socket behind an fd
 * @fd: of the calling process
 *
 * Return: the socket, released with sockfd_put(); -ENOTSOCK for any fd that
 * will not do, as vhost says.
 */
struct socket *vireo_net_socket(int fd)
{
	struct socket *sock;
	int err;

	sock = sockfd_lookup(fd, &err);
	if (sock) {
		if (sock->sk->sk_type == SOCK_RAW && sock->sk->sk_family == AF_PACKET)
			return sock;
		sockfd_put(sock);
		return ERR_PTR(-ENOTSOCK);
	}
	sock = tap_socket(fd);
	return IS_ERR(sock) ? ERR_PTR(-ENOTSOCK) : sock;
}

/* Where a tap keeps packets for its reader; NULL: the socket has its own queue. */
struct ptr_ring *vireo_net_ring(struct socket *sock)
{
	struct ptr_ring *ring = tun_get_tx_ring(sock->file);

	if (IS_ERR(ring))
		ring = tap_get_ptr_ring(sock->file);
	return IS_ERR(ring) ? NULL : ring;
}
