/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The virtqueue engine's environment under examination: every access to ring
 * memory, every section and every barrier is reported to the ring watch
 * (../ring_watch.h), which checks it, and before each access may change the
 * memory or let the access fault. What each name must do is written down in
 * kernel/env/vq_env.h.
 */
#ifndef VQ_WATCHED_ENV_H
#define VQ_WATCHED_ENV_H

#include "../../../userspace/env/vq_env.h"

#ifdef __cplusplus
extern "C" {
#endif

enum ring_barrier { RING_RMB, RING_WMB, RING_MB };

bool ring_watch_begin(const void* ptr, size_t len);
void ring_watch_end(void);
bool ring_watch_access(const void* ptr, size_t size, bool write);
void ring_watch_barrier(enum ring_barrier barrier);

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

#define VQ_GET(var, ptr, label)                               \
    do {                                                      \
        if (!ring_watch_access((ptr), sizeof(*(ptr)), false)) \
            goto label;                                       \
        (var) = __atomic_load_n((ptr), __ATOMIC_RELAXED);     \
    } while (0)

#define VQ_PUT(val, ptr, label)                              \
    do {                                                     \
        if (!ring_watch_access((ptr), sizeof(*(ptr)), true)) \
            goto label;                                      \
        __atomic_store_n((ptr), (val), __ATOMIC_RELAXED);    \
    } while (0)

#define vq_access_begin(ptr, len) ring_watch_begin((ptr), (len))
#define vq_access_end() ring_watch_end()

#define vq_rmb() ring_watch_barrier(RING_RMB)
#define vq_wmb() ring_watch_barrier(RING_WMB)
#define vq_mb() ring_watch_barrier(RING_MB)

#endif
