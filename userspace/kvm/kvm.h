// SPDX-License-Identifier: GPL-2.0-only
#ifndef VIREO_KVM_KVM_H
#define VIREO_KVM_KVM_H

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/fd.h"
#include "kvm/abi.h"

namespace vireo {

// The host's hypervisor: what it can do, and the making of machines. Used while a machine is
// built, by its one thread.
class Kvm {
public:
    // Throws std::system_error, with what to do about it.
    explicit Kvm(const std::string& path = "/dev/kvm");

    // KVM_CHECK_EXTENSION: 0 if it is not there.
    int capability(unsigned number) const;
    // What CPUID can tell guests on this host.
    std::vector<kvm_cpuid_entry2> supported_cpuid() const;
    // Model-specific registers that are a vCPU's state.
    std::vector<uint32_t> msrs() const;
    // Bytes of the area that a vCPU shares with us.
    size_t run_size() const;

    Fd create_vm() const;

private:
    Fd fd_;
};

} // namespace vireo

#endif // VIREO_KVM_KVM_H
