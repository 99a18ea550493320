// SPDX-License-Identifier: GPL-2.0-only
#ifndef VIREO_KVM_CPUID_H
#define VIREO_KVM_CPUID_H

#include <vector>

#include "kvm/abi.h"

namespace vireo {

struct CpuTraits {
    unsigned cpus;       // cores of the one package
    bool deadline_timer; // the local APIC has that mode (KVM says so elsewhere)
    bool xsave;          // false: leave XSAVE out, and all that needs it
};

// What CPUID tells a machine's guest, the same on all its CPUs but for cpuid_for(). `supported` is
// KVM's; what is in it is offered, under a hypervisor's bit.
std::vector<kvm_cpuid_entry2> make_cpuid(std::vector<kvm_cpuid_entry2> supported,
                                         const CpuTraits& traits);

// Does KVM see a guest's XSETBV? It must, to keep the guest's XCR0 apart from the host's and to
// tell the sizes that follow from it. A host whose CPU is QEMU's TCG does not trap it, and a guest
// finds sizes that contradict what it has set.
bool host_traps_xsetbv();

// The same as CPU `index` sees it, whose APIC ID is the index.
std::vector<kvm_cpuid_entry2> cpuid_for(std::vector<kvm_cpuid_entry2> cpuid, unsigned index);

// Bits of a physical address.
unsigned physical_address_bits(const std::vector<kvm_cpuid_entry2>& cpuid);

// Give it to a vCPU. Throws std::system_error.
void set_cpuid(int vcpu, const std::vector<kvm_cpuid_entry2>& cpuid);

} // namespace vireo

#endif // VIREO_KVM_CPUID_H
