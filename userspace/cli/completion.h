// SPDX-License-Identifier: GPL-2.0-only
#ifndef VIREO_CLI_COMPLETION_H
#define VIREO_CLI_COMPLETION_H

#include <string>

namespace vireo::cli {

// A script for bash that completes options, their keys and the words among their values. The file
// vireo.bash is its output; a test compares them.
std::string bash_completion();

} // namespace vireo::cli

#endif // VIREO_CLI_COMPLETION_H
