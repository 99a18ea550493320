// SPDX-License-Identifier: GPL-2.0-only
#include "ring_faults.h"

#include <gtest/gtest.h>

#include "vq_env.h"

namespace {

RingFaults* current;
bool in_section;

} // namespace

RingFaults::RingFaults(uint64_t fault_at) : fault_at_(fault_at) {
    current = this;
}

RingFaults::~RingFaults() {
    current = nullptr;
}

bool RingFaults::access(const Access& access) {
    if (!step())
        return false;
    accesses_.push_back(access);
    if (before)
        before(access);
    return true;
}

extern "C" {

bool unit_access_begin() {
    EXPECT_FALSE(in_section) << "an access section inside another";
    in_section = !current || current->step();
    return in_section;
}

void unit_access_end() {
    EXPECT_TRUE(in_section) << "the end of a section that was not begun";
    in_section = false;
}

bool unit_access(const void* ptr, size_t size, bool write) {
    EXPECT_TRUE(in_section) << "an access outside a section";
    EXPECT_EQ(reinterpret_cast<uintptr_t>(ptr) % size, 0) << "a misaligned access";
    return !current || current->access({static_cast<const std::byte*>(ptr), size, write});
}

} // extern "C"
