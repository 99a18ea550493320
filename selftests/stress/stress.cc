// SPDX-License-Identifier: GPL-2.0-only
// Driver against device on two native threads: random queues, chains and moods, millions of chains.
//
// Each chain is known by its number and checked on both sides. Kicks and calls wake sleeping
// threads and nothing else does, so a lost one leaves both asleep for good: the main thread sees
// that and says LOST NOTIFICATION. Prints TAP.
//
// usage: stress [--format split|packed] [--chains N] [--seconds N] [--seed N] [--expect-loss]
#include <getopt.h>

#include <algorithm>
#include <chrono>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <thread>

#include "sides.h"

namespace {

using Clock = std::chrono::steady_clock;
// No chain comes back for so long: a side hangs. Far beyond what a busy machine makes of a round.
constexpr auto kPatience = std::chrono::seconds(120);

struct Options {
    std::optional<bool> packed;
    uint64_t chains = 0;
    uint64_t seconds = 0;
    uint64_t seed = 0;
    bool expect_loss = false;
};

struct Counts {
    uint64_t chains = 0, rounds = 0;
    uint64_t kicks = 0, sleeps = 0, refused_sleeps = 0; // device sleeps
    uint64_t calls = 0, waits = 0;                      // driver sleeps
};

enum class Verdict { kFine, kLost };

[[noreturn]] void give_up(const Round& round, const std::string& what) {
    std::printf("not ok - %s\n# in round: %s\n", what.c_str(), round.describe().c_str());
    std::fflush(stdout);
    // The threads cannot be ended from outside; the process can.
    std::_Exit(1);
}

uint32_t event_word(const void* p) {
    uint32_t word = 0;
    __builtin_memcpy(&word, p, sizeof(word));
    return word;
}

// Both threads sleep, so their data keeps still, and the bells' mutexes have made it ours to read.
void describe_loss(const Round& round, Device& device, const Driver& driver, const Counts& counts) {
    vq& vq = device.state();
    const fake_driver& fd = driver.state();
    const bool kick = vq_has_avail(&vq, 0) > 0;
    const bool call = vq.used_pos != fd.used_idx || (vq.packed && vq.used_wrap != fd.used_wrap);
    std::printf("# LOST NOTIFICATION: %s, in round %" PRIu64 ": %s\n",
                kick   ? "a kick: buffers are available and the device sleeps"
                : call ? "a call: buffers are used and the driver sleeps"
                       : "both sides sleep and neither has anything to do",
                counts.rounds, round.describe().c_str());
    std::printf(
        "# device: avail position %u (wrap %d), used position %u (wrap %d), %u in flight, kicks "
        "%s\n",
        vq.avail_pos, vq.avail_wrap, vq.used_pos, vq.used_wrap, vq.inflight,
        vq.kick_off ? "off" : "on");
    std::printf(
        "# driver: avail index %u (wrap %d), used index %u (wrap %d), %u buffers in flight\n",
        fd.avail_idx, fd.avail_wrap, fd.used_idx, fd.used_wrap, fd.in_flight);
    vq_setup setup{};
    fd_describe(&fd, &setup);
    const size_t tail = vq.event_idx ? 2 : 0;
    if (vq.packed) {
        std::printf(
            "# in the ring: driver's event %08x, device's event %08x (flags << 16 | position)\n",
            event_word(setup.driver), event_word(setup.device));
    } else {
        const auto* avail = static_cast<const uint16_t*>(setup.driver);
        const auto* used = static_cast<const uint16_t*>(setup.device);
        std::printf(
            "# in the ring: avail flags %u index %u used_event %u; used flags %u index %u "
            "avail_event %u\n",
            avail[0], avail[1], tail ? avail[2 + vq.num] : 0, used[0], used[1],
            tail ? used[2 + 4 * size_t(vq.num)] : 0);
    }
}

void add_up(Counts& counts, const Device& device, const Doorbells& bells) {
    counts.chains += bells.progress;
    counts.kicks += bells.kick.rung();
    counts.sleeps += device.sleeps;
    counts.refused_sleeps += device.refused_sleeps;
    counts.calls += bells.call.rung();
    counts.waits += bells.call.waits();
}

Verdict run_round(const Round& round, Clock::time_point end, Counts& counts) {
    // On the heap and leaked on a loss: the threads that sleep for good still refer to them.
    auto* bells = new Doorbells;
    auto* driver = new Driver(round, *bells);
    auto* device = new Device(round, *bells, *driver);
    std::atomic<int> running = 2;
    const auto guarded = [&round, &running](auto* side) {
        try {
            side->run();
        } catch (const std::exception& error) {
            give_up(round, error.what());
        }
        running--;
    };
    std::thread device_thread(guarded, device);
    std::thread driver_thread(guarded, driver);
    counts.rounds++;

    auto seen_at = Clock::now();
    uint64_t seen = 0;
    for (auto pause = std::chrono::microseconds(50); running;) {
        std::this_thread::sleep_for(pause);
        pause = std::min<std::chrono::microseconds>(pause * 2, std::chrono::milliseconds(20));
        if (Bell::both_asleep(bells->kick, bells->call)) {
            describe_loss(round, *device, *driver, counts);
            counts.chains += bells->progress;
            device_thread.detach();
            driver_thread.detach();
            return Verdict::kLost;
        }
        if (Clock::now() > end)
            bells->enough = true;
        const uint64_t progress = bells->progress;
        if (progress != seen) {
            seen = progress;
            seen_at = Clock::now();
        } else if (running && Clock::now() - seen_at > kPatience) {
            give_up(round,
                    "no chain came back for two minutes, and not both sides sleep: one hangs");
        }
    }
    device_thread.join();
    driver_thread.join();
    add_up(counts, *device, *bells);
    delete device;
    delete driver;
    delete bells;
    return Verdict::kFine;
}

bool run_format(bool packed, const Options& options, int number) {
    Counts counts;
    Random random(options.seed + packed);
    const auto end = Clock::now() + std::chrono::seconds(options.seconds);
    auto verdict = Verdict::kFine;
    while (verdict == Verdict::kFine && counts.chains < options.chains && Clock::now() < end)
        verdict = run_round(
            make_round(packed, random.next(), options.chains - counts.chains, options.expect_loss),
            end, counts);

    const bool lost = verdict == Verdict::kLost;
    std::printf("%s %d - %s: %s after %" PRIu64 " chains in %" PRIu64 " rounds\n",
                lost == options.expect_loss ? "ok" : "not ok", number, packed ? "packed" : "split",
                lost ? "a notification was lost" : "no notification was lost", counts.chains,
                counts.rounds);
    std::printf("# kicks: %" PRIu64 " sent, %" PRIu64 " sleeps of the device, %" PRIu64
                " more given up since buffers had come; calls: %" PRIu64 " sent, %" PRIu64
                " sleeps of the driver\n",
                counts.kicks, counts.sleeps, counts.refused_sleeps, counts.calls, counts.waits);
    std::fflush(stdout);
    return lost == options.expect_loss;
}

[[noreturn]] void usage(const std::string& problem) {
    std::fprintf(stderr,
                 "stress: %s; usage: stress [--format split|packed] [--chains N] [--seconds N] "
                 "[--seed N] [--expect-loss]\n",
                 problem.c_str());
    std::exit(2); // NOLINT(concurrency-mt-unsafe): no thread runs yet
}

uint64_t number(const char* option, const char* text) {
    char* end = nullptr;
    const uint64_t value = std::strtoull(text, &end, 0);
    if (end == text || *end)
        usage(std::string("--") + option + " \"" + text + "\": a number is wanted");
    return value;
}

Options parse(int argc, char** argv) {
    static const option long_options[] = {
        {"format", required_argument, nullptr, 'f'},  {"chains", required_argument, nullptr, 'c'},
        {"seconds", required_argument, nullptr, 't'}, {"seed", required_argument, nullptr, 's'},
        {"expect-loss", no_argument, nullptr, 'l'},   {nullptr, 0, nullptr, 0}};
    Options options;
    // NOLINTNEXTLINE(concurrency-mt-unsafe): no thread runs yet
    const char* const seed = std::getenv("VIREO_SEED");
    options.seed = seed && *seed ? number("seed", seed) : std::random_device()();
    // NOLINTNEXTLINE(concurrency-mt-unsafe): no thread runs yet
    for (int c = 0; (c = getopt_long(argc, argv, "", long_options, nullptr)) != -1;) {
        const std::string value = optarg ? optarg : "";
        switch (c) {
            case 'f':
                if (value != "split" && value != "packed")
                    usage("--format \"" + value + "\": split or packed is wanted");
                options.packed = value == "packed";
                break;
            case 'c':
                options.chains = number("chains", optarg);
                break;
            case 't':
                options.seconds = number("seconds", optarg);
                break;
            case 's':
                options.seed = number("seed", optarg);
                break;
            case 'l':
                options.expect_loss = true;
                break;
            default:
                usage("unknown option");
        }
    }
    if (optind < argc)
        usage(std::string("\"") + argv[optind] + "\" is no option");
    // A loss is waited for: it takes thousands of chains, and on a busy machine up to a minute.
    if (!options.chains)
        options.chains = options.expect_loss ? 5'000'000 : 2'000'000;
    if (!options.seconds)
        options.seconds = options.expect_loss ? 600 : 10;
    return options;
}

} // namespace

int main(int argc, char** argv) {
    const Options options = parse(argc, argv);
    std::printf("TAP version 13\n# seed %" PRIu64 "\n1..%d\n", options.seed,
                options.packed ? 1 : 2);
    // One core runs one thread at a time, and what a store buffer holds back is never seen.
    if (options.expect_loss && std::thread::hardware_concurrency() < 2) {
        for (int i = 1; i <= (options.packed ? 1 : 2); i++)
            std::printf(
                "ok %d - losing notifications without the barrier # SKIP this machine has one "
                "core\n",
                i);
        return 0;
    }
    bool good = true;
    int tests = 0;
    for (const bool packed : {false, true})
        if (!options.packed || *options.packed == packed)
            good = run_format(packed, options, ++tests) && good;
    return good ? 0 : 1;
}
