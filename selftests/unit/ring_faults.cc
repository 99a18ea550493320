// SPDX-License-Identifier: GPL-2.0-only
#include "ring_faults.h"

#include <algorithm>
#include <iterator>

#include <gtest/gtest.h>

#include "ring_rules.h"

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
    if (before) {
        aside_ = true;
        before(access);
        aside_ = false;
    }
    return true;
}

void RingFaults::barrier(vq_barrier kind) {
    if (!aside_)
        barriers_.push_back({kind, std::ssize(accesses_)});
}

bool RingFaults::ordered(vq_barrier kind, ptrdiff_t first, ptrdiff_t second) const {
    return std::ranges::any_of(barriers_, [=](const Barrier& barrier) {
        return (barrier.kind == kind || barrier.kind == VQ_FULL_BARRIER) && first < barrier.next &&
               barrier.next <= second;
    });
}

extern "C" {

void vq_hook_barrier(vq_barrier kind) {
    if (current)
        current->barrier(kind);
}

bool vq_hook_begin(const void* /*ptr*/, size_t /*len*/) {
    EXPECT_FALSE(in_section) << "an access section inside another";
    in_section = !current || current->step();
    return in_section;
}

void vq_hook_end() {
    EXPECT_TRUE(in_section) << "the end of a section that was not begun";
    in_section = false;
}

bool vq_hook_access(const void* ptr, size_t size, bool write) {
    EXPECT_TRUE(in_section) << "an access outside a section";
    EXPECT_EQ(reinterpret_cast<uintptr_t>(ptr) % size, 0) << "a misaligned access";
    const auto* place = static_cast<const std::byte*>(ptr);
    EXPECT_TRUE(!ring_rules() || ring_rules()->allow(place, size, write))
        << (write ? "a write of " : "a read of ") << size << " bytes outside of the areas";
    return !current || current->access({place, size, write});
}

} // extern "C"
