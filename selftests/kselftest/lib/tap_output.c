// SPDX-License-Identifier: GPL-2.0-only
#include "tap_output.h"

#include <errno.h>
#include <fnmatch.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PASSED = 0, FAILED = 1, SKIPPED = 4 };

/* Enough to see what is wrong; a comparison of payload could go on for long. */
#define MOST_SAID 20

/* What a test, in its process, tells the runner beside its exit status. */
struct shared {
    char reason[256]; /* for skipping */
    unsigned int failed;
};

static struct shared* shared;

unsigned long long now_ms(void) {
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000ULL + now.tv_nsec / 1000000;
}

bool wait_until(bool (*condition)(void* arg), void* arg) {
    unsigned long long limit = now_ms() + WAIT_MS;

    while (!condition(arg)) {
        if (now_ms() > limit)
            return false;
        usleep(1000);
    }
    return true;
}

void say(const char* format, ...) {
    va_list args;

    va_start(args, format);
    fputs("# ", stdout);
    vprintf(format, args);
    putchar('\n');
    va_end(args);
}

void skip_test(const char* format, ...) {
    va_list args;

    va_start(args, format);
    vsnprintf(shared->reason, sizeof(shared->reason), format, args);
    va_end(args);
    fflush(stdout);
    /* What was checked before counts. */
    _exit(shared->failed ? FAILED : SKIPPED);
}

void fail_test(const char* format, ...) {
    va_list args;

    if (format) {
        va_start(args, format);
        fputs("# ", stdout);
        vprintf(format, args);
        putchar('\n');
        va_end(args);
    }
    fflush(stdout);
    _exit(FAILED);
}

static void said_enough(void) {
    if (shared->failed == MOST_SAID)
        say("and more like these");
}

bool check_at(const char* file, int line, bool good, const char* format, ...) {
    const char* slash = strrchr(file, '/');
    va_list args;

    if (good)
        return true;
    if (__atomic_fetch_add(&shared->failed, 1, __ATOMIC_RELAXED) < MOST_SAID) {
        va_start(args, format);
        flockfile(stdout);
        printf("# %s:%d: ", slash ? slash + 1 : file, line);
        vprintf(format, args);
        putchar('\n');
        funlockfile(stdout);
        va_end(args);
        said_enough();
    }
    return false;
}

static const char* error_name(int ret) {
    return ret >= 0 ? "success" : strerrorname_np(-ret);
}

bool check_ret_at(const char* file, int line, const char* call, int got, int wanted) {
    return check_at(file, line, got == wanted, "%s: %s (%d) where %s (%d) is due", call,
                    error_name(got), got, error_name(wanted), wanted);
}

unsigned int checks_failed(void) {
    return shared->failed;
}

/* In the child. */
static _Noreturn void run_one(const struct test* test) {
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    test->run(test->arg);
    fflush(stdout);
    _exit(shared->failed ? FAILED : PASSED);
}

static bool ends_within(int pidfd, int seconds) {
    struct pollfd wait = {.fd = pidfd, .events = POLLIN};
    int ready;

    do
        ready = poll(&wait, 1, seconds * 1000);
    while (ready < 0 && errno == EINTR);
    return ready > 0;
}

/* Returns what became of the test; its process is gone then, or it can not be ended. */
static int judge(const struct test* test, pid_t pid) {
    int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    int status = 0;
    bool hung = !ends_within(pidfd, TEST_LIMIT_SECONDS);

    kill(-pid, SIGKILL);
    if (hung && !ends_within(pidfd, 30)) {
        say("%s: hangs in the kernel: SIGKILL does not end it", test->name);
        close(pidfd);
        return FAILED;
    }
    close(pidfd);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    if (hung) {
        say("%s: still running after %d seconds", test->name, TEST_LIMIT_SECONDS);
        return FAILED;
    }
    if (WIFSIGNALED(status)) {
        say("%s: ended by signal %d (%s)", test->name, WTERMSIG(status),
            strsignal(WTERMSIG(status)));
        return FAILED;
    }
    return WEXITSTATUS(status);
}

static bool wanted(const char* name, int argc, char** argv) {
    if (argc < 2)
        return true;
    for (int i = 1; i < argc; i++) {
        if (!fnmatch(argv[i], name, 0))
            return true;
    }
    return false;
}

int run_tests(const struct test* tests, size_t count, int argc, char** argv) {
    unsigned int number = 0;
    unsigned int skipped = 0;
    unsigned int failed = 0;

    if (argc > 1 && !strcmp(argv[1], "--list")) {
        for (size_t i = 0; i < count; i++)
            puts(tests[i].name);
        return 0;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) {
        printf("Bail out! no memory to share with tests: %s\n", strerror(errno));
        return FAILED;
    }

    puts("TAP version 13");
    for (size_t i = 0; i < count; i++) {
        int verdict;
        pid_t pid;

        if (!wanted(tests[i].name, argc, argv))
            continue;
        number++;
        memset(shared, 0, sizeof(*shared));
        fflush(stdout);
        pid = fork();
        if (pid < 0) {
            printf("Bail out! fork for %s: %s\n", tests[i].name, strerror(errno));
            return FAILED;
        }
        if (!pid)
            run_one(&tests[i]);
        verdict = judge(&tests[i], pid);
        skipped += verdict == SKIPPED;
        failed += verdict != SKIPPED && verdict != PASSED;
        if (verdict == SKIPPED)
            printf("ok %u - %s # SKIP %s\n", number, tests[i].name, shared->reason);
        else
            printf("%s %u - %s\n", verdict == PASSED ? "ok" : "not ok", number, tests[i].name);
    }
    if (!number) {
        printf("Bail out! no test is named like that; --list names them\n");
        return FAILED;
    }
    printf("1..%u\n", number);
    if (failed)
        return FAILED;
    return skipped == number ? SKIPPED : PASSED;
}
