// SPDX-License-Identifier: GPL-2.0-only
/*
 * Full load. The device's worker, this driver and the packet source take
 * turns: none of them is preempted because another woke up, so the worker
 * finds the ring full and works all of it off, as it does beside a driver and
 * a source that are fast and run elsewhere.
 */
#include <errno.h>
#include <unistd.h>

#include "run.h"

#define LEAST 19 /* the nice level of pktgen, which would never let anybody else run */

static int drive(struct run* run, u64 frames) {
    while (traffic_frames(&run->traffic) < frames) {
        int ret = run_turn(run);

        if (!ret)
            ret = run_wait(run);
        if (ret < 0)
            return ret;
    }
    return 0;
}

static int take_turns(struct run* run) {
    int ret = 0;

    if (run->options.receive) {
        ret = source_prepare(&run->source, run->options.tap, run->options.size, 0);
        if (!ret)
            ret = tasks_make_batch(run->source.thread, LEAST);
    }
    if (!ret)
        ret = tasks_make_batch(run->worker, 0);
    if (!ret)
        ret = tasks_make_batch(getpid(), 0);
    return ret;
}

int run_full(struct run* run) {
    struct sample begin;
    struct sample end;
    int ret = run_open(run);

    if (!ret)
        ret = take_turns(run);
    if (!ret && run->options.receive)
        ret = source_start(&run->source);
    if (!ret)
        ret = drive(run, run->options.warm);
    if (!ret)
        ret = sample_begin(run, &begin);
    if (!ret)
        ret = drive(run, begin.frames + run->options.packets);
    if (!ret)
        ret = sample_end(run, &end);
    if (run->source.starter && source_stop(&run->source) && !ret)
        ret = -EIO;
    return ret ? ret : sample_print(run, &begin, &end);
}
