// SPDX-License-Identifier: GPL-2.0-only
#include "cli/suggest.h"

#include <algorithm>
#include <vector>

namespace vireo::cli {

unsigned edit_distance(std::string_view a, std::string_view b) {
    // Rows of the table of distances between the beginnings of both words.
    std::vector<unsigned> before(b.size() + 1), above(b.size() + 1), row(b.size() + 1);
    for (size_t j = 0; j <= b.size(); j++) {
        row[j] = static_cast<unsigned>(j);
    }
    for (size_t i = 1; i <= a.size(); i++) {
        before.swap(above);
        above.swap(row);
        row[0] = static_cast<unsigned>(i);
        for (size_t j = 1; j <= b.size(); j++) {
            row[j] =
                std::min({above[j] + 1, row[j - 1] + 1, above[j - 1] + (a[i - 1] != b[j - 1])});
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                row[j] = std::min(row[j], before[j - 2] + 1);
            }
        }
    }
    return row[b.size()];
}

std::string_view nearest(std::string_view word, std::span<const std::string_view> known) {
    std::string_view best;
    for (std::string_view candidate : known) {
        if (word.size() > 2 && candidate.starts_with(word)) {
            return candidate;
        }
    }
    // A third of the word may be wrong, but not all of a short one.
    unsigned limit = std::max<unsigned>(1, static_cast<unsigned>(word.size()) / 3) + 1;
    for (std::string_view candidate : known) {
        const unsigned distance = edit_distance(word, candidate);
        if (distance < limit && distance < word.size()) {
            limit = distance;
            best = candidate;
        }
    }
    return best;
}

} // namespace vireo::cli
