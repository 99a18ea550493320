// SPDX-License-Identifier: GPL-2.0-only
// Leaves and bits: Intel's SDM volume 2, CPUID; AMD's APM volume 3, appendix E.
#include "kvm/cpuid.h"

#include <cpuid.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/error.h"

namespace vireo {

namespace {

constexpr uint32_t kXsave = 1u << 26;   // 1.ecx
constexpr uint32_t kOsxsave = 1u << 27; // 1.ecx
constexpr uint32_t kAvx = 1u << 28;     // 1.ecx
constexpr uint32_t kFma = 1u << 12;     // 1.ecx
constexpr uint32_t kF16c = 1u << 29;    // 1.ecx

kvm_cpuid_entry2* find(std::vector<kvm_cpuid_entry2>& cpuid, uint32_t function,
                       uint32_t index = 0) {
    const auto entry = std::ranges::find_if(cpuid, [=](const kvm_cpuid_entry2& e) {
        return e.function == function &&
               (!(e.flags & KVM_CPUID_FLAG_SIGNIFCANT_INDEX) || e.index == index);
    });
    return entry == cpuid.end() ? nullptr : &*entry;
}

void put(uint32_t& word, unsigned shift, unsigned width, uint32_t value) {
    const uint32_t mask = (width == 32 ? 0 : 1u << width) - 1;
    word = (word & ~(mask << shift)) | (value & mask) << shift;
}

// Bits of an APIC ID that tell CPUs of one package apart.
unsigned id_bits(unsigned cpus) {
    return static_cast<unsigned>(std::bit_width(cpus - 1));
}

void drop_xsave(std::vector<kvm_cpuid_entry2>& cpuid) {
    std::erase_if(cpuid, [](const kvm_cpuid_entry2& e) { return e.function == 0xd; });
    if (kvm_cpuid_entry2* e = find(cpuid, 1)) {
        e->ecx &= ~(kXsave | kOsxsave | kAvx | kFma | kF16c);
    }
    // All that computes in registers that only XSAVE saves.
    if (kvm_cpuid_entry2* e = find(cpuid, 7, 0)) {
        e->ebx &= ~(1u << 5 | 1u << 14 | 1u << 16 | 1u << 17 | 1u << 21 | 1u << 26 | 1u << 27 |
                    1u << 28 | 1u << 30 | 1u << 31); // AVX2, MPX, AVX512*
        e->ecx &= ~(1u << 1 | 1u << 3 | 1u << 6 | 1u << 9 | 1u << 10 | 1u << 11 | 1u << 12 |
                    1u << 14); // AVX512*, PKU, VAES, VPCLMULQDQ
        e->edx &= ~(1u << 2 | 1u << 3 | 1u << 8 | 1u << 22 | 1u << 23 | 1u << 24 |
                    1u << 25); // AVX512*, AMX
    }
    if (kvm_cpuid_entry2* e = find(cpuid, 7, 1)) {
        e->eax &=
            ~(1u << 4 | 1u << 5 | 1u << 21 | 1u << 23); // AVX-VNNI, AVX512-BF16, AMX, AVX-IFMA
    }
    if (kvm_cpuid_entry2* e = find(cpuid, 0x8000'0001)) {
        e->ecx &= ~(1u << 11 | 1u << 15 | 1u << 16); // XOP, LWP, FMA4
    }
}

} // namespace

std::vector<kvm_cpuid_entry2> make_cpuid(std::vector<kvm_cpuid_entry2> cpuid,
                                         const CpuTraits& traits) {
    if (!traits.xsave) {
        drop_xsave(cpuid);
    }
    const unsigned cpus = traits.cpus;
    const unsigned bits = id_bits(cpus);
    for (kvm_cpuid_entry2& e : cpuid) {
        switch (e.function) {
            case 1:
                put(e.ebx, 8, 8, 8); // CLFLUSH: 64 bytes
                put(e.ebx, 16, 8, cpus);
                put(e.ecx, 24, 1, traits.deadline_timer);
                put(e.ecx, 31, 1, 1); // a hypervisor
                put(e.edx, 28, 1, cpus > 1);
                break;
            case 4:
            case 0x8000'001d:
                // Caches: the third level is everybody's, the others are each core's.
                if (e.eax & 0x1f) {
                    put(e.eax, 14, 12, (e.eax >> 5 & 7) >= 3 ? (1u << bits) - 1 : 0);
                    if (e.function == 4) {
                        put(e.eax, 26, 6, std::min(1u << bits, 64u) - 1);
                    }
                }
                break;
            case 0x8000'0001:
                put(e.ecx, 1, 1, cpus > 1); // more than one core, no threads
                break;
            case 0x8000'0008:
                put(e.ecx, 0, 8, cpus - 1);
                put(e.ecx, 12, 4, bits);
                break;
        }
    }
    // The topology: one thread a core, all cores in one package. KVM gives as many levels as the
    // host has; the guest has two.
    for (const uint32_t leaf : {0xbu, 0x1fu}) {
        if (std::erase_if(cpuid, [=](const auto& e) { return e.function == leaf; }) == 0) {
            continue;
        }
        kvm_cpuid_entry2 thread = {};
        thread.function = leaf;
        thread.flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX;
        thread.ebx = 1;
        thread.ecx = 1 << 8; // level type: thread
        kvm_cpuid_entry2 core = thread;
        core.index = 1;
        core.eax = bits;
        core.ebx = cpus;
        core.ecx = 1 | 2 << 8; // level type: core
        kvm_cpuid_entry2 end = thread;
        end.index = 2;
        end.ebx = 0;
        end.ecx = 2;
        cpuid.insert(cpuid.end(), {thread, core, end});
    }
    return cpuid;
}

std::vector<kvm_cpuid_entry2> cpuid_for(std::vector<kvm_cpuid_entry2> cpuid, unsigned index) {
    for (kvm_cpuid_entry2& e : cpuid) {
        switch (e.function) {
            case 1:
                put(e.ebx, 24, 8, index);
                break;
            case 0xb:
            case 0x1f:
                e.edx = index;
                break;
            case 0x8000'001e:
                e.eax = index;
                e.ebx = index; // core, of one thread
                e.ecx = 0;     // node, of one
                break;
        }
    }
    return cpuid;
}

bool host_traps_xsetbv() {
    constexpr uint32_t kHypervisorLeaf = 0x4000'0000;
    uint32_t a = 0, b = 0, c = 0, d = 0;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & 1u << 31)) {
        return true;
    }
    __cpuid(kHypervisorLeaf, a, b, c, d);
    char signature[12];
    memcpy(signature, &b, 4);
    memcpy(signature + 4, &c, 4);
    memcpy(signature + 8, &d, 4);
    return memcmp(signature, "TCGTCGTCGTCG", sizeof(signature)) != 0;
}

unsigned physical_address_bits(const std::vector<kvm_cpuid_entry2>& cpuid) {
    for (const kvm_cpuid_entry2& e : cpuid) {
        if (e.function == 0x8000'0008) {
            return e.eax & 0xff;
        }
    }
    return 36; // what all have
}

void set_cpuid(int vcpu, const std::vector<kvm_cpuid_entry2>& cpuid) {
    // kvm_cpuid2 ends in an array.
    std::vector<uint64_t> memory(
        (sizeof(kvm_cpuid2) + cpuid.size() * sizeof(kvm_cpuid_entry2)) / sizeof(uint64_t) + 1);
    auto* request = reinterpret_cast<kvm_cpuid2*>(memory.data());
    request->nent = static_cast<uint32_t>(cpuid.size());
    std::copy(cpuid.begin(), cpuid.end(), request->entries);
    if (ioctl(vcpu, KVM_SET_CPUID2, request) < 0) {
        throw_errno("set a vCPU's CPUID");
    }
}

} // namespace vireo
