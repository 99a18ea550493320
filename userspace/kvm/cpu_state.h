// SPDX-License-Identifier: GPL-2.0-only
#ifndef VIREO_KVM_CPU_STATE_H
#define VIREO_KVM_CPU_STATE_H

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "kvm/abi.h"

namespace vireo {

// What a virtual CPU is, apart from what runs it: to be put back at a reset, saved, and loaded
// elsewhere.
struct CpuState {
    kvm_regs registers{};
    kvm_sregs special{};
    kvm_debugregs debug{};
    std::array<uint32_t, 1024> extended{}; // kvm_xsave: FPU, SSE, AVX
    kvm_xcrs controls{};
    kvm_vcpu_events events{};
    kvm_lapic_state apic{};
    kvm_mp_state activity{};
    std::vector<kvm_msr_entry> msrs;
};

// Of a vCPU that does not run. `msrs` are the numbers of those to be saved; one that this host
// cannot read is left out. Throws std::system_error.
CpuState save_cpu(int vcpu, std::span<const uint32_t> msrs);
void load_cpu(int vcpu, const CpuState& state);

} // namespace vireo

#endif // VIREO_KVM_CPU_STATE_H
