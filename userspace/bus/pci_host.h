// SPDX-License-Identifier: GPL-2.0-only
#ifndef VIREO_BUS_PCI_HOST_H
#define VIREO_BUS_PCI_HOST_H

#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "bus/bus.h"
#include "bus/pci_device.h"
#include "bus/platform.h"

namespace vireo {

// Addresses that devices may have, as the firmware's tables tell the guest.
struct PciWindow {
    uint64_t start;
    uint64_t size; // 0: there is no such window
};

struct PciWindows {
    PciWindow ports;
    PciWindow memory32;
    PciWindow memory64;
};

// The PCI host bridge, and the configuration space of its one bus by both ways: ports 0xcf8 and
// 0xcfc (PCI Local Bus 3.0, 3.2.2.3.2), and memory (PCI Express 4.0, 7.2.2). It is function 0 of
// device 0. Slots are given out while the machine is built; accesses come on vCPU threads.
class PciHost {
public:
    static constexpr unsigned kSlots = 32;
    static constexpr uint64_t kEcamSize = 1 << 20; // of a bus
    // The interrupt lines that slots share: INTA# of slot n is line n % kLines.
    static constexpr unsigned kLines = 8;

    // `first_line`: the global system interrupt of the first of kLines. Port 0xcf9 lies inside of
    // the address register's and is another's: `reset` answers bytes there.
    PciHost(Bus& ports, Bus& memory, Platform& platform, uint64_t ecam, unsigned first_line,
            BusDevice& reset);
    ~PciHost();

    PciHost(const PciHost&) = delete;
    PciHost& operator=(const PciHost&) = delete;

    // The next slot for a device. Throws UsageError when all are taken.
    const PciSlot& take_slot();
    // Let the device of that slot be found. It outlives this, or is removed.
    void add(PciDevice& device);
    void remove(const PciDevice& device);

    // Give each BAR an address, as firmware does. The devices are at rest.
    void place_bars(const PciWindows& windows);
    // As after power-on, devices included.
    void reset();

    static unsigned line_of(unsigned slot) { return slot % kLines; }

private:
    // The registers at 0xcf8.
    class Ports final : public BusDevice {
    public:
        Ports(PciHost& host, BusDevice& reset) : host_(host), reset_(reset) {}
        uint64_t read(uint64_t offset, unsigned size) override;
        void write(uint64_t offset, unsigned size, uint64_t value) override;
        void clear();

    private:
        PciHost& host_;
        BusDevice& reset_;
        std::mutex mutex_;
        uint32_t address_ = 0;
    };

    class Ecam final : public BusDevice {
    public:
        explicit Ecam(PciHost& host) : host_(host) {}
        uint64_t read(uint64_t offset, unsigned size) override;
        void write(uint64_t offset, unsigned size, uint64_t value) override;

    private:
        PciHost& host_;
    };

    uint32_t read_config(unsigned slot, unsigned function, unsigned offset, unsigned size);
    void write_config(unsigned slot, unsigned function, unsigned offset, unsigned size,
                      uint32_t value);
    PciDevice* device(unsigned slot, unsigned function, unsigned offset, unsigned size);

    Bus& ports_;
    Bus& memory_;
    const uint64_t ecam_address_;
    std::array<std::unique_ptr<InterruptLine>, kLines> lines_;
    std::vector<PciSlot> slots_;
    unsigned taken_ = 0;
    std::mutex mutex_; // of what follows
    std::array<PciDevice*, kSlots> devices_{};
    std::unique_ptr<PciDevice> bridge_;
    Ports port_access_;
    Ecam memory_access_;
};

} // namespace vireo

#endif // VIREO_BUS_PCI_HOST_H
