// SPDX-License-Identifier: GPL-2.0-only
#ifndef VIREO_SELFTESTS_CLI_WORDS_H
#define VIREO_SELFTESTS_CLI_WORDS_H

#include <string>
#include <vector>

#include "base/error.h"
#include "cli/command_line.h"

namespace vireo::cli {

// Divide a line at blanks, as a shell without quotes.
inline std::vector<std::string> words(const std::string& line) {
    std::vector<std::string> all;
    size_t begin = 0;
    while ((begin = line.find_first_not_of(' ', begin)) != std::string::npos) {
        const size_t end = std::min(line.find(' ', begin), line.size());
        all.push_back(line.substr(begin, end - begin));
        begin = end;
    }
    return all;
}

inline CommandLine read(const std::string& line) {
    const auto all = words(line);
    std::vector<const char*> arguments;
    for (const auto& word : all) {
        arguments.push_back(word.c_str());
    }
    return read_command_line(arguments);
}

// A machine that has a kernel, and what the line says.
inline MachineOptions machine(const std::string& line) {
    return read("-kernel bzImage " + line).machine;
}

// What the user is told; "accepted" if nothing is wrong.
inline std::string complaint(const std::string& line) {
    try {
        machine(line);
    } catch (const UsageError& error) {
        return error.what();
    }
    return "accepted";
}

} // namespace vireo::cli

#endif // VIREO_SELFTESTS_CLI_WORDS_H
