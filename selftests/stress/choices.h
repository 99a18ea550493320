// SPDX-License-Identifier: GPL-2.0-only
// Runs a piece of code once for every way it can be made to go.
//
// The code asks choose(n) where n things may happen; next() then makes the following run take the
// next way, depth first, until all have been taken. What a run never asks about is not multiplied
// out: of a descriptor table only the entries that a walk reads count, and still every table is
// covered.
#pragma once

#include <cstdint>
#include <cstdio>
#include <vector>

class Choices {
public:
    // From 0 to n - 1.
    uint32_t choose(uint32_t n) {
        if (depth_ == path_.size())
            path_.push_back({0, n});
        return path_[depth_++].taken;
    }

    // False: there is no other way left.
    bool next() {
        path_.resize(depth_);
        depth_ = 0;
        while (!path_.empty() && path_.back().taken + 1 == path_.back().of)
            path_.pop_back();
        if (path_.empty())
            return false;
        path_.back().taken++;
        return true;
    }

    // One way alone, as print() gave it.
    void take(const std::vector<uint32_t>& way) {
        for (const uint32_t taken : way)
            path_.push_back({taken, taken + 1});
    }

    void print(std::FILE* to) const {
        for (size_t i = 0; i < depth_; i++)
            std::fprintf(to, "%s%u", i ? "," : "", path_[i].taken);
    }

private:
    struct Step {
        uint32_t taken, of;
    };
    std::vector<Step> path_;
    size_t depth_ = 0;
};
