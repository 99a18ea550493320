/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The virtqueue engine's environment in the kernel: ring memory is user memory
 * of the current mm, reached in sections of unsafe user access.
 *
 * Every environment gives the engine these names, and nothing else:
 *
 *   __vq_mem		marks a pointer to ring memory
 *   VQ_GET(v, p, l)	read *p into v with one access, or goto l
 *   VQ_PUT(v, p, l)	write v to *p with one access, or goto l
 *   vq_access_begin(p, len)
 *			begin a section; false if memory cannot be reached.
 *			VQ_GET and VQ_PUT are valid only inside one, and no
 *			function is called there that is not inlined
 *   vq_access_end()	end it
 *   vq_rmb() vq_wmb() vq_mb()
 *			order reads, writes, both, against the driver's CPU
 *   vq_index_nospec(i, n)
 *			i, which is less than n, under speculation too
 *   vqN_to_cpu(), cpu_to_vqN()
 *			little-endian, or the guest's order for a legacy ring
 *   VQ_EXPORT(s)	makes a function callable from other modules
 *
 * and fixed-width types, likely(), unlikely(), bool and errno values.
 */
#ifndef VQ_ENV_H
#define VQ_ENV_H

#include <linux/compiler.h>
#include <linux/errno.h>
#include <linux/export.h>
#include <linux/nospec.h>
#include <linux/types.h>
#include <linux/uaccess.h>
#include <linux/virtio_byteorder.h>
#include <asm/barrier.h>

#define __vq_mem __user
#define VQ_EXPORT(symbol) EXPORT_SYMBOL_GPL(symbol)

#define VQ_GET(var, ptr, label) unsafe_get_user(var, ptr, label)
#define VQ_PUT(val, ptr, label) unsafe_put_user(val, ptr, label)

#define vq_access_begin(ptr, len) user_access_begin(ptr, len)
#define vq_access_end() user_access_end()

/* The driver runs on another CPU, always: a guest may be SMP when we are not. */
#define vq_rmb() virt_rmb()
#define vq_wmb() virt_wmb()
#define vq_mb() virt_mb()

#define vq_index_nospec(index, size) array_index_nospec(index, size)

/*
 * A legacy ring is in the byte order of the guest, which is that of the host:
 * __virtio types carry either order, and so do our __le fields until now.
 */
static __always_inline u16 vq16_to_cpu(bool little_endian, __le16 v)
{
	return __virtio16_to_cpu(little_endian, (__force __virtio16)v);
}

static __always_inline u32 vq32_to_cpu(bool little_endian, __le32 v)
{
	return __virtio32_to_cpu(little_endian, (__force __virtio32)v);
}

static __always_inline u64 vq64_to_cpu(bool little_endian, __le64 v)
{
	return __virtio64_to_cpu(little_endian, (__force __virtio64)v);
}

static __always_inline __le16 cpu_to_vq16(bool little_endian, u16 v)
{
	return (__force __le16)__cpu_to_virtio16(little_endian, v);
}

static __always_inline __le32 cpu_to_vq32(bool little_endian, u32 v)
{
	return (__force __le32)__cpu_to_virtio32(little_endian, v);
}

#endif /* VQ_ENV_H */
