// SPDX-License-Identifier: GPL-2.0-only
#include "options.h"

#include <errno.h>
#include <stdio.h>

#include "arguments.h"

static const char usage[] =
    "usage: net_driver device=/dev/vhost-net|none|floor tap=NAME direction=tx|rx "
    "[ring=split|packed]\n"
    "           [event_idx=on|off] [mergeable=on|off] [load=full|one] [size=64]\n"
    "           [num=256] [burst=256] [packets=20000] [warm=2048]\n";

static bool read_one(struct options* options, const char* given) {
    const struct argument known[] = {
        {"device", .word = &options->device},
        {"tap", .word = &options->tap},
        {"direction", .choice = &options->receive, .no = "tx", .yes = "rx"},
        {"ring", .choice = &options->packed, .no = "split", .yes = "packed"},
        {"event_idx", .choice = &options->event_idx, .no = "off", .yes = "on"},
        {"mergeable", .choice = &options->mergeable, .no = "off", .yes = "on"},
        {"load", .choice = &options->single, .no = "full", .yes = "one"},
        {"size", .number = &options->size},
        {"num", .number = &options->num},
        {"burst", .number = &options->burst},
        {"warm", .number = &options->warm},
        {"packets", .number = &options->packets},
    };

    return argument_read(known, sizeof(known) / sizeof(known[0]), given);
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
