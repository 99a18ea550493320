// SPDX-License-Identifier: GPL-2.0-only
// Counts instructions of the same work under Valgrind's callgrind: exact, and the same on every run
// and under any load. Each shape becomes one dump, named after it, of the device's part alone.
// run: valgrind --tool=callgrind --toggle-collect='*Work*::drain()' --callgrind-out-file=DIR/count
// count_vq
#include <valgrind/callgrind.h>

#include <cstdio>
#include <exception>

#include "work.h"

int main() {
    try {
        for (const Shape& shape : shapes()) {
            const auto work = make_work(shape);
            const std::string name = shape.name();
            // The first ring differs: the first publication calls in any case.
            work->refill();
            work->drain();
            work->refill();
            CALLGRIND_ZERO_STATS;
            const uint64_t seen = work->drain();
            CALLGRIND_DUMP_STATS_AT(name.c_str());
            if (seen != work->expected()) {
                std::fprintf(stderr,
                             "count_vq: %s: the device did not see what the driver offered\n",
                             name.c_str());
                return 1;
            }
            std::printf("%s %u\n", name.c_str(), work->buffers());
        }
    } catch (const std::exception& error) {
        std::fprintf(stderr, "count_vq: %s\n", error.what());
        return 1;
    }
    return 0;
}
