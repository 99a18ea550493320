// SPDX-License-Identifier: GPL-2.0-only
#include "kvm/cpuid.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace vireo {
namespace {

using Cpuid = std::vector<kvm_cpuid_entry2>;

kvm_cpuid_entry2 leaf(uint32_t function, uint32_t a = 0, uint32_t b = 0, uint32_t c = 0,
                      uint32_t d = 0, int index = -1) {
    kvm_cpuid_entry2 e = {};
    e.function = function;
    if (index >= 0) {
        e.index = static_cast<uint32_t>(index);
        e.flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX;
    }
    e.eax = a;
    e.ebx = b;
    e.ecx = c;
    e.edx = d;
    return e;
}

const kvm_cpuid_entry2* find(const Cpuid& cpuid, uint32_t function, uint32_t index = 0) {
    const auto e = std::ranges::find_if(cpuid, [=](const auto& entry) {
        return entry.function == function && entry.index == index;
    });
    return e == cpuid.end() ? nullptr : &*e;
}

// As a host with four cores and AVX tells it.
Cpuid host() {
    return {
        leaf(0, 0x1f),
        leaf(1, 0x306c3, 0x02040800, 0x3fff'ffff, 0x0fff'ffff),
        leaf(4, 0x1c00'4121, 0, 0, 0, 0), // level 1, two threads share it
        leaf(4, 0x1c03'c163, 0, 0, 0, 3), // level 3
        leaf(4, 0, 0, 0, 0, 4),
        leaf(7, 0, ~0u, ~0u, ~0u, 0),
        leaf(0xb, 1, 2, 0x100, 9, 0),
        leaf(0xb, 4, 8, 0x201, 9, 1),
        leaf(0xd, 7, 832, 832, 0, 0),
        leaf(0xd, 1, 0, 0, 0, 1),
        leaf(0x8000'0001, 0, 0, ~0u, 0),
        leaf(0x8000'0008, 0x3028, 0, 0x7007),
        leaf(0x8000'001e, 7, 7, 7),
    };
}

Cpuid guest(unsigned cpus, bool xsave = true) {
    return make_cpuid(host(), {.cpus = cpus, .deadline_timer = true, .xsave = xsave});
}

TEST(CpuidTest, SaysThatThereIsAHypervisor) {
    const Cpuid cpuid = guest(1);
    EXPECT_TRUE(find(cpuid, 1)->ecx & 1u << 31);
    EXPECT_TRUE(find(cpuid, 1)->ecx & 1u << 24) << "deadline timer";
    const Cpuid without = make_cpuid(host(), {.cpus = 1, .deadline_timer = false, .xsave = true});
    EXPECT_FALSE(find(without, 1)->ecx & 1u << 24);
}

TEST(CpuidTest, OnePackageHasAllCores) {
    for (const unsigned cpus : {1u, 2u, 3u, 4u, 255u}) {
        const Cpuid cpuid = guest(cpus);
        EXPECT_EQ(find(cpuid, 1)->ebx >> 16 & 0xff, cpus);
        EXPECT_EQ(find(cpuid, 1)->edx >> 28 & 1, cpus > 1);
        EXPECT_EQ(find(cpuid, 0x8000'0008)->ecx & 0xff, cpus - 1);
        EXPECT_EQ(find(cpuid, 0x8000'0008)->eax, 0x3028u);

        const auto* thread = find(cpuid, 0xb, 0);
        EXPECT_EQ(thread->eax, 0u);
        EXPECT_EQ(thread->ebx, 1u);
        EXPECT_EQ(thread->ecx, 0x100u);
        const auto* core = find(cpuid, 0xb, 1);
        EXPECT_EQ(core->ebx, cpus);
        EXPECT_EQ(core->ecx, 0x201u);
        EXPECT_GE(1u << core->eax, cpus) << "each core's ID fits";
        EXPECT_LT((1u << core->eax) / 2, cpus) << "and no bit more";
        EXPECT_EQ(find(cpuid, 0xb, 2)->ecx & 0xff00, 0u) << "the end";
        EXPECT_EQ(find(cpuid, 0x1f), nullptr) << "the host has none";
    }
}

TEST(CpuidTest, CachesAreEachCoresButTheLast) {
    const Cpuid cpuid = guest(4);
    EXPECT_EQ(find(cpuid, 4, 0)->eax >> 14 & 0xfff, 0u);
    EXPECT_EQ(find(cpuid, 4, 3)->eax >> 14 & 0xfff, 3u);
    EXPECT_EQ(find(cpuid, 4, 0)->eax >> 26, 3u);
    EXPECT_EQ(find(cpuid, 4, 3)->eax & 0x3fff, 0x163u | 0x0) << "level and type stay";
    EXPECT_EQ(find(cpuid, 4, 4)->eax, 0u);
    EXPECT_EQ(find(guest(255), 4, 3)->eax >> 26, 63u);
}

TEST(CpuidTest, EachCpuHasItsNumber) {
    for (const unsigned index : {0u, 1u, 254u}) {
        const Cpuid cpuid = cpuid_for(guest(255), index);
        EXPECT_EQ(find(cpuid, 1)->ebx >> 24, index);
        for (unsigned level = 0; level < 3; level++) {
            EXPECT_EQ(find(cpuid, 0xb, level)->edx, index);
        }
        EXPECT_EQ(find(cpuid, 0x8000'001e)->eax, index);
    }
}

TEST(CpuidTest, WithoutXsaveNothingNeedsIt) {
    const Cpuid cpuid = guest(1, false);
    EXPECT_EQ(find(cpuid, 0xd), nullptr);
    EXPECT_EQ(find(cpuid, 1)->ecx & (1u << 26 | 1u << 27 | 1u << 28), 0u);
    EXPECT_EQ(find(cpuid, 7)->ebx & (1u << 5 | 1u << 16), 0u) << "AVX2, AVX512F";
    EXPECT_EQ(find(cpuid, 7)->ecx & 1u << 3, 0u) << "PKU";
    EXPECT_TRUE(find(cpuid, 7)->ebx & 1u << 8) << "BMI2 stays";
    EXPECT_NE(find(guest(1), 0xd), nullptr);
    EXPECT_TRUE(find(guest(1), 1)->ecx & 1u << 26);
}

TEST(CpuidTest, AddressesAreAsWideAsTheHosts) {
    EXPECT_EQ(physical_address_bits(guest(1)), 0x28u);
    EXPECT_EQ(physical_address_bits({}), 36u);
}

} // namespace
} // namespace vireo
