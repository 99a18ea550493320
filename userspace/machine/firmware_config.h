// SPDX-License-Identifier: GPL-2.0-only
#ifndef VIREO_MACHINE_FIRMWARE_CONFIG_H
#define VIREO_MACHINE_FIRMWARE_CONFIG_H

#include <string>
#include <vector>

#include "boot/acpi.h"
#include "emulated/cmos.h"
#include "emulated/fw_cfg.h"
#include "memory/guest_memory.h"

namespace vireo {

// What firmware is told of its machine.
struct FirmwareConfig {
    const GuestMemory& memory;
    const AcpiMachine& machine;
    // Open Firmware's paths of what to boot from, the first first.
    const std::vector<std::string>& boot_order;
};

// The same by both ways that there are: the CMOS's memory as on a PC, and fw_cfg.
void tell_firmware(const FirmwareConfig& config, FwCfg& fw_cfg, Cmos& cmos);

} // namespace vireo

#endif // VIREO_MACHINE_FIRMWARE_CONFIG_H
