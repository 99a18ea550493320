/* SPDX-License-Identifier: GPL-2.0-only */
/* How the library says what failed: what was attempted, and why it did not work. */
#ifndef ERROR_H
#define ERROR_H

/*
 * Writes "# what: reason" to stderr and returns error, which is a negative
 * errno. A line of TAP may come from stderr too, if both go to one place.
 */
int failed(int error, const char* what, ...) __attribute__((format(printf, 2, 3)));

/* The same with the reason in errno. */
#define failed_errno(...) failed(-errno, __VA_ARGS__)

#endif /* ERROR_H */
