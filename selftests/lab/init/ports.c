// SPDX-License-Identifier: GPL-2.0-only
/*
 * virtio-serial ports, and the control port's lines. Guest to host:
 *
 *	beat CPU NS          a second of guest time has passed on CPU
 *	start                the command is about to run
 *	leak TEXT            one line of a kmemleak report
 *	exit STATUS ERRNO OUT ERR TAINT
 *	                     it ended, having written OUT and ERR bytes; or ERRNO
 *	                     kept it from being started. TAINT is the kernel's.
 *
 * Host to guest: `winsize ROWS COLS`, and `dump`, which has the kernel print what
 * each CPU and each blocked task is doing.
 */
#include "lab.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PORTS "/sys/class/virtio-ports"

static int control = -1;

int write_all(int fd, const void* buf, size_t len) {
    const char* p = buf;

    while (len) {
        ssize_t n = write(fd, p, len);

        if (n < 0) {
            const struct timespec pause = {0, 1000000};

            if (errno == EINTR)
                continue;
            if (errno != ENOMEM && errno != EAGAIN)
                return -1;
            /* Fault injection may fail the port's own allocation; the bytes are still owed. */
            nanosleep(&pause, NULL);
            continue;
        }
        p += n;
        len -= (size_t)n;
    }
    return 0;
}

static int try_open(const char* name) {
    DIR* dir = opendir(PORTS);
    struct dirent* entry;
    int found = -1;

    if (!dir)
        return -1;
    while (found < 0 && (entry = readdir(dir))) {
        char path[sizeof(PORTS) + sizeof(entry->d_name) + 8];
        char got[64] = "";
        FILE* f;

        snprintf(path, sizeof(path), PORTS "/%s/name", entry->d_name);
        f = fopen(path, "re");
        if (!f)
            continue;
        if (fgets(got, sizeof(got), f))
            got[strcspn(got, "\n")] = '\0';
        fclose(f);
        if (strcmp(got, name))
            continue;
        snprintf(path, sizeof(path), "/dev/%s", entry->d_name);
        found = open(path, O_RDWR | O_CLOEXEC);
    }
    closedir(dir);
    return found;
}

/* Ports are announced by the device after the driver is bound: wait for them. */
int port_open(const char* name) {
    const struct timespec pause = {0, 5000000};

    for (int tries = 0; tries < 6000; tries++) {
        int fd = try_open(name);

        if (fd >= 0)
            return fd;
        nanosleep(&pause, NULL);
    }
    die("virtio-serial port %s: did not appear", name);
}

static void sysrq(char key) {
    int fd = open("/proc/sysrq-trigger", O_WRONLY | O_CLOEXEC);

    if (fd >= 0) {
        write_all(fd, &key, 1);
        close(fd);
    }
}

static void* control_reader(void* arg) {
    FILE* in = arg;
    char line[128];
    unsigned int rows, cols;

    while (fgets(line, sizeof(line), in)) {
        if (sscanf(line, "winsize %u %u", &rows, &cols) == 2) {
            command_resize(rows, cols);
        } else if (!strcmp(line, "dump\n")) {
            sysrq('l');
            sysrq('w');
        }
    }
    return NULL;
}

void control_open(void) {
    pthread_t thread;
    FILE* in;

    control = port_open("vireo.control");
    in = fdopen(control, "r");
    if (!in || pthread_create(&thread, NULL, control_reader, in))
        die("control port: cannot start its reader");
    pthread_detach(thread);
}

int control_fd(void) {
    return control;
}

void control_send(const char* fmt, ...) {
    char line[1024];
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(line, sizeof(line) - 1, fmt, ap);
    va_end(ap);
    if (n < 0)
        return;
    if ((size_t)n > sizeof(line) - 2)
        n = sizeof(line) - 2;
    line[n++] = '\n';
    /* One write per line: the driver queues each write whole, so lines never mix. */
    write_all(control, line, (size_t)n);
}
