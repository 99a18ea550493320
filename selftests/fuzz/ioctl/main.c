// SPDX-License-Identifier: GPL-2.0-only
/*
 * An ioctl fuzzer for Vireo's devices: rounds of random but seeded calls on
 * devices at work. Prints TAP.
 *
 * usage: fuzz_ioctl [--device PATH] [--seed N] [--seconds N] [--round N] [--notes FILE]
 */
#include <dirent.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fuzz.h"
#include "report.h"
#include "tap_output.h"

#define LEAST_ROUNDS 10
/* A round works for seconds; one that has not ended after this never will. */
#define ROUND_LIMIT_MS 300000

struct options {
    const char* device;
    u64 seed;
    u32 seconds;
    long round; /* alone, or -1 */
    const char* notes;
};

static int parse(int argc, char** argv, struct options* options) {
    static const struct option names[] = {
        {"device", required_argument, NULL, 'd'},  {"seed", required_argument, NULL, 's'},
        {"seconds", required_argument, NULL, 't'}, {"round", required_argument, NULL, 'r'},
        {"notes", required_argument, NULL, 'n'},   {NULL, 0, NULL, 0},
    };
    int option;

    while ((option = getopt_long(argc, argv, "", names, NULL)) >= 0) {
        switch (option) {
            case 'd':
                options->device = optarg;
                break;
            case 's':
                options->seed = strtoull(optarg, NULL, 0);
                break;
            case 't':
                options->seconds = strtoul(optarg, NULL, 0);
                break;
            case 'r':
                options->round = strtol(optarg, NULL, 0);
                break;
            case 'n':
                options->notes = optarg;
                break;
            default:
                fprintf(stderr,
                        "usage: fuzz_ioctl [--device PATH] [--seed N] [--seconds N] "
                        "[--round N] [--notes FILE]\n");
                return -EINVAL;
        }
    }
    return 0;
}

/* Has the kernel found something? It goes on then, and would hide what comes after. */
static bool kernel_complained(void) {
    unsigned long taint = 0;
    char line[128];
    int lockdep = 1;
    FILE* file = fopen("/proc/sys/kernel/tainted", "re");

    if (file) {
        if (fscanf(file, "%lu", &taint) != 1)
            taint = 0;
        fclose(file);
    }
    file = fopen("/proc/lockdep_stats", "re");
    while (file && fgets(line, sizeof(line), file))
        sscanf(line, " debug_locks: %d", &lockdep);
    if (file)
        fclose(file);
    /* Bits: 5 a bad page, 7 an oops, 9 a warning, 14 a lockup. */
    return (taint & (1UL << 5 | 1UL << 7 | 1UL << 9 | 1UL << 14)) || !lockdep;
}

/* Every task of a group that hangs, and where. */
static void print_stacks(pid_t pid) {
    (void)run_command(
        "for t in /proc/%d/task/*; do cat $t/comm $t/wchan; echo; cat $t/stack; done"
        " | sed 's/^/# /' >/dev/console",
        pid);
}

static bool ends_within(const struct options* options, struct report* report, pid_t pid,
                        unsigned int ms, int* status) {
    unsigned long long limit = now_ms() + ms;

    while (!waitpid(pid, status, WNOHANG)) {
        report_save_notes(report, options->notes);
        if (now_ms() > limit)
            return false;
        usleep(50000);
    }
    return true;
}

/* Its children, which have become ours. */
static void reap_group(pid_t pid) {
    kill(-pid, SIGKILL);
    while (waitpid(-1, NULL, WNOHANG) > 0 || waitpid(-pid, NULL, 0) > 0)
        continue;
}

/* False: it hangs, even when it is killed. */
static bool round_ends(const struct options* options, struct world* world, u32 number) {
    struct report* report = world->report;
    int status = 0;
    pid_t pid;

    fflush(stdout);
    pid = fork();
    if (!pid)
        round_run(world, options->seed, number);
    count_up(report->rounds, 1);
    if (pid < 0 || !ends_within(options, report, pid, ROUND_LIMIT_MS, &status)) {
        say("round %u does not end", number);
        if (pid > 0)
            print_stacks(pid);
        return false;
    }
    if (WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL)
        count_up(report->endings[END_CRASHED], 1);
    if (WIFEXITED(status) && WEXITSTATUS(status))
        say("round %u could not be set up", number);
    reap_group(pid);
    report_save_notes(report, options->notes);
    return true;
}

/* Workers are named after their owner. */
static bool no_worker(void* arg) {
    bool found = false;
    DIR* dir = opendir("/proc");
    struct dirent* entry;

    (void)arg;
    while (dir && (entry = readdir(dir))) {
        char path[300];
        char name[32] = "";
        FILE* file;

        if (entry->d_name[0] < '0' || entry->d_name[0] > '9')
            continue;
        snprintf(path, sizeof(path), "/proc/%s/comm", entry->d_name);
        file = fopen(path, "re");
        if (!file)
            continue;
        if (fgets(name, sizeof(name), file))
            found = found || !strncmp(name, "vireo-", 6);
        fclose(file);
    }
    if (dir)
        closedir(dir);
    return !found;
}

static void result(unsigned int* number, unsigned int* bad, bool good, const char* what) {
    printf("%s %u - %s\n", good ? "ok" : "not ok", ++*number, what);
    *bad += !good;
}

static void run_rounds(const struct options* options, struct world* world, unsigned int* number,
                       unsigned int* bad) {
    unsigned long long end = now_ms() + options->seconds * 1000ULL;
    u32 round = options->round < 0 ? 0 : options->round;
    bool ended = true;
    bool silent = true;

    do {
        ended = round_ends(options, world, round);
        silent = !kernel_complained();
        if (!ended || !silent)
            say("round %u: fuzz_ioctl --device %s --seed %llu --round %u runs it alone", round,
                options->device, (unsigned long long)options->seed, round);
        round += options->round < 0;
    } while (ended && silent && (now_ms() < end || world->report->rounds < LEAST_ROUNDS));
    result(number, bad, ended, "each round ends");
    result(number, bad, silent, "the kernel has no complaint");
}

int main(int argc, char** argv) {
    struct options options = {.device = "/dev/vireo-net",
                              .seed = random_seed(),
                              .seconds = 60,
                              .round = -1,
                              .notes = "/dev/null"};
    struct world world;
    unsigned int number = 0;
    unsigned int bad = 0;

    if (parse(argc, argv, &options) || world_open(&world, options.device))
        return 2;
    world.report = report_make();
    if (!world.report)
        return 2;
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    puts("TAP version 13");
    say("%s, seed %llu", options.device, (unsigned long long)options.seed);
    run_rounds(&options, &world, &number, &bad);
    world_drain_keeper(&world);
    result(&number, &bad, wait_until(no_worker, NULL), "no worker is left");
    if (options.round < 0)
        bad += report_judge(world.report, &number);
    report_print(world.report);
    for (u32 i = 0; i < world.taps; i++)
        tap_close(&world.tap[i]);
    printf("1..%u\n", number);
    return bad > 0;
}
