// SPDX-License-Identifier: GPL-2.0-only
#include "run.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "attach.h"
#include "error.h"

static int start_device(struct run* run) {
    struct vhost_memory_region region;
    u32 index = run->options.receive ? 0 : 1;
    int ret = vhost_set_features(&run->dev, run->traffic.features);

    guest_mem_regions(&run->traffic.mem, &region, 1);
    if (!ret)
        ret = vhost_set_mem_table(&run->dev, &region, 1);
    if (!ret)
        ret = vhost_queue_open(&run->queue, &run->dev, index, &run->traffic.driver, 0);
    if (!ret && fcntl(run->queue.call, F_SETFL, 0) < 0)
        ret = failed_errno("make the call eventfd block");
    if (!ret)
        ret = vhost_set_backend(&run->dev, index, run->tap);
    return ret;
}

int run_open(struct run* run) {
    static struct tasks before;
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
        ret = start_device(run);
    if (ret)
        return ret;
    run->worker = tasks_find_worker(&before);
    return run->worker < 0 ? run->worker : 0;
}

void run_print_head(const struct run* run) {
    const struct options* options = &run->options;

    printf("{\"device\": \"%s\", \"load\": \"%s\", \"direction\": \"%s\", \"size\": %u, ",
           options->device, options->single ? "one" : "full", options->receive ? "rx" : "tx",
           options->size);
    printf("\"ring\": \"%s\", \"event_idx\": %s, \"mergeable\": %s, ",
           options->packed ? "packed" : "split", options->event_idx ? "true" : "false",
           options->mergeable ? "true" : "false");
}

int run_turn(struct run* run) {
    bool kick;
    int taken = traffic_take(&run->traffic);

    if (taken < 0)
        return taken;
    traffic_give(&run->traffic, run->options.burst - run->traffic.driver.in_flight, &kick);
    if (kick) {
        event_signal(run->queue.kick);
        run->kicks++;
    }
    return taken;
}

int run_sleep(struct run* run) {
    u64 count;

    if (read(run->queue.call, &count, sizeof(count)) != sizeof(count))
        return failed_errno("wait for a call");
    run->calls += count;
    traffic_want_no_call(&run->traffic);
    return 0;
}

int run_wait(struct run* run) {
    return traffic_want_call(&run->traffic) ? 0 : run_sleep(run);
}
