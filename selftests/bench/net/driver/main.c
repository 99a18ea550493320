// SPDX-License-Identifier: GPL-2.0-only
/*
 * Drives a vhost-net device at full load, from its own memory, and prints as
 * a line of JSON what that cost whom. To be run on one CPU under icount, where
 * a nanosecond is an instruction.
 *
 * The device's worker, this driver and the packet source take turns: none of
 * them is preempted because another woke up, so the worker always finds the
 * ring full and works all of it off, as it does beside a driver that is fast.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "attach.h"
#include "error.h"
#include "loopback.h"
#include "mark.h"
#include "measure_floor.h"
#include "options.h"
#include "source.h"
#include "tasks.h"
#include "traffic.h"

/* What has been used up to a moment. */
struct sample {
    u64 clock;
    u64 busy;
    struct task_use worker;
    struct task_use driver;
    struct task_use source;
    u64 sent;
    u64 refused;
    u64 frames;
    u64 bytes;
    u64 kicks;
    u64 calls;
};

struct run {
    struct options options;
    struct traffic traffic;
    struct vhost_dev dev;
    struct vhost_queue queue;
    struct source source;
    pid_t worker;
    int tap;
    u64 kicks;
    u64 calls;
};

/* The clock is read last at the beginning, and first at the end: looking costs, too. */
static int take_sample(struct run* run, struct sample* sample, bool end) {
    int ret = 0;

    if (end) {
        MARK_CODE(MARK_END);
        sample->clock = now_ns();
    }
    ret |= task_use(run->worker, &sample->worker);
    ret |= task_use(getpid(), &sample->driver);
    if (run->options.receive) {
        ret |= task_use(run->source.thread, &sample->source);
        ret |= source_sent(&run->source, &sample->sent, &sample->refused);
    }
    ret |= cpu_busy(&sample->busy);
    sample->frames = traffic_frames(&run->traffic);
    sample->bytes = run->traffic.bytes_back;
    sample->kicks = run->kicks;
    sample->calls = run->calls;
    if (!end) {
        sample->clock = now_ns();
        MARK_CODE(MARK_BEGIN);
    }
    return ret ? -EIO : 0;
}

static int wait_for_call(struct run* run) {
    u64 count;

    if (traffic_want_call(&run->traffic))
        return 0;
    if (read(run->queue.call, &count, sizeof(count)) != sizeof(count))
        return failed_errno("wait for a call");
    run->calls += count;
    traffic_want_no_call(&run->traffic);
    return 0;
}

static int drive(struct run* run, u64 frames) {
    while (traffic_frames(&run->traffic) < frames) {
        bool kick;
        int taken = traffic_take(&run->traffic);
        int ret;

        if (taken < 0)
            return taken;
        traffic_give(&run->traffic, run->options.burst - run->traffic.driver.in_flight, &kick);
        if (kick) {
            event_signal(run->queue.kick);
            run->kicks++;
        }
        if (!taken) {
            ret = wait_for_call(run);
            if (ret)
                return ret;
        }
    }
    return 0;
}

static int open_device(struct run* run) {
    static struct tasks before;
    struct vhost_memory_region region;
    u32 index = run->options.receive ? 0 : 1;
    int ret;

    run->tap = tap_attach(run->options.tap);
    if (run->tap < 0)
        return run->tap;
    ret = vhost_open(&run->dev, run->options.device);
    if (ret)
        return ret;
    ret = tasks_list(&before);
    if (!ret)
        ret = vhost_set_owner(&run->dev);
    if (!ret)
        ret = vhost_set_features(&run->dev, run->traffic.features);
    guest_mem_regions(&run->traffic.mem, &region, 1);
    if (!ret)
        ret = vhost_set_mem_table(&run->dev, &region, 1);
    if (!ret)
        ret = vhost_queue_open(&run->queue, &run->dev, index, &run->traffic.driver, 0);
    if (!ret && fcntl(run->queue.call, F_SETFL, 0) < 0)
        ret = failed_errno("make the call eventfd block");
    if (!ret)
        ret = vhost_set_backend(&run->dev, index, run->tap);
    if (ret)
        return ret;
    run->worker = tasks_find_worker(&before);
    if (run->worker < 0)
        return run->worker;
    if (run->options.eager)
        return 0;
    ret = tasks_make_batch(run->worker, 0);
    return ret ? ret : tasks_make_batch(getpid(), 0);
}

static int measure_the_floor(struct run* run) {
    struct floor_cost cost;
    int ret;

    run->tap = tap_attach(run->options.tap);
    if (run->tap < 0)
        return run->tap;
    ret = measure_floor(&run->traffic, run->tap, &cost);
    if (!ret)
        printf("\"frames\": %llu, \"worker\": %.2f, \"source\": %.2f, \"freeing\": %.2f",
               cost.frames, cost.each, cost.source, cost.freeing);
    return ret;
}

static double each(u64 begin, u64 end, u64 frames) {
    return (double)(end - begin) / frames;
}

static void print_samples(const struct sample* begin, const struct sample* end) {
    u64 frames = end->frames - begin->frames;

    printf("\"frames\": %llu, \"bytes\": %llu, \"worker\": %.2f, \"elapsed\": %.2f, ", frames,
           end->bytes - begin->bytes, each(begin->worker.ran, end->worker.ran, frames),
           each(begin->clock, end->clock, frames));
    printf(
        "\"busy\": %.2f, \"driver\": %.2f, \"source\": %.2f, \"sent\": %llu, \"refused\": %llu, ",
        each(begin->busy, end->busy, frames), each(begin->driver.ran, end->driver.ran, frames),
        each(begin->source.ran, end->source.ran, frames), end->sent - begin->sent,
        end->refused - begin->refused);
    printf("\"kicks\": %llu, \"calls\": %llu, \"wakeups\": %llu, \"stints\": %llu",
           end->kicks - begin->kicks, end->calls - begin->calls,
           end->worker.slept - begin->worker.slept, end->worker.stints - begin->worker.stints);
}

static int measure_device(struct run* run) {
    struct sample begin = {0};
    struct sample end = {0};
    int ret = open_device(run);

    if (!ret && run->options.receive) {
        ret = source_prepare(&run->source, run->options.tap, run->options.size, 0);
        if (!ret && !run->options.eager)
            ret = tasks_make_batch(run->source.thread, 19);
        if (!ret)
            ret = source_start(&run->source);
    }
    if (!ret)
        ret = drive(run, run->options.warm);
    if (!ret)
        ret = take_sample(run, &begin, false);
    if (!ret)
        ret = drive(run, begin.frames + run->options.packets);
    if (!ret)
        ret = take_sample(run, &end, true);
    if (run->source.starter && source_stop(&run->source) && !ret)
        ret = -EIO;
    if (!ret)
        print_samples(&begin, &end);
    return ret;
}

/* What driver and source cost alone: the null device, and a network device that drops. */
static int measure_none(struct run* run) {
    struct task_use begin;
    struct task_use end;
    double driver_each;
    int ret = loopback_measure(&run->traffic, run->options.packets, &driver_each);

    if (ret)
        return ret;
    printf("\"frames\": %u, \"driver\": %.2f", run->options.packets, driver_each);
    if (!run->options.receive)
        return 0;
    ret = source_prepare(&run->source, run->options.tap, run->options.size, run->options.packets);
    if (!ret)
        ret = task_use(run->source.thread, &begin);
    if (!ret)
        ret = source_start(&run->source);
    if (!ret)
        ret = source_finish(&run->source);
    if (!ret)
        ret = task_use(run->source.thread, &end);
    if (!ret)
        printf(", \"source\": %.2f", each(begin.ran, end.ran, run->options.packets));
    return ret;
}

int main(int argc, char** argv) {
    static struct run run;
    const struct options* options = &run.options;
    int ret = options_read(&run.options, argc, argv);

    if (!ret)
        ret = traffic_init(&run.traffic, options);
    if (ret)
        return EXIT_FAILURE;
    printf(
        "{\"device\": \"%s\", \"direction\": \"%s\", \"size\": %u, \"ring\": \"%s\", "
        "\"event_idx\": %s, \"mergeable\": %s, \"burst\": %u, ",
        options->device, options->receive ? "rx" : "tx", options->size,
        options->packed ? "packed" : "split", options->event_idx ? "true" : "false",
        options->mergeable ? "true" : "false", options->burst);
    if (run.options.device[0] == '/')
        ret = measure_device(&run);
    else if (strcmp(options->device, "floor") == 0)
        ret = measure_the_floor(&run);
    else
        ret = measure_none(&run);
    puts("}");
    return ret ? EXIT_FAILURE : EXIT_SUCCESS;
}
