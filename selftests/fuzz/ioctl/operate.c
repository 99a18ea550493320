// SPDX-License-Identifier: GPL-2.0-only
/* What operators do, each with its weight: much that sets up, so that much runs. */
#include <fcntl.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fuzz.h"
#include "report.h"

static struct fuzz_device* any_device(struct actor* actor) {
    /* The first is worked on most, the last may be another's. */
    return &actor->world->dev[percent(actor, 60) ? 0 : below(actor, DEVICES)];
}

static bool running(const struct fuzz_device* dev) {
    return dev->fd >= 0 && (dev->queue[0].ready || dev->queue[1].ready);
}

static void op_bring_up(struct actor* actor, struct fuzz_device* dev) {
    /* What runs is left to run most of the time. */
    if (!running(dev) || percent(actor, 15))
        device_bring_up(actor, dev);
}

static void op_recover(struct actor* actor, struct fuzz_device* dev) {
    if (!running(dev) || percent(actor, 40)) {
        memory_restore(actor);
        device_recover(actor, dev);
    }
}

static void op_close(struct actor* actor, struct fuzz_device* dev) {
    device_close(actor, dev);
    if (percent(actor, 70))
        device_bring_up(actor, dev);
}

static void op_disturb(struct actor* actor, struct fuzz_device* dev) {
    memory_disturb(actor);
    if (percent(actor, 30))
        memory_disturb(actor);
    if (dev->fd >= 0)
        event_signal(dev->queue[below(actor, QUEUES)].kick);
}

static void op_restore(struct actor* actor, struct fuzz_device* dev) {
    (void)dev;
    memory_restore(actor);
}

static void op_rest(struct actor* actor, struct fuzz_device* dev) {
    (void)dev;
    usleep(below(actor, 5000));
}

/* Another worker for a queue, and the old one goes. */
static void op_workers(struct actor* actor, struct fuzz_device* dev) {
    struct vhost_worker_state made = {0};
    struct vhost_vring_worker old = {.index = below(actor, QUEUES)};
    struct vhost_vring_worker attach = {.index = old.index};

    if (device_call(actor, dev->fd, C_GET_WORKER, &old) ||
        device_call(actor, dev->fd, C_NEW_WORKER, &made))
        return;
    attach.worker_id = made.worker_id;
    device_call(actor, dev->fd, C_ATTACH_WORKER, &attach);
    made.worker_id = old.worker_id;
    device_call(actor, dev->fd, C_FREE_WORKER, &made);
}

/* The tap changes under the device. */
static void op_tap(struct actor* actor, struct fuzz_device* dev) {
    struct world* world = actor->world;
    u32 index = below(actor, world->taps);
    struct tap* tap = &world->tap[index];
    struct ifreq ifr = {.ifr_qlen = (int)below(actor, 3) * 7 + 1};
    u32 what = below(actor, 7);

    (void)dev;
    note(actor, "tap %u %u", index, what);
    memcpy(ifr.ifr_name, tap->name, IFNAMSIZ);
    switch (what) {
        case 0: { /* its ring is exchanged */
            int fd = socket(AF_INET, SOCK_DGRAM, 0);

            (void)ioctl(fd, SIOCSIFTXQLEN, &ifr);
            close(fd);
            break;
        }
        case 1:
            (void)tap_set_up(tap, percent(actor, 80));
            break;
        case 2:
            (void)ioctl(tap->fd, TUNSETOFFLOAD, percent(actor, 50) ? TAP_ALL_OFFLOADS : 0UL);
            break;
        case 3: {
            int bytes = percent(actor, 50) ? 0x7fffffff : 5000 + (int)below(actor, 100000);

            (void)ioctl(tap->fd, TUNSETSNDBUF, &bytes);
            break;
        }
        case 4:
        case 5:
            ifr.ifr_flags = what == 4 ? IFF_DETACH_QUEUE : IFF_ATTACH_QUEUE;
            (void)ioctl(tap->fd, TUNSETQUEUE, &ifr);
            break;
        case 6:
            if (index == 0 && world->own_tap && percent(actor, 10))
                (void)tap_delete(tap);
            break;
    }
}

/* Leaves the device's file to whoever takes it. */
static void op_pass(struct actor* actor, struct fuzz_device* dev) {
    union {
        char room[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = {0};
    char byte = 0;
    struct iovec iov = {.iov_base = &byte, .iov_len = 1};
    struct msghdr msg = {.msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = control.room,
                         .msg_controllen = sizeof(control.room)};
    struct cmsghdr* head = CMSG_FIRSTHDR(&msg);

    if (dev->fd < 0)
        return;
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(head), &dev->fd, sizeof(int));
    if (sendmsg(actor->world->keeper[0], &msg, MSG_DONTWAIT) >= 0)
        count_up(actor->world->report->passed, 1);
}

static int take_file(struct world* world) {
    union {
        char room[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = {0};
    char byte;
    struct iovec iov = {.iov_base = &byte, .iov_len = 1};
    struct msghdr msg = {.msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = control.room,
                         .msg_controllen = sizeof(control.room)};
    struct cmsghdr* head;
    int fd = NO_FD;

    if (recvmsg(world->keeper[1], &msg, MSG_DONTWAIT) < 0)
        return NO_FD;
    head = CMSG_FIRSTHDR(&msg);
    if (head && head->cmsg_type == SCM_RIGHTS)
        memcpy(&fd, CMSG_DATA(head), sizeof(int));
    return fd;
}

/* A device of another owner, who may be dead, in the place of the last. */
static void op_take(struct actor* actor, struct fuzz_device* dev) {
    struct world* world = actor->world;
    int fd = take_file(world);

    if (fd < 0)
        return;
    dev = &world->dev[DEVICES - 1];
    device_close(actor, dev);
    for (u32 i = 0; i < QUEUES; i++) {
        pthread_mutex_lock(&dev->queue[i].lock);
        dev->queue[i].ready = false;
        dev->queue[i].seen =
            (struct vireo_queue_stats){.index = i, .size = sizeof(dev->queue[i].seen)};
        pthread_mutex_unlock(&dev->queue[i].lock);
        (void)ioctl(fd, VIREO_GET_QUEUE_STATS, &dev->queue[i].seen);
    }
    dev->fd = fd;
    count_up(world->report->taken, 1);
}

/* A child has the files and not the memory. */
static void op_fork(struct actor* actor, struct fuzz_device* dev) {
    pid_t pid;

    (void)dev;
    count_up(actor->world->report->children, 1);
    note(actor, "fork");
    pid = fork();
    if (!pid)
        operate_child(actor);
}

static void op_messages(struct actor* actor, struct fuzz_device* dev) {
    messages_random(actor, dev);
}

/* Waits for a message that may never come, until the file says that none will. */
static void op_read(struct actor* actor, struct fuzz_device* dev) {
    struct pollfd wait = {.fd = dev->fd, .events = POLLIN | POLLOUT};
    int flags = fcntl(dev->fd, F_GETFL);
    u8 message[128];
    ssize_t done;

    count_up(actor->world->report->calls[C_POLL][poll(&wait, 1, 0) < 0 ? errno : 0], 1);
    /* The round's first operator must not sleep for good. */
    if (flags < 0 || (!(flags & O_NONBLOCK) && !strcmp(actor->name, "first")))
        return;
    note(actor, "read");
    done = read(dev->fd, message, sizeof(message));
    count_up(actor->world->report->calls[C_READ][done < 0 ? errno % ERRNOS : 0], 1);
}

static const struct {
    void (*run)(struct actor* actor, struct fuzz_device* dev);
    u32 weight;
} ops[] = {
    {op_bring_up, 25}, {random_call, 45}, {op_recover, 14},
    {op_disturb, 10},  {op_restore, 8},   {device_switch_backend, 8},
    {op_workers, 4},   {op_close, 3},     {device_toggle_log, 5},
    {op_messages, 5},  {op_read, 3},      {device_harvest, 10},
    {op_tap, 5},       {op_pass, 2},      {op_take, 2},
    {op_fork, 1},      {op_rest, 25},
};

void operate(struct actor* actor) {
    struct fuzz_device* dev = any_device(actor);
    u32 sum = 0;
    u32 chosen;

    for (u32 i = 0; i < COUNT(ops); i++)
        sum += ops[i].weight;
    chosen = below(actor, sum);
    for (u32 i = 0; i < COUNT(ops); i++) {
        if (chosen < ops[i].weight) {
            ops[i].run(actor, dev);
            return;
        }
        chosen -= ops[i].weight;
    }
}

/*
 * A forked child calls and takes no lock, since a thread that is not here may
 * have it. In the end it keeps the files until it is killed with its group.
 */
_Noreturn void operate_child(struct actor* actor) {
    struct world* world = actor->world;

    actor->name = "child";
    for (u32 n = 5 + below(actor, 30); n; n--) {
        struct fuzz_device* dev = any_device(actor);

        if (dev->fd < 0)
            continue;
        switch (below(actor, 6)) {
            case 0:
                messages_random(actor, dev);
                break;
            case 1:
                event_signal(dev->queue[below(actor, QUEUES)].kick);
                break;
            case 2:
                usleep(below(actor, 2000));
                break;
            default:
                random_call(actor, dev);
                break;
        }
    }
    if (percent(actor, 50))
        _exit(0);
    close(world->memfd);
    for (;;)
        pause();
}
