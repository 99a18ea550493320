// SPDX-License-Identifier: GPL-2.0-only
#ifndef VIREO_BUS_PCI_DEVICE_H
#define VIREO_BUS_PCI_DEVICE_H

#include <array>
#include <cstdint>
#include <mutex>
#include <optional>
#include <span>

#include "bus/bus.h"
#include "bus/platform.h"

namespace vireo {

// An interrupt line that functions share: it is up while any of them holds it up. Any thread.
class InterruptLine {
public:
    InterruptLine(Platform& platform, unsigned gsi) : platform_(platform), gsi_(gsi) {}

    unsigned gsi() const { return gsi_; }
    void raise() noexcept;
    void lower() noexcept; // for each raise() one

private:
    Platform& platform_;
    const unsigned gsi_;
    std::mutex mutex_;
    unsigned raised_ = 0;
};

// Where a PCI function stands: its buses, its interrupt line, the hypervisor.
struct PciSlot {
    Bus& ports;
    Bus& memory;
    Platform& platform;
    uint8_t device;      // 0 to 31, on bus 0
    InterruptLine& line; // INTA#
};

// A PCI function: its configuration header (PCI Local Bus 3.0, chapter 6), BARs that the guest
// moves, capabilities. A device is a subclass, or owns one.
class PciDevice {
public:
    static constexpr unsigned kConfigSize = 256;
    static constexpr unsigned kBars = 6;

    struct Identity {
        uint16_t vendor, device;
        uint16_t subsystem_vendor, subsystem;
        uint32_t class_code; // 24 bits
        uint8_t revision;
        bool interrupt_pin; // INTA#
    };

    enum class BarKind { kPorts, kMemory32, kMemory64 };

    struct Bar {
        BarKind kind;
        uint64_t size; // a power of two
    };

    PciDevice(const PciSlot& slot, const Identity& identity);
    // BARs are off the buses before what answers there is gone: a subclass calls unmap().
    virtual ~PciDevice();

    PciDevice(const PciDevice&) = delete;
    PciDevice& operator=(const PciDevice&) = delete;

    // Access to the configuration space by the guest; size 1, 2 or 4, inside the 256 bytes. On a
    // vCPU's thread.
    uint32_t read_config(unsigned offset, unsigned size);
    void write_config(unsigned offset, unsigned size, uint32_t value);

    // As after power-on or RST#: BARs unmapped, command register 0.
    virtual void reset();

    uint8_t slot() const { return slot_.device; }
    unsigned gsi() const { return slot_.line.gsi(); }
    // A BAR as it was built; a 64-bit one has the index of its lower half. For whoever places them,
    // by write_config().
    std::optional<Bar> bar(unsigned index) const;

protected:
    // What follows is for the subclass's constructor. Throws std::logic_error if it cannot be.
    void add_bar(unsigned index, BarKind kind, uint64_t size, BusDevice& answers);
    // A capability: what follows its ID and next pointer. `writable` says which bits the guest may
    // change. Its offset.
    unsigned add_capability(uint8_t id, std::span<const uint8_t> body,
                            std::span<const uint8_t> writable = {});

    // Registers of its own, behind the header: what they are at first, and which bits the guest may
    // change.
    void define(unsigned offset, std::span<const uint8_t> bytes, std::span<const uint8_t> writable);

    // Off the buses, for good.
    void unmap();

    // INTx, level: Interrupt Status follows, and the line unless Interrupt Disable is set. Any
    // thread; it takes no lock but its own.
    void set_interrupt(bool level) noexcept;

    // Hooks, with the configuration's lock held, on the thread of the access.
    //
    // A BAR is answered at this address now; nullopt: nowhere.
    virtual void bar_moved(unsigned index, std::optional<uint64_t> address);
    // The guest is about to read here: the last moment to put a value there.
    virtual void before_read(unsigned offset, unsigned size);
    // The guest has written here.
    virtual void after_write(unsigned offset, unsigned size);
    // The bytes themselves, for hooks and constructors.
    std::span<uint8_t, kConfigSize> bytes() { return config_; }

    const PciSlot slot_;

private:
    struct Place {
        std::optional<Bar> bar;
        BusDevice* answers = nullptr;
        std::optional<uint64_t> mapped; // where the bus has it
    };

    bool overlaps(unsigned offset, unsigned size, unsigned from, unsigned bytes) const;
    std::optional<uint64_t> decoded(unsigned index) const;
    void map_bars();
    void map_bar(unsigned index, std::optional<uint64_t> address);
    void update_line() noexcept;

    std::mutex mutex_; // of what follows, to the next mutex
    std::array<uint8_t, kConfigSize> config_{};
    std::array<uint8_t, kConfigSize> initial_{};
    std::array<uint8_t, kConfigSize> writable_{};
    std::array<Place, kBars> places_;
    bool gone_ = false;
    // Construction alone.
    unsigned capabilities_end_;
    unsigned last_next_;

    std::mutex line_mutex_; // a leaf
    bool interrupt_ = false;
    bool interrupt_disabled_ = false;
    bool raised_ = false;
};

} // namespace vireo

#endif // VIREO_BUS_PCI_DEVICE_H
