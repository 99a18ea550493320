/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The virtqueue engine's environment under examination: as in a process, but
 * each section, access and barrier is told to whoever looks on, who may let a
 * section or an access fault, and change memory before it. What each name must
 * do is written down in kernel/env/vq_env.h.
 *
 * A program has one onlooker: the unit tests' (selftests/unit/ring_faults.cc),
 * or that of the fuzzers and the exhaustive check (selftests/fuzz/ring_watch.cc).
 */
#ifndef VQ_HOOKED_ENV_H
#define VQ_HOOKED_ENV_H

#include "../../userspace/env/vq_env.h"

#ifdef __cplusplus
extern "C" {
#endif

enum vq_barrier { VQ_READ_BARRIER, VQ_WRITE_BARRIER, VQ_FULL_BARRIER };

bool vq_hook_begin(const void* ptr, size_t len);
void vq_hook_end(void);
bool vq_hook_access(const void* ptr, size_t size, bool write);
void vq_hook_barrier(enum vq_barrier barrier);

#ifdef __cplusplus
}
#endif

#undef VQ_GET
#undef VQ_PUT
#undef vq_access_begin
#undef vq_access_end
#undef vq_rmb
#undef vq_wmb
#undef vq_mb

#define VQ_GET(var, ptr, label)                            \
    do {                                                   \
        if (!vq_hook_access((ptr), sizeof(*(ptr)), false)) \
            goto label;                                    \
        (var) = __atomic_load_n((ptr), __ATOMIC_RELAXED);  \
    } while (0)

#define VQ_PUT(val, ptr, label)                           \
    do {                                                  \
        if (!vq_hook_access((ptr), sizeof(*(ptr)), true)) \
            goto label;                                   \
        __atomic_store_n((ptr), (val), __ATOMIC_RELAXED); \
    } while (0)

#define vq_access_begin(ptr, len) vq_hook_begin((ptr), (len))
#define vq_access_end() vq_hook_end()

/* One thread runs both sides, so that nothing needs ordering but the record. */
#define vq_rmb() vq_hook_barrier(VQ_READ_BARRIER)
#define vq_wmb() vq_hook_barrier(VQ_WRITE_BARRIER)
#define vq_mb() vq_hook_barrier(VQ_FULL_BARRIER)

#endif
