/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The virtqueue engine's environment for unit tests: as in a process, but each
 * section and access asks ring_faults.cc first, which may let it fault or look
 * on, and barriers are told of. What each name must do is written down in
 * kernel/env/vq_env.h.
 */
#ifndef VQ_UNIT_ENV_H
#define VQ_UNIT_ENV_H

#include "../../../userspace/env/vq_env.h"

#ifdef __cplusplus
extern "C" {
#endif

enum unit_barrier_kind { UNIT_READ_BARRIER, UNIT_WRITE_BARRIER, UNIT_FULL_BARRIER };

void unit_barrier(enum unit_barrier_kind kind);
bool unit_access_begin(void);
void unit_access_end(void);
bool unit_access(const void* ptr, size_t size, bool write);

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

/* One thread runs both sides, so that nothing needs ordering but the record. */
#define vq_rmb() unit_barrier(UNIT_READ_BARRIER)
#define vq_wmb() unit_barrier(UNIT_WRITE_BARRIER)
#define vq_mb() unit_barrier(UNIT_FULL_BARRIER)

#define VQ_GET(var, ptr, label)                           \
    do {                                                  \
        if (!unit_access((ptr), sizeof(*(ptr)), false))   \
            goto label;                                   \
        (var) = __atomic_load_n((ptr), __ATOMIC_RELAXED); \
    } while (0)

#define VQ_PUT(val, ptr, label)                           \
    do {                                                  \
        if (!unit_access((ptr), sizeof(*(ptr)), true))    \
            goto label;                                   \
        __atomic_store_n((ptr), (val), __ATOMIC_RELAXED); \
    } while (0)

#define vq_access_begin(ptr, len) ((void)(ptr), (void)(len), unit_access_begin())
#define vq_access_end() unit_access_end()

#endif
