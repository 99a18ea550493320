// SPDX-License-Identifier: GPL-2.0-only
#ifndef VIREO_KVM_CPUID_H
#define VIREO_KVM_CPUID_H

#include <linux/kvm.h>

#include <vector>

namespace vireo {

// What CPUID tells a machine's guest, the same on all its CPUs but for cpuid_for(). `supported` is
// KVM's; what is in it is offered, under a hypervisor's bit, with one package of `cpus` cores.
// `deadline_timer`: the local APIC has that mode (KVM says so elsewhere).
std::vector<kvm_cpuid_entry2> make_cpuid(std::vector<kvm_cpuid_entry2> supported, unsigned cpus,
                                         bool deadline_timer);

// The same as CPU `index` sees it, whose APIC ID is the index.
std::vector<kvm_cpuid_entry2> cpuid_for(std::vector<kvm_cpuid_entry2> cpuid, unsigned index);

// Bits of a physical address.
unsigned physical_address_bits(const std::vector<kvm_cpuid_entry2>& cpuid);

// Give it to a vCPU. Throws std::system_error.
void set_cpuid(int vcpu, const std::vector<kvm_cpuid_entry2>& cpuid);

} // namespace vireo

#endif // VIREO_KVM_CPUID_H
