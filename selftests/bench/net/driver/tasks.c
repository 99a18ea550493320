// SPDX-License-Identifier: GPL-2.0-only
#include "tasks.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "error.h"

u64 now_ns(void) {
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (u64)now.tv_sec * 1000000000 + now.tv_nsec;
}

static int list_directory(struct tasks* tasks, const char* path) {
    DIR* directory = opendir(path);
    const struct dirent* entry;

    if (!directory)
        return failed_errno("list %s", path);
    while ((entry = readdir(directory))) {
        if (!isdigit((unsigned char)entry->d_name[0]))
            continue;
        if (tasks->count == TASKS_MAX) {
            closedir(directory);
            return failed(-E2BIG, "list the tasks");
        }
        tasks->ids[tasks->count++] = atoi(entry->d_name);
    }
    closedir(directory);
    return 0;
}

int tasks_list(struct tasks* tasks) {
    int ret;

    tasks->count = 0;
    ret = list_directory(tasks, "/proc");
    if (!ret)
        ret = list_directory(tasks, "/proc/self/task");
    return ret;
}

/* Reads a whole small file of /proc as a string. */
static int read_text(const char* path, char* text, size_t bytes) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got;

    if (fd < 0)
        return -errno;
    got = read(fd, text, bytes - 1);
    close(fd);
    if (got < 0)
        return -errno;
    text[got] = 0;
    return 0;
}

static int task_name(pid_t task, char* name, size_t bytes) {
    char path[64];
    int ret;

    snprintf(path, sizeof(path), "/proc/%d/comm", task);
    ret = read_text(path, name, bytes);
    if (!ret)
        name[strcspn(name, "\n")] = 0;
    return ret;
}

static bool was_there(const struct tasks* tasks, pid_t task) {
    for (size_t i = 0; i < tasks->count; i++) {
        if (tasks->ids[i] == task)
            return true;
    }
    return false;
}

pid_t tasks_find_worker(const struct tasks* before) {
    static struct tasks now;
    pid_t found = 0;
    char name[64];
    int ret = tasks_list(&now);

    if (ret)
        return ret;
    for (size_t i = 0; i < now.count; i++) {
        pid_t task = now.ids[i];

        if (task == found || was_there(before, task) || task_name(task, name, sizeof(name)) ||
            strncmp(name, "kworker/", 8) == 0)
            continue;
        if (found)
            return failed(-ENOTUNIQ, "find the worker among the tasks %d and %d (%s)", found, task,
                          name);
        found = task;
    }
    return found ? found : failed(-ESRCH, "find the worker");
}

pid_t tasks_find(const char* name) {
    static struct tasks now;
    char found[64];
    int ret = tasks_list(&now);

    for (size_t i = 0; !ret && i < now.count; i++) {
        if (!task_name(now.ids[i], found, sizeof(found)) && strcmp(found, name) == 0)
            return now.ids[i];
    }
    return ret ? ret : failed(-ESRCH, "find the task %s", name);
}

int tasks_make_batch(pid_t task, int nice) {
    struct sched_param none = {0};

    if (sched_setscheduler(task, SCHED_BATCH, &none) < 0)
        return failed_errno("make task %d a batch task", task);
    if (setpriority(PRIO_PROCESS, task, nice) < 0)
        return failed_errno("set the nice level of task %d", task);
    return 0;
}

int tasks_make_realtime(pid_t task) {
    struct sched_param lowest = {.sched_priority = 1};

    if (sched_setscheduler(task, SCHED_FIFO, &lowest) < 0)
        return failed_errno("make task %d a real-time task", task);
    return 0;
}

int task_use(pid_t task, struct task_use* use) {
    static const char slept[] = "\nvoluntary_ctxt_switches:";
    char path[64];
    char text[4096];
    char* at;
    int ret;

    snprintf(path, sizeof(path), "/proc/%d/task/%d/schedstat", task, task);
    ret = read_text(path, text, sizeof(text));
    if (ret) { /* a thread of ours */
        snprintf(path, sizeof(path), "/proc/self/task/%d/schedstat", task);
        ret = read_text(path, text, sizeof(text));
    }
    if (ret)
        return failed(ret, "read %s", path);
    use->ran = strtoull(text, &at, 10);
    strtoull(at, &at, 10); /* waited */
    use->stints = strtoull(at, NULL, 10);

    strcpy(strrchr(path, '/'), "/status");
    ret = read_text(path, text, sizeof(text));
    if (ret)
        return failed(ret, "read %s", path);
    at = strstr(text, slept);
    use->slept = at ? strtoull(at + sizeof(slept) - 1, NULL, 10) : 0;
    return 0;
}

int cpu_busy(u64* busy) {
    char text[4096];
    char* at;
    int ret = read_text("/proc/schedstat", text, sizeof(text));

    if (ret)
        return failed(ret, "read /proc/schedstat");
    at = strstr(text, "\ncpu0 ");
    if (!at)
        return failed(-EPROTO, "find cpu0 in /proc/schedstat");
    at += 6;
    for (int field = 0; field < 6; field++)
        strtoull(at, &at, 10);
    *busy = strtoull(at, NULL, 10);
    return 0;
}
