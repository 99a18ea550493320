// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every ioctl of a device in good, bad and out-of-order use, with the errno
 * that the kernel's vhost-net gives. Where Vireo is meant to differ, the test
 * says so.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "frames.h"
#include "tap_output.h"
#include "traffic_flow.h"

#define BAD_POINTER ((void*)8)
#define BAD_FD 999
#define USUAL (F_VERSION_1 | F_NET_MRG_RXBUF | F_EVENT_IDX | F_INDIRECT_DESC)

/* What Vireo offers, all of it. */
#define OFFERED                                                                                  \
    (F_VERSION_1 | F_ANY_LAYOUT | F_NET_MRG_RXBUF | F_INDIRECT_DESC | F_EVENT_IDX | F_IN_ORDER | \
     F_RING_PACKED | F_RING_RESET | F_NOTIFY_ON_EMPTY | F_LOG_ALL | F_ACCESS_PLATFORM)

/* Number that no ioctl of vhost or Vireo has. */
#define UNKNOWN_IOCTL _IOW(VHOST_VIRTIO, 0xee, struct vhost_vring_state)

static struct vhost_dev dev;

static void open_dev(bool owned) {
    require_ok(vhost_open(&dev, vhost_path()));
    if (owned)
        require_ok(vhost_set_owner(&dev));
}

static int state_ioctl(unsigned long request, u32 index, u32 num) {
    struct vhost_vring_state state = {.index = index, .num = num};

    return vhost_call(&dev, request, &state);
}

static int file_ioctl(unsigned long request, u32 index, int fd) {
    struct vhost_vring_file file = {.index = index, .fd = fd};

    return vhost_call(&dev, request, &file);
}

static int features_ioctl(unsigned long request, u64 features) {
    return vhost_call(&dev, request, &features);
}

/* Before there is an owner */

static void no_owner(const void* arg) {
    static const unsigned long vring[] = {
        VHOST_SET_VRING_NUM,   VHOST_SET_VRING_BASE,
        VHOST_GET_VRING_BASE,  VHOST_SET_VRING_ADDR,
        VHOST_SET_VRING_KICK,  VHOST_SET_VRING_CALL,
        VHOST_SET_VRING_ERR,   VHOST_SET_VRING_BUSYLOOP_TIMEOUT,
        VHOST_NET_SET_BACKEND, VHOST_SET_MEM_TABLE,
        VHOST_SET_LOG_BASE,    VHOST_SET_LOG_FD,
        VHOST_RESET_OWNER,     UNKNOWN_IOCTL,
    };
    u8 zero[64] = {0};
    u64 features;

    open_dev(false);
    for (u32 i = 0; i < COUNT(vring); i++) {
        int ret = vhost_call(&dev, vring[i], zero);

        check(ret == -EPERM, "ioctl %#lx without an owner: %d where EPERM is due", vring[i], ret);
    }
    require_ok(vhost_get_features(&dev, &features));
    check_ret(vhost_set_features(&dev, F_VERSION_1), 0);
    check_ret(vhost_set_backend_features(&dev, 0), 0);
    check_ret(vhost_set_owner(&dev), 0);
    check_ret(vhost_call(&dev, VHOST_SET_OWNER, NULL), -EBUSY);
    check_ret(vhost_call(&dev, UNKNOWN_IOCTL, zero), -ENOTTY);
    check_ret(vhost_reset_owner(&dev), 0);
    check_ret(vhost_call(&dev, VHOST_RESET_OWNER, NULL), -EPERM);
    check_ret(state_ioctl(VHOST_SET_VRING_NUM, 0, 256), -EPERM);
    check_ret(vhost_set_owner(&dev), 0);
}

/* Every ioctl that takes a pointer, with one that leads nowhere. */
static void bad_pointers(const void* arg) {
    static const unsigned long all[] = {
        VHOST_GET_FEATURES,
        VHOST_SET_FEATURES,
        VHOST_GET_BACKEND_FEATURES,
        VHOST_SET_BACKEND_FEATURES,
        VHOST_SET_MEM_TABLE,
        VHOST_SET_LOG_BASE,
        VHOST_SET_LOG_FD,
        VHOST_SET_VRING_NUM,
        VHOST_SET_VRING_BASE,
        VHOST_GET_VRING_BASE,
        VHOST_SET_VRING_ADDR,
        VHOST_SET_VRING_KICK,
        VHOST_SET_VRING_CALL,
        VHOST_SET_VRING_ERR,
        VHOST_SET_VRING_BUSYLOOP_TIMEOUT,
        VHOST_GET_VRING_BUSYLOOP_TIMEOUT,
        VHOST_NET_SET_BACKEND,
    };
    static const unsigned long ours[] = {
        VIREO_GET_QUEUE_STATS,     VHOST_NEW_WORKER,       VHOST_FREE_WORKER,
        VHOST_ATTACH_VRING_WORKER, VHOST_GET_VRING_WORKER,
    };
    u8* page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    open_dev(true);
    for (u32 i = 0; i < COUNT(all); i++) {
        int ret = vhost_call(&dev, all[i], BAD_POINTER);

        check(ret == -EFAULT, "ioctl %#lx with a bad pointer: %d where EFAULT is due", all[i], ret);
    }
    for (u32 i = 0; dev.is_vireo && i < COUNT(ours); i++) {
        int ret = vhost_call(&dev, ours[i], BAD_POINTER);

        check(ret == -EFAULT, "ioctl %#lx with a bad pointer: %d where EFAULT is due", ours[i],
              ret);
    }
    /* Only the index can be read: the argument goes on where nothing is. */
    require(page != MAP_FAILED, "two pages");
    require(!munmap(page + 4096, 4096), "unmap the second");
    check_ret(vhost_call(&dev, VHOST_SET_VRING_NUM, page + 4092), -EFAULT);
    check_ret(vhost_call(&dev, VHOST_SET_VRING_ADDR, page + 4088), -EFAULT);
    check_ret(vhost_call(&dev, VHOST_SET_VRING_KICK, page + 4092), -EFAULT);
    check_ret(vhost_call(&dev, VHOST_SET_VRING_CALL, page + 4092), -EFAULT);
    check_ret(vhost_call(&dev, VHOST_SET_VRING_ERR, page + 4092), -EFAULT);
    check_ret(vhost_call(&dev, VHOST_NET_SET_BACKEND, page + 4092), -EFAULT);
}

static void bad_index(const void* arg) {
    static const unsigned long all[] = {
        VHOST_SET_VRING_NUM,   VHOST_SET_VRING_BASE,
        VHOST_GET_VRING_BASE,  VHOST_SET_VRING_ADDR,
        VHOST_SET_VRING_KICK,  VHOST_SET_VRING_CALL,
        VHOST_SET_VRING_ERR,   VHOST_SET_VRING_BUSYLOOP_TIMEOUT,
        VHOST_NET_SET_BACKEND,
    };
    static const u32 beyond[] = {2, 3, 0x7fffffff, 0x80000000, 0xffffffff};

    open_dev(true);
    for (u32 i = 0; i < COUNT(all); i++) {
        for (u32 k = 0; k < COUNT(beyond); k++) {
            u32 argument[16] = {beyond[k]};
            int ret = vhost_call(&dev, all[i], argument);

            check(ret == -ENOBUFS, "ioctl %#lx on queue %u: %d where ENOBUFS is due", all[i],
                  beyond[k], ret);
        }
    }
}

/* Features */

static void features(const void* arg) {
    u64 offered;
    u64 backend;

    open_dev(true);
    require_ok(vhost_get_features(&dev, &offered));
    if (dev.is_vireo)
        check(offered == OFFERED, "offered are %#llx, not %#llx", (unsigned long long)offered,
              (unsigned long long)OFFERED);
    check_ret(vhost_set_features(&dev, offered & ~F_ACCESS_PLATFORM), 0);
    check_ret(vhost_set_features(&dev, 0), 0);
    for (u32 bit = 0; bit < 64; bit++) {
        int ret = features_ioctl(VHOST_SET_FEATURES, F_BIT(bit));
        int wanted = offered & F_BIT(bit) ? 0 : -EOPNOTSUPP;

        check(ret == wanted, "feature bit %u: %d where %d is due", bit, ret, wanted);
    }
    check_ret(features_ioctl(VHOST_SET_FEATURES, ~0ULL), -EOPNOTSUPP);

    require_ok(vhost_get_backend_features(&dev, &backend));
    check(backend == F_BIT(VHOST_BACKEND_F_IOTLB_MSG_V2), "backend features are %#llx",
          (unsigned long long)backend);
    check_ret(vhost_set_backend_features(&dev, backend), 0);
    check_ret(features_ioctl(VHOST_SET_BACKEND_FEATURES, ~0ULL), -EOPNOTSUPP);
    check_ret(features_ioctl(VHOST_SET_BACKEND_FEATURES, 1), -EOPNOTSUPP);
}

/* Memory */

static struct {
    struct vhost_memory head;
    struct vhost_memory_region regions[MAX_REGIONS + 1];
} table;

static void memory_table(const void* arg) {
    u32 most = 64; /* vhost's default */

    open_dev(true);
    if (dev.is_vireo)
        most = MAX_REGIONS;
    for (u32 i = 0; i < COUNT(table.regions); i++) {
        table.regions[i].guest_phys_addr = (u64)i << 20;
        table.regions[i].memory_size = 1 << 20;
        table.regions[i].userspace_addr = 0x7f0000000000 + ((u64)i << 20);
    }
    check_ret(vhost_call(&dev, VHOST_SET_MEM_TABLE, &table), 0);
    table.head.nregions = most;
    check_ret(vhost_call(&dev, VHOST_SET_MEM_TABLE, &table), 0);
    table.head.nregions = most + 1;
    check_ret(vhost_call(&dev, VHOST_SET_MEM_TABLE, &table), -E2BIG);
    table.head.nregions = 0xffffffff;
    check_ret(vhost_call(&dev, VHOST_SET_MEM_TABLE, &table), -E2BIG);
    table.head.nregions = 1;
    table.head.padding = 1;
    check_ret(vhost_call(&dev, VHOST_SET_MEM_TABLE, &table), -EOPNOTSUPP);
    table.head.padding = 0;

    /* Beyond the end of guest addresses, and up to it. */
    table.regions[0].guest_phys_addr = ~0ULL - (1 << 20) + 2;
    check_ret(vhost_call(&dev, VHOST_SET_MEM_TABLE, &table), -EFAULT);
    table.regions[0].guest_phys_addr--;
    check_ret(vhost_call(&dev, VHOST_SET_MEM_TABLE, &table), 0);
    /* A table that ends where nothing is. */
    table.head.nregions = 2;
    {
        u8* page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        u8* at = page + 4096 - sizeof(table.head) - sizeof(table.regions[0]);

        require(page != MAP_FAILED && !munmap(page + 4096, 4096), "a page with none behind it");
        memcpy(at, &table, 4096 - (at - page));
        check_ret(vhost_call(&dev, VHOST_SET_MEM_TABLE, at), -EFAULT);
    }
    if (!dev.is_vireo)
        return;

    /* vhost lets these pass, or finds them with a backend. */
    table.regions[0].guest_phys_addr = 1 << 20;
    check_ret(vhost_call(&dev, VHOST_SET_MEM_TABLE, &table), -EINVAL);
    table.regions[0].guest_phys_addr = (1 << 20) + 4096;
    check_ret(vhost_call(&dev, VHOST_SET_MEM_TABLE, &table), -EINVAL);
    table.regions[0].guest_phys_addr = 0;
    table.regions[0].memory_size = 0;
    check_ret(vhost_call(&dev, VHOST_SET_MEM_TABLE, &table), -EFAULT);
    table.regions[0].memory_size = 4096;
    table.regions[0].userspace_addr = ~0ULL - 4095;
    check_ret(vhost_call(&dev, VHOST_SET_MEM_TABLE, &table), -EFAULT);
    table.regions[0].userspace_addr = 0xffff888000000000;
    check_ret(vhost_call(&dev, VHOST_SET_MEM_TABLE, &table), -EFAULT);
}

/* Queues, without a backend */

static void queue_size(const void* arg) {
    static const u32 good[] = {1, 2, 256, 1024, 32768};
    static const u32 bad[] = {0, 3, 1000, 0x10000, 0x80000000, 0xffffffff};

    open_dev(true);
    for (u32 i = 0; i < COUNT(good); i++)
        check_ret(vhost_set_num(&dev, 0, good[i]), 0);
    for (u32 i = 0; i < COUNT(bad); i++)
        check_ret(state_ioctl(VHOST_SET_VRING_NUM, 0, bad[i]), -EINVAL);
    if (features_ioctl(VHOST_SET_FEATURES, F_RING_PACKED | F_VERSION_1))
        return;
    check_ret(vhost_set_num(&dev, 0, 1000), 0);
    check_ret(vhost_set_num(&dev, 0, 3), 0);
    check_ret(state_ioctl(VHOST_SET_VRING_NUM, 0, 0), -EINVAL);
    check_ret(state_ioctl(VHOST_SET_VRING_NUM, 0, 0x10000), -EINVAL);
}

static void queue_base(const void* arg) {
    static const u32 split[] = {0, 1, 0x7fff, 0x8000, 0xffff};
    static const u32 packed[] = {0x80008000, 0x00058005, 0x80630063, 0};
    u32 base;

    open_dev(true);
    for (u32 i = 0; i < COUNT(split); i++) {
        require_ok(vhost_set_base(&dev, 1, split[i]));
        for (u32 again = 0; again < 2; again++) {
            require_ok(vhost_get_base(&dev, 1, &base));
            check(base == split[i], "base %#x was set, %#x is read", split[i], base);
        }
    }
    require_ok(vhost_get_base(&dev, 0, &base));
    check(base == 0, "the other queue's base is %#x", base);
    check_ret(state_ioctl(VHOST_SET_VRING_BASE, 0, 0x10000), -EINVAL);
    if (features_ioctl(VHOST_SET_FEATURES, F_RING_PACKED | F_VERSION_1))
        return;
    for (u32 i = 0; i < COUNT(packed); i++) {
        require_ok(vhost_set_base(&dev, 1, packed[i]));
        require_ok(vhost_get_base(&dev, 1, &base));
        check(base == packed[i], "packed base %#x was set, %#x is read", packed[i], base);
    }
}

static int addr_ioctl(u64 desc, u64 avail, u64 used, u64 log, u32 flags) {
    struct vhost_vring_addr addr = {
        .index = 1,
        .flags = flags,
        .desc_user_addr = desc,
        .avail_user_addr = avail,
        .used_user_addr = used,
        .log_guest_addr = log,
    };

    return vhost_call(&dev, VHOST_SET_VRING_ADDR, &addr);
}

static void queue_addresses(const void* arg) {
    open_dev(true);
    /* Whether anything is there is asked when the queue gets its backend. */
    check_ret(addr_ioctl(0x1000, 0x2000, 0x3000, 0, 0), 0);
    check_ret(addr_ioctl(0x1000, 0x2000, 0x3000, 0x4000, 1 << VHOST_VRING_F_LOG), 0);
    check_ret(addr_ioctl(0x1000, 0x2000, 0x3000, 0, 2), -EOPNOTSUPP);
    check_ret(addr_ioctl(0x1000, 0x2000, 0x3000, 0, 0x80000000), -EOPNOTSUPP);
    check_ret(addr_ioctl(0x1000, 0x2001, 0x3000, 0, 0), -EINVAL);
    check_ret(addr_ioctl(0x1000, 0x2000, 0x3002, 0, 0), -EINVAL);
    check_ret(addr_ioctl(0x1000, 0x2000, 0x3000, 2, 0), -EINVAL);
}

static void eventfds(const void* arg) {
    static const unsigned long all[] = {VHOST_SET_VRING_KICK, VHOST_SET_VRING_CALL,
                                        VHOST_SET_VRING_ERR};
    int file = open("/dev/null", O_RDWR | O_CLOEXEC);

    open_dev(true);
    for (u32 i = 0; i < COUNT(all); i++) {
        int event = eventfd(0, EFD_CLOEXEC);

        check_ret(file_ioctl(all[i], 0, NO_FD), 0);
        check_ret(file_ioctl(all[i], 0, event), 0);
        check_ret(file_ioctl(all[i], 0, event), 0);
        check_ret(file_ioctl(all[i], 0, BAD_FD), -EBADF);
        check_ret(file_ioctl(all[i], 0, -2), -EBADF);
        check_ret(file_ioctl(all[i], 0, file), -EINVAL);
        check_ret(file_ioctl(all[i], 0, dev.fd), -EINVAL);
        /* The device keeps it, also when the owner has closed it. */
        close(event);
        check_ret(file_ioctl(all[i], 0, NO_FD), 0);
        check_ret(file_ioctl(all[i], 0, NO_FD), 0);
    }
}

static void busyloop(const void* arg) {
    struct vhost_vring_state state = {.index = 1};

    open_dev(true);
    check_ret(vhost_set_busyloop(&dev, 1, 50), 0);
    check_ret(vhost_call(&dev, VHOST_GET_VRING_BUSYLOOP_TIMEOUT, &state), 0);
    check(state.num == 50 && state.index == 1, "50 us were set for queue 1, %u for queue %u read",
          state.num, state.index);
    state.index = 0;
    check_ret(vhost_call(&dev, VHOST_GET_VRING_BUSYLOOP_TIMEOUT, &state), 0);
    check(state.num == 0, "the other queue has %u us", state.num);
    check_ret(vhost_set_busyloop(&dev, 1, 0), 0);
}

static void log_fd(const void* arg) {
    u64 address = 1ULL << 63;
    int event = eventfd(0, EFD_CLOEXEC);
    int bad = BAD_FD;

    open_dev(true);
    check_ret(vhost_set_log_fd(&dev, event), 0);
    check_ret(vhost_set_log_fd(&dev, NO_FD), 0);
    check_ret(vhost_call(&dev, VHOST_SET_LOG_FD, &bad), -EBADF);
    check_ret(vhost_call(&dev, VHOST_SET_LOG_FD, &dev.fd), -EINVAL);
    /* Where it is, is looked at with a backend. */
    check_ret(vhost_call(&dev, VHOST_SET_LOG_BASE, &address), 0);
}

/* Backends */

static int raw_socket(void) {
    struct sockaddr_ll any = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

    any.sll_ifindex = (int)if_nametoindex("lo");
    require(fd >= 0 && !bind(fd, (struct sockaddr*)&any, sizeof(any)), "a packet socket on lo");
    return fd;
}

static void backends(const void* arg) {
    struct net_options options = {.features = USUAL};
    struct tap_options tap_options = {.vnet_hdr = NET_HDR_LONG};
    struct net_driver net;
    struct tap taps[2];
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    int udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int raw_ip = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP);
    int unix_socket = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    require_ok(tap_open(&taps[0], &tap_options));
    require_ok(tap_open(&taps[1], &tap_options));
    require_ok(net_open(&net, &options));
    dev = net.dev;
    /* Whatever is no tap and no packet socket is no socket to it. */
    for (u32 i = 0; i < NET_QUEUES; i++) {
        check_ret(file_ioctl(VHOST_NET_SET_BACKEND, i, NO_FD), 0);
        check_ret(file_ioctl(VHOST_NET_SET_BACKEND, i, BAD_FD), -ENOTSOCK);
        check_ret(file_ioctl(VHOST_NET_SET_BACKEND, i, -2), -ENOTSOCK);
        check_ret(file_ioctl(VHOST_NET_SET_BACKEND, i, null), -ENOTSOCK);
        check_ret(file_ioctl(VHOST_NET_SET_BACKEND, i, dev.fd), -ENOTSOCK);
        check_ret(file_ioctl(VHOST_NET_SET_BACKEND, i, udp), -ENOTSOCK);
        check_ret(file_ioctl(VHOST_NET_SET_BACKEND, i, unix_socket), -ENOTSOCK);
        check_ret(file_ioctl(VHOST_NET_SET_BACKEND, i, raw_ip), -ENOTSOCK);
        check_ret(file_ioctl(VHOST_NET_SET_BACKEND, i, taps[0].fd), 0);
        check_ret(file_ioctl(VHOST_NET_SET_BACKEND, i, taps[0].fd), 0);
        /* What is wrong with a new one leaves the old one in place. */
        check_ret(file_ioctl(VHOST_NET_SET_BACKEND, i, udp), -ENOTSOCK);
        check_ret(state_ioctl(VHOST_SET_VRING_NUM, i, 256), -EBUSY);
        check_ret(file_ioctl(VHOST_NET_SET_BACKEND, i, taps[1].fd), 0);
        check_ret(file_ioctl(VHOST_NET_SET_BACKEND, i, NO_FD), 0);
        check_ret(file_ioctl(VHOST_NET_SET_BACKEND, i, NO_FD), 0);
        check_ret(file_ioctl(VHOST_NET_SET_BACKEND, i, raw_socket()), 0);
        check_ret(file_ioctl(VHOST_NET_SET_BACKEND, i, NO_FD), 0);
    }
}

/* A queue that was not set up, or that lies where nothing is. */
static void backend_too_early(const void* arg) {
    struct net_options options = {.features = USUAL};
    struct tap_options tap_options = {.vnet_hdr = NET_HDR_LONG};
    struct net_driver net;
    struct tap tap;

    require_ok(tap_open(&tap, &tap_options));
    open_dev(true);
    for (u32 i = 0; i < NET_QUEUES; i++) {
        check_ret(file_ioctl(VHOST_NET_SET_BACKEND, i, tap.fd), -EFAULT);
        check_ret(vhost_set_num(&dev, i, 256), 0);
        check_ret(file_ioctl(VHOST_NET_SET_BACKEND, i, tap.fd), -EFAULT);
    }
    check_ret(addr_ioctl(~0ULL << 12, ~0ULL << 12, ~0ULL << 12, 0, 0), 0);
    check_ret(file_ioctl(VHOST_NET_SET_BACKEND, 1, tap.fd), -EFAULT);
    vhost_close(&dev);

    /* The logs of all memory that there is have to be there. */
    require_ok(net_open(&net, &options));
    dev = net.dev;
    require_ok(vhost_set_features(&dev, USUAL | F_LOG_ALL));
    require_ok(vhost_set_log_base(&dev, (void*)(~0UL << 12)));
    check_ret(file_ioctl(VHOST_NET_SET_BACKEND, 1, tap.fd), -EFAULT);
    require_ok(vhost_set_features(&dev, USUAL));
    check_ret(file_ioctl(VHOST_NET_SET_BACKEND, 1, tap.fd), 0);
}

/* While a backend is set */

static void while_live(const void* arg) {
    u64 features = *(const u64*)arg;
    struct vhost_memory_region region;
    struct vhost_vring_addr addr;
    struct vq_setup place;
    struct live live;
    u32 base[3];

    live_open(&live, features);
    dev = live.net.dev;
    flow_transmit(&live.flow);
    for (u32 i = 0; i < NET_QUEUES; i++) {
        check_ret(state_ioctl(VHOST_SET_VRING_NUM, i, 256), -EBUSY);
        check_ret(state_ioctl(VHOST_SET_VRING_BASE, i, 0), -EBUSY);
        /* Reading where a queue stands does not stop it. */
        for (u32 k = 0; k < COUNT(base); k++)
            require_ok(vhost_get_base(&dev, i, &base[k]));
        check(base[0] == base[1] && base[1] == base[2], "queue %u: its base is %#x, %#x, %#x", i,
              base[0], base[1], base[2]);
        if (i == NET_TX)
            check(base[0] == vhost_driver_base(&live.net.queue[i].driver),
                  "the device stands at %#x, the driver at %#x", base[0],
                  vhost_driver_base(&live.net.queue[i].driver));
        check_ret(vhost_set_busyloop(&dev, i, 0), 0);
        check_ret(vhost_set_kick(&dev, i, live.net.queue[i].vhost.kick), 0);
        check_ret(vhost_set_call(&dev, i, live.net.queue[i].vhost.call), 0);
        check_ret(vhost_set_err(&dev, i, live.net.queue[i].vhost.err), 0);
    }
    live_check(&live);

    /* The same addresses; then such as can not be, which leave the old ones. */
    fd_describe(&live.net.queue[NET_TX].driver, &place);
    addr = (struct vhost_vring_addr){
        .index = NET_TX,
        .desc_user_addr = (unsigned long)place.desc,
        .avail_user_addr = (unsigned long)place.driver,
        .used_user_addr = (unsigned long)place.device,
    };
    check_ret(vhost_call(&dev, VHOST_SET_VRING_ADDR, &addr), 0);
    flow_transmit(&live.flow);
    addr.used_user_addr = ~0ULL << 12;
    check_ret(vhost_call(&dev, VHOST_SET_VRING_ADDR, &addr), -EINVAL);
    flow_transmit(&live.flow);

    check_ret(vhost_set_mem_table(&dev, &region, guest_mem_regions(&live.net.mem, &region, 1)), 0);
    check_ret(vhost_set_features(&dev, features), 0);
    if (dev.is_vireo) {
        /* vhost would let the ring change its meaning. */
        check_ret(features_ioctl(VHOST_SET_FEATURES, features ^ F_EVENT_IDX), -EBUSY);
        check_ret(features_ioctl(VHOST_SET_FEATURES, features ^ F_NET_MRG_RXBUF), -EBUSY);
    }
    live_check(&live);

    /* Stopped and started where it stands. */
    require_ok(net_stop(&live.net));
    require_ok(vhost_get_base(&dev, NET_TX, &base[0]));
    check(base[0] == vhost_driver_base(&live.net.queue[NET_TX].driver),
          "stopped, the device stands at %#x, the driver at %#x", base[0],
          vhost_driver_base(&live.net.queue[NET_TX].driver));
    require_ok(net_start(&live.net, live.tap.fd));
    live_check(&live);

    /* One queue reset while the other goes on; positions begin anew. */
    for (u32 i = 0; i < NET_QUEUES; i++) {
        require_ok(net_reset_queue(&live.net, i));
        require_ok(vhost_set_backend(&dev, i, live.tap.fd));
        live_check(&live);
    }
}

/* Counters */

static void counters(const void* arg) {
    struct vireo_queue_stats stats = {.index = 0, .size = sizeof(stats)};
    struct live live;

    live_open(&live, USUAL);
    dev = live.net.dev;
    if (!dev.is_vireo)
        skip_test("counters are Vireo's");
    stats.size = 7;
    check_ret(vhost_call(&dev, VIREO_GET_QUEUE_STATS, &stats), -EINVAL);
    stats.index = 2;
    check_ret(vhost_call(&dev, VIREO_GET_QUEUE_STATS, &stats), -ENOBUFS);
    /* A caller that knows less gets less, one that knows more is told how much. */
    memset(&stats, 0x5a, sizeof(stats));
    stats.index = 1;
    stats.size = 16;
    check_ret(vhost_call(&dev, VIREO_GET_QUEUE_STATS, &stats), 0);
    check(stats.size == 16 && stats.calls == 0x5a5a5a5a5a5a5a5aULL,
          "asked for 16 bytes, %u are said to be there, and calls is %#llx", stats.size,
          (unsigned long long)stats.calls);
    stats.size = 4096;
    check_ret(vhost_call(&dev, VIREO_GET_QUEUE_STATS, &stats), 0);
    check(stats.size == sizeof(stats), "of 4096 bytes %u are said to be filled", stats.size);

    live_check(&live);
    for (u32 i = 0; i < NET_QUEUES; i++) {
        /* 100 frames of each size. */
        u64 bytes = 100 * (60 + 1514 + 14);

        require_ok(vhost_stats(&dev, i, &stats));
        check(stats.packets == 300 && stats.bytes == bytes && stats.chains == 300,
              "queue %u: %llu packets, %llu bytes, %llu chains; there were 300, %llu, 300", i,
              (unsigned long long)stats.packets, (unsigned long long)stats.bytes,
              (unsigned long long)stats.chains, (unsigned long long)bytes);
        check(stats.wakeups && stats.kicks && !stats.last_error && !stats.reserved,
              "queue %u: %llu wake-ups, %llu kicks, last error %u", i,
              (unsigned long long)stats.wakeups, (unsigned long long)stats.kicks, stats.last_error);
    }
}

static const u64 usual = USUAL;
static const u64 usual_packed = USUAL | F_RING_PACKED;

static const struct test tests[] = {
    {"no-owner", no_owner, NULL},
    {"bad-pointers", bad_pointers, NULL},
    {"bad-index", bad_index, NULL},
    {"features", features, NULL},
    {"memory-table", memory_table, NULL},
    {"queue-size", queue_size, NULL},
    {"queue-base", queue_base, NULL},
    {"queue-addresses", queue_addresses, NULL},
    {"eventfds", eventfds, NULL},
    {"busyloop", busyloop, NULL},
    {"log-fd", log_fd, NULL},
    {"backends", backends, NULL},
    {"backend-too-early", backend_too_early, NULL},
    {"while-live-split", while_live, &usual},
    {"while-live-packed", while_live, &usual_packed},
    {"counters", counters, NULL},
};

int main(int argc, char** argv) {
    return run_tests(tests, COUNT(tests), argc, argv);
}
