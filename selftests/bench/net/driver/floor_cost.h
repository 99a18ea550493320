/* SPDX-License-Identifier: GPL-2.0-only */
/* What the tap costs without any device on top of it (../floor). */
#ifndef FLOOR_COST_H
#define FLOOR_COST_H

#include "source.h"
#include "traffic.h"

struct floor_cost {
    u64 frames;
    double each;    /* nanoseconds of the tap's part */
    double source;  /* of pktgen, the tap's transmit function included */
    double freeing; /* of freeing what pktgen made */
};

int floor_measure(struct traffic* traffic, int tap, struct floor_cost* cost);

#endif /* FLOOR_COST_H */
