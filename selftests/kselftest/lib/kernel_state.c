// SPDX-License-Identifier: GPL-2.0-only
#include "kernel_state.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "error.h"

/* The first line of a file, or false. */
static bool read_line(const char* path, char* line, int room) {
    FILE* file = fopen(path, "re");
    bool got;

    if (!file)
        return false;
    got = fgets(line, room, file);
    fclose(file);
    return got;
}

unsigned int workers_of(pid_t owner, pid_t* tids, unsigned int room) {
    char wanted[2][32];
    DIR* proc = opendir("/proc");
    const struct dirent* entry;
    unsigned int count = 0;

    if (!proc) {
        failed_errno("open /proc");
        return 0;
    }
    snprintf(wanted[0], sizeof(wanted[0]), "vireo-%d\n", owner);
    snprintf(wanted[1], sizeof(wanted[1]), "vhost-%d\n", owner);
    while ((entry = readdir(proc))) {
        char path[300];
        char name[32];

        if (!isdigit(entry->d_name[0]))
            continue;
        snprintf(path, sizeof(path), "/proc/%s/comm", entry->d_name);
        if (!read_line(path, name, sizeof(name)))
            continue;
        if (strcmp(name, wanted[0]) != 0 && strcmp(name, wanted[1]) != 0)
            continue;
        if (count < room)
            tids[count] = atoi(entry->d_name);
        count++;
    }
    closedir(proc);
    return count;
}

bool workers_gone(void* owner) {
    return !workers_of(*(const pid_t*)owner, NULL, 0);
}

/* The fields behind the name, which may hold anything. */
static int read_stat(pid_t tid, long* ticks, int* nice) {
    char path[64];
    char line[1024];
    const char* rest;
    unsigned long user;
    unsigned long system;

    snprintf(path, sizeof(path), "/proc/%d/stat", tid);
    if (!read_line(path, line, sizeof(line)))
        return failed(-ESRCH, "read %s", path);
    rest = strrchr(line, ')');
    if (!rest ||
        sscanf(rest + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu %*d %*d %*d %d",
               &user, &system, nice) != 3)
        return failed(-EPROTO, "understand %s", path);
    *ticks = (long)(user + system);
    return 0;
}

long thread_ticks(pid_t tid) {
    long ticks;
    int nice;

    return read_stat(tid, &ticks, &nice) ? -1 : ticks;
}

int thread_nice(pid_t tid, int* nice) {
    long ticks;

    return read_stat(tid, &ticks, nice);
}

long module_users(const char* name) {
    char path[128];
    char line[32];

    snprintf(path, sizeof(path), "/sys/module/%s/refcnt", name);
    return read_line(path, line, sizeof(line)) ? strtol(line, NULL, 10) : -1;
}

void module_of_device(const char* path, char* name, size_t room) {
    const char* slash = strrchr(path, '/');

    snprintf(name, room, "%s", slash ? slash + 1 : path);
    for (char* at = name; *at; at++) {
        if (*at == '-')
            *at = '_';
    }
}

int module_remove(const char* name) {
    return syscall(SYS_delete_module, name, O_NONBLOCK) ? -errno : 0;
}

int module_insert(const char* name, const char* parameters) {
    const char* where = getenv("VIREO_MODULES");
    char path[512];
    int ret = 0;
    int fd;

    snprintf(path, sizeof(path), "%s/%s.ko", where ? where : ".", name);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return failed_errno("open %s (VIREO_MODULES names its directory)", path);
    if (syscall(SYS_finit_module, fd, parameters ? parameters : "", 0))
        ret = failed_errno("insert %s", path);
    close(fd);
    return ret;
}

int file_of(pid_t pid, int fd) {
    int process = (int)syscall(SYS_pidfd_open, pid, 0);
    int ret;

    if (process < 0)
        return failed_errno("open process %d", pid);
    ret = (int)syscall(SYS_pidfd_getfd, process, fd, 0);
    if (ret < 0)
        ret = failed_errno("get file %d of process %d", fd, pid);
    close(process);
    return ret;
}
