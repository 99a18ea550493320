// SPDX-License-Identifier: GPL-2.0-only
#include "error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int failed(int error, const char* what, ...) {
    va_list args;

    va_start(args, what);
    flockfile(stderr);
    fputs("# ", stderr);
    vfprintf(stderr, what, args);
    fprintf(stderr, ": %s\n", strerror(-error));
    funlockfile(stderr);
    va_end(args);
    return error;
}
