// SPDX-License-Identifier: GPL-2.0-only
#include "options.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: blk_driver path=uring|aio|vhost|user|vhost-user|driver disk=PATH [op=read|write]\n"
    "           [depth=1] [requests=20000] [warm=2000] [ring=split|packed] [event_idx=on|off]\n"
    "           [indirect=on|off] [fixed=off|on] [device=/dev/vireo-blk] [socket=PATH]\n"
    "           [aio=io_uring|threads] [busyloop=0]\n";

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
        const char** word;
        unsigned int* number;
        bool* choice;
        const char* no;
        const char* yes;
    } known[] = {
        {"path", &options->path, NULL, NULL, NULL, NULL},
        {"disk", &options->disk, NULL, NULL, NULL, NULL},
        {"device", &options->device, NULL, NULL, NULL, NULL},
        {"socket", &options->socket, NULL, NULL, NULL, NULL},
        {"aio", &options->aio, NULL, NULL, NULL, NULL},
        {"depth", NULL, &options->depth, NULL, NULL, NULL},
        {"requests", NULL, &options->requests, NULL, NULL, NULL},
        {"warm", NULL, &options->warm, NULL, NULL, NULL},
        {"busyloop", NULL, &options->busyloop, NULL, NULL, NULL},
        {"op", NULL, NULL, &options->write, "read", "write"},
        {"ring", NULL, NULL, &options->packed, "split", "packed"},
        {"event_idx", NULL, NULL, &options->event_idx, "off", "on"},
        {"indirect", NULL, NULL, &options->indirect, "off", "on"},
        {"fixed", NULL, NULL, &options->fixed, "off", "on"},
    };

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        const char* value = value_of(argument, known[i].name);

        if (!value)
            continue;
        if (known[i].word)
            *known[i].word = value;
        if (known[i].number)
            return number(value, known[i].number);
        if (known[i].choice)
            return one_of(value, known[i].no, known[i].yes, known[i].choice);
        return true;
    }
    return false;
}

int options_read(struct options* options, int argc, char** argv) {
    *options = (struct options){
        .device = "/dev/vireo-blk",
        .aio = "io_uring",
        .event_idx = true,
        .indirect = true,
        .depth = 1,
        .requests = 20000,
        .warm = 2000,
    };
    for (int i = 1; i < argc; i++) {
        if (!read_one(options, argv[i])) {
            fprintf(stderr, "blk_driver: \"%s\": not understood\n%s", argv[i], usage);
            return -EINVAL;
        }
    }
    if (!options->path || !options->disk || !options->requests || !options->depth ||
        options->depth > 256) {
        fprintf(stderr, "blk_driver: path, disk, requests or depth missing or wrong\n%s", usage);
        return -EINVAL;
    }
    return 0;
}
