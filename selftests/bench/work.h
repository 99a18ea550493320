// SPDX-License-Identifier: GPL-2.0-only
// The work that is measured: take every buffer off a ring that a driver has filled, look at each of
// its segments, and give it back. One thread, memory in the cache, no notification ever due: what
// is left is the engine's own cost.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

struct Shape {
    std::string engine; // "vq", or a peer
    bool packed;
    uint32_t segments; // of a buffer: 1 writable, or half readable and half writable
    bool indirect;
    uint32_t batch; // most buffers between two looks at the ring's index

    [[nodiscard]] std::string name() const;
};

class Work {
public:
    virtual ~Work() = default;
    // The driver's part, not measured: all of the ring is available again.
    virtual void refill() = 0;
    // The device's part. Returns what it saw, so that none of it can be left out.
    virtual uint64_t drain() = 0;
    // Buffers in a ring.
    [[nodiscard]] virtual uint32_t buffers() const = 0;
    // What drain() must return.
    [[nodiscard]] virtual uint64_t expected() const = 0;
};

std::vector<Shape> shapes();
// Throws when the engine refuses the ring.
std::unique_ptr<Work> make_work(const Shape& shape);
