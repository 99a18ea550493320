// SPDX-License-Identifier: GPL-2.0-only
#include "cli/completion.h"

#include <fmt/core.h>

#include <algorithm>
#include <iterator>

#include "cli/table.h"

namespace vireo::cli {
namespace {

constexpr std::string_view kHead = R"sh(# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Completion of vireo's command line; printed by `vireo -completion bash`.
)sh";

// What is completed. The functions that it calls are made from the table: each prints words, and
// @file where the name of a file belongs.
constexpr std::string_view kTail = R"sh(
_vireo_candidates() { # OPTION WORD: whole words that may stand there, one a line
    local option=$1 word=$2 form='' head key words
    if [[ $(_vireo_style "$option") == whole ]]; then
        head=
        words=$(_vireo_values "$option" '' '')
    else
        words=$(_vireo_forms "$option")
        if [[ -n $words && $word != *,* ]]; then
            head=
        else
            [[ -n $words ]] && form=${word%%,*}
            head=
            [[ $word == *,* ]] && head=${word%,*},
            key=${word##*,}
            if [[ $key == *=* ]]; then
                key=${key%%=*}
                head+=$key=
                words=$(_vireo_values "$option" "$form" "$key")
            else
                words=$(_vireo_keys "$option" "$form")
            fi
        fi
    fi
    for key in $words; do
        if [[ $key == @file ]]; then
            compgen -P "$head" -f -- "${word#"$head"}"
        else
            printf '%s%s\n' "$head" "$key"
        fi
    done
}

_vireo() {
    local line=${COMP_LINE:0:COMP_POINT} words word option candidate kept=
    read -ra words <<<"$line"
    [[ $line == *[[:space:]] ]] && words+=('')
    word=${words[-1]}
    option=
    ((${#words[@]} > 1)) && option=${words[-2]/#--/-}
    # Readline takes a word to begin behind '=' and ':'.
    [[ $COMP_WORDBREAKS == *=* ]] && kept=${word%"${word##*[=:]}"}
    COMPREPLY=()
    while read -r candidate; do
        [[ $word == --* ]] && candidate=-$candidate
        if [[ -n $candidate && $candidate == "$word"* ]]; then
            COMPREPLY+=("${candidate#"$kept"}")
        fi
    done < <(if [[ -n $(_vireo_style "$option") ]]; then
        _vireo_candidates "$option" "$word"
    else
        _vireo_options
    fi)
    # A comma or a value may follow.
    if [[ $word == *,* || ${COMPREPLY[0]-} == *[=:] ]] || [[ -n $(_vireo_forms "$option") ]]; then
        compopt -o nospace 2>/dev/null
    fi
    return 0
}

complete -F _vireo vireo
)sh";

using Line = std::back_insert_iterator<std::string>;

// The words of a value that are worth offering.
std::string offered(const Type& type) {
    if (type.kind == Type::Kind::kFlag) {
        return "on off";
    }
    if (type.kind == Type::Kind::kFile) {
        return "@file";
    }
    std::string all;
    for (const auto word : split_words(type.words)) {
        all += all.empty() ? "" : " ";
        all += word;
    }
    return all;
}

// Words in single quotes, in lines as a person would break them.
std::string quoted(std::string_view before, std::string_view words) {
    constexpr size_t kWidth = 96;
    std::string out = fmt::format("{}'", before);
    size_t column = out.size();
    bool first = true;
    while (!words.empty()) {
        const size_t end = std::min(words.find(' '), words.size());
        if (!first) {
            const bool broken = column + 1 + end > kWidth;
            out += broken ? "\n        " : " ";
            column = broken ? 8 : column + 1;
        }
        out += words.substr(0, end);
        column += end;
        words.remove_prefix(std::min(end + 1, words.size()));
        first = false;
    }
    return out + "'";
}

void add_case(std::string& out, std::string_view pattern, std::string_view words) {
    out += quoted(fmt::format("    {}) echo ", pattern), words) + " ;;\n";
}

void add_options(std::string& out) {
    out += "\n_vireo_options() {\n    printf '%s\\n'";
    size_t column = 80; // lines are broken as a person would
    for (const Option* option : all_options()) {
        if (column + option->name.size() + 2 > 80) {
            out += " \\\n       ";
            column = 8;
        }
        fmt::format_to(Line(out), " -{}", option->name);
        column += option->name.size() + 2;
    }
    out += "\n}\n";
}

// One branch for the options of a style.
void add_style(std::string& out, Option::Style style, std::string_view name) {
    std::string pattern;
    size_t column = 0;
    for (const Option* option : all_options()) {
        if (option->style == style) {
            const bool broken = column + option->name.size() > 80;
            pattern += pattern.empty() ? "" : broken ? " | \\\n        " : " | ";
            column = broken ? 8 : column + option->name.size() + 4;
            fmt::format_to(Line(pattern), "-{}", option->name);
        }
    }
    fmt::format_to(Line(out), "    {}) echo {} ;;\n", pattern, name);
}

void add_styles(std::string& out) {
    out +=
        "\n_vireo_style() { # OPTION: what its argument is; nothing: it has none\n    case $1 in\n";
    add_style(out, Option::Style::kWhole, "whole");
    add_style(out, Option::Style::kPairs, "pairs");
    out += "    esac\n}\n";
}

void add_forms(std::string& out) {
    out += "\n_vireo_forms() { # OPTION\n    case $1 in\n";
    for (const Option* option : all_options()) {
        std::string names;
        for (const auto name : option->names()) {
            names += name.empty() ? "" : fmt::format(" {}", name);
        }
        if (!names.empty()) {
            add_case(out, fmt::format("-{}", option->name), names.substr(1));
        }
    }
    out += "    esac\n}\n";
}

void add_keys(std::string& out) {
    out += "\n_vireo_keys() { # OPTION FORM\n    case \"$1 $2\" in\n";
    for (const Option* option : all_options()) {
        for (const Form* form : option->forms) {
            std::string names;
            for (const auto name : form->names()) {
                names += fmt::format(" {}=", name);
            }
            if (!names.empty()) {
                add_case(out, fmt::format("'-{} {}'", option->name, form->name), names.substr(1));
            }
        }
    }
    out += "    esac\n}\n";
}

void add_values(std::string& out) {
    out += "\n_vireo_values() { # OPTION FORM KEY\n    case \"$1 $2 $3\" in\n";
    const auto add = [&](std::string_view option, std::string_view form, const Key& key) {
        if (const auto words = offered(key.type); !words.empty()) {
            add_case(out, fmt::format("'-{} {} {}'", option, form, key.name), words);
        }
    };
    for (const Option* option : all_options()) {
        if (option->style == Option::Style::kWhole) {
            add(option->name, {}, {.name = {}, .type = option->type, .help = {}, .set = nullptr});
        }
        for (const Form* form : option->forms) {
            for (const auto part : {form->keys, form->more}) {
                for (const Key& key : part) {
                    add(option->name, form->name, key);
                }
            }
        }
    }
    out += "    esac\n}\n";
}

} // namespace

std::string bash_completion() {
    std::string out(kHead);
    add_options(out);
    add_styles(out);
    add_forms(out);
    add_keys(out);
    add_values(out);
    out += kTail;
    return out;
}

} // namespace vireo::cli
