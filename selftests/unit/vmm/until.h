// SPDX-License-Identifier: GPL-2.0-only
#ifndef VIREO_TESTS_UNTIL_H
#define VIREO_TESTS_UNTIL_H

#include <chrono>
#include <thread>

namespace vireo::test {

// Wait for what another thread does; false: it did not within a minute, so it never will.
template <class Condition>
bool until(Condition condition) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::minutes(1);
    while (!condition()) {
        if (std::chrono::steady_clock::now() > end) {
            return false;
        }
        std::this_thread::yield();
    }
    return true;
}

} // namespace vireo::test

#endif // VIREO_TESTS_UNTIL_H
