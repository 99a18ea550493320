/* SPDX-License-Identifier: GPL-2.0-only */
/* What one run of the driver program measures; its arguments are of the form name=value. */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

struct options {
    const char* path; /* who does the I/O: uring, aio, vhost, user, vhost-user, or driver: nobody */
    const char* disk; /* a block device */
    const char* device; /* of path=vhost */
    const char* socket; /* of path=vhost-user */
    const char* aio;    /* of path=user: io_uring or threads */
    bool write;
    bool packed;
    bool event_idx;
    bool indirect;
    bool fixed;            /* of path=uring: file and buffers registered */
    unsigned int depth;    /* requests in flight */
    unsigned int requests; /* measured */
    unsigned int warm;     /* before */
    unsigned int busyloop; /* microseconds, of path=vhost */
};

/* Returns 0, or -EINVAL after a word on stderr. */
int options_read(struct options* options, int argc, char** argv);

#ifdef __cplusplus
}
#endif

#endif /* OPTIONS_H */
