// SPDX-License-Identifier: GPL-2.0-only
#include "lab.h"

#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/klog.h>
#include <sys/reboot.h>
#include <unistd.h>

/* <linux/syslog.h> is not for user space. */
#define SYSLOG_ACTION_CONSOLE_LEVEL 8

static int kmsg_fd = -1;

static void vkmsg(const char* prefix, const char* fmt, va_list ap) {
    char text[512];
    int n = snprintf(text, sizeof(text), "%s", prefix);

    n += vsnprintf(text + n, sizeof(text) - (size_t)n, fmt, ap);
    if (n > (int)sizeof(text) - 1)
        n = sizeof(text) - 1;
    /* Without it the kernel would hold the line back, for more to be appended to it. */
    text[n++] = '\n';
    if (write(kmsg_fd, text, (size_t)n) < 0)
        return;
}

void kmsg(const char* fmt, ...) {
    va_list ap;

    va_start(ap, fmt);
    vkmsg("<5>vireo-lab: ", fmt, ap);
    va_end(ap);
}

void die(const char* fmt, ...) {
    va_list ap;

    /* The host looks for this line: it is the reason that it gives the user. */
    va_start(ap, fmt);
    vkmsg("<2>vireo-lab: fatal: ", fmt, ap);
    va_end(ap);
    sync();
    reboot(RB_AUTOBOOT);
    for (;;)
        pause();
}

/* Descriptors 0 to 2 are taken first, so that no pipe end ever lands there. */
static void open_stdio(void) {
    int fd;

    do
        fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd < 2);
    kmsg_fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
}

static unsigned long taint(void) {
    unsigned long bits = 0;
    FILE* f = fopen("/proc/sys/kernel/tainted", "re");

    if (f) {
        if (fscanf(f, "%lu", &bits) != 1)
            bits = 0;
        fclose(f);
    }
    return bits;
}

int main(void) {
    struct job job = {0};
    struct outcome outcome = {0};

    signal(SIGPIPE, SIG_IGN);
    boot_early();
    open_stdio();
    job_read(&job, "/lab/job");
    boot_load_modules();
    boot_root(&job);
    boot_finish(&job);
    control_open();
    heartbeat_start();
    if (job.kmemleak)
        kmemleak_begin();

    command_run(&job, &outcome);

    sync();
    if (job.kmemleak && !outcome.exec_errno)
        kmemleak_end();
    /*
     * The console comes by another way than the control port: this line ends it,
     * whatever log level the command has left.
     */
    klogctl(SYSLOG_ACTION_CONSOLE_LEVEL, NULL, 7);
    kmsg("end of command");
    control_send("exit %d %d %llu %llu %lu", outcome.status, outcome.exec_errno,
                 (unsigned long long)outcome.out_bytes, (unsigned long long)outcome.err_bytes,
                 taint());
    for (;;)
        pause();
}
