// SPDX-License-Identifier: GPL-2.0-only
#include "options.h"

#include <errno.h>
#include <stdio.h>

#include "arguments.h"

static const char usage[] =
    "usage: blk_driver path=uring|aio|vhost|user|vhost-user|driver disk=PATH [op=read|write]\n"
    "           [depth=1] [requests=20000] [warm=2000] [ring=split|packed] [event_idx=on|off]\n"
    "           [indirect=on|off] [fixed=off|on] [device=/dev/vireo-blk] [socket=PATH]\n"
    "           [aio=io_uring|threads] [busyloop=0]\n";

static bool read_one(struct options* options, const char* given) {
    const struct argument known[] = {
        {"path", .word = &options->path},
        {"disk", .word = &options->disk},
        {"device", .word = &options->device},
        {"socket", .word = &options->socket},
        {"aio", .word = &options->aio},
        {"depth", .number = &options->depth},
        {"requests", .number = &options->requests},
        {"warm", .number = &options->warm},
        {"busyloop", .number = &options->busyloop},
        {"op", .choice = &options->write, .no = "read", .yes = "write"},
        {"ring", .choice = &options->packed, .no = "split", .yes = "packed"},
        {"event_idx", .choice = &options->event_idx, .no = "off", .yes = "on"},
        {"indirect", .choice = &options->indirect, .no = "off", .yes = "on"},
        {"fixed", .choice = &options->fixed, .no = "off", .yes = "on"},
    };

    return argument_read(known, sizeof(known) / sizeof(known[0]), given);
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
