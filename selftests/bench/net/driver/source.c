// SPDX-License-Identifier: GPL-2.0-only
#include "source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "error.h"
#include "tasks.h"

#define CONTROL "/proc/net/pktgen/pgctrl"
#define THREAD "/proc/net/pktgen/kpktgend_0"

/* Source above which the kernel builds frames of fragments, as a stack would. */
#define LINEAR_MAX 4000

static int command(const char* file, const char* format, const char* word, u64 value) {
    char text[128];
    /* pktgen takes the last byte for a new line, and drops it. */
    int length = snprintf(text, sizeof(text) - 1, format, word, value);
    int fd = open(file, O_WRONLY | O_CLOEXEC);
    ssize_t done;

    if (fd < 0)
        return failed_errno("open %s (is pktgen loaded?)", file);
    text[length] = '\n';
    done = write(fd, text, length + 1);
    if (done < 0) {
        close(fd);
        return failed_errno("tell pktgen \"%.*s\"", length, text);
    }
    close(fd);
    return 0;
}

int source_prepare(struct source* source, const char* device, unsigned int size, u64 count) {
    char file[128];
    int ret;

    *source = (struct source){.device = device};
    snprintf(file, sizeof(file), "/proc/net/pktgen/%s", device);
    ret = command(THREAD, "%s", "rem_device_all", 0);
    if (!ret)
        ret = command(THREAD, "add_device %s", device, 0);
    if (!ret)
        ret = command(file, "%s %llu", "count", count);
    if (!ret)
        ret = command(file, "%s %llu", "pkt_size", size);
    if (!ret && size > LINEAR_MAX)
        ret = command(file, "%s %llu", "frags", (size + 4095) / 4096);
    if (!ret)
        ret = command(file, "%s %llu", "delay", 0);
    if (!ret)
        ret = command(file, "%s", "dst 192.0.2.2", 0);
    if (!ret)
        ret = command(file, "%s", "dst_mac 02:00:00:00:00:02", 0);
    if (ret)
        return ret;
    source->thread = tasks_find("kpktgend_0");
    return source->thread < 0 ? source->thread : 0;
}

int source_start(struct source* source) {
    source->starter = fork();
    if (source->starter < 0)
        return failed_errno("start a process for pktgen");
    if (!source->starter)
        _exit(command(CONTROL, "%s", "start", 0) ? 1 : 0);
    return 0;
}

int source_finish(struct source* source) {
    int status;

    if (!source->starter)
        return 0;
    if (waitpid(source->starter, &status, 0) < 0)
        return failed_errno("wait for pktgen");
    source->starter = 0;
    return status ? failed(-EIO, "run pktgen") : 0;
}

int source_stop(struct source* source) {
    int ret = command(CONTROL, "%s", "stop", 0);
    int end = source_finish(source);

    return ret ? ret : end;
}

int source_sent(const struct source* source, u64* sent, u64* refused) {
    char path[128];
    char text[8192];
    const char* at;
    ssize_t got;
    int fd;

    snprintf(path, sizeof(path), "/proc/net/pktgen/%s", source->device);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    got = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
    if (fd >= 0)
        close(fd);
    if (got < 0)
        return failed_errno("read %s", path);
    text[got] = 0;
    at = strstr(text, "pkts-sofar: ");
    if (!at)
        return failed(-EPROTO, "find pkts-sofar in %s", path);
    *sent = strtoull(at + 12, NULL, 10);
    at = strstr(text, "errors: ");
    if (!at)
        return failed(-EPROTO, "find errors in %s", path);
    *refused = strtoull(at + 8, NULL, 10);
    return 0;
}
