// SPDX-License-Identifier: GPL-2.0-only
// What the chain with a given serial number looks like. Driver and device work it out each for
// itself, so a segment that is lost, doubled, mixed up with another chain's or torn is seen.
#pragma once

#include <array>
#include <cstdint>

#include "vq/vq.h"

constexpr uint32_t kMostSegs = 12;

// SplitMix64: good enough, and small.
inline uint64_t scramble(uint64_t x) {
    x += 0x9e3779b97f4a7c15ULL;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
    return x ^ (x >> 31);
}

class Random {
public:
    explicit Random(uint64_t seed) : state_(seed) {}
    uint64_t next() { return state_ = scramble(state_); }
    // From 0 to n - 1.
    uint32_t below(uint64_t n) { return uint32_t((next() >> 11) % n); }
    bool chance(uint32_t one_in) { return below(one_in) == 0; }

private:
    uint64_t state_;
};

struct Pattern {
    uint32_t nout, nin;
    std::array<vq_seg, kMostSegs> segs;
    uint32_t written; // bytes that the device says it wrote
};

// `most`: segments that fit the ring. Serial numbers begin with 0.
inline Pattern pattern(uint64_t serial, uint32_t most) {
    const uint64_t h = scramble(serial);
    Pattern p{};
    // Mostly short chains.
    const uint32_t count = 1 + uint32_t(h % (h >> 60 ? 4 : kMostSegs)) % most;
    p.nout = uint32_t(h >> 8) % (count + 1);
    p.nin = count - p.nout;
    uint32_t writable = 0;
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t len = 1 + uint32_t(scramble(h + i) % 5000);
        p.segs[i] = {serial << 8 | i << 1 | (i >= p.nout), len};
        writable += i >= p.nout ? len : 0;
    }
    p.written = writable ? uint32_t(h >> 16) % (writable + 1) : 0;
    return p;
}

inline uint64_t serial_of(const vq_seg& seg) {
    return seg.addr >> 8;
}
