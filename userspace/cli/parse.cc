// SPDX-License-Identifier: GPL-2.0-only
#include "cli/parse.h"

#include <optional>
#include <span>

#include "base/error.h"
#include "cli/help.h"
#include "cli/key_value.h"
#include "cli/suggest.h"

namespace vireo::cli {
namespace {

bool asks_for_help(std::string_view word) {
    return word == "help" || word == "?";
}

// "; did you mean vhost?", or all that there is.
std::string hint(std::string_view word, const std::vector<std::string_view>& known) {
    if (const auto meant = nearest(word, known); !meant.empty()) {
        return fmt::format("; did you mean {}?", meant);
    }
    std::string all;
    for (const auto name : known) {
        all += all.empty() ? "; known are " : ", ";
        all += name;
    }
    return all;
}

// "; did you mean e1000?", if that is near.
std::string meant(const Type& type, std::string_view text) {
    const auto word = type.kind == Type::Kind::kWord ? nearest(text, split_words(type.words)) : "";
    return word.empty() ? "" : fmt::format("; did you mean {}?", word);
}

// The key that a bare word names, and what it says: "server" is server=on, "nowait" is wait=off.
const Key* bare_flag(const Form& form, std::string_view word, std::string& value) {
    const auto flag_named = [&](std::string_view name) -> const Key* {
        const Key* key = form.find(name);
        return key && key->type.kind == Type::Kind::kFlag ? key : nullptr;
    };
    value = "on";
    const Key* key = flag_named(word);
    if (!key && word.starts_with("no")) {
        value = "off";
        key = flag_named(word.substr(2));
    }
    return key;
}

std::string set_key(const Key& key, Draft& draft, std::string_view text) {
    if (key.type.kind == Type::Kind::kWord && asks_for_help(text)) {
        return words_help(key);
    }
    const auto value = read_value(key.type, text);
    if (!value) {
        throw_usage("{}: {} is {}{}", draft.where, key.name, accepted(key.type),
                    meant(key.type, text));
    }
    key.set(draft, *value);
    return {};
}

std::string read_pair(const Form& form, Draft& draft, const Pair& pair, bool first) {
    if (pair.value) {
        const Key* key = form.find(pair.key);
        if (!key) {
            throw_usage("{}: {} is unknown{}", draft.where, pair.key, hint(pair.key, form.names()));
        }
        return set_key(*key, draft, *pair.value);
    }
    if (asks_for_help(pair.key)) {
        return form_help(form);
    }
    if (first && !form.implied.empty()) {
        return set_key(*form.find(form.implied), draft, pair.key);
    }
    if (const Key* key = form.find(pair.key); key && key->type.kind != Type::Kind::kFlag) {
        throw_usage("{}: {} wants a value: {}", draft.where, key->name, accepted(key->type));
    }
    std::string value;
    if (const Key* key = bare_flag(form, pair.key, value)) {
        return set_key(*key, draft, value);
    }
    throw_usage("{}: {} is unknown{}", draft.where, pair.key, hint(pair.key, form.names()));
}

std::string read_pairs_of(const Form& form, Draft& draft, std::span<const Pair> pairs) {
    for (size_t i = 0; i < pairs.size(); i++) {
        if (auto help = read_pair(form, draft, pairs[i], i == 0); !help.empty()) {
            return help;
        }
    }
    return {};
}

// The word that chooses a form: bare, or behind its key.
std::optional<std::string> chosen(const Option& option, std::span<const Pair> pairs) {
    if (pairs.empty()) {
        return std::nullopt;
    }
    const Pair& first = pairs.front();
    if (!first.value) {
        return first.key;
    }
    return first.key == option.chooser ? first.value : std::nullopt;
}

} // namespace

std::string read_keys(const Form& form, Draft& draft, std::string_view argument) {
    return read_pairs_of(form, draft, split_pairs(argument));
}

std::string read_pairs(const Option& option, Draft& draft, std::string_view argument) {
    const auto pairs = split_pairs(argument);
    std::span<const Pair> rest = pairs;
    const Form* form = option.forms.front();
    if (!form->name.empty()) {
        const auto word = chosen(option, pairs);
        if (!word) {
            throw_usage("{}: begins with the kind{}", draft.where, hint({}, option.names()));
        }
        if (asks_for_help(*word)) {
            return option_help(option);
        }
        form = option.find(*word);
        if (!form) {
            throw_usage("{}: {} is unknown{}", draft.where, *word, hint(*word, option.names()));
        }
        rest = rest.subspan(1);
    }
    if (auto help = read_pairs_of(*form, draft, rest); !help.empty()) {
        return help;
    }
    if (form->done) {
        form->done(draft);
    }
    return {};
}

} // namespace vireo::cli
