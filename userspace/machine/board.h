// SPDX-License-Identifier: GPL-2.0-only
#ifndef VIREO_MACHINE_BOARD_H
#define VIREO_MACHINE_BOARD_H

#include <array>
#include <functional>
#include <memory>

#include "base/event_loop.h"
#include "boot/acpi.h"
#include "bus/bus.h"
#include "bus/pci_host.h"
#include "console/chardev.h"
#include "emulated/acpi_pm.h"
#include "emulated/cmos.h"
#include "emulated/reset.h"
#include "emulated/serial.h"
#include "memory/guest_memory.h"

namespace vireo {

// What every PC has besides CPUs and memory: the buses, the PCI host bridge, power management,
// clock, reset, serial ports. It is made, changed and reset by the control thread; what guests do
// comes by the buses.
class Board {
public:
    // Called on vCPU threads when the guest asks for it.
    struct Wires {
        std::function<void()> power_off;
        std::function<void()> reset;
    };

    Board(Platform& platform, Wires wires);

    Bus& ports() { return ports_; }
    Bus& memory() { return memory_; }
    PciHost& pci() { return pci_; }
    AcpiPm& power() { return power_; }

    // Port 0 to 3. The chardev's loop is `loop`.
    void add_serial(unsigned index, CharBackend& chardev, EventLoop& loop);
    void remove_serials();

    // As after power-on and firmware: BARs have addresses, the tables are in memory. Returns the
    // RSDP's address. No vCPU runs.
    uint64_t reset(const GuestMemory& memory, unsigned cpus, unsigned physical_address_bits);

private:
    Bus ports_;
    Bus memory_;
    InterruptLine acpi_line_;
    InterruptLine com1_line_; // and COM3's
    InterruptLine com2_line_; // and COM4's
    ResetControl reset_control_;
    I8042 i8042_;
    Cmos cmos_;
    AcpiPm power_;
    PciHost pci_;
    std::array<std::unique_ptr<Serial>, 4> serials_;
};

} // namespace vireo

#endif // VIREO_MACHINE_BOARD_H
