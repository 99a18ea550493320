// SPDX-License-Identifier: GPL-2.0-only
// Every combination of features, as parameters of a test.
#pragma once

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "cases.h"

inline std::string combination_name(const testing::TestParamInfo<uint64_t>& info) {
    for (uint32_t i = 0; i < vq_ncombinations; i++) {
        if (vq_combinations[i].features == info.param)
            return vq_combinations[i].name;
    }
    return "Unknown";
}

inline auto every_combination() {
    std::vector<uint64_t> all;
    all.reserve(vq_ncombinations);
    for (uint32_t i = 0; i < vq_ncombinations; i++)
        all.push_back(vq_combinations[i].features);
    return testing::ValuesIn(all);
}
