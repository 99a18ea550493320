/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A network interface whose one end is a file that a vhost device takes as
 * its backend, and a packet socket on its other end: the host's network.
 *
 * What the device transmits, the socket receives; what the socket sends, the
 * device receives. IPv6 and ARP are off, so that nothing else comes by. An
 * interface disappears when its file is closed, at the latest when the process
 * ends (macvtap: with tap_close() only).
 */
#ifndef TAP_H
#define TAP_H

#include <linux/virtio_net.h>
#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Bytes of the virtio-net header: legacy, and with VERSION_1 or MRG_RXBUF. */
#define NET_HDR_SHORT 10
#define NET_HDR_LONG 12

/* What the host may hand over unfinished, and takes unfinished. */
#define TAP_NO_OFFLOADS 0
#define TAP_ALL_OFFLOADS (TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN)

struct tap_options {
    const char* name;      /* or NULL: chosen by the kernel */
    int vnet_hdr;          /* bytes of header in the file; 0: none (IFF_NO_VNET_HDR) */
    unsigned int offloads; /* TUN_F_...; needs vnet_hdr */
    bool multi_queue;
    int mtu;     /* 0: 1500 */
    int sndbuf;  /* TUNSETSNDBUF, 0: unlimited */
    int txqueue; /* packets that the file's queue holds, 0: the kernel's default of 1000 */
    bool down;   /* leave it down */
};

struct tap {
    int fd;
    int raw; /* the packet socket, not blocking */
    int ifindex;
    char name[IFNAMSIZ];
    bool macvtap;
    char lower[IFNAMSIZ]; /* macvtap's interface below */
};

int tap_open(struct tap* tap, const struct tap_options* options);
/* One more queue of a tap with multi_queue. Returns its fd or -errno. */
int tap_open_queue(const struct tap* tap, const struct tap_options* options);
/*
 * A macvtap in passthru mode on one end of a veth pair, and the packet socket
 * on the pair's other end. -ENODEV: the kernel has none.
 */
int macvtap_open(struct tap* tap, const struct tap_options* options);
void tap_close(struct tap* tap);

/* Puts the packet socket on another interface, to which the tap's packets go. */
int tap_listen(struct tap* tap, const char* interface);
/* Up, without ARP and IPv6, as a tap's interface. */
int interface_up(const char* name);

int tap_set_sndbuf(const struct tap* tap, int bytes);
int tap_set_offloads(const struct tap* tap, unsigned int offloads);
int tap_set_mtu(const struct tap* tap, int mtu);
int tap_set_up(const struct tap* tap, bool up);
/* Deletes the interface under whoever uses it. */
int tap_delete(const struct tap* tap);

/*
 * The packet socket, with a virtio-net header of NET_HDR_SHORT bytes before
 * each packet. Sending returns 0 or -errno (-ENOBUFS, -EAGAIN: full).
 * Receiving returns bytes of the packet, or -EAGAIN, -errno.
 */
int tap_send(const struct tap* tap, const struct virtio_net_hdr* hdr, const void* packet,
             size_t bytes);
ssize_t tap_receive(const struct tap* tap, struct virtio_net_hdr* hdr, void* packet, size_t room);
/* The same, waiting; -ETIMEDOUT. */
ssize_t tap_receive_wait(const struct tap* tap, struct virtio_net_hdr* hdr, void* packet,
                         size_t room, int milliseconds);

/* A counter of the interface, by its name in /sys/class/net/.../statistics; 0 if unreadable. */
unsigned long long tap_counter(const struct tap* tap, const char* name);

/* Runs a command without its output; 0, or -EIO and a line on stderr. */
int run_command(const char* format, ...) __attribute__((format(printf, 1, 2)));

#endif /* TAP_H */
