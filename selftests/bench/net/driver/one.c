// SPDX-License-Identifier: GPL-2.0-only
/*
 * One frame at a time. The worker is of a real-time class, so that it runs as
 * soon as it is woken, on the CPU that all share here.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <sys/socket.h>

#include "attach.h"
#include "error.h"
#include "run.h"

/* What comes in at the tap: a packet socket sends it out there. */
static int open_wire(struct run* run) {
    struct sockaddr_ll address = {
        .sll_family = AF_PACKET,
        .sll_ifindex = (int)if_nametoindex(run->options.tap),
    };

    /* Protocol 0: it receives nothing. */
    run->wire = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
    if (run->wire < 0)
        return failed_errno("open a packet socket");
    if (bind(run->wire, (struct sockaddr*)&address, sizeof(address)) < 0)
        return failed_errno("bind a packet socket to %s", run->options.tap);
    return 0;
}

static int send_frame(const struct run* run) {
    static u8 frame[1 << 16] = {2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1};

    if (send(run->wire, frame, run->options.size, 0) != (ssize_t)run->options.size)
        return failed_errno("send a frame of %u bytes to %s", run->options.size, run->options.tap);
    return 0;
}

/* The call is asked for before there is anything to call for, so that none is saved. */
static int exchange(struct run* run, u64 frames) {
    while (traffic_frames(&run->traffic) < frames) {
        int ret;

        traffic_want_call(&run->traffic);
        ret = run_turn(run);
        if (ret >= 0)
            ret = run->options.receive ? send_frame(run) : 0;
        if (!ret)
            ret = run_sleep(run);
        if (!ret)
            ret = traffic_take(&run->traffic);
        if (ret < 0)
            return ret;
    }
    return 0;
}

int run_one(struct run* run) {
    struct sample begin;
    struct sample end;
    int ret = 0;

    if (run->options.receive)
        ret = open_wire(run);
    else
        run->options.burst = 1;
    if (!ret)
        ret = run_open(run);
    if (!ret)
        ret = tasks_make_realtime(run->worker);
    if (!ret)
        ret = exchange(run, run->options.warm);
    if (!ret)
        ret = sample_begin(run, &begin);
    if (!ret)
        ret = exchange(run, begin.frames + run->options.packets);
    if (!ret)
        ret = sample_end(run, &end);
    return ret ? ret : sample_print(run, &begin, &end);
}
