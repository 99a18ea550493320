// SPDX-License-Identifier: GPL-2.0-only
#include "base/log.h"

#include <unistd.h>

#include <string>

namespace vireo {

void say(std::string_view line) {
    const std::string text = fmt::format("vireo: {}\n", line);
    // Nobody is left to hear of an error.
    [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, text.data(), text.size());
}

} // namespace vireo
