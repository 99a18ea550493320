// SPDX-License-Identifier: GPL-2.0-only
#ifndef VIREO_CLI_SUGGEST_H
#define VIREO_CLI_SUGGEST_H

#include <span>
#include <string_view>

namespace vireo::cli {

// How many characters are to be inserted, deleted, replaced, or swapped with their neighbour to
// make one word of the other.
unsigned edit_distance(std::string_view a, std::string_view b);

// The known word that was probably meant: the first that begins so, or that nearest to it; empty if
// none is near.
std::string_view nearest(std::string_view word, std::span<const std::string_view> known);

} // namespace vireo::cli

#endif // VIREO_CLI_SUGGEST_H
