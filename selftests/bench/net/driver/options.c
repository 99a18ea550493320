// SPDX-License-Identifier: GPL-2.0-only
#include "options.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: net_driver device=/dev/vhost-net|none|floor tap=NAME direction=tx|rx "
    "[ring=split|packed]\n"
    "           [event_idx=on|off] [mergeable=on|off] [load=full|one] [size=64]\n"
    "           [num=256] [burst=256] [packets=20000] [warm=2048]\n";

/* The value of "name=value", if the argument is of that name. */
static const char* value_of(const char* argument, const char* name) {
    size_t length = strlen(name);

    if (strncmp(argument, name, length) != 0 || argument[length] != '=')
        return NULL;
    return argument + length + 1;
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

static bool read_one(struct options* options, const char* argument) {
    const struct {
        const char* name;
        const char** to;
    } words[] = {
        {"device", &options->device},
        {"tap", &options->tap},
    };
    const struct {
        const char* name;
        const char* no;
        const char* yes;
        bool* to;
    } choices[] = {
        {"direction", "tx", "rx", &options->receive},
        {"ring", "split", "packed", &options->packed},
        {"event_idx", "off", "on", &options->event_idx},
        {"mergeable", "off", "on", &options->mergeable},
        {"load", "full", "one", &options->single},
    };
    const struct {
        const char* name;
        unsigned int* to;
    } numbers[] = {
        {"size", &options->size}, {"num", &options->num},         {"burst", &options->burst},
        {"warm", &options->warm}, {"packets", &options->packets},
    };
    const char* value;

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        value = value_of(argument, words[i].name);
        if (value) {
            *words[i].to = value;
            return true;
        }
    }
    for (size_t i = 0; i < sizeof(choices) / sizeof(choices[0]); i++) {
        value = value_of(argument, choices[i].name);
        if (value)
            return one_of(value, choices[i].no, choices[i].yes, choices[i].to);
    }
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        value = value_of(argument, numbers[i].name);
        if (value)
            return number(value, numbers[i].to);
    }
    return false;
}

int options_read(struct options* options, int argc, char** argv) {
    *options = (struct options){
        .event_idx = true,
        .mergeable = true,
        .size = 64,
        .num = 256,
        .burst = 256,
        .packets = 20000,
        .warm = 2048,
    };
    for (int i = 1; i < argc; i++) {
        if (!read_one(options, argv[i])) {
            fprintf(stderr, "net_driver: \"%s\": not understood\n%s", argv[i], usage);
            return -EINVAL;
        }
    }
    if (!options->device || !options->tap || !options->packets || !options->burst ||
        options->size < 60 || options->size > 65000) {
        fprintf(stderr, "net_driver: device, tap, packets, burst or size missing or wrong\n%s",
                usage);
        return -EINVAL;
    }
    return 0;
}
