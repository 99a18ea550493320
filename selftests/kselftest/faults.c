// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory runs out at every place where it can: each allocation, and each copy
 * from or to userspace, of a device's life fails once, one after the other, in
 * the owner's calls and in the worker. A call that fails says why and can be
 * made again; a queue goes on, or stops and says so; traffic flows once there
 * is memory. Needs a kernel with fault injection, as the debug kernels are.
 *
 * /proc/.../fail-nth holds how many times more an allocation succeeds: written
 * with N, the Nth fails; read as 0, it has failed.
 */
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "frames.h"
#include "tap_output.h"
#include "traffic_flow.h"

#define MOST_FAULTS 5000
#define DEBUGFS "/sys/kernel/debug"

/* Injection */

/* What is not there on every kernel, is left alone. */
static void set(const char* type, const char* name, const char* value) {
    char path[128];
    int fd;

    snprintf(path, sizeof(path), DEBUGFS "/%s/%s", type, name);
    fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    check(write(fd, value, strlen(value)) > 0, "write %s to %s: %m", value, path);
    close(fd);
}

static long get(const char* type, const char* name) {
    char path[128];
    char text[32] = "";
    int fd;

    snprintf(path, sizeof(path), DEBUGFS "/%s/%s", type, name);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    if (read(fd, text, sizeof(text) - 1) < 0)
        text[0] = '\0';
    close(fd);
    return strtol(text, NULL, 0);
}

/* Silent, for all sizes of memory, also that which could be waited for, and none at random. */
static void injection_begin(void) {
    static const char* const types[] = {"failslab", "fail_page_alloc", "fail_usercopy"};

    if (access("/proc/self/fail-nth", W_OK) || access(DEBUGFS "/failslab", X_OK))
        skip_test("this kernel injects no faults; the debug kernels do");
    for (u32 i = 0; i < COUNT(types); i++) {
        set(types[i], "verbose", "0");
        set(types[i], "probability", "0");
        set(types[i], "task-filter", "Y");
        set(types[i], "ignore-gfp-wait", "N");
        set(types[i], "ignore-gfp-highmem", "N");
        set(types[i], "min-order", "0");
    }
}

/* The file of a thread: fail-nth or make-it-fail. tid 0: this one. */
static int thread_file(int tid, const char* name) {
    char path[64];
    int fd;

    if (tid)
        snprintf(path, sizeof(path), "/proc/%d/%s", tid, name);
    else
        snprintf(path, sizeof(path), "/proc/thread-self/%s", name);
    fd = open(path, O_RDWR | O_CLOEXEC);
    require(fd >= 0, "open %s: %m", path);
    return fd;
}

static void arm(int file, u32 nth) {
    char text[16];
    int bytes = snprintf(text, sizeof(text), "%u", nth);

    require(pwrite(file, text, bytes, 0) == bytes, "write to fail-nth: %m");
}

/* Did it fail? Nothing does from now on. Looking can itself be what fails. */
static bool disarm(int file) {
    char text[16] = "";
    bool fired = pread(file, text, sizeof(text) - 1, 0) > 0 && !strtoul(text, NULL, 10);

    while (pwrite(file, "0", 1, 0) != 1)
        continue;
    return fired;
}

/* A call */

static bool error_is_due(int error) {
    /* EINTR: a thread could not be made because its maker could not wait. */
    return error == -ENOMEM || error == -EFAULT || error == -EINTR || error == -EAGAIN;
}

struct step {
    const char* name;
    int (*run)(struct live* live);
    void (*undo)(
        struct live* live); /* if it went well although something failed; NULL: nothing to undo */
};

/* Until it goes well with nothing failing in it. Returns how many faults there were. */
static u32 each_fault(struct live* live, const struct step* step) {
    int file = thread_file(0, "fail-nth");
    u32 n;

    for (n = 1; n < MOST_FAULTS; n++) {
        bool fired;
        int ret;

        arm(file, n);
        ret = step->run(live);
        fired = disarm(file);
        if (!fired) {
            require(!ret, "%s: error %d when nothing fails", step->name, ret);
            break;
        }
        check(!ret || error_is_due(ret), "%s, fault %u: error %d", step->name, n, ret);
        if (!ret && step->undo)
            step->undo(live);
    }
    close(file);
    require(n < MOST_FAULTS, "%s: there is no end to the faults", step->name);
    return n - 1;
}

static int step_owner(struct live* live) {
    return vhost_call(&live->net.dev, VHOST_SET_OWNER, NULL);
}

static void undo_owner(struct live* live) {
    require_ok(vhost_call(&live->net.dev, VHOST_RESET_OWNER, NULL));
}

static int step_features(struct live* live) {
    u64 features = live->net.features;

    return vhost_call(&live->net.dev, VHOST_SET_FEATURES, &features);
}

static int step_memory(struct live* live) {
    struct {
        struct vhost_memory head;
        struct vhost_memory_region regions[MAX_REGIONS];
    } table = {.head.padding = 0};

    table.head.nregions = guest_mem_regions(&live->net.mem, table.regions, 300);
    return vhost_call(&live->net.dev, VHOST_SET_MEM_TABLE, &table);
}

static int step_queues(struct live* live) {
    struct vhost_dev* dev = &live->net.dev;
    int ret = 0;

    for (u32 i = 0; i < NET_QUEUES && !ret; i++) {
        struct net_queue* queue = &live->net.queue[i];
        struct vhost_vring_state num = {.index = i};
        struct vhost_vring_state base = {.index = i, .num = vhost_driver_base(&queue->driver)};
        struct vhost_vring_addr addr = {.index = i};
        struct vq_setup setup;

        fd_describe(&queue->driver, &setup);
        num.num = setup.num;
        addr.desc_user_addr = (unsigned long)setup.desc;
        addr.avail_user_addr = (unsigned long)setup.driver;
        addr.used_user_addr = (unsigned long)setup.device;
        ret = vhost_call(dev, VHOST_SET_VRING_NUM, &num);
        if (!ret)
            ret = vhost_call(dev, VHOST_SET_VRING_BASE, &base);
        if (!ret)
            ret = vhost_call(dev, VHOST_SET_VRING_ADDR, &addr);
    }
    return ret;
}

static int step_eventfds(struct live* live) {
    struct vhost_dev* dev = &live->net.dev;
    int ret = 0;

    for (u32 i = 0; i < NET_QUEUES && !ret; i++) {
        struct vhost_queue* queue = &live->net.queue[i].vhost;
        struct vhost_vring_file kick = {.index = i, .fd = queue->kick};
        struct vhost_vring_file call = {.index = i, .fd = queue->call};
        struct vhost_vring_file err = {.index = i, .fd = queue->err};

        ret = vhost_call(dev, VHOST_SET_VRING_KICK, &kick);
        if (!ret)
            ret = vhost_call(dev, VHOST_SET_VRING_CALL, &call);
        if (!ret)
            ret = vhost_call(dev, VHOST_SET_VRING_ERR, &err);
    }
    return ret;
}

static u32 made_worker;

static int step_new_worker(struct live* live) {
    return vhost_new_worker(&live->net.dev, &made_worker);
}

static void undo_new_worker(struct live* live) {
    require_ok(vhost_free_worker(&live->net.dev, made_worker));
}

static int step_attach(struct live* live) {
    return vhost_attach_worker(&live->net.dev, NET_TX, made_worker);
}

static int step_backend(struct live* live) {
    int ret = 0;

    for (u32 i = 0; i < NET_QUEUES && !ret; i++) {
        struct vhost_vring_file file = {.index = i, .fd = live->tap.fd};

        ret = vhost_call(&live->net.dev, VHOST_NET_SET_BACKEND, &file);
    }
    return ret;
}

static int step_stats(struct live* live) {
    struct vireo_queue_stats stats = {.index = NET_TX, .size = sizeof(stats)};

    return vhost_call(&live->net.dev, VIREO_GET_QUEUE_STATS, &stats);
}

static const struct step steps[] = {
    {"SET_OWNER", step_owner, undo_owner},      {"SET_FEATURES", step_features, NULL},
    {"SET_MEM_TABLE", step_memory, NULL},       {"the rings", step_queues, NULL},
    {"the eventfds", step_eventfds, NULL},      {"NEW_WORKER", step_new_worker, undo_new_worker},
    {"ATTACH_VRING_WORKER", step_attach, NULL}, {"SET_BACKEND", step_backend, NULL},
    {"GET_QUEUE_STATS", step_stats, NULL},
};

/* A live device, before any traffic. */
static void open_live(struct live* live, u64 features) {
    struct net_options options = {.features = features, .room = {16384, 16384}, .num = {64, 64}};
    struct tap_options tap = {.vnet_hdr = net_tap_hdr(features), .mtu = 9000};

    live_open_with(live, &options, &tap);
}

static void each_call(const void* arg) {
    const u64* features = arg;
    struct live live;
    u32 sum = 0;

    injection_begin();
    open_live(&live, *features);
    require_ok(net_stop(&live.net));
    require_ok(vhost_reset_owner(&live.net.dev));
    for (u32 i = 0; i < COUNT(steps); i++) {
        u32 faults = each_fault(&live, &steps[i]);

        say("%s: %u faults", steps[i].name, faults);
        sum += faults;
    }
    check(sum > 10, "only %u faults: is anything injected?", sum);
    /* Behind an IOMMU somebody would have to answer; the worker's tests do. */
    if (!(*features & F_ACCESS_PLATFORM))
        live_check(&live);
    live_close(&live);
}

/* A refused SET_OWNER leaves what was set before. */
static void owner_keeps_features(const void* arg) {
    const u64* features = arg;
    struct live live;
    u32 refused = 0;
    bool fired = true;
    int file;

    injection_begin();
    open_live(&live, *features);
    require_ok(net_stop(&live.net));
    require_ok(vhost_reset_owner(&live.net.dev));
    require_ok(step_features(&live));
    file = thread_file(0, "fail-nth");
    /* What can do without the memory that failed does not count, and begins anew. */
    for (u32 n = 1; fired; n++) {
        int ret;

        arm(file, n);
        ret = step_owner(&live);
        fired = disarm(file);
        refused += ret < 0;
        if (!ret && fired) {
            require_ok(vhost_reset_owner(&live.net.dev));
            require_ok(step_features(&live));
        }
    }
    close(file);
    check(refused, "SET_OWNER was never refused: is anything injected?");
    require_ok(step_memory(&live));
    require_ok(step_queues(&live));
    require_ok(step_eventfds(&live));
    require_ok(step_backend(&live));
    live_check(&live);
    live_close(&live);
}

static int step_open(struct live* live) {
    live->net.dev.fd = open(vhost_path(), O_RDWR | O_CLOEXEC);
    return live->net.dev.fd < 0 ? -errno : 0;
}

static void undo_open(struct live* live) {
    close(live->net.dev.fd);
}

static void each_open(const void* arg) {
    static const struct step step = {"open", step_open, undo_open};
    struct live live;

    injection_begin();
    say("open: %u faults", each_fault(&live, &step));
    close(live.net.dev.fd);
}

/* Closing can not fail, and can not be tried again. */
static void each_close(const void* arg) {
    const u64* features = arg;
    struct live live;
    bool fired = true;
    int file;
    u32 n;

    injection_begin();
    file = thread_file(0, "fail-nth");
    for (n = 1; fired && n < MOST_FAULTS; n++) {
        open_live(&live, *features);
        flow_transmit(&live.flow);
        arm(file, n);
        check(!close(live.net.dev.fd), "close: %m");
        fired = disarm(file);
        live.net.dev.fd = NO_FD;
        live_close(&live);
    }
    say("close: %u faults", n - 2);
    close(file);
}

/* The worker */

static int find_worker(void) {
    char wanted[32];
    DIR* dir = opendir("/proc");
    struct dirent* entry;
    int tid = 0;

    snprintf(wanted, sizeof(wanted), "vireo-%d\n", getpid());
    while (dir && (entry = readdir(dir)) && !tid) {
        char path[300];
        char name[32] = "";
        FILE* file;

        snprintf(path, sizeof(path), "/proc/%s/comm", entry->d_name);
        file = atoi(entry->d_name) ? fopen(path, "re") : NULL;
        if (!file)
            continue;
        if (fgets(name, sizeof(name), file) && !strcmp(name, wanted))
            tid = atoi(entry->d_name);
        fclose(file);
    }
    if (dir)
        closedir(dir);
    require(tid, "there is no worker named %s", wanted);
    return tid;
}

/* Packets to the worker, one for each fault. */
struct packets {
    struct live live;
    u32 index;
    u32 bytes;
    u32 faults_seen; /* that stopped the queue, so far */
    u32 lost;
    bool translate;
};

static u8 frame[FRAME_MAX];

static u64 stops_of(struct packets* packets) {
    struct vireo_queue_stats stats;

    require_ok(vhost_stats(&packets->live.net.dev, packets->index, &stats));
    check(!stats.ring_errors, "the driver broke no rule, but error %u is counted",
          stats.last_error);
    return stats.faults;
}

/* Gives the translations that are asked for: of the rings' addresses, and of guest addresses. */
static void answer_misses(struct packets* packets) {
    const struct guest_mem* mem = &packets->live.net.mem;
    struct pollfd wait = {.fd = packets->live.net.dev.fd, .events = POLLIN};
    struct vhost_msg msg;

    while (poll(&wait, 1, 0) == 1 && (wait.revents & POLLIN)) {
        require(read(wait.fd, &msg, sizeof(msg)) == sizeof(msg), "read a message: %m");
        msg.iotlb.type = VHOST_IOTLB_UPDATE;
        msg.iotlb.perm = VHOST_ACCESS_RW;
        msg.iotlb.size = mem->bytes;
        msg.iotlb.uaddr = (unsigned long)mem->base;
        msg.iotlb.iova = msg.iotlb.iova - (unsigned long)mem->base < mem->bytes ? msg.iotlb.uaddr
                                                                                : FD_GUEST_BASE;
        require(write(wait.fd, &msg, sizeof(msg)) == sizeof(msg), "write a message: %m");
    }
}

static void forget_translations(struct packets* packets) {
    struct vhost_msg msg = {
        .type = VHOST_IOTLB_MSG,
        .iotlb = {.type = VHOST_IOTLB_INVALIDATE, .iova = 0, .size = ~0ULL},
    };

    require(write(packets->live.net.dev.fd, &msg, sizeof(msg)) == sizeof(msg),
            "write a message: %m");
}

static bool settled(void* arg) {
    struct packets* packets = arg;
    struct net_driver* net = &packets->live.net;
    struct net_packet packet;
    int ret;

    if (packets->translate)
        answer_misses(packets);
    if (packets->index == NET_TX)
        ret = net_reap_sent(net);
    else
        ret = net_receive(net, &packet, frame, sizeof(frame));
    require(ret >= 0, "the device broke the ring");
    return ret > 0 || stops_of(packets) != packets->faults_seen;
}

static void one_packet(struct packets* packets) {
    struct net_driver* net = &packets->live.net;

    frame_make(frame, packets->bytes, 1);
    if (packets->translate)
        forget_translations(packets);
    if (packets->index == NET_TX)
        require_ok(net_send(net, NULL, frame, packets->bytes, NULL));
    else
        require_ok(tap_send(&packets->live.tap, NULL, frame, packets->bytes));
    net_show(&net->queue[packets->index]);
    require(wait_until(settled, packets), "a packet neither goes on nor stops the queue");
}

/* Buffers to receive to, all over again. */
static void fill(struct packets* packets) {
    struct net_driver* net = &packets->live.net;

    if (packets->index != NET_RX)
        return;
    net_fill(net, 8, 12000, NULL);
    net_show(&net->queue[NET_RX]);
}

/* A queue that has stopped said so, and can be set up again. */
static void mend(struct packets* packets) {
    struct net_driver* net = &packets->live.net;

    packets->faults_seen++;
    check(event_take(net->queue[packets->index].vhost.err), "a queue stopped, and did not say so");
    require_ok(net_reset_queue(net, packets->index));
    require_ok(vhost_set_backend(&net->dev, packets->index, packets->live.tap.fd));
    fill(packets);
}

static void drain_outside(struct packets* packets) {
    while (tap_receive(&packets->live.tap, NULL, frame, sizeof(frame)) >= 0)
        continue;
}

/* What the worker does for a packet of a size, with each fault. */
static u32 each_in_worker(struct packets* packets) {
    int file = thread_file(find_worker(), "fail-nth");
    bool fired = true;
    u32 n;

    for (n = 1; fired && n < MOST_FAULTS; n++) {
        if (packets->index == NET_RX)
            fill(packets);
        arm(file, n);
        one_packet(packets);
        fired = disarm(file);
        if (stops_of(packets) != packets->faults_seen)
            mend(packets);
        drain_outside(packets);
    }
    close(file);
    require(n < MOST_FAULTS, "there is no end to the faults");
    return n - 2;
}

static const u64 plain = F_VERSION_1 | F_NET_MRG_RXBUF;
static const u64 packed = F_VERSION_1 | F_RING_PACKED | F_EVENT_IDX | F_INDIRECT_DESC;
static const u64 behind_iommu = F_VERSION_1 | F_ACCESS_PLATFORM;

static const struct worker_case {
    u32 index;
    u64 features;
} cases[] = {
    {NET_TX, F_VERSION_1 | F_NET_MRG_RXBUF},
    {NET_RX, F_VERSION_1 | F_NET_MRG_RXBUF},
    {NET_TX, F_VERSION_1 | F_RING_PACKED | F_EVENT_IDX | F_INDIRECT_DESC},
    {NET_TX, F_VERSION_1 | F_ACCESS_PLATFORM},
    {NET_RX, F_VERSION_1 | F_ACCESS_PLATFORM},
};

static void each_in_worker_of(const void* arg) {
    /* Copied by the device, and sent from where it lies. */
    static const u32 sizes[] = {60, 1514, 8000};
    const struct worker_case* of = arg;
    struct packets packets = {.index = of->index, .translate = of->features & F_ACCESS_PLATFORM};

    injection_begin();
    open_live(&packets.live, of->features);
    for (u32 i = 0; i < COUNT(sizes); i++) {
        u32 faults;

        packets.bytes = sizes[i];
        /* What is allocated once is allocated before. */
        fill(&packets);
        one_packet(&packets);
        drain_outside(&packets);
        faults = each_in_worker(&packets);
        say("%u bytes: %u faults, of which %u stopped the queue so far", sizes[i], faults,
            packets.faults_seen);
        check(faults, "no fault with a packet of %u bytes: is anything injected?", sizes[i]);
    }
    if (!packets.translate) {
        require_ok(net_reset_queue(&packets.live.net, of->index));
        require_ok(vhost_set_backend(&packets.live.net.dev, of->index, packets.live.tap.fd));
        live_check(&packets.live);
    }
    live_close(&packets.live);
}

#define TIMES 1000000 /* that it may fail; what is left of it is counted down */
#define TEXT_OF(number) #number
#define TEXT(number) TEXT_OF(number)

static void worker_short_of_memory(const char* times, const char* probability) {
    static const char* const types[] = {"failslab", "fail_page_alloc"};

    for (u32 i = 0; i < COUNT(types); i++) {
        set(types[i], "interval", "1");
        set(types[i], "times", times);
        set(types[i], "probability", probability);
    }
}

/* One allocation in three fails, under traffic: what goes out is what went in, if it does. */
static void random_in_worker(const void* arg) {
    const u64* features = arg;
    struct live live;
    u32 wanted = 3000;
    long failed;
    u32 sent = 0;
    u32 came = 0;
    int file;

    injection_begin();
    open_live(&live, *features);
    file = thread_file(find_worker(), "make-it-fail");
    arm(file, 1);
    worker_short_of_memory(TEXT(TIMES), "33");
    while (sent < wanted) {
        u32 bytes = 60 + sent * 7 % 9000;

        frame_make(frame, bytes, sent);
        if (!net_send(&live.net, NULL, frame, bytes, NULL)) {
            sent++;
            continue;
        }
        net_show(&live.net.queue[NET_TX]);
        require(!net_wait(&live.net.queue[NET_TX], WAIT_MS), "nothing comes back after %u", sent);
        net_reap_sent(&live.net);
        while (tap_receive(&live.tap, NULL, frame, sizeof(frame)) >= 0)
            came++;
    }
    net_show(&live.net.queue[NET_TX]);
    flow_drain(&live.net);
    arm(file, 0);
    failed = 2L * TIMES - get("failslab", "times") - get("fail_page_alloc", "times");
    worker_short_of_memory("0", "0");
    while (tap_receive(&live.tap, NULL, frame, sizeof(frame)) >= 0)
        came++;
    say("%u of %u frames came out; %ld allocations failed", came, sent, failed);
    check(failed > 0, "no allocation failed: is anything injected?");
    close(file);
    live_check(&live);
    live_close(&live);
}

static const struct test tests[] = {
    {"open", each_open, NULL},
    {"calls", each_call, &plain},
    {"calls-packed", each_call, &packed},
    {"calls-behind-an-iommu", each_call, &behind_iommu},
    {"features-stay", owner_keeps_features, &plain},
    {"close", each_close, &plain},
    {"worker-transmits", each_in_worker_of, &cases[0]},
    {"worker-receives", each_in_worker_of, &cases[1]},
    {"worker-transmits-packed", each_in_worker_of, &cases[2]},
    {"worker-transmits-behind-an-iommu", each_in_worker_of, &cases[3]},
    {"worker-receives-behind-an-iommu", each_in_worker_of, &cases[4]},
    {"worker-at-random", random_in_worker, &plain},
    {"worker-at-random-packed", random_in_worker, &packed},
};

int main(int argc, char** argv) {
    return run_tests(tests, COUNT(tests), argc, argv);
}
