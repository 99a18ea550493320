// SPDX-License-Identifier: GPL-2.0-only
// Where things are in a guest's physical addresses and ports, besides RAM.
#ifndef VIREO_BOOT_LAYOUT_H
#define VIREO_BOOT_LAYOUT_H

#include <cstdint>

namespace vireo::layout {

// Below 1 MiB, all RAM: what a kernel is entered with, then what it finds by looking.
constexpr uint64_t kGdt = 0x500;
constexpr uint64_t kStartInfo = 0x6000;  // PVH, or:
constexpr uint64_t kZeroPage = 0x7000;   // the Linux boot protocol's
constexpr uint64_t kPageTables = 0x9000; // 6 pages: the first 4 GiB
constexpr uint64_t kCommandLine = 0x20000;
constexpr uint64_t kCommandLineSize = 0x10000; // at most, its 0 included
constexpr uint64_t kLowEnd = 0x9fc00;          // where a PC's extended BIOS data begins
constexpr uint64_t kAcpi = 0xe0000;            // the RSDP is searched for from here on
constexpr uint64_t kAcpiEnd = 0x100000;
constexpr uint64_t kHighStart = 0x100000;

// The hole for devices, from GuestMemory::kHoleStart on.
constexpr uint64_t kPciMemory32 = 0xc000'0000;
constexpr uint64_t kPciMemory32Size = 0x2000'0000;
constexpr uint64_t kEcam = 0xe000'0000;
constexpr uint64_t kIoApic = 0xfec0'0000;
constexpr uint64_t kLocalApic = 0xfee0'0000;

constexpr uint16_t kCmosPorts = 0x70;
constexpr uint16_t kPort92 = 0x92;
constexpr uint16_t kDebugPort = 0x402;
constexpr uint16_t kFwCfgPorts = 0x510;
constexpr uint16_t kI8042Data = 0x60;
constexpr uint16_t kI8042Command = 0x64;
constexpr uint16_t kSerialPorts[4] = {0x3f8, 0x2f8, 0x3e8, 0x2e8};
constexpr unsigned kSerialLines[4] = {4, 3, 4, 3};
// ACPI power management (ACPI 6.4, 4.8.3): event block, control block.
constexpr uint16_t kPmPorts = 0x600;
constexpr uint16_t kPmEventSize = 4; // status, enable
constexpr uint16_t kPmControl = 4;   // from kPmPorts
constexpr uint16_t kPmControlSize = 2;
constexpr uint16_t kPmSize = 8;
constexpr unsigned kPmSleepOff = 5; // the sleep type that is off
constexpr uint16_t kResetPort = 0xcf9;
constexpr uint16_t kPciPorts = 0xc000; // for BARs
constexpr uint16_t kPciPortsSize = 0x4000;

constexpr unsigned kCmosLine = 8;
constexpr unsigned kAcpiLine = 9;
constexpr unsigned kPciLines = 16; // the first of eight

} // namespace vireo::layout

#endif // VIREO_BOOT_LAYOUT_H
