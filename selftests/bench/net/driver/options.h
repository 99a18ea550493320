/* SPDX-License-Identifier: GPL-2.0-only */
/* What one run of the driver program measures; its arguments are of the form name=value. */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <stdbool.h>

struct options {
    const char* device; /* a vhost-net device, or or "none": driver and source alone, or "floor":
                           the tap alone */
    const char* tap;
    bool receive;
    bool packed;
    bool event_idx;
    bool mergeable;
    bool single;          /* one frame at a time, instead of as many as the ring takes */
    unsigned int size;    /* of a frame, without the virtio header */
    unsigned int num;     /* of the ring */
    unsigned int burst;   /* packets at a time: all that the ring takes, or 1 */
    unsigned int packets; /* frames measured */
    unsigned int warm;    /* before */
};

/* Returns 0, or -EINVAL after a word on stderr. */
int options_read(struct options* options, int argc, char** argv);

#endif /* OPTIONS_H */
