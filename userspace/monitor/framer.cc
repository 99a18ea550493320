// SPDX-License-Identifier: GPL-2.0-only
#include "monitor/framer.h"

namespace vireo::monitor {

bool Framer::take(char c) {
    value_ += c;
    if (string_) {
        if (escape_) {
            escape_ = false;
        } else if (c == '\\') {
            escape_ = true;
        } else if (c == '"') {
            string_ = false;
        }
        return false;
    }
    switch (c) {
        case '"':
            string_ = true;
            return false;
        case '{':
        case '[':
            depth_++;
            return false;
        case '}':
        case ']':
            return --depth_ == 0;
        default:
            return false;
    }
}

Framer::Result Framer::feed(std::string_view& bytes) {
    if (depth_ == 0) {
        value_.clear();
    }
    while (!bytes.empty()) {
        const char c = bytes.front();
        bytes.remove_prefix(1);
        if (junk_) {
            junk_ = c != '\n';
        } else if (depth_ > 0 || c == '{' || c == '[') {
            if (take(c)) {
                return Result::kValue;
            }
            if (depth_ > kMaxDepth || value_.size() > kMaxSize) {
                return Result::kTooBig;
            }
        } else if (c != ' ' && c != '\t' && c != '\r' && c != '\n') {
            junk_ = true;
            return Result::kJunk;
        }
    }
    return Result::kMore;
}

} // namespace vireo::monitor
