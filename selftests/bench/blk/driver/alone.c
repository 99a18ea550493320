// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the driver's half costs by itself: the same code on the same ring, with
 * a device in this process that answers and does nothing else, and whose own
 * time does not count.
 */
#include <errno.h>
#include <stdlib.h>

#include "../../net/driver/tasks.h"
#include "error.h"
#include "ring.h"

#define ROUNDS 2000U

static struct vq vq;

int alone_open(struct bench* bench) {
    struct blk_options options = ring_options(bench);
    struct vq_setup setup;
    int ret = blk_make(&bench_blk, &options);

    if (!ret)
        ret = ring_eventfds();
    if (!ret)
        ret = ring_prepare(bench);
    if (ret)
        return ret;
    fd_describe(&bench_blk.queue[0].driver, &setup);
    ret = vq_init(&vq, &setup);
    if (!ret)
        ret = vq_start(&vq);
    return ret < 0 ? failed(ret, "start the null device") : 0;
}

/* All that is there comes back, and is well. */
static int answer(void) {
    struct vq_chain chains[64];
    struct vq_used used[64];
    struct vq_seg segs[256];
    struct vq_batch batch = {.chains = chains, .segs = segs, .max_chains = 64, .max_segs = 256};
    int popped;

    while ((popped = vq_pop(&vq, &batch)) > 0) {
        for (int i = 0; i < popped; i++)
            vq_stage(&used[i], &chains[i], 1);
        if (vq_publish(&vq, used, popped) < 0)
            return failed(-EIO, "give requests back in the null device");
    }
    return popped < 0 ? failed(popped, "take requests in the null device") : 0;
}

static int compare(const void* a, const void* b) {
    double difference = *(const double*)a - *(const double*)b;

    return (difference > 0) - (difference < 0);
}

int alone_drive(struct bench* bench, u64 requests) {
    static double took[ROUNDS]; /* for a request, in each round; interrupts fall into some */
    u64 end = bench->done + requests;
    u32 rounds;

    for (u32 i = 0; i < bench->options.depth; i++)
        *(u8*)guest_at(&bench_blk.mem, bench_blk.queue[0].requests[i].segs[2].addr) = 0;
    for (rounds = 0; bench->done < end && rounds < ROUNDS; rounds++) {
        u64 begin = now_ns();
        bool kick;
        int ret = ring_give(bench, &kick);

        took[rounds] = now_ns() - begin;
        if (!ret)
            ret = answer();
        if (ret)
            return ret;
        begin = now_ns();
        ret = ring_take(bench);
        if (ret >= 0)
            fd_enable_call(&bench_blk.queue[0].driver);
        fd_disable_call(&bench_blk.queue[0].driver);
        took[rounds] += now_ns() - begin;
        if (ret <= 0)
            return failed(ret ? ret : -EPROTO, "take requests back from the null device");
        took[rounds] /= ret;
    }
    qsort(took, rounds, sizeof(*took), compare);
    bench->alone = took[rounds / 2];
    return 0;
}
