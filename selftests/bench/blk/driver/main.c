// SPDX-License-Identifier: GPL-2.0-only
/*
 * Does requests of 4 KiB on one of several paths, and prints as a line of JSON
 * what each cost. To be run on one CPU under icount, where a nanosecond is an
 * instruction.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../net/driver/mark.h"
#include "../../net/driver/tasks.h"
#include "bench.h"
#include "error.h"

static const struct path paths[] = {
    {"uring", uring_open, uring_drive},          {"aio", aio_open, aio_drive},
    {"vhost", vhost_path_open, ring_drive},      {"user", user_open, ring_drive},
    {"vhost-user", vhost_user_open, ring_drive}, {"driver", alone_open, alone_drive},
};

/* What has been used up to a moment. */
struct sample {
    u64 clock;
    u64 busy;
    struct task_use worker;
    struct task_use driver;
    u64 done;
    u64 kicks;
    u64 calls;
};

static int look(const struct bench* bench, struct sample* sample) {
    int ret = task_use(getpid(), &sample->driver);

    if (!ret && bench->worker > 0)
        ret = task_use(bench->worker, &sample->worker);
    if (!ret)
        ret = cpu_busy(&sample->busy);
    sample->done = bench->done;
    sample->kicks = bench->kicks;
    sample->calls = bench->calls;
    return ret;
}

/* Looking costs, too: the clock is read last at the beginning, and first at the end. */
static int begin(const struct bench* bench, struct sample* sample) {
    int ret;

    *sample = (struct sample){0};
    ret = look(bench, sample);
    sample->clock = now_ns();
    MARK_CODE(MARK_BEGIN);
    return ret;
}

static int end(const struct bench* bench, struct sample* sample) {
    *sample = (struct sample){0};
    MARK_CODE(MARK_END);
    sample->clock = now_ns();
    return look(bench, sample);
}

static void print(const struct bench* bench, const struct sample* from, const struct sample* to) {
    const struct options* options = &bench->options;
    double requests = to->done - from->done;

    printf("{\"path\": \"%s\", \"op\": \"%s\", \"depth\": %u, \"ring\": \"%s\", ", options->path,
           options->write ? "write" : "read", options->depth, options->packed ? "packed" : "split");
    printf("\"event_idx\": %s, \"indirect\": %s, \"fixed\": %s, \"aio\": \"%s\", ",
           options->event_idx ? "true" : "false", options->indirect ? "true" : "false",
           options->fixed ? "true" : "false", options->aio);
    printf("\"elapsed\": %.2f, \"busy\": %.2f, \"worker\": %.2f, \"driver\": %.2f, ",
           (to->clock - from->clock) / requests, (to->busy - from->busy) / requests,
           (to->worker.ran - from->worker.ran) / requests,
           (to->driver.ran - from->driver.ran) / requests);
    printf(
        "\"alone\": %.2f, \"requests\": %.0f, \"kicks\": %llu, \"calls\": %llu, "
        "\"wakeups\": %llu}\n",
        bench->alone, requests, to->kicks - from->kicks, to->calls - from->calls,
        to->worker.slept - from->worker.slept);
}

/* Nobody is preempted because another woke up: who works, works off what is there. */
static int take_turns(struct bench* bench, const struct tasks* before) {
    static struct tasks now;
    int ret = tasks_list(&now);

    for (size_t i = 0; !ret && i < now.count; i++) {
        bool old = false;

        for (size_t k = 0; k < before->count && !old; k++)
            old = before->ids[k] == now.ids[i];
        /* Helpers of the kernel's may end by themselves. */
        if (!old)
            tasks_make_batch(now.ids[i], 0);
    }
    if (!ret && strcmp(bench->options.path, "vhost") == 0) {
        bench->worker = tasks_find_worker(before);
        ret = bench->worker < 0 ? bench->worker : 0;
    }
    return ret ? ret : tasks_make_batch(getpid(), 0);
}

static int run(struct bench* bench, const struct path* path) {
    static struct tasks before;
    struct sample from;
    struct sample to;
    int ret;

    bench->disk = open(bench->options.disk, O_RDWR | O_DIRECT | O_CLOEXEC);
    if (bench->disk < 0)
        return failed_errno("open %s", bench->options.disk);
    ret = tasks_list(&before);
    if (!ret)
        ret = path->open(bench);
    if (!ret)
        ret = path->drive(bench, 1);
    if (!ret)
        ret = take_turns(bench, &before);
    if (!ret)
        ret = path->drive(bench, bench->options.warm);
    if (!ret)
        ret = begin(bench, &from);
    if (!ret)
        ret = path->drive(bench, bench->options.requests);
    if (!ret)
        ret = end(bench, &to);
    if (!ret)
        print(bench, &from, &to);
    return ret;
}

int main(int argc, char** argv) {
    static struct bench bench;

    if (options_read(&bench.options, argc, argv))
        return EXIT_FAILURE;
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        if (strcmp(bench.options.path, paths[i].name) == 0) {
            int ret = run(&bench, &paths[i]);

            fflush(stdout);
            /* Threads of a device in this process are not waited for. */
            _exit(ret ? EXIT_FAILURE : EXIT_SUCCESS);
        }
    }
    fprintf(stderr, "blk_driver: there is no path %s\n", bench.options.path);
    return EXIT_FAILURE;
}
