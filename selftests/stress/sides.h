// SPDX-License-Identifier: GPL-2.0-only
// The two sides of a queue under stress, each run by a thread of its own: the engine is the device,
// the fake driver the driver.
#pragma once

#include <atomic>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "bell.h"
#include "fake_driver.h"
#include "pattern.h"

// A round: one queue, and how its two sides behave. All of it comes from the seed.
struct Round {
    uint64_t seed;
    uint64_t features;
    uint32_t num;
    uint64_t chains;
    uint32_t window;                       // most chains under way at once; 1 is ping-pong
    uint32_t driver_spins;                 // looks at the used ring before the driver sleeps
    uint32_t device_spins;                 // the same for the device
    uint32_t most_popped;                  // most chains in a batch
    uint32_t driver_linger, device_linger; // longest time between two steps

    [[nodiscard]] bool has(unsigned feature) const { return features >> feature & 1; }
    [[nodiscard]] std::string describe() const;
};

// `tight`: of the kind that is most likely to lose a notification.
Round make_round(bool packed, uint64_t seed, uint64_t most_chains, bool tight);

// A side found what must not be.
struct Wrong : std::runtime_error {
    using std::runtime_error::runtime_error;
};

struct Doorbells {
    Bell kick, call;
    std::atomic<bool> done = false;     // the driver has all its chains back
    std::atomic<bool> enough = false;   // add no more
    std::atomic<uint64_t> progress = 0; // chains come back
};

class Driver {
public:
    Driver(const Round& round, Doorbells& bells);
    void run();
    [[nodiscard]] const fake_driver& state() const { return fd_; }

private:
    bool add_some();
    bool reap_some();
    void wait_for_call();
    [[nodiscard]] fd_shape choose_shape(uint32_t segs);

    const Round& round_;
    Doorbells& bells_;
    Random random_;
    struct Free {
        void operator()(void* p) const;
    };
    std::unique_ptr<void, Free> arena_;
    std::vector<fd_buf> bufs_;
    fake_driver fd_{};
    uint64_t sent_ = 0, back_ = 0;
    bool full_ = false;
};

class Device {
public:
    Device(const Round& round, Doorbells& bells, const Driver& driver);
    void run();
    vq& state() { return vq_; }

    uint64_t sleeps = 0;         // after asking for a kick
    uint64_t refused_sleeps = 0; // something had come in between

private:
    bool pop_some();
    void publish_some(bool all);
    void check(vq_chain& chain, const vq_batch& batch);
    bool sleep();

    const Round& round_;
    Doorbells& bells_;
    const fake_driver& fd_;
    Random random_;
    vq vq_{};
    std::vector<vq_chain> chains_;
    std::vector<vq_seg> segs_, table_segs_;
    std::vector<vq_used> held_; // popped, not given back
    uint64_t next_serial_ = 0;
};
