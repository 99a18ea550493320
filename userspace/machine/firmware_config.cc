// SPDX-License-Identifier: GPL-2.0-only
#include "machine/firmware_config.h"

#include <algorithm>

#include "boot/layout.h"
#include "boot/memory_map.h"
#include "boot/table_loader.h"
#include "bus/pci_host.h"

namespace vireo {

namespace {

constexpr uint64_t kKib = 1 << 10, kMib = 1 << 20;

// Registers of the CMOS's memory in which a PC keeps the size of its own, low byte first.
enum CmosPlace : uint8_t {
    kBaseKib = 0x15,      // 2 bytes: below 1 MiB
    kExtendedKib = 0x17,  // 2 bytes: from 1 MiB on, as far as it can be said
    kExtendedKib2 = 0x30, // the same
    kAbove16Mib = 0x34,   // 2 bytes, in 64 KiB: from 16 MiB to 4 GiB
    kAbove4Gib = 0x5b,    // 3 bytes, in 64 KiB
    kMoreCpus = 0x5f,     // besides the first
};

void tell_cmos(const GuestMemory& memory, unsigned cpus, Cmos& cmos) {
    const auto put = [&cmos](uint8_t at, uint64_t value, unsigned size) {
        for (unsigned i = 0; i < size; i++) {
            cmos.set_memory(static_cast<uint8_t>(at + i), static_cast<uint8_t>(value >> (8 * i)));
        }
    };
    const auto beyond = [](uint64_t size, uint64_t start, uint64_t unit, uint64_t most) {
        return std::min(size > start ? (size - start) / unit : 0, most);
    };
    const uint64_t low = std::min(memory.size(), GuestMemory::kHoleStart);
    put(kBaseKib, 640, 2);
    put(kExtendedKib, beyond(low, kMib, kKib, 0xffff), 2);
    put(kExtendedKib2, beyond(low, kMib, kKib, 0xffff), 2);
    put(kAbove16Mib, beyond(low, 16 * kMib, 64 * kKib, 0xffff), 2);
    put(kAbove4Gib, (memory.size() - low) / (64 * kKib), 3);
    put(kMoreCpus, cpus - 1, 1);
}

// Where there is RAM, and what firmware may give to nobody. Holes below 1 MiB are its own affair.
FwCfg::Bytes memory_map_file(const GuestMemory& memory) {
    FwCfg::Bytes file;
    const auto entry = [&file](uint64_t start, uint64_t size, MemoryMapEntry::Type type) {
        for (const auto& field : {fw_cfg_number(start, 8), fw_cfg_number(size, 8),
                                  fw_cfg_number(static_cast<uint32_t>(type), 4)}) {
            file.insert(file.end(), field.begin(), field.end());
        }
    };
    for (const GuestMemory::Region& region : memory.regions()) {
        entry(region.guest, region.size, MemoryMapEntry::Type::kRam);
    }
    entry(layout::kEcam, PciHost::kEcamSize, MemoryMapEntry::Type::kReserved);
    return file;
}

} // namespace

void tell_firmware(const FirmwareConfig& config, FwCfg& fw_cfg, Cmos& cmos) {
    const unsigned cpus = config.machine.cpus;
    tell_cmos(config.memory, cpus, cmos);
    fw_cfg.clear();
    fw_cfg.set(FwCfg::kCpus, fw_cfg_number(cpus, 2));
    fw_cfg.set(FwCfg::kMaxCpus, fw_cfg_number(cpus, 2));
    fw_cfg.set(FwCfg::kTimerOverride, fw_cfg_number(1, 1)); // as the MADT has it

    AcpiTables tables = build_acpi(config.machine);
    fw_cfg.add_file(kLoaderFile, table_loader(tables));
    fw_cfg.add_file(kRsdpFile, std::move(tables.rsdp));
    fw_cfg.add_file(kTablesFile, std::move(tables.tables));
    fw_cfg.add_file("etc/e820", memory_map_file(config.memory));
    // There is no screen: what would be on it goes to the first serial port.
    if (config.machine.serials[0]) {
        fw_cfg.add_file("etc/sercon-port", fw_cfg_number(layout::kSerialPorts[0], 2));
    }
    std::string order;
    for (const std::string& path : config.boot_order) {
        order += path + '\n';
    }
    if (!order.empty()) {
        order.back() = '\0';
        fw_cfg.add_file("bootorder", {order.begin(), order.end()});
    }
}

} // namespace vireo
