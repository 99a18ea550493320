// SPDX-License-Identifier: GPL-2.0-only
/*
 * Whose a device is: the process that said VHOST_SET_OWNER, and nobody who got
 * the file from it by fork, by exec or over a socket. And what becomes of a
 * device whose owner is gone while somebody else still has it open.
 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tap_output.h"
#include "traffic_flow.h"

#define USUAL (F_VERSION_1 | F_NET_MRG_RXBUF | F_EVENT_IDX)

/* What a process that is not the owner may do, and what not. */
static void check_stranger(const struct vhost_dev* dev, const char* who) {
    static const unsigned long refused[] = {
        VHOST_SET_VRING_NUM,  VHOST_SET_VRING_BASE,  VHOST_GET_VRING_BASE, VHOST_SET_VRING_ADDR,
        VHOST_SET_VRING_KICK, VHOST_SET_VRING_CALL,  VHOST_SET_VRING_ERR,  VHOST_SET_MEM_TABLE,
        VHOST_SET_LOG_BASE,   VHOST_NET_SET_BACKEND, VHOST_RESET_OWNER,
    };
    static const unsigned long workers[] = {VHOST_NEW_WORKER, VHOST_FREE_WORKER,
                                            VHOST_ATTACH_VRING_WORKER, VHOST_GET_VRING_WORKER};
    struct vireo_queue_stats stats;
    u8 zero[64] = {0};
    u64 features;

    for (u32 i = 0; i < COUNT(refused); i++) {
        int ret = vhost_call(dev, refused[i], zero);

        check(ret == -EPERM, "%s: ioctl %#lx: %d where EPERM is due", who, refused[i], ret);
    }
    for (u32 i = 0; dev->is_vireo && i < COUNT(workers); i++) {
        int ret = vhost_call(dev, workers[i], zero);

        check(ret == -EPERM, "%s: ioctl %#lx: %d where EPERM is due", who, workers[i], ret);
    }
    check_ret(vhost_call(dev, VHOST_SET_OWNER, NULL), -EBUSY);
    check_ret(vhost_get_features(dev, &features), 0);
    if (dev->is_vireo)
        check_ret(vhost_stats(dev, 0, &stats), 0);
}

static void join(pid_t child, const char* what) {
    int status;

    require(child > 0 && waitpid(child, &status, 0) == child, "%s: no process", what);
    check(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%s: status %#x", what, status);
}

static void forked(const void* arg) {
    struct live live;
    pid_t child;

    live_open(&live, USUAL);
    flow_transmit(&live.flow);
    child = fork();
    if (!child) {
        check_stranger(&live.net.dev, "a child");
        _exit(checks_failed() != 0);
    }
    join(child, "child");
    live_check(&live);
}

/* A thread is the same process. */
static void* in_thread(void* arg) {
    struct live* live = arg;
    u32 base;

    check_ret(vhost_get_base(&live->net.dev, NET_TX, &base), 0);
    check_ret(vhost_set_backend(&live->net.dev, NET_TX, NO_FD), 0);
    check_ret(vhost_set_backend(&live->net.dev, NET_TX, live->tap.fd), 0);
    return NULL;
}

static void threaded(const void* arg) {
    struct live live;
    pthread_t thread;

    live_open(&live, USUAL);
    require(!pthread_create(&thread, NULL, in_thread, &live), "a thread");
    pthread_join(thread, NULL);
    flow_transmit(&live.flow);
}

/* Who gives it up leaves it to whoever wants it next. */
static void handed_over(const void* arg) {
    struct live live;
    struct vhost_dev* dev = &live.net.dev;
    pid_t child;

    live_open(&live, USUAL);
    flow_transmit(&live.flow);
    require_ok(vhost_reset_owner(dev));
    child = fork();
    if (!child) {
        check_ret(vhost_set_owner(dev), 0);
        check_ret(vhost_set_num(dev, 0, 16), 0);
        check_ret(vhost_reset_owner(dev), 0);
        _exit(checks_failed() != 0);
    }
    join(child, "the next owner");
    check_ret(vhost_set_owner(dev), 0);
    check_ret(vhost_set_num(dev, 0, 16), 0);
}

/* A device set up once more after RESET_OWNER serves again. */
static void reset_and_again(const void* arg) {
    struct live live;
    struct vhost_memory_region region;

    live_open(&live, USUAL);
    for (u32 round = 0; round < 3; round++) {
        live_check(&live);
        require_ok(vhost_reset_owner(&live.net.dev));
        require_ok(vhost_set_owner(&live.net.dev));
        require_ok(vhost_set_features(&live.net.dev, USUAL));
        require_ok(vhost_set_mem_table(&live.net.dev, &region,
                                       guest_mem_regions(&live.net.mem, &region, 1)));
        for (u32 i = 0; i < NET_QUEUES; i++) {
            struct net_queue* queue = &live.net.queue[i];

            vhost_queue_close(&queue->vhost);
            require_ok(net_reset_queue(&live.net, i));
            require_ok(vhost_queue_open(&queue->vhost, &live.net.dev, i, &queue->driver, 0));
        }
        require_ok(net_start(&live.net, live.tap.fd));
    }
}

/* Passing a file over a socket */

static void pass(int socket, int fd) {
    char room[CMSG_SPACE(sizeof(int))] = {0};
    char byte = 'x';
    struct iovec iov = {.iov_base = &byte, .iov_len = 1};
    struct msghdr message = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof(room)};
    struct cmsghdr* control = CMSG_FIRSTHDR(&message);

    control->cmsg_level = SOL_SOCKET;
    control->cmsg_type = SCM_RIGHTS;
    control->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(control), &fd, sizeof(int));
    require(sendmsg(socket, &message, 0) == 1, "pass a file: %s", strerror(errno));
}

static int take(int socket) {
    char room[CMSG_SPACE(sizeof(int))] = {0};
    char byte;
    struct iovec iov = {.iov_base = &byte, .iov_len = 1};
    struct msghdr message = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof(room)};
    int fd = -1;

    require(recvmsg(socket, &message, 0) == 1 && CMSG_FIRSTHDR(&message), "be passed a file");
    memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(int));
    return fd;
}

static void passed(const void* arg) {
    struct vhost_dev dev = {.path = vhost_path()};
    struct live live;
    int pair[2];
    pid_t child;

    require(!socketpair(AF_UNIX, SOCK_STREAM, 0, pair), "a pair of sockets");
    child = fork();
    if (!child) {
        dev.fd = take(pair[1]);
        dev.is_vireo = strstr(vhost_path(), "/vireo-");
        check_stranger(&dev, "who was passed it");
        _exit(checks_failed() != 0);
    }
    live_open(&live, USUAL);
    pass(pair[0], live.net.dev.fd);
    join(child, "who was passed it");
    flow_transmit(&live.flow);

    /* The other way: who was passed it before there was an owner may become it. */
    child = fork();
    if (!child) {
        dev.fd = take(pair[1]);
        check_ret(vhost_set_owner(&dev), 0);
        pass(pair[1], dev.fd);
        pause();
    }
    require_ok(vhost_open(&dev, vhost_path()));
    pass(pair[0], dev.fd);
    (void)take(pair[0]);
    check_stranger(&dev, "who opened it");
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
}

/* The owner is gone */

/* A live device whose owner has been killed; its eventfds and files are here too. */
static void owner_killed(const void* arg) {
    struct live* live =
        mmap(NULL, sizeof(*live), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    struct vhost_dev dev = {.path = vhost_path()};
    int kick;
    int pair[2];
    pid_t child;
    u8 frame[60] = {0};

    dev.is_vireo = strstr(vhost_path(), "/vireo-");
    require(live != MAP_FAILED && !socketpair(AF_UNIX, SOCK_STREAM, 0, pair), "a pair of sockets");
    child = fork();
    if (!child) {
        live_open(live, USUAL);
        flow_transmit(&live->flow);
        net_fill(&live->net, 100, 1600, NULL);
        net_show(&live->net.queue[NET_RX]);
        pass(pair[1], live->net.dev.fd);
        pass(pair[1], live->tap.raw);
        pass(pair[1], live->tap.fd);
        pass(pair[1], live->net.queue[NET_TX].vhost.kick);
        pause();
    }
    dev.fd = take(pair[0]);
    live->tap.raw = take(pair[0]);
    live->tap.fd = take(pair[0]);
    kick = take(pair[0]);
    check_stranger(&dev, "who was passed it");
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);

    /* Work for both queues, with nobody's memory to do it in. */
    for (u32 i = 0; i < 20; i++) {
        event_signal(kick);
        check_ret(tap_send(&live->tap, NULL, frame, sizeof(frame)), 0);
        usleep(1000);
    }
    check_stranger(&dev, "who was passed it, the owner being dead");
    close(dev.fd);
}

/* What the program does after it has begun anew. */
static int after_exec(char** argv) {
    struct vhost_dev dev = {.fd = atoi(argv[2]), .path = vhost_path()};
    int kick = atoi(argv[3]);
    u64 features;

    for (u32 i = 0; i < 20; i++) {
        event_signal(kick);
        usleep(1000);
    }
    if (vhost_call(&dev, VHOST_GET_FEATURES, &features))
        return 2;
    if (vhost_call(&dev, VHOST_RESET_OWNER, NULL) != -EPERM)
        return 3;
    if (vhost_call(&dev, VHOST_SET_OWNER, NULL) != -EBUSY)
        return 4;
    close(dev.fd);
    return 0;
}

static void executed(const void* arg) {
    pid_t child = fork();

    if (!child) {
        struct live live;
        char fd[16];
        char kick[16];
        char* argv[] = {"owner", "--after-exec", fd, kick, NULL};

        live_open(&live, USUAL);
        flow_transmit(&live.flow);
        net_fill(&live.net, 100, 1600, NULL);
        net_show(&live.net.queue[NET_RX]);
        snprintf(fd, sizeof(fd), "%d", fcntl(live.net.dev.fd, F_DUPFD, 100));
        snprintf(kick, sizeof(kick), "%d", fcntl(live.net.queue[NET_TX].vhost.kick, F_DUPFD, 100));
        execv("/proc/self/exe", argv);
        _exit(1);
    }
    join(child, "the program that began anew (2: features, 3: EPERM, 4: EBUSY)");
}

static const struct test tests[] = {
    {"forked", forked, NULL},           {"threaded", threaded, NULL},
    {"handed-over", handed_over, NULL}, {"reset-and-again", reset_and_again, NULL},
    {"passed", passed, NULL},           {"owner-killed", owner_killed, NULL},
    {"executed", executed, NULL},
};

int main(int argc, char** argv) {
    if (argc == 4 && !strcmp(argv[1], "--after-exec"))
        return after_exec(argv);
    return run_tests(tests, COUNT(tests), argc, argv);
}
