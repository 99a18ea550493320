// SPDX-License-Identifier: GPL-2.0-only
/*
 * A device and those around it who come and go: an owner that is killed in the
 * midst of traffic, alone or with others who hold the file; an interface that
 * is taken down or deleted; other kinds of interfaces; many devices at once.
 * And a worker is a part of its owner: its nice level, CPUs and cgroup.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "frames.h"
#include "kernel_state.h"
#include "tap_output.h"
#include "traffic_flow.h"

#define USUAL (F_VERSION_1 | F_NET_MRG_RXBUF | F_EVENT_IDX)

static u8 frame[FRAME_MAX];

/* Owners that are killed */

/* What a child that owns a device tells of itself. */
struct owner {
    pid_t pid;
    struct live live;
    bool ready; /* it has sent something through */
};

static struct owner* owner_memory(void) {
    struct owner* owner =
        mmap(NULL, sizeof(*owner), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    require(owner != MAP_FAILED, "memory to share with a child");
    return owner;
}

static bool owner_ready(void* arg) {
    const struct owner* owner = arg;

    return __atomic_load_n(&owner->ready, __ATOMIC_ACQUIRE) || waitpid(owner->pid, NULL, WNOHANG);
}

/* A child that does this and says when it is ready. */
static void start_owner(struct owner* owner, void (*act)(struct owner* owner)) {
    pid_t child;

    owner->ready = false;
    child = fork();
    if (!child) {
        act(owner);
        fail_test("the owner's work ended");
    }
    require(child > 0, "fork: %s", strerror(errno));
    owner->pid = child;
    require(wait_until(owner_ready, owner), "the owner does not get ready");
    require(owner->ready, "the owner ended");
}

static void say_ready(struct owner* owner) {
    __atomic_store_n(&owner->ready, true, __ATOMIC_RELEASE);
}

static void kill_owner(const struct owner* owner) {
    kill(owner->pid, SIGKILL);
    require(waitpid(owner->pid, NULL, 0) == owner->pid, "the owner does not die");
}

static void own_and_send(struct owner* owner) {
    live_open(&owner->live, USUAL);
    for (;;) {
        live_check(&owner->live);
        say_ready(owner);
    }
}

struct use {
    char module[64];
    long users;
};

static bool used_as_before(void* arg) {
    const struct use* use = arg;

    return module_users(use->module) == use->users;
}

static void killed_under_traffic(const void* arg) {
    struct owner* owner = owner_memory();
    struct use use;
    u64 seed = random_seed();

    module_of_device(vhost_path(), use.module, sizeof(use.module));
    use.users = module_users(use.module);
    for (u32 round = 0; round < 10; round++) {
        start_owner(owner, own_and_send);
        usleep(random_below(&seed, 20000));
        kill_owner(owner);
        check(wait_until(workers_gone, &owner->pid), "round %u: the worker outlives its owner",
              round);
        check(wait_until(used_as_before, &use), "round %u: %ld users of %s are left", round,
              module_users(use.module), use.module);
    }
}

/* Packets that the tap can not take now, and buffers that nothing arrives for. */
static void own_and_stall(struct owner* owner) {
    struct net_options options = {.features = USUAL};
    struct tap_options tap = {.vnet_hdr = net_tap_hdr(USUAL), .sndbuf = 20000};
    struct live* live = &owner->live;

    live_open_with(live, &options, &tap);
    net_fill(&live->net, 100, 1600, NULL);
    net_show(&live->net.queue[NET_RX]);
    for (u32 n = 0; n < 200; n++) {
        frame_make(frame, 1514, n);
        require_ok(net_send(&live->net, NULL, frame, 1514, NULL));
    }
    net_show(&live->net.queue[NET_TX]);
    /* Nobody reads the other end. */
    require(tap_receive_wait(&live->tap, NULL, frame, sizeof(frame), WAIT_MS) == 1514,
            "the first frame does not come out");
    say_ready(owner);
    pause();
}

static void killed_while_stalled(const void* arg) {
    struct owner* owner = owner_memory();

    start_owner(owner, own_and_stall);
    kill_owner(owner);
    check(wait_until(workers_gone, &owner->pid), "the worker outlives its owner");
}

/* Guest memory on a file system of its own, so that it is seen to be freed. */
static const char* const store = "/tmp/guest-memory";

static unsigned long store_used(void) {
    struct statvfs fs;

    require(!statvfs(store, &fs), "statvfs %s: %s", store, strerror(errno));
    return fs.f_blocks - fs.f_bfree;
}

static bool store_empty(void* arg) {
    return !store_used();
}

static void make_store(void) {
    require(!unshare(CLONE_NEWNS) && !mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL),
            "a mount namespace: %s", strerror(errno));
    mkdir(store, 0700);
    require(!mount("tmpfs", store, "tmpfs", 0, "size=64m"), "mount %s: %s", store, strerror(errno));
    require(!store_used(), "%s is not empty", store);
}

/* Replaces a driver's memory by a file's, at the same address, with the same contents. */
static void move_to_store(const struct guest_mem* mem) {
    int fd = open(store, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

    require(fd >= 0 && write(fd, mem->base, mem->bytes) == (ssize_t)mem->bytes &&
                mmap(mem->base, mem->bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd,
                     0) == mem->base,
            "guest memory on %s: %s", store, strerror(errno));
    close(fd);
}

static void own_from_store(struct owner* owner) {
    struct live* live = &owner->live;

    live_open(live, USUAL);
    require_ok(net_stop(&live->net));
    move_to_store(&live->net.mem);
    require_ok(net_start(&live->net, live->tap.fd));
    for (;;) {
        live_check(live);
        say_ready(owner);
    }
}

/* A thread that has nothing to do uses no CPU for a moment; one that spins, never. */
static bool rests(void* tid) {
    long before = thread_ticks(*(const pid_t*)tid);

    usleep(200000);
    return thread_ticks(*(const pid_t*)tid) - before <= 1;
}

static void killed_while_others_hold_it(const void* arg) {
    struct owner* owner = owner_memory();
    struct vhost_dev held = {.path = vhost_path()};
    struct tap tap;
    pid_t tid;
    int kick;
    u64 features;

    if (!strstr(vhost_path(), "/vireo-"))
        skip_test("vhost keeps its owner's memory until the last file is closed");
    make_store();
    start_owner(owner, own_from_store);
    tap = owner->live.tap;
    held.fd = file_of(owner->pid, owner->live.net.dev.fd);
    kick = file_of(owner->pid, owner->live.net.queue[NET_TX].vhost.kick);
    tap.raw = file_of(owner->pid, tap.raw);
    tap.fd = file_of(owner->pid, tap.fd);
    require(held.fd >= 0 && kick >= 0 && tap.raw >= 0 && tap.fd >= 0, "files of the owner");
    check(store_used(), "guest memory is not where it should be");
    kill_owner(owner);

    /* The file that we hold holds no memory of the dead. */
    check(wait_until(store_empty, NULL), "%lu pages of guest memory are left", store_used());
    /* Work for both queues, and nobody's memory to do it in. */
    for (u32 i = 0; i < 20; i++) {
        event_signal(kick);
        check_ret(tap_send(&tap, NULL, frame, 60), 0);
    }
    if (workers_of(owner->pid, &tid, 1))
        check(wait_until(rests, &tid), "the dead owner's worker spins");
    check_ret(vhost_get_features(&held, &features), 0);
    vhost_close(&held);
    check(wait_until(workers_gone, &owner->pid), "the worker outlives the last file");
}

/* The device has taken packets from the tap when its owner dies: they are not lost. */
static void own_without_buffers(struct owner* owner) {
    struct live* live = &owner->live;

    require_ok(net_start(&live->net, live->tap.fd));
    say_ready(owner);
    pause();
}

static bool frame_waits(void* arg) {
    const struct live* live = arg;
    struct vireo_queue_stats stats;

    require_ok(vhost_stats(&live->net.dev, NET_RX, &stats));
    return stats.stalls;
}

static void killed_with_packets(const void* arg) {
    struct owner* owner = owner_memory();
    struct live* live = &owner->live;
    struct net_options options = {.features = USUAL};
    struct tap tap;
    const u32 count = 100;
    pid_t child;

    /* The tap is ours and outlives the owner. */
    require_ok(tap_open(&tap, &(struct tap_options){.vnet_hdr = net_tap_hdr(USUAL)}));
    child = fork();
    if (!child) {
        require_ok(net_open(&live->net, &options));
        live->tap = tap;
        own_without_buffers(owner);
    }
    owner->pid = child;
    require(wait_until(owner_ready, owner) && owner->ready, "the owner ended");
    for (u32 n = 0; n < count; n++) {
        frame_make(frame, 60, n);
        require_ok(tap_send(&tap, NULL, frame, 60));
    }
    live->net.dev.fd = file_of(owner->pid, live->net.dev.fd);
    if (live->net.dev.is_vireo)
        check(wait_until(frame_waits, live), "no packet waits for a buffer");
    close(live->net.dev.fd);
    kill_owner(owner);

    require_ok(net_open(&live->net, &options));
    net_fill(&live->net, count, 1600, NULL);
    net_show(&live->net.queue[NET_RX]);
    require_ok(net_start(&live->net, tap.fd));
    for (u32 n = 0; n < count; n++) {
        struct net_packet packet;

        require(net_receive_wait(&live->net, &packet, frame, sizeof(frame), WAIT_MS) == 1,
                "frame %u does not arrive at the next owner", n);
        require(frame_matches(frame, packet.bytes, n, 60), "frame %u went wrong", n);
    }
}

/* Interfaces that go */

/* Frames in both queues that go nowhere any more. */
static void leave_traffic(struct live* live) {
    struct net_driver* net = &live->net;

    net_fill(net, 50, 1600, NULL);
    net_show(&net->queue[NET_RX]);
    for (u32 n = 0; n < 200; n++) {
        frame_make(frame, 60 + n, n);
        if (net_send(net, NULL, frame, 60 + n, NULL))
            break; /* the ring is full */
        if (n % 10 == 0)
            net_show(&net->queue[NET_TX]);
    }
    net_show(&net->queue[NET_TX]);
}

/* Where there is no interface, frames are dropped, and their buffers come back. */
static void expect_dropped(struct live* live) {
    /* vhost keeps those of a batch that could not be sent. */
    if (live->net.dev.is_vireo)
        flow_drain(&live->net);
}

static void begin_anew(struct live* live) {
    for (u32 i = 0; i < NET_QUEUES; i++)
        require_ok(net_reset_queue(&live->net, i));
    require_ok(net_start(&live->net, live->tap.fd));
}

static void tap_deleted(const void* arg) {
    struct live live;

    live_open(&live, USUAL);
    for (u32 round = 0; round < 3; round++) {
        struct tap_options options = {.vnet_hdr = net_tap_hdr(USUAL)};

        live_check(&live);
        leave_traffic(&live);
        require_ok(tap_delete(&live.tap));
        leave_traffic(&live);
        expect_dropped(&live);
        tap_close(&live.tap);
        require_ok(tap_open(&live.tap, &options));
        begin_anew(&live);
    }
    live_check(&live);
}

/* The last reference to a tap is the device's, and its interface is gone. */
static void tap_deleted_and_closed(const void* arg) {
    struct live live;

    live_open(&live, USUAL);
    live_check(&live);
    leave_traffic(&live);
    require_ok(tap_delete(&live.tap));
    tap_close(&live.tap);
    expect_dropped(&live);
    live_close(&live);
}

static void tap_down_and_up(const void* arg) {
    struct live live;
    ssize_t got;

    live_open(&live, USUAL);
    for (u32 round = 0; round < 5; round++) {
        live_check(&live);
        leave_traffic(&live);
        require_ok(tap_set_up(&live.tap, false));
        leave_traffic(&live);
        flow_drain(&live.net);
        /* What came out before it went down, and that it went down. */
        while ((got = tap_receive(&live.tap, NULL, frame, sizeof(frame))) != -EAGAIN)
            check(got >= 0 || got == -ENETDOWN, "receive: error %zd", got);
        require_ok(tap_set_up(&live.tap, true));
        begin_anew(&live);
    }
    live_check(&live);
}

/* Other kinds of interfaces */

static void open_net(struct live* live, u64 features) {
    static const u32 sizes[] = {60, 1514, 14, 700};
    static const struct net_shape shapes[] = {
        {.lens = {0}}, {.lens = {12, 2000}}, {.lens = {9, 400}}};
    struct net_options options = {.features = features};
    int ret = net_open(&live->net, &options);

    if (ret == -EOPNOTSUPP)
        skip_test("%s does not offer features %#llx", vhost_path(), (unsigned long long)features);
    require(!ret, "open the device: %d", ret);
    live->flow = (struct flow){.net = &live->net,
                               .tap = &live->tap,
                               .sizes = sizes,
                               .size_count = COUNT(sizes),
                               .shapes = shapes,
                               .shape_count = COUNT(shapes),
                               .count = 600,
                               .rx_buffer = 1600};
}

static void over_macvtap(const void* arg) {
    const u64* features = arg;
    struct live live;
    struct tap_options options = {.vnet_hdr = net_tap_hdr(*features)};
    int ret;

    open_net(&live, *features);
    ret = macvtap_open(&live.tap, &options);
    if (ret == -ENODEV)
        skip_test("the kernel has no macvtap");
    require(!ret, "a macvtap: %d", ret);
    require_ok(net_start(&live.net, live.tap.fd));
    for (u32 round = 0; round < 3; round++)
        live_check(&live);
    live_close(&live);
}

static int packet_socket(const char* name, bool header) {
    struct sockaddr_ll addr = {.sll_family = AF_PACKET,
                               .sll_protocol = htons(ETH_P_ALL),
                               .sll_ifindex = (int)if_nametoindex(name)};
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int bytes = 16 << 20;
    int one = 1;

    require(fd >= 0 && !setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) &&
                !setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one)) &&
                (!header || !setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof(one))) &&
                !bind(fd, (struct sockaddr*)&addr, sizeof(addr)),
            "a packet socket on %s: %s", name, strerror(errno));
    return fd;
}

static void set_up_quietly(const char* name) {
    require_ok(run_command("sysctl -w net.ipv6.conf.%s.disable_ipv6=1", name));
    require_ok(run_command("ip link set %s up promisc on arp off", name));
}

/* arg: features; without the header of our own the socket has one of 10 bytes. */
static void over_packet_socket(const void* arg) {
    const u64* features = arg;
    struct live live = {.tap = {.fd = -1, .raw = -1}};

    open_net(&live, *features);
    if (run_command("ip link add near0 type veth peer name far0"))
        skip_test("the kernel has no veth");
    set_up_quietly("near0");
    set_up_quietly("far0");
    live.tap.fd = packet_socket("near0", net_tap_hdr(*features));
    live.tap.raw = packet_socket("far0", true);
    require_ok(net_start(&live.net, live.tap.fd));
    for (u32 round = 0; round < 3; round++)
        live_check(&live);
    live_close(&live);
    require_ok(run_command("ip link del near0"));
}

/* Many, and what is a worker's */

#define MANY 20

static void many_devices(const void* arg) {
    static struct live lives[MANY];
    pid_t self = getpid();
    unsigned int workers;

    for (u32 i = 0; i < MANY; i++) {
        live_open(&lives[i], USUAL);
        lives[i].flow.count = 100;
    }
    workers = workers_of(self, NULL, 0);
    if (lives[0].net.dev.is_vireo)
        check(workers == MANY, "%u workers of %u devices", workers, MANY);
    for (u32 round = 0; round < 2; round++) {
        for (u32 i = 0; i < MANY; i++)
            live_check(&lives[i]);
    }
    /* All at work at once. */
    for (u32 i = 0; i < MANY; i++)
        leave_traffic(&lives[i]);
    for (u32 i = 0; i < MANY; i++)
        flow_drain(&lives[i].net);
    for (u32 i = 0; i < MANY; i++)
        live_close(&lives[i]);
    check(wait_until(workers_gone, &self), "%u workers are left", workers_of(self, NULL, 0));
}

static void enter_cgroup(const char* path) {
    char procs[160];
    FILE* file;

    snprintf(procs, sizeof(procs), "%s/cgroup.procs", path);
    file = fopen(procs, "we");
    require(file && fprintf(file, "%d\n", getpid()) > 0 && !fclose(file), "enter the cgroup %s",
            path);
}

static void make_cgroup(char* path, size_t room) {
    snprintf(path, room, "/sys/fs/cgroup/vireo-test-%d", getpid());
    if (mkdir(path, 0755))
        skip_test("no cgroup2 at /sys/fs/cgroup: %s", strerror(errno));
    enter_cgroup(path);
}

static void check_cgroup(pid_t tid, const char* wanted) {
    char path[64];
    char line[256];
    bool found = false;
    FILE* file;

    snprintf(path, sizeof(path), "/proc/%d/cgroup", tid);
    file = fopen(path, "re");
    require(file, "open %s", path);
    while (fgets(line, sizeof(line), file))
        found |= strstr(line, wanted) != NULL;
    fclose(file);
    check(found, "the worker is not in its owner's cgroup %s", wanted);
}

static void worker_is_like_its_owner(const void* arg) {
    char cgroup[128];
    struct live live;
    cpu_set_t one;
    cpu_set_t worker;
    pid_t tids[4];
    unsigned int count;
    u32 id;

    make_cgroup(cgroup, sizeof(cgroup));
    CPU_ZERO(&one);
    CPU_SET(sysconf(_SC_NPROCESSORS_ONLN) - 1, &one);
    require(!sched_setaffinity(0, sizeof(one), &one) && !setpriority(PRIO_PROCESS, 0, 7),
            "CPUs and nice level: %s", strerror(errno));
    live_open(&live, USUAL);
    if (!live.net.dev.is_vireo)
        skip_test("what a worker of vhost is differs by version");
    require_ok(vhost_new_worker(&live.net.dev, &id));
    require_ok(vhost_attach_worker(&live.net.dev, NET_TX, id));
    live_check(&live);
    count = workers_of(getpid(), tids, COUNT(tids));
    check(count == 2, "%u workers are named after their owner", count);
    for (u32 i = 0; i < count && i < COUNT(tids); i++) {
        int nice = -100;

        check_ret(thread_nice(tids[i], &nice), 0);
        check(nice == 7, "a worker has nice level %d, its owner 7", nice);
        check(!sched_getaffinity(tids[i], sizeof(worker), &worker) && CPU_EQUAL(&worker, &one),
              "a worker may run elsewhere than its owner");
        check_cgroup(tids[i], strrchr(cgroup, '/'));
    }
    live_close(&live);
    enter_cgroup("/sys/fs/cgroup");
    check(!rmdir(cgroup), "the cgroup %s: %s; is a worker left there?", cgroup, strerror(errno));
}

static const u64 usual = USUAL;
static const u64 packed = USUAL | F_RING_PACKED;
static const u64 own_header = USUAL | F_NET_VIRTIO_NET_HDR;
static const u64 short_header = F_EVENT_IDX;

static const struct test tests[] = {
    {"killed-under-traffic", killed_under_traffic, NULL},
    {"killed-while-stalled", killed_while_stalled, NULL},
    {"killed-while-others-hold-it", killed_while_others_hold_it, NULL},
    {"killed-with-packets", killed_with_packets, NULL},
    {"tap-deleted", tap_deleted, NULL},
    {"tap-deleted-and-closed", tap_deleted_and_closed, NULL},
    {"tap-down-and-up", tap_down_and_up, NULL},
    {"over-macvtap", over_macvtap, &usual},
    {"over-macvtap-packed", over_macvtap, &packed},
    {"over-macvtap-own-hdr", over_macvtap, &own_header},
    {"over-packet-socket-own-hdr", over_packet_socket, &own_header},
    {"over-packet-socket-short-hdr", over_packet_socket, &short_header},
    {"many-devices", many_devices, NULL},
    {"worker-is-like-its-owner", worker_is_like_its_owner, NULL},
};

int main(int argc, char** argv) {
    return run_tests(tests, COUNT(tests), argc, argv);
}
