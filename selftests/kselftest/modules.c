// SPDX-License-Identifier: GPL-2.0-only
/*
 * Modules in use are not removed, and those that nobody uses leave nothing
 * behind. At its end each test has put them back. vireo.ko and the device's
 * module are expected to be there.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "iotlb_msg.h"
#include "kernel_state.h"
#include "tap_output.h"
#include "traffic_flow.h"

#define USUAL (F_VERSION_1 | F_NET_MRG_RXBUF | F_EVENT_IDX)
#define CORE "vireo"

static char module[64]; /* the device's */

static void need_vireo(void) {
    module_of_device(vhost_path(), module, sizeof(module));
    if (strncmp(module, "vireo_", strlen("vireo_")) != 0)
        skip_test("%s is not a device of Vireo", vhost_path());
    require(module_users(module) == 0, "%s has %ld users; is it inserted, and nobody else at work?",
            module, module_users(module));
}

static bool unused(void* arg) {
    return !module_users(module);
}

static void in_use(const void* arg) {
    struct live live;

    need_vireo();
    live_open(&live, USUAL);
    live_check(&live);
    check_ret(module_remove(module), -EAGAIN);
    check_ret(module_remove(CORE), -EAGAIN);
    live_check(&live);
    live_close(&live);
    check_ret(module_remove(CORE), -EAGAIN);
    require(wait_until(unused, NULL), "%s has %ld users after the last file was closed", module,
            module_users(module));
    require_ok(module_remove(module));
    check_ret(module_remove(CORE), 0);
    check(access(vhost_path(), F_OK), "%s is there without its module", vhost_path());
    require_ok(module_insert(CORE, NULL));
    require_ok(module_insert(module, NULL));
    live_open(&live, USUAL);
    live_check(&live);
}

static void again_and_again(const void* arg) {
    need_vireo();
    for (u32 round = 0; round < 20; round++) {
        struct live live;

        live_open(&live, USUAL);
        live_check(&live);
        live_close(&live);
        require(wait_until(unused, NULL), "round %u: %ld users", round, module_users(module));
        require_ok(module_remove(module));
        require_ok(module_remove(CORE));
        require_ok(module_insert(CORE, NULL));
        require_ok(module_insert(module, NULL));
    }
}

/* All that a device can hold is held by one that is killed, and goes with it. */
static _Noreturn void hold_everything(int ready) {
    struct live live;
    struct iotlb_talk talk = {.dev = &live.net.dev};
    u32 id;

    live_open(&live, USUAL | F_ACCESS_PLATFORM);
    for (u32 i = 0; i < NET_QUEUES; i++) {
        require_ok(vhost_new_worker(&live.net.dev, &id));
        require_ok(vhost_attach_worker(&live.net.dev, i, id));
        require_ok(vhost_set_busyloop(&live.net.dev, i, 50));
    }
    require_ok(vhost_set_log_fd(&live.net.dev, live.net.queue[0].vhost.call));
    /* Translations of nothing that is needed, and misses that nobody reads. */
    for (u64 i = 0; i < 100; i++)
        require_ok(iotlb_update(&talk, i << 20, 4096, live.net.mem.base, VHOST_ACCESS_RW));
    for (u32 i = 0; i < NET_QUEUES; i++)
        event_signal(live.net.queue[i].vhost.kick);
    if (write(ready, "r", 1) == 1)
        pause();
    _exit(1);
}

static void removed_behind_the_killed(const void* arg) {
    need_vireo();
    for (u32 round = 0; round < 5; round++) {
        int ready[2];
        char byte;
        pid_t child;

        require(!pipe(ready), "a pipe");
        child = fork();
        if (!child)
            hold_everything(ready[1]);
        close(ready[1]);
        require(read(ready[0], &byte, 1) == 1, "the child ended");
        close(ready[0]);
        check_ret(module_remove(module), -EAGAIN);
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        require(wait_until(unused, NULL), "%s has %ld users after its last one was killed", module,
                module_users(module));
        check(workers_gone(&child), "the worker is still there");
        require_ok(module_remove(module));
        require_ok(module_remove(CORE));
        require_ok(module_insert(CORE, NULL));
        require_ok(module_insert(module, NULL));
    }
}

static const struct test tests[] = {
    {"in-use", in_use, NULL},
    {"again-and-again", again_and_again, NULL},
    {"removed-behind-the-killed", removed_behind_the_killed, NULL},
};

int main(int argc, char** argv) {
    return run_tests(tests, COUNT(tests), argc, argv);
}
