// SPDX-License-Identifier: GPL-2.0-only
// How set-up and control fail: by an exception whose text is the sentence that the user reads. The
// data path throws nothing.
#ifndef VIREO_BASE_ERROR_H
#define VIREO_BASE_ERROR_H

#include <fmt/core.h>

#include <cerrno>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>

namespace vireo {

// What the user asked for cannot be: the text says which option, what was given, what is accepted.
class UsageError : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

template <class... Args>
[[noreturn]] void throw_usage(fmt::format_string<Args...> format, Args&&... args) {
    throw UsageError(fmt::format(format, std::forward<Args>(args)...));
}

// A system call failed with `error` while what the text says was attempted: "open /dev/kvm".
template <class... Args>
[[noreturn]] void throw_error(int error, fmt::format_string<Args...> format, Args&&... args) {
    throw std::system_error(error, std::generic_category(),
                            fmt::format(format, std::forward<Args>(args)...));
}

template <class... Args>
[[noreturn]] void throw_errno(fmt::format_string<Args...> format, Args&&... args) {
    throw_error(errno, format, std::forward<Args>(args)...);
}

} // namespace vireo

#endif // VIREO_BASE_ERROR_H
