// SPDX-License-Identifier: GPL-2.0-only
#include "machine/cpus.h"

#include "base/error.h"
#include "kvm/cpuid.h"

namespace vireo {

Cpus::Cpus(const Kvm& kvm, const Vm& vm, unsigned count, Bus& ports, Bus& memory,
           VcpuOwner& owner) {
    const int most = kvm.capability(KVM_CAP_MAX_VCPUS);
    if (most > 0 && count > static_cast<unsigned>(most)) {
        throw_usage("-smp {}: this host's KVM gives a machine at most {} CPUs", count, most);
    }
    const auto cpuid = make_cpuid(kvm.supported_cpuid(),
                                  {.cpus = count,
                                   .deadline_timer = kvm.capability(KVM_CAP_TSC_DEADLINE_TIMER) > 0,
                                   .xsave = host_traps_xsetbv()});
    physical_address_bits_ = vireo::physical_address_bits(cpuid);
    for (unsigned i = 0; i < count; i++) {
        cpus_.push_back(std::make_unique<Vcpu>(kvm, vm, i, cpuid, ports, memory, owner));
    }
}

void Cpus::pause() {
    for (const auto& cpu : cpus_) {
        cpu->request_pause();
    }
    for (const auto& cpu : cpus_) {
        cpu->wait_paused();
    }
}

void Cpus::resume() {
    for (const auto& cpu : cpus_) {
        cpu->resume();
    }
}

void Cpus::reset() {
    for (const auto& cpu : cpus_) {
        cpu->reset();
    }
}

void Cpus::reset(const CpuEntry& entry) {
    reset();
    Vcpu& first = *cpus_.front();
    first.set_entry(entry.registers(), entry.special_registers(first.special_registers()));
}

} // namespace vireo
