/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Who used the processor. On one CPU a task that is looked at does not run,
 * so what the scheduler has accounted to it is exact.
 */
#ifndef TASKS_H
#define TASKS_H

#include <stddef.h>
#include <sys/types.h>

#include "vq/vq.h"

#define TASKS_MAX 4096

/* Tasks that are there: all processes and kernel threads, and this process's threads. */
struct tasks {
    pid_t ids[TASKS_MAX];
    size_t count;
};

int tasks_list(struct tasks* tasks);

/*
 * The task that came since @before and is neither this thread nor one of the kernel's pools:
 * a device's worker. Negative errno if there is none, or more than one.
 */
pid_t tasks_find_worker(const struct tasks* before);

/* A task by its name, or -ESRCH. */
pid_t tasks_find(const char* name);

/* Nobody is preempted at the moment that another wakes up: who works, works off what is there. */
int tasks_make_batch(pid_t task, int nice);

/* It runs whenever it can. */
int tasks_make_realtime(pid_t task);

struct task_use {
    u64 ran;    /* nanoseconds on the CPU */
    u64 stints; /* times that it came on */
    u64 slept;  /* times that it went to sleep by itself */
};

int task_use(pid_t task, struct task_use* use);

/* Nanoseconds that the CPU ran tasks, in all; the one that runs now not since it came on. */
int cpu_busy(u64* busy);

u64 now_ns(void);

#endif /* TASKS_H */
