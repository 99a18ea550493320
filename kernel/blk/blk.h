/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vireo_blk.ko: a disk, its queues, and the requests in flight.
 *
 * A chain that a queue's worker pops becomes a request, which is carried out in
 * steps: a read or write in rounds of as much as is mapped at once, a discard
 * range by range. The step that ends, in whatever context the disk ends it, puts
 * the request into a list; the worker takes that, begins the next step, or
 * answers. The functions below are grouped by the file that implements them.
 */
#ifndef VIREO_BLK_H
#define VIREO_BLK_H

#include <linux/blkdev.h>
#include <linux/bio.h>
#include <linux/llist.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <uapi/linux/virtio_blk.h>

#include "compat/block.h"
#include "vireo.h"

#define VIREO_BLK_REQUESTS 1024 /* in flight on a queue at most */
#define VIREO_BLK_FEW 8 /* segments and vectors that a request has room for by itself */
#define VIREO_BLK_VECS 1024 /* of one round */
#define VIREO_BLK_ROUND SZ_4M /* bytes of one round, about */
#define VIREO_BLK_RANGES 16 /* of a discard, or of zeroing */
#define VIREO_BLK_RANGE_SECTORS (SZ_1G >> SECTOR_SHIFT)

static_assert(VIREO_BLK_REQUESTS <= VIREO_MAX_CHAINS);

/* What a step asks of the disk. */
enum vireo_blk_op {
	VIREO_BLK_READ,
	VIREO_BLK_WRITE,
	VIREO_BLK_FLUSH,
	VIREO_BLK_DISCARD,
	VIREO_BLK_ZERO,
};

/**
 * struct vireo_blk_disk - what a disk stands on; changes only while no queue is live
 * @file: device or file, NULL: there is none
 * @bdev: the device, NULL: it is a file
 * @css: whose I/O it is, for the kernel's control groups
 * @wq: for what may sleep
 * @memory_mask: bits that must be 0 in the address of a buffer
 * @length_mask: bits that must be 0 in the length of a piece of one
 * @punt: it may let a submitter wait and cannot be asked not to
 * @limits: the configuration that it has by itself
 */
struct vireo_blk_disk {
	struct file *file;
	struct block_device *bdev;
	struct cgroup_subsys_state *css;
	struct workqueue_struct *wq;
	u32 memory_mask;
	u32 length_mask;
	bool punt;
	struct vireo_blk_config limits;
};

/**
 * struct vireo_blk_request - a request in flight
 *
 * It belongs to the worker, but from the beginning of a step to its end, when
 * it is the disk's.
 *
 * @node: in the queue's list of free or done ones
 * @queue: its queue
 * @bio: of a step of a block device
 * @iocb: of a step of a file
 * @iter: with @iocb
 * @work: a step that may sleep
 * @error: 0 or a negative errno, what became of the step
 * @op: what the step asks for
 * @punted: it is a kernel thread's to begin the step, which may sleep
 * @coherent: the host's cache has pages of the device, which must be looked after
 * @buffered: direct I/O was refused
 * @writing: freeze protection is held
 * @durable: what the step writes is on stable storage when it ends
 * @cached: something may be in a volatile cache
 * @ended: all steps are done, it is to be answered
 * @mute: there is no room for an answer
 * @unmap: zeroing may free the blocks
 * @status: what the driver will read
 * @type: of the request, as the driver said
 * @id: of the chain
 * @slots: of the chain
 * @status_addr: guest address of the status byte
 * @sector: where the step begins
 * @length: bytes of data in all
 * @done: bytes that the steps before have moved
 * @round: bytes of this step
 * @moved: of those, how many already
 * @room: bytes that the driver can be given, without the status
 * @segs: guest addresses of the data
 * @seg: the one that comes next
 * @skip: bytes of it that are done
 * @nvecs: vectors of this round
 * @max_vecs: room there
 * @vecs: pages of this round, pinned unless @bounce
 * @bounce: pages of our own in place of the driver's
 * @bounce_order: how many, as a power of two
 * @range: the one that comes next
 * @nranges: how many
 * @few_segs: @segs, if they fit
 * @few_vecs: @vecs, if they fit
 * @ranges: of a discard, or of zeroing
 */
struct vireo_blk_request {
	struct llist_node node;
	struct vireo_blk_queue *queue;
	union {
		struct bio bio;
		struct {
			struct kiocb iocb;
			struct iov_iter iter;
		};
	};
	struct work_struct work;
	int error;
	enum vireo_blk_op op;
	bool punted;
	bool coherent;
	bool buffered;
	bool writing;
	bool durable;
	bool cached;
	bool ended;
	bool mute;
	bool unmap;
	u8 status;
	u32 type;
	u16 id;
	u16 slots;
	u64 status_addr;
	u64 sector;
	u64 length;
	u64 done;
	u32 round;
	u32 moved;
	u32 room;
	u32 skip;
	struct vq_seg *segs;
	const struct vq_seg *seg;
	struct bio_vec *vecs;
	struct page *bounce;
	u16 nvecs;
	u16 max_vecs;
	u8 bounce_order;
	u8 range;
	u8 nranges;
	union {
		struct {
			struct vq_seg few_segs[VIREO_BLK_FEW];
			struct bio_vec few_vecs[VIREO_BLK_FEW];
		};
		struct virtio_blk_discard_write_zeroes ranges[VIREO_BLK_RANGES];
	};
};

/* Who looks at what is done: see vireo_blk_done(). */
enum vireo_blk_state {
	VIREO_BLK_ASLEEP, /* nobody: the worker must be woken */
	VIREO_BLK_AWAKE, /* the worker, before it sleeps */
	VIREO_BLK_DRAINING, /* whoever stops the queue, and waits */
};

/**
 * struct vireo_blk_queue - a queue of a disk
 * @q: the core's
 * @disk: of the device
 * @rules: what requests are checked against, a copy of the device's
 * @write_through: writes are on stable storage when they are answered
 * @mm: guest memory may be reached from here: by the worker in a turn, and by
 *	an ioctl of the owner's
 * @state: enum vireo_blk_state
 * @memory_mask: bits that must be 0 in the address of a buffer
 * @length_mask: bits that must be 0 in the length of a piece of one
 * @nfree: entries of @free
 * @inflight: requests that are not free
 * @staged: entries of q.used that are to be published
 * @requests: all of them, while the queue is live
 * @free: those that are not in use
 * @done: those of which a step ended
 * @unanswered: those that have ended, but whose status cannot be written
 * @drained: wakes up whoever stops the queue
 */
struct vireo_blk_queue {
	struct vireo_queue q;
	const struct vireo_blk_disk *disk;
	struct vireo_blk_config rules;
	bool write_through;
	bool mm;
	int state;
	u32 memory_mask;
	u32 length_mask;
	u32 nfree;
	u32 inflight;
	u32 staged;
	struct vireo_blk_request *requests;
	struct llist_node *free;
	struct llist_head done;
	struct llist_head unanswered;
	wait_queue_head_t drained;
};

/**
 * struct vireo_blk - an open /dev/vireo-blk
 * @dev: the core's
 * @disk: what it stands on; under the device's mutex, and read by live queues
 * @config: in force; under the device's mutex
 * @running: queues that are live; under the device's mutex
 * @pointers: to @queues, as the core wants them
 * @queues: by number
 */
struct vireo_blk {
	struct vireo_dev dev;
	struct vireo_blk_disk disk;
	struct vireo_blk_config config;
	unsigned int running;
	struct vireo_queue *pointers[VIREO_BLK_QUEUES];
	struct vireo_blk_queue queues[VIREO_BLK_QUEUES];
};

static inline struct vireo_blk_queue *to_blk_queue(struct vireo_queue *q)
{
	return container_of(q, struct vireo_blk_queue, q);
}

/* main.c: the device */
void vireo_blk_config_use(struct vireo_blk *blk, const struct vireo_blk_config *config);

/* disk.c: the disk and its configuration; under the device's mutex */
int vireo_blk_disk_open(struct vireo_blk_disk *disk, int fd);
void vireo_blk_disk_close(struct vireo_blk_disk *disk);
long vireo_blk_config_get(struct vireo_blk *blk, void __user *argp);
long vireo_blk_config_set(struct vireo_blk *blk, void __user *argp);

/* queue.c: turns; under the queue's mutex, but for vireo_blk_done() */
int vireo_blk_queue_alloc(struct vireo_blk_queue *bq);
void vireo_blk_queue_free(struct vireo_blk_queue *bq);
void vireo_blk_run(struct vireo_queue *q);
void vireo_blk_drain(struct vireo_blk_queue *bq, bool mm);
void vireo_blk_done(struct vireo_blk_request *r, int error);

/* request.c: from a chain to its answer; in the worker or whoever drains */
int vireo_blk_begin(struct vireo_blk_request *r, const struct vq_chain *chain,
		    const struct vq_seg *segs);
bool vireo_blk_advance(struct vireo_blk_request *r);
int vireo_blk_answer(struct vireo_blk_request *r);

/* data.c: the driver's buffers */
int vireo_blk_keep(struct vireo_blk_request *r, const struct vq_seg *segs, u32 n, u32 skip);
int vireo_blk_map(struct vireo_blk_request *r);
int vireo_blk_unmap(struct vireo_blk_request *r);
void vireo_blk_forget(struct vireo_blk_request *r);
int vireo_blk_copy(struct vireo_blk_request *r, void *buffer, u32 len, bool to_guest);
int vireo_blk_put_status(struct vireo_blk_request *r);
void vireo_blk_log(struct vireo_blk_request *r, u64 written);

/* step.c, bdev.c, file.c: asking the disk */
void vireo_blk_step_init(struct vireo_blk_request *r);
void vireo_blk_step(struct vireo_blk_request *r);
void vireo_blk_punt(struct vireo_blk_request *r);
void vireo_blk_bdev_step(struct vireo_blk_request *r);
void vireo_blk_file_step(struct vireo_blk_request *r);
void vireo_blk_file_written(struct vireo_blk_request *r);

#endif /* VIREO_BLK_H */
