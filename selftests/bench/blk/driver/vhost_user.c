// SPDX-License-Identifier: GPL-2.0-only
/*
 * Messages are as QEMU's "Vhost-user Protocol" describes them: a header, a
 * payload, and files beside it.
 */
#include "vhost_user.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "error.h"

enum request {
    GET_FEATURES = 1,
    SET_FEATURES = 2,
    SET_OWNER = 3,
    SET_MEM_TABLE = 5,
    SET_VRING_NUM = 8,
    SET_VRING_ADDR = 9,
    SET_VRING_BASE = 10,
    SET_VRING_KICK = 12,
    SET_VRING_CALL = 13,
    GET_PROTOCOL_FEATURES = 15,
    SET_PROTOCOL_FEATURES = 16,
    SET_VRING_ENABLE = 18,
};

#define VERSION 1U
#define REPLY 4U
#define F_PROTOCOL_FEATURES F_BIT(30)
#define PROTOCOL_CONFIG F_BIT(9)

struct message {
    u32 request;
    u32 flags;
    u32 bytes;
    union {
        u64 value;
        struct vhost_vring_state state;
        struct vhost_vring_addr addr;
        struct {
            u32 count;
            u32 padding;
            struct {
                u64 guest;
                u64 bytes;
                u64 user;
                u64 offset;
            } region;
        } memory;
    };
} __attribute__((packed));

#define HEADER offsetof(struct message, value)

static int send_message(int socket, struct message* message, size_t bytes, int fd) {
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct iovec iov = {.iov_base = message, .iov_len = HEADER + bytes};
    struct msghdr hdr = {.msg_iov = &iov, .msg_iovlen = 1};

    message->flags = VERSION;
    message->bytes = bytes;
    if (fd >= 0) {
        struct cmsghdr* cmsg;

        hdr.msg_control = control.space;
        hdr.msg_controllen = sizeof(control.space);
        cmsg = CMSG_FIRSTHDR(&hdr);
        cmsg->cmsg_level = SOL_SOCKET;
        cmsg->cmsg_type = SCM_RIGHTS;
        cmsg->cmsg_len = CMSG_LEN(sizeof(fd));
        memcpy(CMSG_DATA(cmsg), &fd, sizeof(fd));
    }
    if (sendmsg(socket, &hdr, MSG_NOSIGNAL) != (ssize_t)iov.iov_len)
        return failed_errno("vhost-user message %u", message->request);
    return 0;
}

static int tell(int socket, enum request request, u64 value) {
    struct message message = {.request = request, .value = value};

    return send_message(socket, &message, sizeof(value), NO_FD);
}

static int ask(int socket, enum request request, u64* value) {
    struct message message = {.request = request};
    int ret = send_message(socket, &message, 0, NO_FD);

    if (ret)
        return ret;
    if (recv(socket, &message, HEADER + sizeof(*value), MSG_WAITALL) !=
        (ssize_t)(HEADER + sizeof(*value)))
        return failed(-EPROTO, "the answer to vhost-user message %u", request);
    *value = message.value;
    return 0;
}

static int tell_state(int socket, enum request request, u32 num) {
    struct message message = {.request = request, .state = {.num = num}};

    return send_message(socket, &message, sizeof(message.state), NO_FD);
}

/* The first queue's, by its number. */
static int tell_file(int socket, enum request request, int fd) {
    struct message message = {.request = request, .value = 0};

    return send_message(socket, &message, sizeof(message.value), fd);
}

static int tell_features(int socket, u64 features) {
    u64 offered;
    u64 protocol;
    int ret = ask(socket, GET_FEATURES, &offered);

    if (!ret && (features & ~offered))
        ret = failed(-EOPNOTSUPP, "features %#llx of vhost-user", features & ~offered);
    if (!ret && (offered & F_PROTOCOL_FEATURES)) {
        ret = ask(socket, GET_PROTOCOL_FEATURES, &protocol);
        if (!ret)
            ret = tell(socket, SET_PROTOCOL_FEATURES, protocol & PROTOCOL_CONFIG);
        features |= F_PROTOCOL_FEATURES;
    }
    if (!ret)
        ret = send_message(socket, &(struct message){.request = SET_OWNER}, 0, NO_FD);
    return ret ? ret : tell(socket, SET_FEATURES, features);
}

static int tell_memory(int socket, const struct blk* blk) {
    struct message message = {.request = SET_MEM_TABLE, .memory = {.count = 1}};

    message.memory.region.guest = FD_GUEST_BASE;
    message.memory.region.bytes = blk->mem.bytes;
    message.memory.region.user = (unsigned long)blk->mem.base;
    return send_message(socket, &message, sizeof(message.memory), blk->mem_fd);
}

static int tell_queue(int socket, const struct blk_queue* queue) {
    struct message addr = {.request = SET_VRING_ADDR};
    int ret = tell_state(socket, SET_VRING_NUM, queue->driver.setup.num);
    struct vhost_vring_addr areas;

    vhost_ring_addr(0, &queue->driver, 0, &areas);
    addr.addr = areas;
    if (!ret)
        ret = tell_state(socket, SET_VRING_BASE, vhost_driver_base(&queue->driver));
    if (!ret)
        ret = send_message(socket, &addr, sizeof(addr.addr), NO_FD);
    if (!ret)
        ret = tell_file(socket, SET_VRING_CALL, queue->vhost.call);
    if (!ret)
        ret = tell_file(socket, SET_VRING_KICK, queue->vhost.kick);
    return ret ? ret : tell_state(socket, SET_VRING_ENABLE, 1);
}

int vhost_user_start(const char* path, const struct blk* blk) {
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int ret;

    strncpy(addr.sun_path, path, sizeof(addr.sun_path) - 1);
    if (server < 0 || connect(server, (struct sockaddr*)&addr, sizeof(addr)))
        return failed_errno("connect to %s", path);
    ret = tell_features(server, blk->features);
    if (!ret)
        ret = tell_memory(server, blk);
    /* The connection stays open as long as the process is there. */
    return ret ? ret : tell_queue(server, &blk->queue[0]);
}
