// SPDX-License-Identifier: GPL-2.0-only
/*
 * Leaks of the command, not of the boot: kmemleak gives the jiffies at which each
 * object was allocated, so those older than the command are left out. That
 * spares a scan (tens of seconds under emulation) before the command.
 *
 * An object is reported once it is 5 s old, and no earlier than in the second scan
 * that finds it unreferenced with unchanged content: hence two scans.
 */
#include "lab.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define KMEMLEAK "/sys/kernel/debug/kmemleak"
#define MIN_AGE_SECONDS 6

static unsigned long long began;

/* Seconds of the monotonic clock would drift from jiffies; this is the counter itself. */
static unsigned long long jiffies_now(void) {
    unsigned long long jiffies = 0;
    char line[256];
    FILE* f = fopen("/proc/timer_list", "re");

    if (!f)
        return 0;
    while (fgets(line, sizeof(line), f))
        if (sscanf(line, "jiffies: %llu", &jiffies) == 1)
            break;
    fclose(f);
    return jiffies;
}

static int order(const char* what) {
    int fd = open(KMEMLEAK, O_WRONLY | O_CLOEXEC);
    int err;

    if (fd < 0)
        return -1;
    err = write_all(fd, what, strlen(what));
    close(fd);
    return err;
}

void kmemleak_begin(void) {
    /* The periodic scan would run in the middle of somebody's measurement. */
    if (order("scan=off") == 0)
        began = jiffies_now();
}

/* A record starts at column 0 and goes on indented; its second line has the jiffies. */
static void report(void) {
    char first[512] = "", line[512];
    FILE* f = fopen(KMEMLEAK, "re");
    bool show = false;

    if (!f)
        return;
    while (fgets(line, sizeof(line), f)) {
        const char* at = strstr(line, ", jiffies ");

        line[strcspn(line, "\n")] = '\0';
        if (line[0] != ' ') {
            snprintf(first, sizeof(first), "%s", line);
            show = false;
        } else if (at) {
            show = strtoull(at + strlen(", jiffies "), NULL, 10) >= began;
            if (show)
                control_send("leak %s", first);
        }
        if (show && line[0] == ' ')
            control_send("leak %s", line);
    }
    fclose(f);
}

void kmemleak_end(void) {
    struct timespec old_enough;

    clock_gettime(CLOCK_MONOTONIC, &old_enough);
    old_enough.tv_sec += MIN_AGE_SECONDS;
    if (!began || order("scan") < 0)
        return;
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &old_enough, NULL);
    order("scan");
    report();
}
