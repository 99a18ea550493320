// SPDX-License-Identifier: GPL-2.0-only
/* The calls of a device, each counted with its result, and their arguments at random. */
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"
#include "report.h"

static const unsigned long requests[CALLS_IOCTL] = {
    [C_GET_FEATURES] = VHOST_GET_FEATURES,
    [C_SET_FEATURES] = VHOST_SET_FEATURES,
    [C_SET_OWNER] = VHOST_SET_OWNER,
    [C_RESET_OWNER] = VHOST_RESET_OWNER,
    [C_SET_MEM_TABLE] = VHOST_SET_MEM_TABLE,
    [C_SET_LOG_BASE] = VHOST_SET_LOG_BASE,
    [C_SET_LOG_FD] = VHOST_SET_LOG_FD,
    [C_SET_VRING_NUM] = VHOST_SET_VRING_NUM,
    [C_SET_VRING_BASE] = VHOST_SET_VRING_BASE,
    [C_GET_VRING_BASE] = VHOST_GET_VRING_BASE,
    [C_SET_VRING_ADDR] = VHOST_SET_VRING_ADDR,
    [C_SET_VRING_KICK] = VHOST_SET_VRING_KICK,
    [C_SET_VRING_CALL] = VHOST_SET_VRING_CALL,
    [C_SET_VRING_ERR] = VHOST_SET_VRING_ERR,
    [C_SET_VRING_BUSYLOOP] = VHOST_SET_VRING_BUSYLOOP_TIMEOUT,
    [C_GET_VRING_BUSYLOOP] = VHOST_GET_VRING_BUSYLOOP_TIMEOUT,
    [C_GET_BACKEND_FEATURES] = VHOST_GET_BACKEND_FEATURES,
    [C_SET_BACKEND_FEATURES] = VHOST_SET_BACKEND_FEATURES,
    [C_NEW_WORKER] = VHOST_NEW_WORKER,
    [C_FREE_WORKER] = VHOST_FREE_WORKER,
    [C_ATTACH_WORKER] = VHOST_ATTACH_VRING_WORKER,
    [C_GET_WORKER] = VHOST_GET_VRING_WORKER,
    [C_SET_BACKEND] = VHOST_NET_SET_BACKEND,
    [C_GET_STATS] = VIREO_GET_QUEUE_STATS,
};

/* All begin with an index, a value or a count. */
union argument {
    u64 value;
    int fd;
    u32 words[4];
    u8 bytes[64];
    struct vhost_vring_state state;
    struct vhost_vring_file file;
    struct vhost_vring_addr addr;
    struct vhost_vring_worker worker;
    struct vireo_queue_stats stats;
    struct vhost_memory memory;
    u8 room[sizeof(struct vhost_memory) + 600 * sizeof(struct vhost_memory_region)];
};

static unsigned long request_of(struct actor* actor, unsigned int call) {
    if (call == C_SET_BACKEND && actor->world->is_null)
        return VIREO_NULL_SET_BACKEND;
    if (call == C_UNKNOWN)
        return _IOC(below(actor, 4), percent(actor, 80) ? VHOST_VIRTIO : VIREO_IOCTL,
                    0x40 + below(actor, 0x30), below(actor, 64));
    return requests[call];
}

/* Only what the device would read is read, and not from memory that comes and goes. */
static u64 note_call(struct actor* actor, unsigned int call, unsigned long request,
                     const void* arg) {
    const struct world* world = actor->world;
    size_t bytes = call == C_UNKNOWN ? 0 : _IOC_SIZE(request);
    u64 words[2] = {0};

    if ((unsigned long)arg < PAGE || (unsigned long)arg >> 47 ||
        (arg >= (void*)world->device && arg < (void*)(world->device + MEMORY_BYTES)))
        return note(actor, "%s at %p", call_names[call], arg);
    memcpy(words, arg, bytes < sizeof(words) ? bytes : sizeof(words));
    return note(actor, "%s %#llx %#llx", call_names[call], (unsigned long long)words[0],
                (unsigned long long)words[1]);
}

int device_call(struct actor* actor, int fd, unsigned int call, void* arg) {
    struct report* report = actor->world->report;
    unsigned long request = request_of(actor, call);
    u64 number = note_call(actor, call, request, arg);
    int ret = ioctl(fd, request, arg) < 0 ? -errno : 0;

    note_result(report, number, ret);
    count_up(report->calls[call][-ret % ERRNOS], 1);
    return ret;
}

/* Numbers with which something begins or ends, or that nobody expects. */
static u64 odd_number(struct actor* actor) {
    static const u64 odd[] = {
        0,
        1,
        2,
        3,
        0x7f,
        0xff,
        0x8000,
        0xffff,
        0x10000,
        0x7fffffff,
        0x80000000,
        0xffffffff,
        0x100000000,
        0x7ffffffff000,
        0x800000000000,
        0x7fffffffffffffff,
        0x8000000000000000,
        0xfffffffffffff000,
        ~0ULL,
        FD_GUEST_BASE,
    };

    return percent(actor, 70) ? ONE_OF(actor, odd) : random64(actor);
}

/* Any fd that there is, and some that there are not. */
static int odd_file(struct actor* actor, struct fuzz_device* dev) {
    struct world* world = actor->world;
    struct fuzz_queue* queue = &dev->queue[below(actor, QUEUES)];
    const int files[] = {
        queue->kick,
        queue->call,
        queue->err,
        NO_FD,
        -2,
        0,
        1000,
        dev->fd,
        world->memfd,
        world->tap[below(actor, TAPS)].fd,
        world->tap[below(actor, TAPS)].raw,
        world->keeper[0],
    };

    return ONE_OF(actor, files);
}

static void fill_memory(struct actor* actor, union argument* arg) {
    arg->memory.padding = 0;
    arg->memory.nregions = plan_regions(actor, arg->memory.regions, 512);
    if (percent(actor, 40)) {
        /* One region gone wrong: overlaps, wraps, leads nowhere. */
        struct vhost_memory_region* r = &arg->memory.regions[below(actor, arg->memory.nregions)];
        u64* fields[] = {&r->guest_phys_addr, &r->memory_size, &r->userspace_addr};

        *ONE_OF(actor, fields) = odd_number(actor);
    }
    if (percent(actor, 10))
        arg->memory.nregions = below(actor, 600);
}

/* A new eventfd in the place of an old one, or an old one. */
static int event_file(struct actor* actor, int* place) {
    if (percent(actor, 30) && *place >= 0) {
        close(*place);
        *place = eventfd(0, EFD_NONBLOCK);
    }
    return *place;
}

/* An argument that a good owner could give. */
static void fill(struct actor* actor, struct fuzz_device* dev, unsigned int call,
                 union argument* arg) {
    u32 index = below(actor, QUEUES);
    struct fuzz_queue* queue = &dev->queue[index];

    memset(arg->bytes, 0, sizeof(arg->bytes));
    arg->state.index = index;
    switch (call) {
        case C_SET_FEATURES:
            arg->value = plan_features(actor);
            break;
        case C_SET_BACKEND_FEATURES:
            arg->value = percent(actor, 50) ? F_BIT(VHOST_BACKEND_F_IOTLB_MSG_V2) : 0;
            break;
        case C_SET_MEM_TABLE:
            fill_memory(actor, arg);
            break;
        case C_SET_LOG_BASE:
            arg->value = (unsigned long)actor->world->device + GUEST_BYTES;
            break;
        case C_SET_LOG_FD:
            arg->fd = queue->call;
            break;
        case C_SET_VRING_NUM:
            arg->state.num = plan_num(actor, dev->features);
            break;
        case C_SET_VRING_ADDR:
            if (queue->driver.setup.num)
                arg->addr = ring_address(actor->world, dev, index);
            break;
        case C_SET_VRING_KICK:
            arg->file.fd = event_file(actor, &queue->kick);
            break;
        case C_SET_VRING_CALL:
            arg->file.fd = event_file(actor, percent(actor, 95) ? &queue->call : &queue->kick);
            break;
        case C_SET_VRING_ERR:
            arg->file.fd = event_file(actor, &queue->err);
            break;
        case C_SET_VRING_BUSYLOOP:
            arg->state.num = below(actor, 300);
            break;
        case C_ATTACH_WORKER:
            arg->worker.worker_id = below(actor, 4);
            break;
        case C_FREE_WORKER:
            arg->value = below(actor, 4);
            break;
        case C_SET_BACKEND:
            arg->file.fd = percent(actor, 30) ? NO_FD : plan_tap(actor, dev->features);
            if (actor->world->is_null)
                arg->value = percent(actor, 70);
            break;
        case C_GET_STATS:
            arg->stats.size = sizeof(arg->stats);
            break;
    }
}

static void* odd_pointer(struct actor* actor) {
    void* const pointers[] = {
        NULL,
        (void*)1,
        (void*)0xffff888000000000UL,
        (void*)~0xfffUL,
        (void*)0x8000000000000000UL,
        actor->world->device + GUEST_BYTES - 4,
    };

    return ONE_OF(actor, pointers);
}

/* Any ioctl; one in three with an argument that is not right. */
void random_call(struct actor* actor, struct fuzz_device* dev) {
    /* An actor is one thread, and this is too large for many stacks. */
    static _Thread_local union argument arg;
    unsigned int call = below(actor, CALLS_IOCTL);

    /* What undoes everything comes more rarely, else nothing would run. */
    if (call == C_RESET_OWNER && percent(actor, 50))
        call = C_SET_OWNER;
    fill(actor, dev, call, &arg);
    if (percent(actor, 33)) {
        switch (below(actor, 5)) {
            case 0:
                arg.words[below(actor, 4)] = odd_number(actor);
                break;
            case 1:
                arg.bytes[below(actor, 40)] ^= 1 << below(actor, 8);
                break;
            case 2:
                arg.file.fd = odd_file(actor, dev);
                break;
            case 3:
                arg.state.index = percent(actor, 50) ? QUEUES : odd_number(actor);
                break;
            case 4:
                device_call(actor, dev->fd, call, odd_pointer(actor));
                return;
        }
    }
    if (!device_call(actor, dev->fd, call, &arg) && call == C_SET_FEATURES)
        dev->features = arg.value;
}
