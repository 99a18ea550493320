/* SPDX-License-Identifier: GPL-2.0-only */
/* The null device: what giving and taking buffers costs the driver alone. */
#ifndef LOOPBACK_H
#define LOOPBACK_H

#include "traffic.h"

/* Nanoseconds for each of @frames frames, with a device that works off all that it is shown. */
int loopback_measure(struct traffic* traffic, u64 frames, double* each);

#endif /* LOOPBACK_H */
