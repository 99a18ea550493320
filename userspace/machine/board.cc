// SPDX-License-Identifier: GPL-2.0-only
#include "machine/board.h"

#include <algorithm>

#include "boot/layout.h"

namespace vireo {

namespace {

// Above all RAM, in what the guest's CPUs can address.
PciWindow memory64_window(const GuestMemory& memory, unsigned physical_address_bits) {
    constexpr uint64_t kGib = 1 << 30;
    constexpr uint64_t kMost = 64 * kGib;
    uint64_t start = GuestMemory::kHoleEnd;
    for (const GuestMemory::Region& region : memory.regions()) {
        start = std::max(start, region.guest + region.size);
    }
    start = (start + kGib - 1) & ~(kGib - 1);
    const uint64_t end = uint64_t{1} << std::min(physical_address_bits, 52u);
    return {start, start < end ? std::min(kMost, end - start) : 0};
}

} // namespace

Board::Board(Platform& platform, const Wires& wires)
    : acpi_line_(platform, layout::kAcpiLine),
      com1_line_(platform, layout::kSerialLines[0]),
      com2_line_(platform, layout::kSerialLines[1]),
      reset_control_(wires.reset),
      i8042_(wires.reset),
      port92_(wires.reset),
      power_(acpi_line_, wires.power_off),
      pci_(ports_, memory_, platform, layout::kEcam, layout::kPciLines, reset_control_) {
    ports_.add(layout::kI8042Data, layout::kI8042Command - layout::kI8042Data + 1, i8042_);
    ports_.add(layout::kPort92, 1, port92_);
    ports_.add(layout::kCmosPorts, 2, cmos_);
    ports_.add(layout::kPmPorts, layout::kPmSize, power_);
}

void Board::add_serial(unsigned index, CharBackend& chardev, EventLoop& loop) {
    InterruptLine& line = index % 2 ? com2_line_ : com1_line_;
    serials_.at(index) = std::make_unique<Serial>(chardev, loop, line);
    ports_.add(layout::kSerialPorts[index], 8, *serials_[index]);
}

void Board::add_debug_port(CharBackend& chardev) {
    debug_port_ = std::make_unique<DebugPort>(chardev);
    ports_.add(layout::kDebugPort, 1, *debug_port_);
}

void Board::remove_chardevs() {
    for (unsigned i = 0; i < serials_.size(); i++) {
        if (serials_[i]) {
            ports_.remove(layout::kSerialPorts[i]);
            serials_[i].reset();
        }
    }
    if (debug_port_) {
        ports_.remove(layout::kDebugPort);
        debug_port_.reset();
    }
}

void Board::reset() {
    pci_.reset();
    power_.reset();
    i8042_.reset();
    cmos_.reset();
    for (const auto& serial : serials_) {
        if (serial) {
            serial->reset();
        }
    }
}

AcpiMachine Board::describe(const GuestMemory& memory, unsigned cpus,
                            unsigned physical_address_bits) const {
    AcpiMachine machine = {
        .cpus = cpus,
        .serials = {},
        .pci = {.ports = {layout::kPciPorts, layout::kPciPortsSize},
                .memory32 = {layout::kPciMemory32, layout::kPciMemory32Size},
                .memory64 = memory64_window(memory, physical_address_bits)},
    };
    for (unsigned i = 0; i < serials_.size(); i++) {
        machine.serials[i] = serials_[i] != nullptr;
    }
    return machine;
}

uint64_t Board::set_up(const GuestMemory& memory, const AcpiMachine& machine) {
    pci_.place_bars(machine.pci);
    return load_acpi(memory, machine);
}

void Board::tell(const FirmwareConfig& config) {
    tell_firmware(config, fw_cfg_, cmos_);
    if (!told_) {
        ports_.add(layout::kFwCfgPorts, 2, fw_cfg_);
        told_ = true;
    }
}

} // namespace vireo
