// SPDX-License-Identifier: GPL-2.0-only
#ifndef VIREO_BOOT_TABLE_LOADER_H
#define VIREO_BOOT_TABLE_LOADER_H

#include <cstdint>
#include <vector>

#include "boot/acpi.h"

namespace vireo {

// The files in which firmware is given tables.
inline constexpr const char* kRsdpFile = "etc/acpi/rsdp";
inline constexpr const char* kTablesFile = "etc/acpi/tables";
inline constexpr const char* kLoaderFile = "etc/table-loader";

// What firmware is to do with them: commands of 128 bytes each (QEMU's "linker-loader"): allocate
// the two files, add the second's address to each pointer, make the checksums.
std::vector<uint8_t> table_loader(const AcpiTables& tables);

} // namespace vireo

#endif // VIREO_BOOT_TABLE_LOADER_H
