// SPDX-License-Identifier: GPL-2.0-only
#include "cli/value.h"

#include <fmt/core.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <limits>

namespace vireo::cli {
namespace {

template <class Number>
std::optional<Number> read_number(std::string_view text, int base = 10) {
    Number number{};
    const char* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, number, base);
    if (error != std::errc() || stop != end) {
        return std::nullopt;
    }
    return number;
}

std::optional<bool> read_flag(std::string_view text) {
    if (text == "on" || text == "yes" || text == "true" || text == "y") {
        return true;
    }
    if (text == "off" || text == "no" || text == "false" || text == "n") {
        return false;
    }
    return std::nullopt;
}

// Bytes: a number and K, M, G or T, which are powers of 1024.
std::optional<uint64_t> read_size(std::string_view text, uint64_t unit) {
    constexpr std::string_view kUnits = "BKMGT";
    if (!text.empty()) {
        const char last = static_cast<char>(std::toupper(static_cast<unsigned char>(text.back())));
        if (const size_t i = kUnits.find(last); i != std::string_view::npos) {
            unit = 1ull << (10 * i);
            text.remove_suffix(1);
        }
    }
    const auto count = read_number<uint64_t>(text);
    if (!count || *count > std::numeric_limits<uint64_t>::max() / unit) {
        return std::nullopt;
    }
    return *count * unit;
}

std::string size_text(uint64_t bytes) {
    unsigned power = 0;
    while (power < 4 && bytes && bytes % 1024 == 0) {
        bytes /= 1024;
        power++;
    }
    return power ? fmt::format("{}{}", bytes, "?KMGT"[power]) : fmt::format("{}", bytes);
}

// As QEMU wants it: a letter first, then letters, digits, '-', '.', '_'.
bool is_id(std::string_view text) {
    return !text.empty() && std::isalpha(static_cast<unsigned char>(text[0])) &&
           std::all_of(text.begin(), text.end(), [](unsigned char c) {
               return std::isalnum(c) || c == '-' || c == '.' || c == '_';
           });
}

std::optional<std::array<uint8_t, 6>> read_mac(std::string_view text) {
    std::array<uint8_t, 6> mac;
    if (text.size() != 17) {
        return std::nullopt;
    }
    for (size_t i = 0; i < mac.size(); i++) {
        const auto byte = read_number<uint8_t>(text.substr(3 * i, 2), 16);
        if (!byte || (i < 5 && text[3 * i + 2] != ':' && text[3 * i + 2] != '-')) {
            return std::nullopt;
        }
        mac[i] = *byte;
    }
    if (mac[0] & 1) { // a group's, no card's
        return std::nullopt;
    }
    return mac;
}

std::optional<std::vector<int>> read_fds(std::string_view text) {
    std::vector<int> fds;
    while (true) {
        const size_t end = std::min(text.find(':'), text.size());
        const auto fd = read_number<int>(text.substr(0, end));
        if (!fd || *fd < 0) {
            return std::nullopt;
        }
        fds.push_back(*fd);
        if (end == text.size()) {
            return fds;
        }
        text.remove_prefix(end + 1);
    }
}

std::string one_of(std::string_view words) {
    const auto all = split_words(words);
    std::string text;
    for (size_t i = 0; i < all.size(); i++) {
        text += i == 0 ? "" : i + 1 == all.size() ? " or " : ", ";
        text += all[i];
    }
    return text;
}

} // namespace

std::vector<std::string_view> split_words(std::string_view words) {
    std::vector<std::string_view> all;
    while (!words.empty()) {
        const size_t end = std::min(words.find('|'), words.size());
        all.push_back(words.substr(0, end));
        words.remove_prefix(std::min(end + 1, words.size()));
    }
    return all;
}

std::optional<Value> read_value(const Type& type, std::string_view text) {
    using enum Type::Kind;
    Value value{.text = std::string(text)};
    bool ok = false;
    switch (type.kind) {
        case kFlag:
            if (const auto on = read_flag(text)) {
                value.on = *on;
                ok = true;
            }
            break;
        case kNumber:
        case kSize: {
            const auto count =
                type.kind == kSize ? read_size(text, type.unit) : read_number<uint64_t>(text);
            ok = count && *count >= type.min && *count <= type.max;
            value.number = count.value_or(0);
            break;
        }
        case kWord: {
            const auto words = split_words(type.words);
            const auto found = std::find(words.begin(), words.end(), text);
            ok = found != words.end();
            value.number = static_cast<uint64_t>(found - words.begin());
            break;
        }
        case kText:
        case kFile:
            ok = !text.empty();
            break;
        case kId:
            ok = is_id(text);
            break;
        case kMac:
            if (const auto mac = read_mac(text)) {
                value.mac = *mac;
                ok = true;
            }
            break;
        case kFds:
            if (auto fds = read_fds(text)) {
                value.fds = std::move(*fds);
                ok = true;
            }
            break;
    }
    return ok ? std::optional(std::move(value)) : std::nullopt;
}

std::string accepted(const Type& type) {
    using enum Type::Kind;
    switch (type.kind) {
        case kFlag:
            return "on or off";
        case kNumber:
            return fmt::format("a number from {} to {}", type.min, type.max);
        case kSize:
            return fmt::format("from {} to {}; a number without K, M, G or T is in {}",
                               size_text(type.min), size_text(type.max),
                               type.unit == 1 ? "bytes" : "MiB");
        case kWord:
            return one_of(type.words);
        case kText:
            return std::string(type.meaning);
        case kFile:
            return "the name of a file";
        case kId:
            return "a name of letters, digits, '-', '.' and '_', a letter first";
        case kMac:
            return "the address of one card, such as 52:54:00:12:34:56";
        case kFds:
            return "the number of an open file, or more with ':' between them";
    }
    return {};
}

} // namespace vireo::cli
