// SPDX-License-Identifier: GPL-2.0-only
// For the environment of a process, in which nothing stands between the engine and its memory.
#include "world.h"

std::shared_ptr<void> observe(const vq_test& /*test*/) {
    return nullptr;
}
