/* SPDX-License-Identifier: GPL-2.0-only */
/* Arguments of the drivers' programs: "name=value". */
#ifndef ARGUMENTS_H
#define ARGUMENTS_H

#include <stdbool.h>
#include <stddef.h>

/* One that is known, and where its value goes: one of the three. */
struct argument {
    const char* name;
    const char** word;
    unsigned int* number;
    bool* choice; /* true: the value is yes */
    const char* no;
    const char* yes;
};

/* False: it is none of them, or its value is not understood. */
bool argument_read(const struct argument* known, size_t count, const char* given);

#endif /* ARGUMENTS_H */
