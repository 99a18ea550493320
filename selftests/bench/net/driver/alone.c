// SPDX-License-Identifier: GPL-2.0-only
/* What is left when there is no device: the tap, or driver and source. */
#include <stdio.h>

#include "attach.h"
#include "floor_cost.h"
#include "loopback.h"
#include "run.h"

int run_floor(struct run* run) {
    struct floor_cost cost;
    int ret;

    run->tap = tap_attach(run->options.tap);
    if (run->tap < 0)
        return run->tap;
    ret = floor_measure(&run->traffic, run->tap, &cost);
    if (ret)
        return ret;
    run_print_head(run);
    printf("\"frames\": %llu, \"worker\": %.2f, \"source\": %.2f, \"freeing\": %.2f}\n",
           cost.frames, cost.each, cost.source, cost.freeing);
    return 0;
}

/* pktgen on a network device that drops. */
static int measure_source(struct run* run, double* each) {
    struct task_use begin;
    struct task_use end;
    u32 packets = run->options.packets;
    int ret = source_prepare(&run->source, run->options.tap, run->options.size, packets);

    if (!ret)
        ret = task_use(run->source.thread, &begin);
    if (!ret)
        ret = source_start(&run->source);
    if (!ret)
        ret = source_finish(&run->source);
    if (!ret)
        ret = task_use(run->source.thread, &end);
    if (!ret)
        *each = (double)(end.ran - begin.ran) / packets;
    return ret;
}

int run_none(struct run* run) {
    double driver = 0;
    double source = 0;
    int ret = loopback_measure(&run->traffic, run->options.packets, &driver);

    if (!ret && run->options.receive)
        ret = measure_source(run, &source);
    if (ret)
        return ret;
    run_print_head(run);
    printf("\"frames\": %u, \"driver\": %.2f, \"source\": %.2f}\n", run->options.packets, driver,
           source);
    return 0;
}
