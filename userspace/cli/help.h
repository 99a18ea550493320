// SPDX-License-Identifier: GPL-2.0-only
#ifndef VIREO_CLI_HELP_H
#define VIREO_CLI_HELP_H

#include <string>

#include "cli/table.h"

namespace vireo::cli {

std::string usage_help();                      // vireo -help
std::string option_help(const Option& option); // vireo -device help
std::string form_help(const Form& form);       // vireo -device virtio-net-pci,help
std::string words_help(const Key& key);        // vireo -net nic,model=?
std::string version_text();

} // namespace vireo::cli

#endif // VIREO_CLI_HELP_H
