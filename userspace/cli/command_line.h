// SPDX-License-Identifier: GPL-2.0-only
#ifndef VIREO_CLI_COMMAND_LINE_H
#define VIREO_CLI_COMMAND_LINE_H

#include <span>
#include <string>

#include "machine/options.h"

namespace vireo::cli {

// What a command line asks for: a machine, or a text to print (help, the version).
struct CommandLine {
    std::string print = {}; // not empty: print it on stdout and end with status 0
    MachineOptions machine = {};
};

// Read a command line, argv[0] left out. Throws UsageError: which option, what was given, what is
// accepted. Nothing is opened: files are looked for when the machine is built.
CommandLine read_command_line(std::span<const char* const> arguments);

} // namespace vireo::cli

#endif // VIREO_CLI_COMMAND_LINE_H
