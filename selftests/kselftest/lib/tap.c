// SPDX-License-Identifier: GPL-2.0-only
#include "tap.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "error.h"

/* Packets wait here for the test: enough that none is lost. */
#define SOCKET_BYTES (64 << 20)

static int write_file(const char* path, const char* text) {
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    ssize_t done;

    if (fd < 0)
        return failed_errno("open %s", path);
    done = write(fd, text, strlen(text));
    close(fd);
    return done < 0 ? failed_errno("write %s to %s", text, path) : 0;
}

int run_command(const char* format, ...) {
    char command[512];
    char quiet[600];
    va_list args;

    va_start(args, format);
    vsnprintf(command, sizeof(command), format, args);
    va_end(args);
    snprintf(quiet, sizeof(quiet), "{ %s; } </dev/null >/dev/null 2>&1", command);
    if (system(quiet))
        return failed(-EIO, "%s", command);
    return 0;
}

/* An ioctl on the interface @name by way of any socket. */
static int if_ioctl(const char* name, unsigned long request, struct ifreq* ifr, const char* what) {
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int ret;

    if (fd < 0)
        return failed_errno("socket for %s of %s", what, name);
    strncpy(ifr->ifr_name, name, IFNAMSIZ - 1);
    ret = ioctl(fd, request, ifr);
    ret = ret < 0 ? failed_errno("%s of %s", what, name) : 0;
    close(fd);
    return ret;
}

static int set_mtu(const char* name, int mtu) {
    struct ifreq ifr = {.ifr_mtu = mtu};

    return if_ioctl(name, SIOCSIFMTU, &ifr, "SIOCSIFMTU");
}

static int set_up(const char* name, bool up) {
    /* No ARP, and promiscuous, which a test's packets to anybody need. */
    struct ifreq ifr = {.ifr_flags = (short)(IFF_NOARP | IFF_PROMISC | (up ? IFF_UP : 0))};

    return if_ioctl(name, SIOCSIFFLAGS, &ifr, "SIOCSIFFLAGS");
}

/* The other end's stack shall say nothing by itself. */
static int make_quiet(const char* name) {
    char path[128];

    snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/disable_ipv6", name);
    if (access(path, F_OK))
        return 0;
    return write_file(path, "1");
}

static int index_of(const char* name, int* ifindex) {
    *ifindex = (int)if_nametoindex(name);
    return *ifindex ? 0 : failed_errno("index of interface %s", name);
}

static int raw_open(const char* name, int* raw) {
    struct sockaddr_ll addr = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};
    int one = 1;
    int bytes = SOCKET_BYTES;
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int ret;

    if (fd < 0)
        return failed_errno("packet socket");
    ret = index_of(name, &addr.sll_ifindex);
    if (ret) {
        close(fd);
        return ret;
    }
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) ||
        setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes)) ||
        setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof(one)) ||
        setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one)) ||
        bind(fd, (struct sockaddr*)&addr, sizeof(addr))) {
        ret = failed_errno("set up the packet socket on %s", name);
        close(fd);
        return ret;
    }
    *raw = fd;
    return 0;
}

static int set_vnet_hdr(int fd, const char* name, int bytes) {
    if (ioctl(fd, TUNSETVNETHDRSZ, &bytes))
        return failed_errno("TUNSETVNETHDRSZ(%d) on %s", bytes, name);
    return 0;
}

static int set_offloads(int fd, const char* name, unsigned int offloads) {
    if (ioctl(fd, TUNSETOFFLOAD, (unsigned long)offloads))
        return failed_errno("TUNSETOFFLOAD(%#x) on %s", offloads, name);
    return 0;
}

static int set_sndbuf(int fd, const char* name, int bytes) {
    if (ioctl(fd, TUNSETSNDBUF, &bytes))
        return failed_errno("TUNSETSNDBUF(%d) on %s", bytes, name);
    return 0;
}

/* Opens the file and attaches it to the interface @name, which it makes if there is none. */
static int attach(const char* path, char* name, const struct tap_options* options) {
    struct ifreq ifr = {0};
    int fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    int ret = 0;

    if (fd < 0)
        return failed_errno("open %s (modprobe tun makes /dev/net/tun)", path);
    ifr.ifr_flags = IFF_TAP | IFF_NO_PI;
    if (options->vnet_hdr)
        ifr.ifr_flags |= IFF_VNET_HDR;
    if (options->multi_queue)
        ifr.ifr_flags |= IFF_MULTI_QUEUE;
    memcpy(ifr.ifr_name, name, IFNAMSIZ);
    if (ioctl(fd, TUNSETIFF, &ifr))
        ret = failed_errno("TUNSETIFF(%s, flags %#x) on %s", name, (unsigned short)ifr.ifr_flags,
                           path);
    memcpy(name, ifr.ifr_name, IFNAMSIZ);
    if (!ret && options->vnet_hdr)
        ret = set_vnet_hdr(fd, name, options->vnet_hdr);
    if (!ret && options->offloads)
        ret = set_offloads(fd, name, options->offloads);
    if (!ret && options->sndbuf)
        ret = set_sndbuf(fd, name, options->sndbuf);
    if (ret) {
        close(fd);
        return ret;
    }
    return fd;
}

static int set_txqueue(const char* name, int packets) {
    struct ifreq ifr = {.ifr_qlen = packets};

    return if_ioctl(name, SIOCSIFTXQLEN, &ifr, "SIOCSIFTXQLEN");
}

int tap_open(struct tap* tap, const struct tap_options* options) {
    int ret;

    memset(tap, 0, sizeof(*tap));
    tap->raw = -1;
    if (options->name)
        strncpy(tap->name, options->name, IFNAMSIZ - 1);
    tap->fd = attach("/dev/net/tun", tap->name, options);
    if (tap->fd < 0)
        return tap->fd;

    ret = make_quiet(tap->name);
    if (!ret && options->txqueue)
        ret = set_txqueue(tap->name, options->txqueue);
    if (!ret && options->mtu)
        ret = set_mtu(tap->name, options->mtu);
    if (!ret)
        ret = set_up(tap->name, !options->down);
    if (!ret)
        ret = index_of(tap->name, &tap->ifindex);
    if (!ret)
        ret = raw_open(tap->name, &tap->raw);
    if (ret)
        tap_close(tap);
    return ret;
}

int tap_open_queue(const struct tap* tap, const struct tap_options* options) {
    char name[IFNAMSIZ];

    memcpy(name, tap->name, IFNAMSIZ);
    return attach("/dev/net/tun", name, options);
}

int macvtap_open(struct tap* tap, const struct tap_options* options) {
    static unsigned int made;
    char host[IFNAMSIZ];
    char path[64];
    int ret;

    memset(tap, 0, sizeof(*tap));
    tap->fd = -1;
    tap->raw = -1;
    tap->macvtap = true;
    made++;
    snprintf(tap->name, IFNAMSIZ, "mvt%u.%d", made, getpid() % 100000);
    snprintf(tap->lower, IFNAMSIZ, "low%u.%d", made, getpid() % 100000);
    snprintf(host, IFNAMSIZ, "far%u.%d", made, getpid() % 100000);

    if (run_command("ip link add %s type veth peer name %s", tap->lower, host))
        return -ENODEV;
    ret = make_quiet(tap->lower);
    if (!ret)
        ret = make_quiet(host);
    if (!ret && options->mtu)
        ret = set_mtu(tap->lower, options->mtu);
    if (!ret && options->mtu)
        ret = set_mtu(host, options->mtu);
    if (!ret)
        ret = set_up(host, true);
    if (!ret)
        ret = set_up(tap->lower, true);
    if (!ret && run_command("ip link add link %s name %s type macvtap mode passthru", tap->lower,
                            tap->name))
        ret = -ENODEV;
    if (!ret)
        ret = make_quiet(tap->name);
    if (!ret && options->txqueue)
        ret = set_txqueue(tap->name, options->txqueue);
    if (!ret)
        ret = set_up(tap->name, !options->down);
    if (!ret)
        ret = index_of(tap->name, &tap->ifindex);
    if (!ret) {
        snprintf(path, sizeof(path), "/dev/tap%d", tap->ifindex);
        tap->fd = attach(path, tap->name, options);
        ret = tap->fd < 0 ? tap->fd : 0;
    }
    if (!ret)
        ret = raw_open(host, &tap->raw);
    if (ret)
        tap_close(tap);
    return ret;
}

void tap_close(struct tap* tap) {
    if (tap->raw >= 0)
        close(tap->raw);
    if (tap->fd >= 0)
        close(tap->fd);
    if (tap->macvtap && tap->lower[0])
        (void)run_command("ip link del %s", tap->lower);
    tap->raw = -1;
    tap->fd = -1;
    tap->lower[0] = '\0';
}

int tap_listen(struct tap* tap, const char* interface) {
    if (tap->raw >= 0)
        close(tap->raw);
    tap->raw = -1;
    return raw_open(interface, &tap->raw);
}

int interface_up(const char* name) {
    int ret = make_quiet(name);

    return ret ? ret : set_up(name, true);
}

int tap_set_sndbuf(const struct tap* tap, int bytes) {
    return set_sndbuf(tap->fd, tap->name, bytes);
}

int tap_set_offloads(const struct tap* tap, unsigned int offloads) {
    return set_offloads(tap->fd, tap->name, offloads);
}

int tap_set_mtu(const struct tap* tap, int mtu) {
    return set_mtu(tap->name, mtu);
}

int tap_set_up(const struct tap* tap, bool up) {
    return set_up(tap->name, up);
}

int tap_delete(const struct tap* tap) {
    return run_command("ip link del %s", tap->name);
}

int tap_send(const struct tap* tap, const struct virtio_net_hdr* hdr, const void* packet,
             size_t bytes) {
    static const struct virtio_net_hdr plain;
    struct iovec iov[] = {
        {.iov_base = (void*)(hdr ? hdr : &plain), .iov_len = NET_HDR_SHORT},
        {.iov_base = (void*)packet, .iov_len = bytes},
    };
    ssize_t done;

    do
        done = writev(tap->raw, iov, 2);
    while (done < 0 && errno == EINTR);
    return done < 0 ? -errno : 0;
}

ssize_t tap_receive(const struct tap* tap, struct virtio_net_hdr* hdr, void* packet, size_t room) {
    struct virtio_net_hdr ignored;
    struct iovec iov[] = {
        {.iov_base = hdr ? hdr : &ignored, .iov_len = NET_HDR_SHORT},
        {.iov_base = packet, .iov_len = room},
    };
    ssize_t done;

    do
        done = readv(tap->raw, iov, 2);
    while (done < 0 && errno == EINTR);
    if (done < 0)
        return -errno;
    return done < NET_HDR_SHORT ? -EIO : done - NET_HDR_SHORT;
}

ssize_t tap_receive_wait(const struct tap* tap, struct virtio_net_hdr* hdr, void* packet,
                         size_t room, int milliseconds) {
    struct pollfd wait = {.fd = tap->raw, .events = POLLIN};

    for (;;) {
        ssize_t got = tap_receive(tap, hdr, packet, room);
        int ready;

        if (got != -EAGAIN)
            return got;
        ready = poll(&wait, 1, milliseconds);
        if (!ready)
            return -ETIMEDOUT;
        if (ready < 0 && errno != EINTR)
            return -errno;
    }
}

unsigned long long tap_counter(const struct tap* tap, const char* name) {
    char path[128];
    unsigned long long value = 0;
    FILE* file;

    snprintf(path, sizeof(path), "/sys/class/net/%s/statistics/%s", tap->name, name);
    file = fopen(path, "re");
    if (!file)
        return 0;
    if (fscanf(file, "%llu", &value) != 1)
        value = 0;
    fclose(file);
    return value;
}
