/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a test program says, as TAP, and how it runs its tests.
 *
 * Each test is a child process with a process group of its own: what it
 * opened is closed when it ends, what it started is killed, and a crash or a
 * hang is that one test's failure. main() is
 *
 *	return run_tests(tests, COUNT(tests), argc, argv);
 *
 * and the program then takes shell patterns of test names as arguments, or
 * --list. Exit status: 0, 1 if a test failed, 4 if all were skipped.
 */
#ifndef TAP_OUTPUT_H
#define TAP_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define PRINTF(text, first) __attribute__((format(printf, text, first)))

/* Generous: an emulated machine with a checking kernel is slow, and nothing is judged by it. */
#define TEST_LIMIT_SECONDS 300
#define WAIT_MS 60000 /* for a condition that comes at once where all is well */

struct test {
    const char* name; /* words with dashes */
    void (*run)(const void* arg);
    const void* arg; /* for a matrix: the same function with other arguments */
};

int run_tests(const struct test* tests, size_t count, int argc, char** argv);

/* A comment line, for who reads a failure. */
void say(const char* format, ...) PRINTF(1, 2);

/* Inside a test */

/* Ends the test as skipped, with a reason. */
_Noreturn void skip_test(const char* format, ...) PRINTF(1, 2);

/* Ends the test as failed, unless it is a check that failed already. */
_Noreturn void fail_test(const char* format, ...) PRINTF(1, 2);

/* Says what went wrong where; the test goes on, and fails at its end. Returns good. */
bool check_at(const char* file, int line, bool good, const char* format, ...) PRINTF(4, 5);

/* An expectation, and what to say if it does not hold. */
#define check(good, ...) check_at(__FILE__, __LINE__, (good), __VA_ARGS__)

/* One that the rest of the test needs. */
#define require(good, ...)                                      \
    do {                                                        \
        if (!check_at(__FILE__, __LINE__, (good), __VA_ARGS__)) \
            fail_test(NULL);                                    \
    } while (0)

/* A call that returns 0 or -errno, and what it should return. */
#define check_ret(call, wanted) check_ret_at(__FILE__, __LINE__, #call, (call), (wanted))
#define require_ok(call)                                         \
    do {                                                         \
        if (!check_ret_at(__FILE__, __LINE__, #call, (call), 0)) \
            fail_test(NULL);                                     \
    } while (0)
bool check_ret_at(const char* file, int line, const char* call, int got, int wanted);

/* How many checks of this test failed so far. */
unsigned int checks_failed(void);

/* Waiting */

/* Until condition() is true; false after WAIT_MS without it. Looks every millisecond. */
bool wait_until(bool (*condition)(void* arg), void* arg);

/* Milliseconds of the monotonic clock. */
unsigned long long now_ms(void);

#endif /* TAP_OUTPUT_H */
