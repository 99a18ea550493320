// SPDX-License-Identifier: GPL-2.0-only
#ifndef VIREO_CLI_PARSE_H
#define VIREO_CLI_PARSE_H

#include <string>
#include <string_view>

#include "cli/table.h"

namespace vireo::cli {

// Read an option's argument, "word,key=value,...", into a draft, and hand it to the builder by the
// form's done(). Returns a list of what is possible if the argument asks for one ("help" or "?"),
// and is empty otherwise. Throws UsageError.
std::string read_pairs(const Option& option, Draft& draft, std::string_view argument);

// The same of "key=value,..." behind a word that the caller has read: no done().
std::string read_keys(const Form& form, Draft& draft, std::string_view argument);

} // namespace vireo::cli

#endif // VIREO_CLI_PARSE_H
