// SPDX-License-Identifier: GPL-2.0-only
#ifndef VIREO_CLI_VALUE_H
#define VIREO_CLI_VALUE_H

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vireo::cli {

// What a value of an option can be. The table of options is made of these (table.h).
struct Type {
    enum class Kind : uint8_t { kFlag, kNumber, kSize, kWord, kText, kFile, kId, kMac, kFds };
    Kind kind = Kind::kText;
    uint64_t min = 0, max = 0;     // kNumber; kSize in bytes
    uint64_t unit = 1;             // kSize: of a bare number
    std::string_view words = {};   // kWord: those accepted, kText: those worth offering; "a|b|c"
    std::string_view meaning = {}; // kText: what it names, for people
};

constexpr Type flag() {
    return {.kind = Type::Kind::kFlag};
}
constexpr Type number(uint64_t min, uint64_t max) {
    return {.kind = Type::Kind::kNumber, .min = min, .max = max};
}
constexpr Type size(uint64_t min, uint64_t max, uint64_t unit = 1) {
    return {.kind = Type::Kind::kSize, .min = min, .max = max, .unit = unit};
}
constexpr Type word(std::string_view words) {
    return {.kind = Type::Kind::kWord, .words = words};
}
constexpr Type text(std::string_view meaning, std::string_view words = {}) {
    return {.kind = Type::Kind::kText, .words = words, .meaning = meaning};
}
constexpr Type file() {
    return {.kind = Type::Kind::kFile};
}
constexpr Type id() {
    return {.kind = Type::Kind::kId};
}
constexpr Type mac() {
    return {.kind = Type::Kind::kMac};
}
constexpr Type fds() {
    return {.kind = Type::Kind::kFds};
}

// A value that was read; what is set depends on the type's kind, but the text always is.
struct Value {
    std::string text;
    bool on = false;              // kFlag
    uint64_t number = 0;          // kNumber, kSize, and kWord: its place among the words
    std::array<uint8_t, 6> mac{}; // kMac
    std::vector<int> fds = {};    // kFds

    // Put it where an option keeps it.
    void to(std::string& out) const { out = text; }
    void to(bool& out) const { out = on; }
    void to(std::optional<bool>& out) const { out = on; }
    void to(unsigned& out) const { out = static_cast<unsigned>(number); }
    void to(uint16_t& out) const { out = static_cast<uint16_t>(number); }
    void to(std::optional<std::array<uint8_t, 6>>& out) const { out = mac; }
    void to(std::vector<int>& out) const { out = fds; }
    template <class Enum>
        requires std::is_enum_v<Enum>
    void to(Enum& out) const {
        out = static_cast<Enum>(number);
    }
};

// None: the text is no such value.
std::optional<Value> read_value(const Type& type, std::string_view text);

// What is accepted, as the end of a sentence: "on or off", "a number from 1 to 255".
std::string accepted(const Type& type);

// The words of "a|b|c".
std::vector<std::string_view> split_words(std::string_view words);

} // namespace vireo::cli

#endif // VIREO_CLI_VALUE_H
