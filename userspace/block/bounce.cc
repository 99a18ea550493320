// SPDX-License-Identifier: GPL-2.0-only
#include "block/bounce.h"

#include <cstdlib>
#include <new>

namespace vireo {

BouncePool::BouncePool()
    : memory_(static_cast<std::byte*>(std::aligned_alloc(4096, kBytes * kBuffers)), std::free) {
    if (!memory_) {
        throw std::bad_alloc();
    }
    for (size_t i = 0; i < kBuffers; i++) {
        give(memory_.get() + i * kBytes);
    }
}

} // namespace vireo
