/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The userspace environment without the full barrier, for the test of the
 * stress test: with this the engine must lose notifications (README.md).
 */
#ifndef VQ_NOBARRIER_ENV_H
#define VQ_NOBARRIER_ENV_H

#include "../../../userspace/env/vq_env.h"

#undef vq_mb
#define vq_mb() __atomic_signal_fence(__ATOMIC_SEQ_CST)

#endif
