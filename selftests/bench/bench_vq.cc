// SPDX-License-Identifier: GPL-2.0-only
// Google Benchmark of the virtqueue engine: an iteration is a ring full of buffers, and the time is
// that of the device alone.
#include <benchmark/benchmark.h>

#include <chrono>
#include <cstdio>
#include <exception>

#include "work.h"

namespace {

void measure(benchmark::State& state, const Shape& shape) {
    const auto work = make_work(shape);
    // The first ring differs: the first publication calls in any case.
    work->refill();
    work->drain();
    for (auto _ : state) {
        work->refill();
        const auto start = std::chrono::steady_clock::now();
        const uint64_t seen = work->drain();
        const auto end = std::chrono::steady_clock::now();
        if (seen != work->expected()) {
            state.SkipWithError("the device did not see what the driver offered");
            return;
        }
        state.SetIterationTime(std::chrono::duration<double>(end - start).count());
    }
    state.counters["buffers"] = work->buffers();
}

} // namespace

int main(int argc, char** argv) {
    try {
        for (const Shape& shape : shapes())
            benchmark::RegisterBenchmark(shape.name().c_str(), measure, shape)->UseManualTime();
        benchmark::Initialize(&argc, argv);
        if (benchmark::ReportUnrecognizedArguments(argc, argv))
            return 2;
        benchmark::RunSpecifiedBenchmarks();
    } catch (const std::exception& error) {
        std::fprintf(stderr, "bench_vq: %s\n", error.what());
        return 1;
    }
    return 0;
}
