/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The virtqueue engine's environment in a userspace process: ring memory is
 * mapped guest memory and can always be reached. What each name must do is
 * written down in kernel/env/vq_env.h.
 *
 * With VQ_ENV_SEQ_CST, for ThreadSanitizer, which does not model fences, each
 * access is sequentially consistent and the barriers stop the compiler alone.
 */
#ifndef VQ_ENV_H
#define VQ_ENV_H

#include <endian.h>
#include <errno.h>
#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;

#define __vq_mem
#ifndef __always_inline
#define __always_inline inline __attribute__((always_inline))
#endif
#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#define VQ_EXPORT(symbol)

#ifdef VQ_ENV_SEQ_CST
#define VQ_ENV_ORDER __ATOMIC_SEQ_CST
#define vq_rmb() __atomic_signal_fence(__ATOMIC_SEQ_CST)
#define vq_wmb() __atomic_signal_fence(__ATOMIC_SEQ_CST)
#define vq_mb() __atomic_signal_fence(__ATOMIC_SEQ_CST)
#else
#define VQ_ENV_ORDER __ATOMIC_RELAXED
#define vq_rmb() __atomic_thread_fence(__ATOMIC_ACQUIRE)
#define vq_wmb() __atomic_thread_fence(__ATOMIC_RELEASE)
#define vq_mb() __atomic_thread_fence(__ATOMIC_SEQ_CST)
#endif

/*
 * ThreadSanitizer finds order between accesses to one address alone. A driver
 * writes the flags of a packed descriptor by themselves, and the engine reads
 * them at the end of eight bytes.
 */
#ifdef VQ_ENV_SEQ_CST
#define vq_env_acquire_parts(ptr)              \
    ((void)(sizeof(*(ptr)) == sizeof(__u64) && \
            __atomic_load_n((const __u16*)(const void*)(ptr) + 3, VQ_ENV_ORDER)))
#else
#define vq_env_acquire_parts(ptr) ((void)0)
#endif

#define VQ_GET(var, ptr, label)                       \
    do {                                              \
        (var) = __atomic_load_n((ptr), VQ_ENV_ORDER); \
        vq_env_acquire_parts(ptr);                    \
        if (0)                                        \
            goto label;                               \
    } while (0)

#define VQ_PUT(val, ptr, label)                       \
    do {                                              \
        __atomic_store_n((ptr), (val), VQ_ENV_ORDER); \
        if (0)                                        \
            goto label;                               \
    } while (0)

#define vq_access_begin(ptr, len) ((void)(ptr), (void)(len), true)
#define vq_access_end() ((void)0)

#define vq_index_nospec(index, size) ((void)(size), (index))

#define le16_to_cpu(v) le16toh(v)
#define le32_to_cpu(v) le32toh(v)
#define le64_to_cpu(v) le64toh(v)
#define cpu_to_le16(v) htole16(v)
#define cpu_to_le32(v) htole32(v)
#define cpu_to_le64(v) htole64(v)

#endif /* VQ_ENV_H */
