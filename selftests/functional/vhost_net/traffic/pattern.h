// SPDX-License-Identifier: GPL-2.0-only
// What travels: bytes that follow from a seed and a position, so that both ends know what to
// expect.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

// SplitMix64: neighbours have nothing in common, so a byte from a wrong place is seen as wrong.
inline uint64_t mix(uint64_t value) {
    value += 0x9e3779b97f4a7c15;
    value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
    value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
    return value ^ (value >> 31);
}

class Pattern {
public:
    explicit Pattern(uint64_t seed) : seed_(mix(seed)) {}

    void fill(uint64_t position, std::span<std::byte> out) const {
        each_piece(position, out.size(), [&](size_t at, const std::byte* piece, size_t size) {
            std::memcpy(&out[at], piece, size);
            return true;
        });
    }

    // How many bytes are right, from the first on.
    size_t match(uint64_t position, std::span<const std::byte> found) const {
        size_t good = 0;
        each_piece(position, found.size(), [&](size_t at, const std::byte* piece, size_t size) {
            const bool same = std::memcmp(&found[at], piece, size) == 0;
            good += same ? size : 0;
            return same;
        });
        return good;
    }

private:
    template <typename Visit>
    void each_piece(uint64_t position, size_t size, Visit visit) const {
        for (size_t at = 0; at < size;) {
            const uint64_t word = mix(seed_ + (position + at) / sizeof(uint64_t));
            const size_t skip = (position + at) % sizeof word;
            const size_t piece = std::min(sizeof word - skip, size - at);
            if (!visit(at, reinterpret_cast<const std::byte*>(&word) + skip, piece))
                return;
            at += piece;
        }
    }

    uint64_t seed_;
};
