// SPDX-License-Identifier: GPL-2.0-only
/*
 * One thread per CPU, at the highest real-time priority, that says each second
 * that time passes there. Nothing that the command does in user space can keep it from
 * running, so silence means that the kernel, or the emulator, stands still.
 */
#include "lab.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static void* beat(void* arg) {
    int cpu = (int)(intptr_t)arg;
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    for (;;) {
        control_send("beat %d %lld", cpu, (long long)now.tv_sec * 1000000000 + now.tv_nsec);
        now.tv_sec++;
        while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &now, NULL) == EINTR)
            ;
        clock_gettime(CLOCK_MONOTONIC, &now);
    }
    return NULL;
}

void heartbeat_start(void) {
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    struct sched_param top = {.sched_priority = 99};

    for (long cpu = 0; cpu < cpus; cpu++) {
        pthread_attr_t attr;
        pthread_t thread;
        cpu_set_t set;
        int err;

        CPU_ZERO(&set);
        CPU_SET(cpu, &set);
        pthread_attr_init(&attr);
        pthread_attr_setaffinity_np(&attr, sizeof(set), &set);
        pthread_attr_setinheritsched(&attr, PTHREAD_EXPLICIT_SCHED);
        pthread_attr_setschedpolicy(&attr, SCHED_FIFO);
        pthread_attr_setschedparam(&attr, &top);
        pthread_attr_setstacksize(&attr, 64 * 1024);
        err = pthread_create(&thread, &attr, beat, (void*)(intptr_t)cpu);
        if (err)
            die("heartbeat of CPU %ld: %s", cpu, strerror(err));
        pthread_detach(thread);
        pthread_attr_destroy(&attr);
    }
}
