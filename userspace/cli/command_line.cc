// SPDX-License-Identifier: GPL-2.0-only
#include "cli/command_line.h"

#include <string_view>
#include <vector>

#include "base/error.h"
#include "cli/builder.h"
#include "cli/completion.h"
#include "cli/help.h"
#include "cli/parse.h"
#include "cli/suggest.h"
#include "cli/table.h"

namespace vireo::cli {
namespace {

const Option& known_option(std::string_view argument) {
    if (!argument.starts_with('-') || argument == "-") {
        throw_usage("{}: options begin with '-'; a disk is -drive file={}", argument, argument);
    }
    std::string_view name = argument.substr(argument.starts_with("--") ? 2 : 1);
    if (const Option* option = find_option(name)) {
        return *option;
    }
    std::vector<std::string_view> names;
    for (const Option* option : all_options()) {
        names.push_back(option->name);
    }
    const auto meant = nearest(name, names);
    if (meant.empty()) {
        throw_usage("{}: unknown option; vireo -help lists them", argument);
    }
    throw_usage("{}: unknown option; did you mean -{}?", argument, meant);
}

// What the options of group "Help" print; empty for the others.
std::string printed_by(const Option& option) {
    if (option.group != Group::kHelp) {
        return {};
    }
    if (option.name == "version") {
        return version_text();
    }
    return option.name == "completion" ? bash_completion() : usage_help();
}

std::string read_option(const Option& option, Draft& draft, std::string_view argument) {
    if (option.style == Option::Style::kPairs) {
        return read_pairs(option, draft, argument);
    }
    Value value;
    if (option.style == Option::Style::kWhole) {
        auto given = read_value(option.type, argument);
        if (!given) {
            throw_usage("{}: -{} is {}", draft.where, option.name, accepted(option.type));
        }
        value = std::move(*given);
    }
    option.set(draft, value);
    return printed_by(option);
}

} // namespace

CommandLine read_command_line(std::span<const char* const> arguments) {
    Builder builder;
    for (size_t i = 0; i < arguments.size(); i++) {
        const Option& option = known_option(arguments[i]);
        Draft draft{.builder = builder,
                    .machine = builder.machine(),
                    .where = fmt::format("-{}", option.name)};
        std::string_view argument;
        if (option.style != Option::Style::kAlone) {
            if (i + 1 == arguments.size()) {
                throw_usage("{}: wants an argument: {}", draft.where, option.argument);
            }
            argument = arguments[++i];
            draft.where += fmt::format(" {}", argument);
        }
        if (auto print = read_option(option, draft, argument); !print.empty()) {
            return {.print = std::move(print)};
        }
    }
    return {.machine = builder.finish()};
}

} // namespace vireo::cli
