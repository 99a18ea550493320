// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "attach.h"
#include "error.h"
#include "mark.h"
#include "run.h"

static int look(const struct run* run, struct sample* sample) {
    int ret = task_use(run->worker, &sample->worker);

    if (!ret)
        ret = task_use(getpid(), &sample->driver);
    if (!ret && run->source.thread)
        ret = task_use(run->source.thread, &sample->source);
    if (!ret && run->source.thread)
        ret = source_sent(&run->source, &sample->sent, &sample->refused);
    if (!ret)
        ret = cpu_busy(&sample->busy);
    sample->frames = traffic_frames(&run->traffic);
    sample->bytes = run->traffic.bytes_back;
    sample->kicks = run->kicks;
    sample->calls = run->calls;
    return ret;
}

/* Looking costs, too: the clock is read last at the beginning, and first at the end. */
int sample_begin(const struct run* run, struct sample* sample) {
    int ret;

    *sample = (struct sample){0};
    ret = look(run, sample);
    sample->clock = now_ns();
    if (run->options.single)
        MARK_CODE(MARK_WATCH);
    else
        MARK_CODE(MARK_BEGIN);
    return ret;
}

int sample_end(const struct run* run, struct sample* sample) {
    *sample = (struct sample){0};
    MARK_CODE(MARK_END);
    sample->clock = now_ns();
    return look(run, sample);
}

/* That what came is what was sent. */
static int check(const struct run* run, u64 frames, u64 bytes, u64 refused) {
    const struct options* options = &run->options;

    if (refused)
        return failed(-ENOBUFS, "receive all frames (%llu found the tap's queue full)", refused);
    if (options->receive && bytes / frames != options->size + VNET_HDR)
        return failed(-EPROTO, "receive frames of %u bytes (they have %llu in the mean)",
                      options->size + VNET_HDR, bytes / frames);
    return 0;
}

int sample_print(const struct run* run, const struct sample* begin, const struct sample* end) {
    u64 frames = end->frames - begin->frames;
    u64 bytes = end->bytes - begin->bytes;
    const struct {
        const char* name;
        u64 used;
    } costs[] = {
        {"elapsed", end->clock - begin->clock},
        {"busy", end->busy - begin->busy},
        {"worker", end->worker.ran - begin->worker.ran},
        {"driver", end->driver.ran - begin->driver.ran},
        {"source", end->source.ran - begin->source.ran},
    };
    int ret = check(run, frames, bytes, end->refused - begin->refused);

    if (ret)
        return ret;
    run_print_head(run);
    for (size_t i = 0; i < sizeof(costs) / sizeof(costs[0]); i++)
        printf("\"%s\": %.2f, ", costs[i].name, (double)costs[i].used / frames);
    printf("\"frames\": %llu, \"bytes\": %llu, \"sent\": %llu, ", frames, bytes,
           end->sent - begin->sent);
    printf("\"kicks\": %llu, \"calls\": %llu, \"wakeups\": %llu, \"stints\": %llu}\n",
           end->kicks - begin->kicks, end->calls - begin->calls,
           end->worker.slept - begin->worker.slept, end->worker.stints - begin->worker.stints);
    return 0;
}
