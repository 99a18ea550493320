// SPDX-License-Identifier: GPL-2.0-only
#include "loopback.h"

#include <errno.h>
#include <stdlib.h>

#include "attach.h"
#include "error.h"
#include "tasks.h"

#define BATCH 64U
#define ROUNDS 1000U

/* The device's side: all that is there comes back. */
static int work_off(struct vq* vq, u32 written) {
    struct vq_chain chains[BATCH];
    struct vq_used used[BATCH];
    struct vq_seg segs[BATCH * 2];
    struct vq_batch batch = {
        .chains = chains, .segs = segs, .max_chains = BATCH, .max_segs = BATCH * 2};
    int popped;

    while ((popped = vq_pop(vq, &batch)) > 0) {
        for (int i = 0; i < popped; i++)
            vq_stage(&used[i], &chains[i], written);
        if (vq_publish(vq, used, popped) < 0)
            return failed(-EIO, "give buffers back in the null device");
    }
    return popped < 0 ? failed(popped, "take buffers in the null device") : 0;
}

static int compare(const void* a, const void* b) {
    double difference = *(const double*)a - *(const double*)b;

    return (difference > 0) - (difference < 0);
}

int loopback_measure(struct traffic* traffic, u64 frames, double* each) {
    static double took[ROUNDS]; /* for a frame, in each round; interrupts fall into some of them */
    unsigned int rounds;
    const struct options* options = traffic->options;
    u32 written = options->receive ? (VNET_HDR + options->size) / traffic->heads : 0;
    struct vq_setup setup;
    struct vq vq;
    bool kick;
    int ret;

    fd_describe(&traffic->driver, &setup);
    ret = vq_init(&vq, &setup);
    if (!ret)
        ret = vq_start(&vq);
    if (ret < 0)
        return failed(ret, "start the null device");
    for (rounds = 0; traffic_frames(traffic) < frames && rounds < ROUNDS; rounds++) {
        u64 before = traffic_frames(traffic);
        u64 begin = now_ns();
        u64 given;

        traffic_give(traffic, options->burst, &kick);
        given = now_ns();
        ret = work_off(&vq, written);
        if (ret)
            return ret;
        took[rounds] = given - begin;
        begin = now_ns();
        ret = traffic_take(traffic);
        if (ret < 0)
            return ret;
        took[rounds] += now_ns() - begin;
        took[rounds] /= (double)(traffic_frames(traffic) - before);
    }
    qsort(took, rounds, sizeof(*took), compare);
    *each = rounds ? took[rounds / 2] : 0;
    return 0;
}
