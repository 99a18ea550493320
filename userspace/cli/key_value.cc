// SPDX-License-Identifier: GPL-2.0-only
#include "cli/key_value.h"

namespace vireo::cli {
namespace {

// Take the text up to the next single comma, and the comma, off the front.
std::string take_piece(std::string_view& rest) {
    std::string piece;
    while (!rest.empty()) {
        const char c = rest.front();
        rest.remove_prefix(1);
        if (c == ',') {
            if (!rest.starts_with(',')) {
                break;
            }
            rest.remove_prefix(1);
        }
        piece += c;
    }
    return piece;
}

} // namespace

std::vector<Pair> split_pairs(std::string_view argument) {
    std::vector<Pair> pairs;
    while (!argument.empty()) {
        // A key ends at the first of these, and has no escapes: a comma first means a bare word.
        const size_t end = argument.find_first_of("=,");
        if (end != std::string_view::npos && argument[end] == '=') {
            std::string key(argument.substr(0, end));
            argument.remove_prefix(end + 1);
            pairs.push_back({std::move(key), take_piece(argument)});
        } else {
            pairs.push_back({take_piece(argument), std::nullopt});
        }
    }
    return pairs;
}

} // namespace vireo::cli
