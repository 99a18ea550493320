// SPDX-License-Identifier: GPL-2.0-only
#ifndef VIREO_BASE_COUNTER_H
#define VIREO_BASE_COUNTER_H

#include <atomic>
#include <cstdint>

namespace vireo {

// One writer at a time: a plain addition that others may look at (relaxed).
inline void count(std::atomic<uint64_t>& counter, uint64_t n = 1) noexcept {
    counter.store(counter.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
}

} // namespace vireo

#endif // VIREO_BASE_COUNTER_H
