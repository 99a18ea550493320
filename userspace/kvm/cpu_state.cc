// SPDX-License-Identifier: GPL-2.0-only
#include "kvm/cpu_state.h"

#include <sys/ioctl.h>

#include <algorithm>
#include <cstddef>

#include "base/error.h"

namespace vireo {

namespace {

// KVM takes some at a time, and says how many it dealt with: the one behind those it refuses.
constexpr size_t kChunk = 32;

template <class Done>
void for_msrs(int vcpu, unsigned long request, std::span<const kvm_msr_entry> msrs, Done done) {
    // kvm_msrs ends in an array.
    alignas(kvm_msrs) std::byte memory[sizeof(kvm_msrs) + kChunk * sizeof(kvm_msr_entry)];
    auto* chunk = reinterpret_cast<kvm_msrs*>(memory);
    while (!msrs.empty()) {
        const size_t n = std::min(msrs.size(), kChunk);
        chunk->nmsrs = static_cast<uint32_t>(n);
        chunk->pad = 0;
        std::copy(msrs.begin(), msrs.begin() + static_cast<ptrdiff_t>(n), chunk->entries);
        const int result = ioctl(vcpu, request, chunk);
        if (result < 0) {
            throw_errno("access a vCPU's model-specific registers");
        }
        const auto good = static_cast<size_t>(result);
        done(std::span<const kvm_msr_entry>(chunk->entries, good));
        msrs = msrs.subspan(good < n ? good + 1 : n);
    }
}

void access(int vcpu, unsigned long request, const void* state, const char* what) {
    if (ioctl(vcpu, request, state) < 0) {
        throw_errno("access a vCPU's {}", what);
    }
}

} // namespace

CpuState save_cpu(int vcpu, std::span<const uint32_t> msrs) {
    CpuState state;
    access(vcpu, KVM_GET_MP_STATE, &state.activity, "activity state");
    access(vcpu, KVM_GET_REGS, &state.registers, "registers");
    access(vcpu, KVM_GET_SREGS, &state.special, "special registers");
    access(vcpu, KVM_GET_DEBUGREGS, &state.debug, "debug registers");
    access(vcpu, KVM_GET_XSAVE, state.extended.data(), "extended state");
    access(vcpu, KVM_GET_XCRS, &state.controls, "extended control registers");
    access(vcpu, KVM_GET_VCPU_EVENTS, &state.events, "pending events");
    access(vcpu, KVM_GET_LAPIC, &state.apic, "local APIC");
    std::vector<kvm_msr_entry> wanted;
    wanted.reserve(msrs.size());
    for (const uint32_t index : msrs) {
        wanted.push_back({.index = index, .reserved = 0, .data = 0});
    }
    state.msrs.reserve(msrs.size());
    for_msrs(vcpu, KVM_GET_MSRS, wanted, [&](std::span<const kvm_msr_entry> read) {
        state.msrs.insert(state.msrs.end(), read.begin(), read.end());
    });
    return state;
}

void load_cpu(int vcpu, const CpuState& state) {
    // The APIC's mode is in the special registers, its timer's deadline in an MSR: in this order.
    access(vcpu, KVM_SET_SREGS, &state.special, "special registers");
    access(vcpu, KVM_SET_REGS, &state.registers, "registers");
    access(vcpu, KVM_SET_XCRS, &state.controls, "extended control registers");
    access(vcpu, KVM_SET_XSAVE, state.extended.data(), "extended state");
    access(vcpu, KVM_SET_DEBUGREGS, &state.debug, "debug registers");
    access(vcpu, KVM_SET_LAPIC, &state.apic, "local APIC");
    for_msrs(vcpu, KVM_SET_MSRS, state.msrs, [](std::span<const kvm_msr_entry>) {});
    access(vcpu, KVM_SET_VCPU_EVENTS, &state.events, "pending events");
    access(vcpu, KVM_SET_MP_STATE, &state.activity, "activity state");
}

} // namespace vireo
