// SPDX-License-Identifier: GPL-2.0-only
#ifndef VIREO_BOOT_KERNEL_H
#define VIREO_BOOT_KERNEL_H

#include <cstdint>
#include <string>

#include "base/fd.h"
#include "kvm/abi.h"
#include "memory/guest_memory.h"

namespace vireo {

// How the first CPU is to be when a kernel begins.
struct CpuEntry {
    enum class Mode {
        k64, // Linux's 64-bit boot protocol: long mode, the first 4 GiB mapped
        k32, // PVH: protected mode, no paging
    };
    Mode mode;
    uint64_t address;  // of the first instruction
    uint64_t argument; // of the block that tells the kernel of its machine

    // Of a CPU that has `special` after power-on. What they point to is put by load_kernel().
    kvm_regs registers() const;
    kvm_sregs special_registers(kvm_sregs special) const;
};

// What is loaded, by the names of files.
struct KernelFiles {
    std::string kernel; // a bzImage, or an ELF file with a PVH entry
    std::string initrd; // empty: none
    std::string command_line;
};

// Load a kernel, its initrd and its command line into the guest's memory, and all that it takes to
// enter it. `rsdp`: where the ACPI tables are found. Throws UsageError, with the option's name, for
// files that cannot be used, std::system_error for those that cannot be read.
CpuEntry load_kernel(const GuestMemory& memory, const KernelFiles& files, uint64_t rsdp);

} // namespace vireo

#endif // VIREO_BOOT_KERNEL_H
