/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The virtqueue engine: the device's side of a virtqueue.
 *
 * It turns ring memory into descriptor chains and chains back into used
 * entries, and decides whether a notification is wanted. It never allocates,
 * locks, sleeps on its own account, signals, translates addresses or copies
 * payload: that is the work of whoever runs the queue. The same sources are
 * compiled into vireo.ko and into the VMM; vq_env.h, found by include path,
 * says how ring memory is reached.
 *
 * Context. A queue belongs to one thread at a time; the caller serialises all
 * calls on one struct vq. The driver shares ring memory with us and may write
 * to it at any moment, so each field is read once and the copy is checked.
 * In the kernel the caller is in the context of the owner's mm and may fault.
 *
 * Errors. -EFAULT: ring memory could not be reached. -EPROTO: the driver broke
 * the rules of the ring; vq->error says which. Either way the state has not
 * moved, and the call may be made again.
 *
 * A caller's loop, which virtio-net's transmit side follows to the letter:
 *
 *	vq_disable_kick(vq);
 *	for (;;) {
 *		n = vq_pop(vq, &batch);
 *		if (n < 0)
 *			break;			// report, stop the queue
 *		if (n == 0) {
 *			if (vq_enable_kick(vq, 0) <= 0)
 *				break;		// sleep until the next kick
 *			vq_disable_kick(vq);
 *			continue;
 *		}
 *		for (each chain)
 *			use it; vq_stage(&used[i], chain, bytes_written);
 *		if (vq_publish(vq, used, n) > 0)
 *			signal the call eventfd;
 *	}
 */
#ifndef VQ_VQ_H
#define VQ_VQ_H

#include "vq_env.h"
#include "vq/ring.h"

#ifdef __cplusplus
extern "C" {
#endif

/**
 * enum vq_error - what the driver did wrong, kept in struct vq for the reader
 * of counters and logs
 * @VQ_OK: nothing
 * @VQ_ERR_FAULT: ring memory, or an indirect table, could not be reached
 * @VQ_ERR_AVAIL_IDX: the avail index ran ahead by more than the queue size
 * @VQ_ERR_HEAD: an avail ring entry names a descriptor past the table
 * @VQ_ERR_NEXT: a next field points past its table
 * @VQ_ERR_LOOP: a chain longer than its table: it visits a descriptor twice
 * @VQ_ERR_TOO_LONG: a chain with more segments than the device accepts
 * @VQ_ERR_ORDER: a device-readable segment behind a device-writable one
 * @VQ_ERR_INDIRECT_OFF: an indirect table without VQ_F_INDIRECT_DESC
 * @VQ_ERR_INDIRECT_LEN: an indirect table that is empty, huge, or not a
 *	multiple of a descriptor
 * @VQ_ERR_INDIRECT_FLAGS: an indirect descriptor where the specification
 *	forbids one: inside an indirect table, or linked onwards
 * @VQ_ERR_OVERCOMMIT: more made available than the ring can hold beside what
 *	is still in flight
 * @VQ_ERR_MAX: number of values, for tables
 */
enum vq_error {
	VQ_OK,
	VQ_ERR_FAULT,
	VQ_ERR_AVAIL_IDX,
	VQ_ERR_HEAD,
	VQ_ERR_NEXT,
	VQ_ERR_LOOP,
	VQ_ERR_TOO_LONG,
	VQ_ERR_ORDER,
	VQ_ERR_INDIRECT_OFF,
	VQ_ERR_INDIRECT_LEN,
	VQ_ERR_INDIRECT_FLAGS,
	VQ_ERR_OVERCOMMIT,
	VQ_ERR_MAX
};

/**
 * struct vq_setup - what a queue is made of
 * @features: negotiated feature bits; the engine looks at the VQ_F_ bits alone
 * @num: queue size in descriptors, 1 to 32768; a power of two for split rings
 * @desc: descriptor table (split) or descriptor ring (packed), 16-aligned
 * @driver: avail ring, 2-aligned, or the driver's event area, 4-aligned
 * @device: used ring, 4-aligned, or the device's event area, 4-aligned
 *
 * The three areas are in the address space that vq_env.h reaches. In the
 * kernel the caller has passed each through access_ok() with the length that
 * vq_area_bytes() gives.
 */
struct vq_setup {
	u64 features;
	u32 num;
	void __vq_mem *desc;
	void __vq_mem *driver;
	void __vq_mem *device;
};

enum vq_area {
	VQ_AREA_DESC,
	VQ_AREA_DRIVER,
	VQ_AREA_DEVICE
};

/**
 * struct vq_seg - a piece of a buffer, as the driver described it
 * @addr: guest address, not checked against anything
 * @len: length in bytes, never 0
 */
struct vq_seg {
	u64 addr;
	u32 len;
};

/**
 * struct vq_chain - one buffer that the driver made available
 * @id: head index (split) or buffer id (packed); goes back with the used entry.
 *	A packed ring's driver chooses it at will, so it is never an index, and
 *	two chains in flight may have the same
 * @slots: ring positions taken: 1 for split, the number of descriptors for
 *	packed
 * @nout: device-readable segments, which come first
 * @nin: device-writable segments, which follow
 * @first: index of its first segment in vq_batch.segs
 * @table_len: bytes of the indirect table still to be read, 0 if there is none
 * @table: guest address of that table
 *
 * With @table_len set, @nout, @nin and @first describe the direct descriptors
 * before the table (2.7.5.3.2 allows them for split rings), and vq_expand()
 * gives the whole.
 */
struct vq_chain {
	u16 id;
	u16 slots;
	u16 nout;
	u16 nin;
	u32 first;
	u32 table_len;
	u64 table;
};

/**
 * struct vq_batch - where vq_pop() puts chains; arrays are the caller's
 * @chains: room for @max_chains
 * @segs: room for @max_segs, which is also the longest direct chain accepted
 * @max_chains: at least 1
 * @max_segs: at least 1, at most 65535
 * @nchains: chains popped
 * @nsegs: segments they have together
 */
struct vq_batch {
	struct vq_chain *chains;
	struct vq_seg *segs;
	u32 max_chains;
	u32 max_segs;
	u32 nchains;
	u32 nsegs;
};

/**
 * struct vq_used - a buffer to be given back
 * @id: from vq_chain.id
 * @slots: from vq_chain.slots
 * @len: bytes written to the buffer, counted from its first writable segment
 * @skip_ok: with VQ_F_IN_ORDER the entry may be left out in favour of a later
 *	one, since the driver learns nothing from @len
 */
struct vq_used {
	u32 len;
	u16 id;
	u16 slots;
	bool skip_ok;
};

/**
 * struct vq_piece - a part of an indirect table, in reachable memory
 * @ptr: where it is, of any alignment
 * @len: bytes
 *
 * In the kernel the caller has passed each piece through access_ok(), as the
 * memory table does with all that it gives out: the engine does not ask again.
 */
struct vq_piece {
	const void __vq_mem *ptr;
	u32 len;
};

/**
 * struct vq - a virtqueue, seen from the device
 *
 * Callers may read it; only the engine writes it. Positions count avail ring
 * entries modulo 2^16 for split rings, and descriptors in [0, num) with a wrap
 * counter for packed rings.
 */
struct vq {
	void __vq_mem *desc;
	void __vq_mem *driver;
	void __vq_mem *device;
	u32 num;
	u16 avail_pos; /* next to pop */
	u16 used_pos; /* next to publish */
	u16 inflight; /* positions popped and not published */
	bool avail_wrap; /* packed: the driver's wrap counter at avail_pos */
	bool used_wrap; /* packed: ours at used_pos */
	bool packed;
	bool event_idx;
	bool in_order;
	bool indirect;
	bool notify_on_empty;
	bool call_first; /* unknown what the driver last saw: call once */
	bool kick_off; /* the driver has been asked not to kick */
	enum vq_error error; /* of the last call that failed */
};

/* Set-up and state: queue.c */

/**
 * vq_area_bytes() - size of one of the three areas of a queue
 * @features: negotiated feature bits
 * @num: queue size
 * @area: which
 *
 * Return: bytes that the engine may touch there.
 */
size_t vq_area_bytes(u64 features, u32 num, enum vq_area area);

/**
 * vq_init() - make a queue from its set-up; touches no ring memory
 * @vq: to fill
 * @setup: checked here
 *
 * Return: 0, or -EINVAL for a size or an alignment that the ring format
 * forbids (2.7, 2.8 and 2.8.10.1).
 */
int vq_init(struct vq *vq, const struct vq_setup *setup);

/**
 * vq_reset() - forget positions and wrap counters, as after a queue reset
 * (2.6.1); the set-up stays
 * @vq: queue
 */
void vq_reset(struct vq *vq);

/**
 * vq_get_base() - the state in the form of VHOST_GET_VRING_BASE
 * @vq: a queue with nothing in flight
 *
 * Return: split: the avail position. Packed:
 * avail | avail_wrap << 15 | used << 16 | used_wrap << 31.
 */
u32 vq_get_base(const struct vq *vq);

/**
 * vq_set_base() - take up the state that vq_get_base() gave, here or elsewhere
 * @vq: an initialised queue
 * @base: state
 *
 * Return: 0, or -EINVAL for a position outside the ring.
 */
int vq_set_base(struct vq *vq, u32 base);

/**
 * vq_start() - begin to serve: learn the used position (split rings keep it in
 * guest memory) and let the driver kick
 * @vq: queue
 *
 * Nobody knows what was made available before: the caller pops next, as if it
 * had been kicked.
 *
 * Return: 0 or -EFAULT.
 */
int vq_start(struct vq *vq);

/* The data path */

/**
 * vq_pop() - take up to a batch of chains that the driver made available
 * @vq: queue
 * @batch: arrays and limits; nchains and nsegs are set
 *
 * Good chains before a bad one are given first: the error is returned when it
 * is at the head. Chains that have more descriptors together than there are end
 * the batch too, so that a call's work is bounded by the ring, not by the ring
 * times the batch. Zero-length segments are dropped, they carry nothing.
 *
 * Return: number of chains, 0 if there are none, -EFAULT, -EPROTO.
 */
int vq_pop(struct vq *vq, struct vq_batch *batch);

/**
 * vq_unpop() - put the chains popped last back, to be popped again
 * @vq: queue
 * @chains: the last @n of those popped, in their order
 * @n: how many
 */
void vq_unpop(struct vq *vq, const struct vq_chain *chains, u32 n);

/**
 * vq_expand() - read the indirect table of a chain
 * @vq: queue
 * @batch: the batch it was popped with
 * @chain: with table_len set; on success first is 0, nout and nin are those of
 *	the whole chain, table_len is 0
 * @pieces: the table's memory, in order; the caller has translated
 *	chain->table to it
 * @npieces: at least 1
 * @segs: gets all segments of the chain, the direct ones included
 * @max_segs: room there and the longest chain accepted, at most 65535
 *
 * Return: 0, -EFAULT, -EPROTO, or -EINVAL if @pieces do not cover the table.
 */
int vq_expand(struct vq *vq, const struct vq_batch *batch, struct vq_chain *chain,
	      const struct vq_piece *pieces, u32 npieces, struct vq_seg *segs, u32 max_segs);

/**
 * vq_stage() - note a chain as used, for a later vq_publish()
 * @used: entry to fill
 * @chain: the chain, expanded if it was indirect
 * @len: bytes written to it
 */
static inline void vq_stage(struct vq_used *used, const struct vq_chain *chain, u32 len)
{
	used->len = len;
	used->id = chain->id;
	used->slots = chain->slots;
	used->skip_ok = chain->nin == 0;
}

/**
 * vq_publish() - give used buffers back to the driver, all at once
 * @vq: queue
 * @used: staged entries; with VQ_F_IN_ORDER in the order they were popped
 * @n: how many, at most what is in flight; with 0 nothing happens
 *
 * The driver sees none of the entries before it can see all of them. If what
 * it wants to be told cannot be read, it is called.
 *
 * After -EFAULT nothing is published, but entries behind the first may be in
 * ring memory already. A packed ring's driver finds them as soon as it gets
 * there, so whoever tries again begins with the same entries in the same order;
 * others may follow.
 *
 * Return: 1 if the driver wants a call, 0 if not, -EFAULT.
 */
int vq_publish(struct vq *vq, const struct vq_used *used, u32 n);

/**
 * vq_has_avail() - is there anything to pop, beyond what the caller knows of
 * @vq: queue
 * @skip: positions from the next one on that the caller knows of and leaves
 *	(the sum of slots of chains put back with vq_unpop())
 *
 * Return: 1, 0, or -EFAULT.
 */
int vq_has_avail(struct vq *vq, u32 skip);

/**
 * vq_enable_kick() - ask to be kicked when something is made available
 * @vq: queue
 * @skip: as for vq_has_avail(): the kick is wanted for what comes behind
 *
 * Return: 0: sleep, a kick will come. 1: something came in between, and its
 * kick may never come; go on popping. -EFAULT.
 */
int vq_enable_kick(struct vq *vq, u32 skip);

/**
 * vq_disable_kick() - ask not to be kicked; a hint, the driver may do so still
 * @vq: queue
 *
 * Return: 0 or -EFAULT.
 */
int vq_disable_kick(struct vq *vq);

/**
 * vq_strerror() - what an error means, for logs
 * @error: any value
 *
 * Return: a short phrase, never NULL.
 */
const char *vq_strerror(enum vq_error error);

#ifdef __cplusplus
}
#endif

#endif /* VQ_VQ_H */
