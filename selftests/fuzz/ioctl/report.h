/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the fuzzer has reached, counted in memory that all its processes share,
 * and the last things that were done, for who has to find a fault.
 */
#ifndef REPORT_H
#define REPORT_H

#include <stdbool.h>

#include "fake_driver.h"

enum call {
    C_GET_FEATURES,
    C_SET_FEATURES,
    C_SET_OWNER,
    C_RESET_OWNER,
    C_SET_MEM_TABLE,
    C_SET_LOG_BASE,
    C_SET_LOG_FD,
    C_SET_VRING_NUM,
    C_SET_VRING_BASE,
    C_GET_VRING_BASE,
    C_SET_VRING_ADDR,
    C_SET_VRING_KICK,
    C_SET_VRING_CALL,
    C_SET_VRING_ERR,
    C_SET_VRING_BUSYLOOP,
    C_GET_VRING_BUSYLOOP,
    C_GET_BACKEND_FEATURES,
    C_SET_BACKEND_FEATURES,
    C_NEW_WORKER,
    C_FREE_WORKER,
    C_ATTACH_WORKER,
    C_GET_WORKER,
    C_SET_BACKEND,
    C_GET_STATS,
    C_UNKNOWN,
    CALLS_IOCTL, /* those before are ioctls */
    C_OPEN = CALLS_IOCTL,
    C_CLOSE,
    C_READ,
    C_WRITE,
    C_POLL,
    CALLS
};

enum ending { END_CLOSED, END_EXIT, END_KILLED, END_EXEC, END_CRASHED, ENDINGS };

#define ERRNOS 600 /* kernel-internal ones would show */
#define QUEUE_ERRORS 80
#define NOTES 4096
#define NOTE_BYTES 120

struct report {
    u64 calls[CALLS][ERRNOS]; /* [..][0]: success */
    u64 live;                 /* backends set */
    u64 packets[2];           /* by queue, as the device counts them */
    u64 chains, drops, stalls, backend_errors, misses;
    u64 queue_errors[QUEUE_ERRORS];
    u64 reaped;    /* buffers that came back to the driver */
    u64 protocol;  /* drivers that gave up on their ring */
    u64 answered;  /* translations given */
    u64 logged;    /* pages found in dirty logs */
    u64 mutations; /* of rings */
    u64 disturbed; /* memory changed under a device */
    u64 children;
    u64 passed, taken; /* device files */
    u64 endings[ENDINGS];
    u64 rounds;
    u64 noted;
    char notes[NOTES][NOTE_BYTES];
};

#define count_up(counter, by) __atomic_fetch_add(&(counter), (by), __ATOMIC_RELAXED)

extern const char* const call_names[CALLS];

struct actor;

struct report* report_make(void);
/* Something that is about to be done; the number goes to note_result(). */
u64 note(struct actor* actor, const char* format, ...) __attribute__((format(printf, 2, 3)));
void note_result(struct report* report, u64 number, int result);
/* Writes what was noted since the last time to a file that keeps the last NOTES. */
void report_save_notes(struct report* report, const char* path);

/* Statistics as comment lines. */
void report_print(const struct report* report);
/* One line of TAP for each thing that has to be reached. Returns how many were not. */
unsigned int report_judge(const struct report* report, unsigned int* number);

#endif /* REPORT_H */
