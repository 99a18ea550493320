// SPDX-License-Identifier: GPL-2.0-only
#ifndef VIREO_MACHINE_CPUS_H
#define VIREO_MACHINE_CPUS_H

#include <memory>
#include <vector>

#include "boot/kernel.h"
#include "bus/bus.h"
#include "kvm/kvm.h"
#include "kvm/vcpu.h"
#include "kvm/vm.h"

namespace vireo {

// The virtual CPUs of a machine, as one. The control thread's.
class Cpus {
public:
    // Throws UsageError for more than the host's KVM can, std::system_error.
    Cpus(const Kvm& kvm, const Vm& vm, unsigned count, Bus& ports, Bus& memory, VcpuOwner& owner);

    // Each stands between two instructions when it returns. The caller holds no lock that a device
    // takes.
    void pause();
    void resume();

    // While they are paused: as after power-on, the first about to begin at the reset vector, or
    // to enter the kernel.
    void reset();
    void reset(const CpuEntry& entry);

    unsigned physical_address_bits() const { return physical_address_bits_; }
    const std::vector<std::unique_ptr<Vcpu>>& all() const { return cpus_; }

private:
    unsigned physical_address_bits_;
    std::vector<std::unique_ptr<Vcpu>> cpus_;
};

} // namespace vireo

#endif // VIREO_MACHINE_CPUS_H
