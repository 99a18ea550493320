// SPDX-License-Identifier: GPL-2.0-only
/*
 * Indirect descriptor tables: virtio 1.2, 2.7.5.3 and 2.8.7.
 *
 * The table lies in guest memory that the caller has translated: in one piece,
 * and aligned, nearly always. The driver may change it while we read.
 */
#include "engine.h"

#define DESC_BYTES ((u32)sizeof(struct vq_desc_halves))
#define HALF_BYTES ((u32)sizeof(__le64))

/* Eight bytes that lie anywhere, or straddle pieces; @offset is within the table. */
static __always_inline enum vq_error table_gather(const struct vq_piece *piece, u32 offset,
						  u64 *half)
{
	u32 i;
	u8 byte;

	*half = 0;
	for (i = 0; i < HALF_BYTES; i++, offset++) {
		while (offset >= piece->len) {
			offset -= piece->len;
			piece++;
		}
		VQ_GET(byte, (const u8 __vq_mem *)piece->ptr + offset, fault);
		*half |= (u64)byte << (8 * i);
	}
	return VQ_OK;
fault:
	return VQ_ERR_FAULT;
}

/* Can the table be read as an array? */
static bool table_is_plain(const struct vq_piece *pieces, u32 len)
{
	return pieces->len >= len && (unsigned long)pieces->ptr % HALF_BYTES == 0;
}

static __always_inline enum vq_error table_read(const struct vq_piece *pieces, bool plain, u32 i,
						u64 *addr, u64 *rest)
{
	const struct vq_desc_halves __vq_mem *table = pieces->ptr;
	enum vq_error error;
	__le64 half;

	if (unlikely(!plain)) {
		error = table_gather(pieces, i * DESC_BYTES, addr);
		if (error)
			return error;
		return table_gather(pieces, i * DESC_BYTES + HALF_BYTES, rest);
	}
	VQ_GET(half, &table[i].addr, fault);
	*addr = le64_to_cpu(half);
	VQ_GET(half, &table[i].rest, fault);
	*rest = le64_to_cpu(half);
	return VQ_OK;
fault:
	return VQ_ERR_FAULT;
}

/*
 * virtio 1.2, 2.7.5.3: entries are linked by next, beginning with the first;
 * a table inside a table is forbidden.
 */
static __always_inline enum vq_error split_table_walk(const struct vq_piece *pieces, bool plain,
						      u32 count, struct vq_walk *walk)
{
	u32 left = count;
	u32 i = 0;
	enum vq_error error;
	u64 addr, rest;

	for (;;) {
		error = table_read(pieces, plain, vq_index_nospec(i, count), &addr, &rest);
		if (unlikely(error))
			return error;
		if (unlikely(VQ_SPLIT_FLAGS(rest) & VQ_DESC_F_INDIRECT))
			return VQ_ERR_INDIRECT_FLAGS;
		error = vq_walk_add(walk, addr, VQ_REST_LEN(rest), VQ_SPLIT_FLAGS(rest));
		if (unlikely(error))
			return error;
		if (!(VQ_SPLIT_FLAGS(rest) & VQ_DESC_F_NEXT))
			return VQ_OK;

		i = VQ_SPLIT_NEXT(rest);
		if (unlikely(i >= count))
			return VQ_ERR_NEXT;
		if (unlikely(!--left))
			return VQ_ERR_LOOP;
	}
}

/*
 * virtio 1.2, 2.8.7: all entries in their order; flags other than the write
 * flag are reserved and ignored.
 */
static __always_inline enum vq_error packed_table_walk(const struct vq_piece *pieces, bool plain,
						       u32 count, struct vq_walk *walk)
{
	enum vq_error error;
	u64 addr, rest;
	u32 i;

	for (i = 0; i < count; i++) {
		error = table_read(pieces, plain, i, &addr, &rest);
		if (unlikely(error))
			return error;
		error = vq_walk_add(walk, addr, VQ_REST_LEN(rest), VQ_PACKED_FLAGS(rest));
		if (unlikely(error))
			return error;
	}
	return VQ_OK;
}

static bool pieces_cover(const struct vq_piece *pieces, u32 npieces, u32 len)
{
	u64 sum = 0;

	while (npieces--)
		sum += pieces[npieces].len;
	return sum >= len;
}

int vq_expand(struct vq *vq, const struct vq_batch *batch, struct vq_chain *chain,
	      const struct vq_piece *pieces, u32 npieces, struct vq_seg *segs, u32 max_segs)
{
	u32 count = chain->table_len / DESC_BYTES;
	u32 direct = chain->nout + chain->nin;
	struct vq_walk walk = { .next = segs, .max_segs = max_segs, .nin = chain->nin };
	bool plain = table_is_plain(pieces, chain->table_len);
	enum vq_error error;

	if (!count || (!plain && !pieces_cover(pieces, npieces, chain->table_len)))
		return -EINVAL;
	if (direct > max_segs)
		return vq_fail(vq, VQ_ERR_TOO_LONG);
	while (walk.nsegs < direct)
		*walk.next++ = batch->segs[chain->first + walk.nsegs++];

	if (!vq_access_begin(pieces->ptr, pieces->len))
		return vq_fail(vq, VQ_ERR_FAULT);
	if (vq->packed)
		error = packed_table_walk(pieces, plain, count, &walk);
	else
		error = split_table_walk(pieces, plain, count, &walk);
	vq_access_end();
	if (unlikely(error))
		return vq_fail(vq, error);

	chain->first = 0;
	chain->nout = walk.nsegs - walk.nin;
	chain->nin = walk.nin;
	chain->table_len = 0;
	return 0;
}
VQ_EXPORT(vq_expand);
