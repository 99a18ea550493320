// SPDX-License-Identifier: GPL-2.0-only
#include "floor_cost.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "../floor/floor.h"
#include "attach.h"
#include "error.h"
#include "tasks.h"

#define FILL 2000 /* frames at the least, many fewer than the tap's queue holds */

static int call_floor(struct floor_run* run) {
    int fd = open("/dev/vireo-floor", O_RDWR | O_CLOEXEC);
    int ret = 0;

    if (fd < 0)
        return failed_errno("open /dev/vireo-floor (is vireo_floor.ko loaded?)");
    if (ioctl(fd, FLOOR_RUN, run) < 0)
        ret = failed_errno("measure the floor");
    close(fd);
    return ret;
}

/*
 * Lets pktgen fill the tap's queue, and adds up what that took it. It gets no number of frames:
 * behind the last one it would wait, with the CPU, until somebody has freed it.
 */
static int fill(const struct options* options, u64* frames, u64* source_ns) {
    struct source source;
    struct task_use begin;
    struct task_use end;
    u64 refused;
    int stopped;
    int ret = source_prepare(&source, options->tap, options->size, 0);

    if (!ret)
        ret = tasks_make_batch(source.thread, 19);
    if (!ret)
        ret = task_use(source.thread, &begin);
    if (!ret)
        ret = source_start(&source);
    if (ret)
        return ret;
    do {
        usleep(200);
        ret = source_sent(&source, frames, &refused);
    } while (!ret && *frames < FILL);
    stopped = source_stop(&source);
    if (!ret)
        ret = stopped;
    if (!ret)
        ret = source_sent(&source, frames, &refused);
    if (!ret && refused)
        ret = failed(-ENOBUFS, "put %llu frames into the tap's queue (%llu did not fit)", *frames,
                     refused);
    if (!ret)
        ret = task_use(source.thread, &end);
    if (!ret)
        *source_ns += end.ran - begin.ran;
    return ret;
}

/* What is in the queue is taken from it. */
static int fill_and_empty(struct floor_run* run, const struct options* options, u64* source_ns) {
    u64 frames;
    int ret = fill(options, &frames, source_ns);

    run->frames = UINT32_MAX;
    if (!ret)
        ret = call_floor(run);
    if (!ret && run->done != frames)
        ret = failed(-EIO, "find %llu frames in the tap's queue (%llu were there)", frames,
                     run->done);
    return ret;
}

int floor_measure(struct traffic* traffic, int tap, struct floor_cost* cost) {
    const struct options* options = traffic->options;
    struct floor_run run = {
        .what = FLOOR_TX,
        .tap = tap,
        .frame = (unsigned long)guest_at(&traffic->mem, traffic->buffers[0].segs[0].addr),
        .bytes = VNET_HDR + options->size,
        .frames = options->packets,
    };
    struct floor_run drop;
    u64 source_ns = 0;
    int ret;

    memset(cost, 0, sizeof(*cost));
    if (!options->receive) {
        ret = call_floor(&run);
        cost->frames = run.done;
        cost->each = ret ? 0 : (double)run.ns / run.done;
        return ret;
    }
    run.what = FLOOR_RX;
    drop = run;
    drop.what = FLOOR_FREE;
    ret = fill_and_empty(&run, options, &source_ns);
    if (!ret)
        ret = fill_and_empty(&drop, options, &source_ns);
    if (ret)
        return ret;
    cost->frames = run.done;
    cost->each = (double)run.ns / run.done;
    cost->source = (double)source_ns / (run.done + drop.done);
    cost->freeing = (double)drop.ns / drop.done;
    return 0;
}
