// SPDX-License-Identifier: GPL-2.0-only
#ifndef VIREO_BOOT_ACPI_H
#define VIREO_BOOT_ACPI_H

#include <array>
#include <cstdint>
#include <vector>

#include "boot/aml.h"
#include "bus/pci_host.h"
#include "memory/guest_memory.h"

namespace vireo {

// What the tables tell of.
struct AcpiMachine {
    unsigned cpus;               // APIC IDs are 0 and on
    std::array<bool, 4> serials; // which ports there are
    PciWindows pci;              // port window: for BARs; the guest is told of all ports
};

// The tables one after the other, as if at address `base`; the RSDP is the first.
std::vector<uint8_t> acpi_tables(const AcpiMachine& machine, uint64_t base);

// Put them where a guest looks for them. The RSDP's address.
uint64_t load_acpi(const GuestMemory& memory, const AcpiMachine& machine);

} // namespace vireo

#endif // VIREO_BOOT_ACPI_H
