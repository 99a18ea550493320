/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A vhost device, seen from the process that owns it: ioctls, guest memory,
 * and queues whose driver is a fake driver (selftests/vq) in this process.
 *
 * Functions return 0 or -errno. Those that set something up say on stderr what
 * failed; vhost_call() does not, it is for tests of errors.
 */
#ifndef VHOST_DEV_H
#define VHOST_DEV_H

#include <linux/vhost.h>
#include <sys/types.h>

#include "linux/vireo.h"

#include "fake_driver.h"

/* Feature bits by number that are not in every header. */
#define F_BIT(bit) (1ULL << (bit))
#define F_NOTIFY_ON_EMPTY F_BIT(24)
#define F_LOG_ALL F_BIT(26)
#define F_ANY_LAYOUT F_BIT(27)
#define F_NET_VIRTIO_NET_HDR F_BIT(27) /* the same bit: this is what it means to vhost-net */
#define F_INDIRECT_DESC F_BIT(28)
#define F_EVENT_IDX F_BIT(29)
#define F_VERSION_1 F_BIT(32)
#define F_ACCESS_PLATFORM F_BIT(33)
#define F_RING_PACKED F_BIT(34)
#define F_IN_ORDER F_BIT(35)
#define F_RING_RESET F_BIT(40)
#define F_NET_MRG_RXBUF F_BIT(15)

#define NO_FD (-1)
#define MAX_REGIONS 512

struct vhost_dev {
    int fd;
    const char* path;
    bool is_vireo; /* has what <linux/vireo.h> adds */
};

/* $VIREO_DEV, or /dev/vireo-net. */
const char* vhost_path(void);

int vhost_open(struct vhost_dev* dev, const char* path);
void vhost_close(struct vhost_dev* dev);

/* One ioctl, silently. Returns what it returned, or -errno. */
int vhost_call(const struct vhost_dev* dev, unsigned long request, void* arg);

/* Device set-up */
int vhost_set_owner(const struct vhost_dev* dev);
int vhost_reset_owner(const struct vhost_dev* dev);
int vhost_get_features(const struct vhost_dev* dev, u64* features);
int vhost_set_features(const struct vhost_dev* dev, u64 features);
int vhost_get_backend_features(const struct vhost_dev* dev, u64* features);
int vhost_set_backend_features(const struct vhost_dev* dev, u64 features);
int vhost_set_mem_table(const struct vhost_dev* dev, const struct vhost_memory_region* regions,
                        u32 count);
int vhost_set_log_base(const struct vhost_dev* dev, void* log);
int vhost_set_log_fd(const struct vhost_dev* dev, int fd);

/* Queue set-up */
int vhost_set_num(const struct vhost_dev* dev, u32 index, u32 num);
int vhost_set_base(const struct vhost_dev* dev, u32 index, u32 base);
int vhost_get_base(const struct vhost_dev* dev, u32 index, u32* base);
int vhost_set_addr(const struct vhost_dev* dev, const struct vhost_vring_addr* addr);
int vhost_set_kick(const struct vhost_dev* dev, u32 index, int fd);
int vhost_set_call(const struct vhost_dev* dev, u32 index, int fd);
int vhost_set_err(const struct vhost_dev* dev, u32 index, int fd);
int vhost_set_busyloop(const struct vhost_dev* dev, u32 index, u32 microseconds);
int vhost_set_backend(const struct vhost_dev* dev, u32 index, int fd); /* NO_FD stops */

/* Workers; a device without them gives -ENOTTY (or -ENOIOCTLCMD's userspace form) */
int vhost_new_worker(const struct vhost_dev* dev, u32* id);
int vhost_free_worker(const struct vhost_dev* dev, u32 id);
int vhost_attach_worker(const struct vhost_dev* dev, u32 index, u32 id);
int vhost_get_worker(const struct vhost_dev* dev, u32 index, u32* id);

/* Counters of a queue; -ENOTTY if the device is not Vireo's. */
int vhost_stats(const struct vhost_dev* dev, u32 index, struct vireo_queue_stats* stats);

/*
 * Guest memory: one mapping, at guest address FD_GUEST_BASE, of which the
 * arenas of fake drivers are parts.
 */
struct guest_mem {
    u8* base;
    size_t bytes;
};

int guest_mem_map(struct guest_mem* mem, size_t bytes); /* zeroed, and there */
void guest_mem_unmap(struct guest_mem* mem);
u64 guest_addr(const struct guest_mem* mem, const void* at);
void* guest_at(const struct guest_mem* mem, u64 addr);

/*
 * The memory as @count regions of whole pages, neighbours in guest addresses,
 * so that buffers straddle regions. Returns how many there are, count at most.
 */
u32 guest_mem_regions(const struct guest_mem* mem, struct vhost_memory_region* regions, u32 count);

/* A queue of a device, with its eventfds. */
struct vhost_queue {
    const struct vhost_dev* dev;
    u32 index;
    int kick; /* eventfds, not blocking */
    int call;
    int err;
};

/*
 * Tells the device of a queue as fd_describe() has it: size, position,
 * addresses and eventfds. log_addr: guest address for VHOST_VRING_F_LOG, or 0.
 */
int vhost_queue_open(struct vhost_queue* queue, const struct vhost_dev* dev, u32 index,
                     const struct fake_driver* driver, u64 log_addr);
/* Only size, position and addresses again, as after a reset of the queue. */
int vhost_queue_place(const struct vhost_queue* queue, const struct fake_driver* driver,
                      u64 log_addr);
void vhost_queue_close(struct vhost_queue* queue);

/* What VHOST_SET_VRING_ADDR wants; log_addr as above. */
void vhost_ring_addr(u32 index, const struct fake_driver* driver, u64 log_addr,
                     struct vhost_vring_addr* addr);

/* Where a fake driver stands, in the form of VHOST_SET_VRING_BASE. */
u32 vhost_driver_base(const struct fake_driver* driver);

/* eventfds: signal one, take what was signalled (0: nothing), wait (0 or -ETIMEDOUT) */
void event_signal(int fd);
u64 event_take(int fd);
int event_wait(int fd, int milliseconds);

#endif /* VHOST_DEV_H */
