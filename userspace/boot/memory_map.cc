// SPDX-License-Identifier: GPL-2.0-only
#include "boot/memory_map.h"

#include <algorithm>

#include "boot/layout.h"
#include "bus/pci_host.h"

namespace vireo {

std::vector<MemoryMapEntry> memory_map(const GuestMemory& memory) {
    using enum MemoryMapEntry::Type;
    std::vector<MemoryMapEntry> map;
    for (const GuestMemory::Region& region : memory.regions()) {
        const uint64_t end = region.guest + region.size;
        if (region.guest == 0) {
            map.push_back({0, std::min(end, layout::kLowEnd), kRam});
            map.push_back({layout::kLowEnd, layout::kHighStart - layout::kLowEnd, kReserved});
            if (end > layout::kHighStart) {
                map.push_back({layout::kHighStart, end - layout::kHighStart, kRam});
            }
            // Kernels use this way to the configuration space only where it is reserved.
            map.push_back({layout::kEcam, PciHost::kEcamSize, kReserved});
        } else {
            map.push_back({region.guest, region.size, kRam});
        }
    }
    return map;
}

} // namespace vireo
