// SPDX-License-Identifier: GPL-2.0-only
#include "arguments.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The value of "name=value", if what is given is of that name. */
static const char* value_of(const char* given, const char* name) {
    size_t length = strlen(name);

    if (strncmp(given, name, length) != 0 || given[length] != '=')
        return NULL;
    return given + length + 1;
}

static bool one_of(const char* value, const char* no, const char* yes, bool* to) {
    *to = strcmp(value, yes) == 0;
    return *to || strcmp(value, no) == 0;
}

static bool number(const char* value, unsigned int* to) {
    char* end;

    errno = 0;
    *to = strtoul(value, &end, 10);
    return *value && !*end && !errno;
}

bool argument_read(const struct argument* known, size_t count, const char* given) {
    for (; count--; known++) {
        const char* value = value_of(given, known->name);

        if (!value)
            continue;
        if (known->number)
            return number(value, known->number);
        if (known->choice)
            return one_of(value, known->no, known->yes, known->choice);
        *known->word = value;
        return true;
    }
    return false;
}
