/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The core of Vireo, as the device modules see it.
 *
 * A device (struct vireo_dev) belongs to one open file. It has queues, each of
 * which is run by a worker: a kernel thread that uses the owner's memory. The
 * core does everything that all devices have in common: the ioctls, guest
 * memory, the rings, kicks and calls, the dirty log. A device module gives a
 * run() for its queues and moves the payload.
 *
 * Locks, taken in this order (Documentation/locking.md):
 *   vireo_dev.mutex	ioctls, one at a time
 *   vireo_queue.mutex	the state of a queue; its worker holds it while it runs
 *   vireo_iotlb.lock	translations
 * The functions below are grouped by the file that implements them.
 */
#ifndef VIREO_CORE_H
#define VIREO_CORE_H

#include <linux/eventfd.h>
#include <linux/fs.h>
#include <linux/llist.h>
#include <linux/mutex.h>
#include <linux/nospec.h>
#include <linux/poll.h>
#include <linux/uio.h>
#include <linux/vhost.h>
#include <linux/wait.h>
#include <linux/xarray.h>
#include <uapi/linux/vireo.h>

#include "vq/vq.h"

#define VIREO_BATCH 64 /* chains popped, and used entries published, at once */
#define VIREO_MAX_CHAINS 1024 /* that a queue may hold between pop and publish */
#define VIREO_MAX_SEGS 1024 /* of one chain, and of one batch */

#define VIREO_FEATURE(bit) (1ULL << (bit))

/* Every ring feature that the engine has, and what the core does for all. */
#define VIREO_CORE_FEATURES                                                        \
	(VIREO_FEATURE(VQ_F_NOTIFY_ON_EMPTY) | VIREO_FEATURE(VQ_F_INDIRECT_DESC) | \
	 VIREO_FEATURE(VQ_F_EVENT_IDX) | VIREO_FEATURE(VQ_F_RING_PACKED) |         \
	 VIREO_FEATURE(VQ_F_IN_ORDER) | VIREO_FEATURE(VHOST_F_LOG_ALL) |           \
	 VIREO_FEATURE(VIREO_F_ANY_LAYOUT) | VIREO_FEATURE(VIREO_F_VERSION_1) |    \
	 VIREO_FEATURE(VIREO_F_ACCESS_PLATFORM) | VIREO_FEATURE(VIREO_F_RING_RESET))

/* virtio 1.2, 6: bits that concern the device rather than the ring. */
#define VIREO_F_ANY_LAYOUT 27 /* the same number as VHOST_NET_F_VIRTIO_NET_HDR */
#define VIREO_F_VERSION_1 32
#define VIREO_F_ACCESS_PLATFORM 33
#define VIREO_F_RING_RESET 40

struct vireo_dev;
struct vireo_queue;
struct vireo_worker;
struct vireo_work;

/* Work for a worker; queued at most once at a time. */
struct vireo_work {
	struct llist_node node;
	unsigned long flags;
	void (*fn)(struct vireo_work *work, bool alive);
};

/* Turns a wake-up of some file into a turn of a queue. */
struct vireo_poll {
	poll_table table;
	wait_queue_entry_t wait;
	wait_queue_head_t *head; /* NULL: not waiting */
	__poll_t mask;
	struct vireo_queue *queue;
	u64 *count; /* of wake-ups, or NULL: see vireo_poll_init() */
};

/* A range of guest addresses that are consecutive in the owner's memory too. */
struct vireo_range {
	u64 start;
	u64 size; /* 0: an empty range, nothing is in it */
	u64 uaddr;
	u8 perm; /* VHOST_ACCESS_ bits */
};

/* Guest memory: ranges in ascending order that do not overlap. Immutable. */
struct vireo_memory {
	u32 n;
	struct vireo_range ranges[];
};

/* What a queue asks of userspace: a translation. Under the table's lock. */
struct vireo_miss {
	struct list_head link; /* empty: nothing is asked, or it has been read */
	u64 iova;
	u8 perm;
};

/**
 * struct vireo_queue - a virtqueue and everything that it takes to run it
 *
 * Under @mutex, but for @miss, @work, @worker and the polls' wake-ups.
 *
 * @dev: its device
 * @index: its place there
 * @mutex: held by the worker for a whole turn
 * @vq: the engine's queue; valid while @mapped
 * @backend: of the device module; not NULL means that the queue is live
 * @mapped: @vq has its ring
 * @error: why the queue stopped, enum vireo_queue_error; 0: it serves
 * @waiting: an answer from userspace about the IOTLB is what it waits for
 * @features: acked by the driver
 * @num: queue size
 * @addr: of the ring, as set; with ACCESS_PLATFORM the driver's, else the owner's
 * @base: where to begin, or where it stopped, unless @mapped
 * @busyloop_us: how long to look for work before sleeping, microseconds
 * @poll_end: when this turn's polling ends (local_clock()), 0: it has not begun
 * @memory: guest memory, changes under @mutex
 * @hot: the range that was found last
 * @log: where dirty pages are noted, NULL: nowhere
 * @kick: file of the kick eventfd
 * @call: to call the driver
 * @err: to tell the owner that the queue stopped
 * @log_call: to tell the owner that the log changed
 * @kick_poll: waits for @kick
 * @miss: the translation that it asked for last
 * @worker: runs the queue; changes under @mutex, read under RCU
 * @work: a turn of the queue
 * @chains: room for VIREO_MAX_CHAINS popped chains
 * @segs: room for the segments of a batch
 * @table_segs: room for the segments of one expanded chain
 * @iov: room for one translated chain, or for the buffers of one packet
 * @used: room for VIREO_MAX_CHAINS staged entries
 * @stats: counters
 */
struct vireo_queue {
	struct vireo_dev *dev;
	unsigned int index;
	struct mutex mutex; /* see above */
	struct vq vq;
	void *backend;
	bool mapped;
	bool waiting;
	u32 error;
	u64 features;
	u32 num;
	struct vhost_vring_addr addr;
	u32 base;
	u32 busyloop_us;
	u64 poll_end;
	const struct vireo_memory *memory;
	struct vireo_range hot;
	u8 __user *log;
	struct file *kick;
	struct eventfd_ctx *call;
	struct eventfd_ctx *err;
	struct eventfd_ctx *log_call;
	struct vireo_poll kick_poll;
	struct vireo_miss miss;
	struct vireo_worker __rcu *worker;
	struct vireo_work work;
	struct vq_chain *chains;
	struct vq_seg *segs;
	struct vq_seg *table_segs;
	struct iovec *iov;
	struct vq_used *used;
	struct vireo_queue_stats stats;
};

/**
 * struct vireo_dev_ops - what a device module brings
 * @features: offered to the driver
 * @in_flight: chains may be in flight between turns; @stop waits for them. A
 *	live ring cannot move then
 * @features_set: called under the queue's mutex after its features changed;
 *	may be NULL
 * @run: a turn of a live queue, in its worker, under its mutex. Does a bounded
 *	amount of work and asks for another turn with vireo_queue_again() if
 *	there is more. Nothing is in flight when it returns, unless @in_flight
 * @stop: take the backend from a queue and release it; called under the
 *	device's mutex, not under the queue's
 */
struct vireo_dev_ops {
	u64 features;
	bool in_flight;
	void (*features_set)(struct vireo_queue *q);
	void (*run)(struct vireo_queue *q);
	void (*stop)(struct vireo_queue *q);
};

/* Translations of a driver behind an IOMMU, and the talk about them. */
struct vireo_iotlb {
	spinlock_t lock; /* guards all below */
	bool on;
	u32 n;
	struct rb_root_cached tree;
	struct list_head entries; /* oldest first */
	struct list_head unread; /* queues' misses that nobody has read yet, oldest first */
	wait_queue_head_t wait;
};

/**
 * struct vireo_dev - an open device
 * @ops: the device module's
 * @queues: array of @nqueues, the module's
 * @nqueues: how many
 * @mutex: one ioctl at a time
 * @mm: the owner's address space, held by mmgrab(), so that it can die; NULL:
 *	no owner
 * @features: acked
 * @backend_features: acked, VHOST_BACKEND_F_
 * @memory: guest memory, never NULL once there is an owner
 * @log_call: eventfd for a change of the log
 * @iotlb: for VIRTIO_F_ACCESS_PLATFORM
 * @workers: by id; the first is there as long as the owner
 */
struct vireo_dev {
	const struct vireo_dev_ops *ops;
	struct vireo_queue **queues;
	unsigned int nqueues;
	struct mutex mutex; /* see above */
	struct mm_struct *mm;
	u64 features;
	u64 backend_features;
	const struct vireo_memory *memory;
	struct eventfd_ctx *log_call;
	struct vireo_iotlb iotlb;
	struct xarray workers;
};

static inline bool vireo_has(const struct vireo_queue *q, unsigned int bit)
{
	return q->features & VIREO_FEATURE(bit);
}

static inline bool vireo_logging(const struct vireo_queue *q)
{
	return unlikely(q->features & VIREO_FEATURE(VHOST_F_LOG_ALL));
}

/* device.c: a device from open to release; all under no lock */
void vireo_dev_init(struct vireo_dev *dev, const struct vireo_dev_ops *ops,
		    struct vireo_queue **queues, unsigned int nqueues);
void vireo_dev_release(struct vireo_dev *dev);
long vireo_dev_ioctl(struct vireo_dev *dev, unsigned int cmd, void __user *argp);
int vireo_dev_check_owner(struct vireo_dev *dev);

/* vring.c: the ioctls of one queue */
long vireo_vring_ioctl(struct vireo_dev *dev, unsigned int cmd, void __user *argp);

/* queue.c: the life of a queue */
void vireo_queue_init(struct vireo_dev *dev, struct vireo_queue *q, unsigned int index);
void vireo_queue_forget(struct vireo_queue *q);
void vireo_queue_free(struct vireo_queue *q);
int vireo_queue_check(struct vireo_queue *q);
int vireo_queue_start(struct vireo_queue *q, void *backend);
void *vireo_queue_stop(struct vireo_queue *q);
void vireo_queue_unmap(struct vireo_queue *q);
void vireo_queue_again(struct vireo_queue *q);
void vireo_queue_kicked(struct vireo_queue *q);
void vireo_queue_break(struct vireo_queue *q, u32 error);
void vireo_queue_mend(struct vireo_queue *q);

/* ring.c: the data path's way to the ring; under the queue's mutex, in its worker */
int vireo_pop(struct vireo_queue *q, u32 first, u32 max);
int vireo_expand_table(struct vireo_queue *q, struct vq_chain *chain);
void vireo_unpop(struct vireo_queue *q, u32 first, u32 n);
int vireo_publish(struct vireo_queue *q, u32 first, u32 n);
int vireo_enable_kick(struct vireo_queue *q, u32 skip);
int vireo_disable_kick(struct vireo_queue *q);
bool vireo_busy_poll(struct vireo_queue *q, bool (*more)(struct vireo_queue *q));

/* memory.c: guest addresses */
long vireo_memory_set(struct vireo_dev *dev, struct vhost_memory __user *argp);
const struct vireo_memory *vireo_memory_empty(void);
int vireo_translate_slow(struct vireo_queue *q, u64 addr, u64 len, u8 perm, void __user **to,
			 u64 *got);
int vireo_translate_many(struct vireo_queue *q, const struct vq_seg *segs, u32 n, u8 perm,
			 struct iovec *iov, u32 max);
int vireo_copy_from_guest(struct vireo_queue *q, const struct vq_seg *segs, u32 skip, void *to,
			  u32 len);
int vireo_memory_error(struct vireo_queue *q, int err);

/* iotlb.c and message.c: VIRTIO_F_ACCESS_PLATFORM */
void vireo_iotlb_init(struct vireo_iotlb *tlb);
void vireo_iotlb_enable(struct vireo_iotlb *tlb, bool on);
int vireo_iotlb_insert(struct vireo_iotlb *tlb, const struct vireo_range *range);
bool vireo_iotlb_remove(struct vireo_iotlb *tlb, u64 start, u64 last);
bool vireo_iotlb_find(struct vireo_iotlb *tlb, u64 addr, u8 perm, struct vireo_range *range);
void vireo_iotlb_miss(struct vireo_queue *q, u64 addr, u8 perm);
void vireo_iotlb_unask(struct vireo_queue *q);
void vireo_queues_go_on(struct vireo_dev *dev);
ssize_t vireo_dev_read_iter(struct vireo_dev *dev, struct iov_iter *to, bool nonblock);
ssize_t vireo_dev_write_iter(struct vireo_dev *dev, struct iov_iter *from);
__poll_t vireo_dev_poll(struct vireo_dev *dev, struct file *file, poll_table *wait);

/* log.c: the dirty log */
bool vireo_log_ok(u8 __user *log, const struct vireo_memory *memory);
bool vireo_log_used_ok(u8 __user *log, const struct vhost_vring_addr *addr, u64 bytes);
void vireo_log_iov(struct vireo_queue *q, const struct iovec *iov, u32 n, u64 len);
void vireo_log_device_area(struct vireo_queue *q, u64 offset, u64 len);
void vireo_log_user(struct vireo_queue *q, const void __user *from, u64 len);
void vireo_log_signal(struct vireo_queue *q);

/* worker.c */
int vireo_workers_create(struct vireo_dev *dev);
void vireo_workers_destroy(struct vireo_dev *dev);
bool vireo_worker_queue(struct vireo_queue *q, struct vireo_work *work);
bool vireo_worker_busy(struct vireo_queue *q);
long vireo_worker_ioctl(struct vireo_dev *dev, unsigned int cmd, void __user *argp);

/* poll.c */
void vireo_poll_init(struct vireo_poll *poll, struct vireo_queue *q, __poll_t mask, u64 *count);
int vireo_poll_start(struct vireo_poll *poll, struct file *file);
void vireo_poll_stop(struct vireo_poll *poll);
bool vireo_poll_waits(struct vireo_poll *poll);

/* stats.c */
long vireo_stats_get(struct vireo_dev *dev, struct vireo_queue_stats __user *argp);

/* Where guest memory lies, if it is where the last was; NULL: it is not. */
static inline void __user *vireo_translate_hot(const struct vireo_queue *q, u64 addr, u64 len,
					       u8 perm)
{
	u64 offset = addr - q->hot.start;

	if (unlikely(offset >= q->hot.size || len > q->hot.size - offset || perm & ~q->hot.perm))
		return NULL;
	/* The driver chose the address: under speculation it stays in the range too. */
	return (void __user *)(q->hot.uaddr + array_index_nospec(offset, q->hot.size));
}

/**
 * vireo_translate() - where a guest address lies in the owner's memory
 * @q: queue, mutex held
 * @addr: guest address
 * @len: bytes wanted, at least 1
 * @perm: VHOST_ACCESS_ bits wanted
 * @to: set to the place
 * @got: set to how many of the @len bytes lie consecutively from there
 *
 * The place is valid while the queue's mutex is held, and has passed
 * access_ok().
 *
 * Return: 0; -ENXIO: no guest memory there; -EAGAIN: the translation has been
 * asked for, and the queue gets a turn when it comes.
 */
static inline int vireo_translate(struct vireo_queue *q, u64 addr, u64 len, u8 perm,
				  void __user **to, u64 *got)
{
	*to = vireo_translate_hot(q, addr, len, perm);
	*got = len;
	if (likely(*to))
		return 0;
	return vireo_translate_slow(q, addr, len, perm, to, got);
}

/**
 * vireo_translate_iov() - segments as an iovec
 * @q: queue, mutex held
 * @segs: guest addresses
 * @n: how many
 * @perm: VHOST_ACCESS_ bits
 * @iov: to fill
 * @max: room there, at least 1
 *
 * Return: entries of @iov; -ENXIO, -EAGAIN as for vireo_translate(); -E2BIG: no
 * room.
 */
static inline int vireo_translate_iov(struct vireo_queue *q, const struct vq_seg *segs, u32 n,
				      u8 perm, struct iovec *iov, u32 max)
{
	/* One segment, where the last was: nearly always. */
	if (likely(n == 1 && max)) {
		iov->iov_base = vireo_translate_hot(q, segs->addr, segs->len, perm);
		iov->iov_len = segs->len;
		if (likely(iov->iov_base))
			return 1;
	}
	return vireo_translate_many(q, segs, n, perm, iov, max);
}

/**
 * vireo_expand() - the segments of a chain that vireo_pop() gave last
 * @q: queue
 * @chain: its indirect table is read if it has one
 * @segs: set to the segments, which are valid until the next vireo_expand() or
 *	vireo_pop()
 *
 * Return: 0; -EAGAIN: the table's translation is missing, put the chain back
 * and end the turn; other: the queue is broken.
 */
static inline int vireo_expand(struct vireo_queue *q, struct vq_chain *chain,
			       struct vq_seg **segs)
{
	if (likely(!chain->table_len)) {
		*segs = q->segs + chain->first;
		return 0;
	}
	*segs = q->table_segs;
	return vireo_expand_table(q, chain);
}

#endif /* VIREO_CORE_H */
