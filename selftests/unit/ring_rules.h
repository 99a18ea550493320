// SPDX-License-Identifier: GPL-2.0-only
// What holds for every access of the engine, whatever the case is about: it lies in one of the
// queue's areas, or in an indirect table, and only what the device owns is written.
// The areas' sizes are those of the specification (virtio 1.2, 2.7 and 2.8.10.1), not the engine's.
#pragma once

#include <cstddef>

#include "cases.h"

class RingRules {
public:
    // For as long as it lives, accesses are held against `test`, which makes the queue.
    explicit RingRules(const vq_test& test);
    ~RingRules();
    RingRules(const RingRules&) = delete;
    RingRules& operator=(const RingRules&) = delete;

    // For the environment.
    [[nodiscard]] bool allow(const std::byte* ptr, size_t size, bool write) const;

private:
    const vq_test& test_;
};

// The rules in force, or nullptr.
RingRules* ring_rules();
