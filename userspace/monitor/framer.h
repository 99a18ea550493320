// SPDX-License-Identifier: GPL-2.0-only
#ifndef VIREO_MONITOR_FRAMER_H
#define VIREO_MONITOR_FRAMER_H

#include <cstddef>
#include <string>
#include <string_view>

namespace vireo::monitor {

// Finds JSON objects and arrays in a stream of bytes, without understanding them: a value ends
// where its brackets are closed, be there a line's end or not, as some clients write none. What it
// keeps is bounded, and so is how deep a value is nested: whoever parses it may recurse.
class Framer {
public:
    static constexpr size_t kMaxSize = 64 << 10; // bytes of a value
    static constexpr unsigned kMaxDepth = 32;

    enum class Result {
        kMore,   // all was taken, and the value at hand is not whole yet
        kValue,  // value() is one
        kJunk,   // something else than a value; it is passed over to the end of its line
        kTooBig, // beyond what is kept: nothing that follows makes sense
    };

    // Take bytes off the front until there is something to tell.
    Result feed(std::string_view& bytes);

    // The last value; until the next feed().
    std::string_view value() const { return value_; }

private:
    bool take(char c); // of a value; true: its last character

    std::string value_;
    unsigned depth_ = 0;
    bool string_ = false; // within quotes
    bool escape_ = false; // behind a backslash
    bool junk_ = false;   // until the end of the line
};

} // namespace vireo::monitor

#endif // VIREO_MONITOR_FRAMER_H
