// SPDX-License-Identifier: GPL-2.0-only
#ifndef VIREO_BOOT_ACPI_H
#define VIREO_BOOT_ACPI_H

#include <array>
#include <cstdint>
#include <span>
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

// The tables before it is known where they will be. What points to a table has its offset in
// `tables`: whoever places them adds their address to it, and makes the checksums then.
struct AcpiTables {
    struct Pointer {
        uint32_t offset;
        unsigned size; // bytes
    };
    struct Checksum {
        uint32_t at;            // of the byte
        uint32_t start, length; // of what it makes 0 together
    };

    std::vector<uint8_t> rsdp;
    Pointer rsdp_pointer;
    std::span<const Checksum> rsdp_checksums; // in this order
    std::vector<uint8_t> tables;
    std::vector<Pointer> pointers;
    std::vector<Checksum> checksums;
};

AcpiTables build_acpi(const AcpiMachine& machine);

// The tables one after the other, as if at address `base`; the RSDP is the first.
std::vector<uint8_t> acpi_tables(const AcpiMachine& machine, uint64_t base);

// Put them where a guest looks for them. The RSDP's address.
uint64_t load_acpi(const GuestMemory& memory, const AcpiMachine& machine);

} // namespace vireo

#endif // VIREO_BOOT_ACPI_H
