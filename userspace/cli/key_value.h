// SPDX-License-Identifier: GPL-2.0-only
#ifndef VIREO_CLI_KEY_VALUE_H
#define VIREO_CLI_KEY_VALUE_H

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vireo::cli {

// One piece of an option's argument: "key=value", or a bare word.
struct Pair {
    std::string key;                  // the bare word, if it is one
    std::optional<std::string> value; // none: a bare word
};

// Take an argument apart as QEMU does: pieces are divided by commas, and two commas in a value or
// in a bare word are one that belongs to it.
std::vector<Pair> split_pairs(std::string_view argument);

} // namespace vireo::cli

#endif // VIREO_CLI_KEY_VALUE_H
