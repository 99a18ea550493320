// SPDX-License-Identifier: GPL-2.0-only
#ifndef VIREO_BOOT_MEMORY_MAP_H
#define VIREO_BOOT_MEMORY_MAP_H

#include <cstdint>
#include <vector>

#include "memory/guest_memory.h"

namespace vireo {

// A piece of the map that firmware gives to a kernel (ACPI 6.4, 15: "E820").
struct MemoryMapEntry {
    enum class Type : uint32_t { kRam = 1, kReserved = 2 };
    uint64_t start, size;
    Type type;
};

std::vector<MemoryMapEntry> memory_map(const GuestMemory& memory);

} // namespace vireo

#endif // VIREO_BOOT_MEMORY_MAP_H
