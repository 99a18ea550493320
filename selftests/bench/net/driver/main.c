// SPDX-License-Identifier: GPL-2.0-only
/*
 * Drives a vhost-net device from this process's own memory, and prints as a
 * line of JSON what that cost whom. To be run on one CPU under icount, where a
 * nanosecond is an instruction.
 */
#include <stdlib.h>
#include <string.h>

#include "run.h"

int main(int argc, char** argv) {
    static struct run run;
    const struct options* options = &run.options;
    int ret = options_read(&run.options, argc, argv);

    if (!ret)
        ret = traffic_init(&run.traffic, options);
    if (ret)
        return EXIT_FAILURE;
    if (strcmp(options->device, "none") == 0)
        ret = run_none(&run);
    else if (strcmp(options->device, "floor") == 0)
        ret = run_floor(&run);
    else if (options->single)
        ret = run_one(&run);
    else
        ret = run_full(&run);
    return ret ? EXIT_FAILURE : EXIT_SUCCESS;
}
