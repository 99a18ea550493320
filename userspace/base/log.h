// SPDX-License-Identifier: GPL-2.0-only
#ifndef VIREO_BASE_LOG_H
#define VIREO_BASE_LOG_H

#include <fmt/core.h>

#include <string_view>
#include <utility>

namespace vireo {

// One line on stderr, "vireo: " before it, in one write. Any thread.
void say(std::string_view line);

template <class... Args>
void say(fmt::format_string<Args...> format, Args&&... args) {
    say(std::string_view(fmt::format(format, std::forward<Args>(args)...)));
}

} // namespace vireo

#endif // VIREO_BASE_LOG_H
