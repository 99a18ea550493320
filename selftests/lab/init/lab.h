/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * PID 1 of the lab: one static program that brings up the guest's root, runs
 * one command and tells the host how it ended.
 *
 *	main.c       the order of events
 *	job.c        what the host asks for (a file in the initramfs)
 *	boot.c       modules, mounts, the switch to the shared root
 *	ports.c      virtio-serial ports, the control line protocol
 *	heartbeat.c  proof that guest time passes, per CPU
 *	command.c    the command, its streams, its exit status
 *	kmemleak.c   leaks since the command began
 */
#ifndef VIREO_LAB_H
#define VIREO_LAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* job.c: strings point into one buffer that lives as long as PID 1. */
struct job {
    const char* hostname;
    const char* modules; /* directory to show as /lib/modules/<release> */
    const char* out;     /* directory shared read-write with the host */
    const char* cwd;
    bool tty;
    bool stdin_wanted;
    bool kmemleak;
    unsigned int rows;
    unsigned int cols;
    char** env;
    char** argv;
};

void job_read(struct job* job, const char* path);

/* boot.c */
void boot_early(void);
void boot_load_modules(void);
void boot_root(const struct job* job);
void boot_finish(const struct job* job);

/* ports.c */
int port_open(const char* name);
void control_open(void);
int control_fd(void);
void control_send(const char* fmt, ...) __attribute__((format(printf, 1, 2)));
int write_all(int fd, const void* buf, size_t len);

/* heartbeat.c */
void heartbeat_start(void);

/* command.c */
struct outcome {
    int status;     /* as a shell would give it: 128 + N for signal N */
    int exec_errno; /* not 0: the command was never started */
    uint64_t out_bytes;
    uint64_t err_bytes;
};

void command_run(const struct job* job, struct outcome* outcome);
void command_resize(unsigned int rows, unsigned int cols);

/* kmemleak.c */
void kmemleak_begin(void);
void kmemleak_end(void);

/* main.c: report on the console and power off; never returns. */
void die(const char* fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));
void kmsg(const char* fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
