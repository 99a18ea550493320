// SPDX-License-Identifier: GPL-2.0-only
/* Counters and notes, and what they have to show. */
#include "report.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"

const char* const call_names[CALLS] = {
    [C_GET_FEATURES] = "GET_FEATURES",
    [C_SET_FEATURES] = "SET_FEATURES",
    [C_SET_OWNER] = "SET_OWNER",
    [C_RESET_OWNER] = "RESET_OWNER",
    [C_SET_MEM_TABLE] = "SET_MEM_TABLE",
    [C_SET_LOG_BASE] = "SET_LOG_BASE",
    [C_SET_LOG_FD] = "SET_LOG_FD",
    [C_SET_VRING_NUM] = "SET_VRING_NUM",
    [C_SET_VRING_BASE] = "SET_VRING_BASE",
    [C_GET_VRING_BASE] = "GET_VRING_BASE",
    [C_SET_VRING_ADDR] = "SET_VRING_ADDR",
    [C_SET_VRING_KICK] = "SET_VRING_KICK",
    [C_SET_VRING_CALL] = "SET_VRING_CALL",
    [C_SET_VRING_ERR] = "SET_VRING_ERR",
    [C_SET_VRING_BUSYLOOP] = "SET_VRING_BUSYLOOP_TIMEOUT",
    [C_GET_VRING_BUSYLOOP] = "GET_VRING_BUSYLOOP_TIMEOUT",
    [C_GET_BACKEND_FEATURES] = "GET_BACKEND_FEATURES",
    [C_SET_BACKEND_FEATURES] = "SET_BACKEND_FEATURES",
    [C_NEW_WORKER] = "NEW_WORKER",
    [C_FREE_WORKER] = "FREE_WORKER",
    [C_ATTACH_WORKER] = "ATTACH_VRING_WORKER",
    [C_GET_WORKER] = "GET_VRING_WORKER",
    [C_SET_BACKEND] = "SET_BACKEND",
    [C_GET_STATS] = "GET_QUEUE_STATS",
    [C_UNKNOWN] = "an unknown ioctl",
    [C_OPEN] = "open",
    [C_CLOSE] = "close",
    [C_READ] = "read",
    [C_WRITE] = "write",
    [C_POLL] = "poll",
};

static const char* const ending_names[ENDINGS] = {
    [END_CLOSED] = "devices closed",
    [END_EXIT] = "exit",
    [END_KILLED] = "kill -9",
    [END_EXEC] = "exec",
    [END_CRASHED] = "a crash of the owner",
};

struct report* report_make(void) {
    struct report* report =
        mmap(NULL, sizeof(*report), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    return report == MAP_FAILED ? NULL : report;
}

/* Notes */

u64 note(struct actor* actor, const char* format, ...) {
    struct report* report = actor->world->report;
    u64 number = count_up(report->noted, 1);
    char* line = report->notes[number % NOTES];
    char text[NOTE_BYTES];
    va_list args;
    int at;

    at = snprintf(text, sizeof(text), "%u %s %u: ", actor->round, actor->name, actor->number++);
    va_start(args, format);
    vsnprintf(text + at, sizeof(text) - at, format, args);
    va_end(args);
    memcpy(line, text, sizeof(text));
    return number;
}

void note_result(struct report* report, u64 number, int result) {
    char* line = report->notes[number % NOTES];
    size_t at = strnlen(line, NOTE_BYTES - 8);

    snprintf(line + at, NOTE_BYTES - at, " = %d", result);
}

/* The notes from one number on, up to the last of all or of the file. Returns how many. */
static u64 save_some(const struct report* report, int file, u64 from, u64 to) {
    static char lines[NOTES * NOTE_BYTES];
    u64 place = from % NOTES;
    u64 n = 0;

    for (; from + n < to && place + n < NOTES; n++) {
        char* line = lines + n * NOTE_BYTES;

        memset(line, ' ', NOTE_BYTES);
        memcpy(line, report->notes[place + n], strnlen(report->notes[place + n], NOTE_BYTES - 1));
        line[NOTE_BYTES - 1] = '\n';
    }
    return pwrite(file, lines, n * NOTE_BYTES, (off_t)(place * NOTE_BYTES)) < 0 ? 0 : n;
}

void report_save_notes(struct report* report, const char* path) {
    static u64 saved;
    static int file = -1;
    u64 noted = __atomic_load_n(&report->noted, __ATOMIC_RELAXED);

    if (file < 0)
        file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (noted - saved > NOTES)
        saved = noted - NOTES;
    while (file >= 0 && saved < noted) {
        u64 n = save_some(report, file, saved, noted);

        saved += n ? n : noted - saved;
    }
}

/* Statistics */

static void print_call(const struct report* report, u32 call) {
    u64 all = 0;

    for (u32 i = 0; i < ERRNOS; i++)
        all += report->calls[call][i];
    if (!all)
        return;
    printf("# %s: %llu, good %llu", call_names[call], (unsigned long long)all,
           (unsigned long long)report->calls[call][0]);
    for (u32 i = 1; i < ERRNOS; i++) {
        const char* name = strerrorname_np((int)i);

        if (report->calls[call][i])
            printf(", %s %llu", name ? name : "unnamed",
                   (unsigned long long)report->calls[call][i]);
    }
    putchar('\n');
}

static void print_queue_errors(const struct report* report) {
    printf("# queues stopped by error (enum vireo_queue_error: times):");
    for (u32 i = 0; i < QUEUE_ERRORS; i++)
        if (report->queue_errors[i])
            printf(" %u: %llu", i, (unsigned long long)report->queue_errors[i]);
    putchar('\n');
}

#define LL(counter) ((unsigned long long)report->counter)

void report_print(const struct report* report) {
    for (u32 i = 0; i < CALLS; i++)
        print_call(report, i);
    printf("# backends set: %llu; packets: queue 0 %llu, queue 1 %llu; chains %llu\n", LL(live),
           LL(packets[0]), LL(packets[1]), LL(chains));
    printf("# drops %llu, stalls %llu, backend errors %llu, buffers that came back %llu\n",
           LL(drops), LL(stalls), LL(backend_errors), LL(reaped));
    print_queue_errors(report);
    printf("# translations asked for %llu, given %llu; pages in dirty logs %llu\n", LL(misses),
           LL(answered), LL(logged));
    printf("# rings mutated %llu, memory disturbed %llu, drivers that gave up %llu\n",
           LL(mutations), LL(disturbed), LL(protocol));
    printf("# children %llu; device files left to others %llu, taken %llu\n", LL(children),
           LL(passed), LL(taken));
    printf("# rounds: %llu, ended by:", LL(rounds));
    for (u32 i = 0; i < ENDINGS; i++)
        printf("%s %s %llu", i ? "," : "", ending_names[i], LL(endings[i]));
    putchar('\n');
}

/* What has to be reached */

static unsigned int expect(unsigned int* number, u64 got, u64 wanted, const char* what) {
    bool good = got >= wanted;

    ++*number;
    printf("%s %u - %s\n", good ? "ok" : "not ok", *number, what);
    if (!good)
        printf("# only %llu, where %llu are the least that is worth a run\n",
               (unsigned long long)got, (unsigned long long)wanted);
    return !good;
}

static u64 kinds(const u64* counters, u32 first, u32 last) {
    u64 n = 0;

    for (u32 i = first; i <= last; i++)
        n += counters[i] > 0;
    return n;
}

static u64 errnos_seen(const struct report* report) {
    u64 n = 0;

    for (u32 e = 1; e < ERRNOS; e++) {
        u64 times = 0;

        for (u32 i = 0; i < CALLS; i++)
            times += report->calls[i][e];
        n += times > 0;
    }
    return n;
}

/* Calls that were seen to be taken, and to be refused (what never fails is not asked to). */
static u64 calls_seen(const struct report* report, bool refused) {
    u64 n = 0;

    for (u32 i = 0; i < CALLS_IOCTL; i++)
        n += refused ? kinds(report->calls[i], 1, ERRNOS - 1) > 0 : report->calls[i][0] > 0;
    return n;
}

unsigned int report_judge(const struct report* report, unsigned int* number) {
    u64 rounds = report->rounds;
    unsigned int bad = 0;

    bad += expect(number, report->live, rounds, "a backend set in each round, on average");
    bad += expect(number, report->packets[0], rounds * 5, "packets through queue 0");
    bad += expect(number, report->packets[1], rounds * 5, "packets through queue 1");
    bad += expect(number, report->reaped, rounds * 5, "buffers that came back to the driver");
    bad += expect(number, calls_seen(report, false), CALLS_IOCTL - 1, "each ioctl was taken");
    bad += expect(number, calls_seen(report, true), CALLS_IOCTL - 4, "most ioctls were refused");
    bad += expect(number, errnos_seen(report), 8, "kinds of errno");
    /* Those of the ring's rules, and those of the device. */
    bad += expect(number, kinds(report->queue_errors, 2, 63), 2, "kinds of broken rules of a ring");
    bad += expect(number, kinds(report->queue_errors, 64, QUEUE_ERRORS - 1), 1,
                  "errors beside the ring");
    bad += expect(number, report->answered, rounds / 10, "translations given");
    bad += expect(number, report->logged, 1, "pages in dirty logs");
    bad += expect(number, report->disturbed, rounds, "memory disturbed under devices");
    bad += expect(number, report->passed && report->taken, 1, "device files passed on");
    bad += expect(number, kinds(report->endings, END_CLOSED, END_EXEC), 4, "each way to end");
    bad += expect(number, rounds - report->endings[END_CRASHED], rounds * 3 / 4,
                  "rounds that their owner did not end by a crash of its own");
    return bad;
}
