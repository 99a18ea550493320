// SPDX-License-Identifier: GPL-2.0-only
#include "ring_rules.h"

#include <memory>

#include <gtest/gtest.h>

#include "world.h"

namespace {

RingRules* in_force;

bool within(const std::byte* ptr, size_t size, const void* area, size_t bytes) {
    const auto* begin = static_cast<const std::byte*>(area);
    return ptr >= begin && ptr + size <= begin + bytes;
}

} // namespace

RingRules* ring_rules() {
    return in_force;
}

RingRules::RingRules(const vq_test& test) : test_(test) {
    in_force = this;
}

RingRules::~RingRules() {
    in_force = nullptr;
}

bool RingRules::allow(const std::byte* ptr, size_t size, bool write) const {
    const vq& q = test_.vq;
    const size_t num = q.num;
    const size_t event = test_.fd.event_idx ? 2 : 0;
    const size_t driver = q.packed ? 4 : 4 + 2 * num + event;
    const size_t device = q.packed ? 4 : 4 + 8 * num + event;
    if (within(ptr, size, q.desc, 16 * num))
        return q.packed || !write;
    if (within(ptr, size, q.driver, driver))
        return !write;
    if (within(ptr, size, q.device, device))
        return true;
    const size_t tables = fd_arena_bytes(&test_.fd.setup) - test_.fd.tables;
    const void* first_table = fd_translate(&test_.fd, FD_GUEST_BASE + test_.fd.tables, 0);
    return within(ptr, size, first_table, tables) && !write;
}

std::shared_ptr<void> observe(const vq_test& test) {
    return std::make_shared<RingRules>(test);
}
