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
#include "emulated/debug_port.h"
#include "emulated/fw_cfg.h"
#include "emulated/i8042.h"
#include "emulated/reset.h"
#include "emulated/serial.h"
#include "machine/firmware_config.h"
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

    Board(Platform& platform, const Wires& wires);

    Bus& ports() { return ports_; }
    Bus& memory() { return memory_; }
    PciHost& pci() { return pci_; }
    AcpiPm& power() { return power_; }

    // Port 0x402, where firmware tells what it does.
    void add_debug_port(CharBackend& chardev);
    // Port 0 to 3. The chardev's loop is `loop`.
    void add_serial(unsigned index, CharBackend& chardev, EventLoop& loop);
    void remove_chardevs(); // these, and the one before

    // What follows: no vCPU runs.

    // As after power-on.
    void reset();
    // What there is, for the tables.
    AcpiMachine describe(const GuestMemory& memory, unsigned cpus,
                         unsigned physical_address_bits) const;
    // Do what firmware would do: BARs have addresses, the tables are in memory. Returns the RSDP's
    // address.
    uint64_t set_up(const GuestMemory& memory, const AcpiMachine& machine);
    // Or tell it.
    void tell(const FirmwareConfig& config);

private:
    Bus ports_;
    Bus memory_;
    InterruptLine acpi_line_;
    InterruptLine com1_line_; // and COM3's
    InterruptLine com2_line_; // and COM4's
    ResetControl reset_control_;
    I8042 i8042_;
    Port92 port92_;
    Cmos cmos_;
    FwCfg fw_cfg_;
    bool told_ = false; // fw_cfg_ is on the bus
    AcpiPm power_;
    PciHost pci_;
    std::array<std::unique_ptr<Serial>, 4> serials_;
    std::unique_ptr<DebugPort> debug_port_;
};

} // namespace vireo

#endif // VIREO_MACHINE_BOARD_H
