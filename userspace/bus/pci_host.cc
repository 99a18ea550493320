// SPDX-License-Identifier: GPL-2.0-only
#include "bus/pci_host.h"

#include <algorithm>
#include <bit>

#include "base/error.h"
#include "base/log.h"

namespace vireo {

namespace {

constexpr uint16_t kAddressPort = 0xcf8;
constexpr uint32_t kEnable = 1u << 31;

// A host bridge without further registers; the identity that virtual machines commonly have.
constexpr PciDevice::Identity kBridge = {
    .vendor = 0x1b36,
    .device = 0x0008,
    .subsystem_vendor = 0x1af4,
    .subsystem = 0x1100,
    .class_code = 0x060000,
    .revision = 0,
    .interrupt_pin = false,
};

constexpr uint32_t ones(unsigned size) {
    return ~uint32_t{0} >> (32 - 8 * size);
}

// Where a window is filled up to.
struct Filler {
    PciWindow window;
    uint64_t used = 0;

    // nullopt: it is full, or not there. `size` is a power of two.
    std::optional<uint64_t> take(uint64_t size) {
        const uint64_t place = (window.start + used + size - 1) & ~(size - 1);
        const uint64_t end = place - window.start + size;
        if (end > window.size || end < size) {
            return {};
        }
        used = end;
        return place;
    }
};

constexpr unsigned kFirstBar = 0x10;
constexpr unsigned kInterruptLine = 0x3c;

} // namespace

PciHost::PciHost(Bus& ports, Bus& memory, Platform& platform, uint64_t ecam, unsigned first_line,
                 BusDevice& reset)
    : ports_(ports),
      memory_(memory),
      ecam_address_(ecam),
      port_access_(*this, reset),
      memory_access_(*this) {
    for (unsigned i = 0; i < kLines; i++) {
        lines_[i] = std::make_unique<InterruptLine>(platform, first_line + i);
    }
    // Slots are handed out by reference.
    slots_.reserve(kSlots);
    for (unsigned i = 0; i < kSlots; i++) {
        slots_.push_back({.ports = ports,
                          .memory = memory,
                          .platform = platform,
                          .device = static_cast<uint8_t>(i),
                          .line = *lines_[line_of(i)]});
    }
    bridge_ = std::make_unique<PciDevice>(take_slot(), kBridge);
    add(*bridge_);
    ports_.add(kAddressPort, 8, port_access_);
    memory_.add(ecam_address_, kEcamSize, memory_access_);
}

PciHost::~PciHost() {
    ports_.remove(kAddressPort);
    memory_.remove(ecam_address_);
}

const PciSlot& PciHost::take_slot() {
    if (taken_ == kSlots) {
        throw_usage("there are more devices than the PCI bus has slots ({})", kSlots - 1);
    }
    return slots_[taken_++];
}

void PciHost::add(PciDevice& device) {
    const std::lock_guard lock(mutex_);
    devices_.at(device.slot()) = &device;
}

void PciHost::remove(const PciDevice& device) {
    const std::lock_guard lock(mutex_);
    devices_.at(device.slot()) = nullptr;
}

void PciHost::place_bars(const PciWindows& windows) {
    Filler ports{windows.ports};
    Filler memory32{windows.memory32};
    Filler memory64{windows.memory64};
    struct Wanted {
        PciDevice* device;
        unsigned index;
        PciDevice::Bar bar;
    };
    std::vector<Wanted> wanted;
    for (PciDevice* device : devices_) {
        for (unsigned i = 0; device && i < PciDevice::kBars; i++) {
            if (const auto bar = device->bar(i)) {
                wanted.push_back({device, i, *bar});
            }
        }
        if (device) {
            device->write_config(kInterruptLine, 1, device->gsi());
        }
    }
    // The largest first: then nothing is lost to alignment.
    std::ranges::stable_sort(wanted, std::greater{}, [](const Wanted& w) { return w.bar.size; });
    for (const Wanted& w : wanted) {
        std::optional<uint64_t> place;
        if (w.bar.kind == PciDevice::BarKind::kPorts) {
            place = ports.take(w.bar.size);
        } else {
            if (w.bar.kind == PciDevice::BarKind::kMemory64) {
                place = memory64.take(w.bar.size);
            }
            if (!place) {
                place = memory32.take(w.bar.size);
            }
        }
        if (!place) {
            say("PCI slot {:02x}: no room for BAR {} of {:#x} bytes; the guest may find some",
                w.device->slot(), w.index, w.bar.size);
            continue;
        }
        const unsigned offset = kFirstBar + 4 * w.index;
        w.device->write_config(offset, 4, static_cast<uint32_t>(*place));
        if (w.bar.kind == PciDevice::BarKind::kMemory64) {
            w.device->write_config(offset + 4, 4, static_cast<uint32_t>(*place >> 32));
        }
    }
}

void PciHost::reset() {
    for (PciDevice* device : devices_) {
        if (device) {
            device->reset();
        }
    }
    port_access_.clear();
}

// --- configuration space ---

PciDevice* PciHost::device(unsigned slot, unsigned function, unsigned offset, unsigned size) {
    if (function != 0 || offset + size > PciDevice::kConfigSize) {
        return nullptr;
    }
    const std::lock_guard lock(mutex_);
    return devices_[slot];
}

uint32_t PciHost::read_config(unsigned slot, unsigned function, unsigned offset, unsigned size) {
    PciDevice* found = device(slot, function, offset, size);
    return found ? found->read_config(offset, size) : ones(size);
}

void PciHost::write_config(unsigned slot, unsigned function, unsigned offset, unsigned size,
                           uint32_t value) {
    if (PciDevice* found = device(slot, function, offset, size)) {
        found->write_config(offset, size, value);
    }
}

uint64_t PciHost::Ports::read(uint64_t offset, unsigned size) {
    if (offset < 4) {
        if (offset == 1 && size == 1) {
            return reset_.read(0, 1);
        }
        // Accesses that are not 32 bits wide are not the register's.
        const std::lock_guard lock(mutex_);
        return offset == 0 && size == 4 ? address_ : ones(size);
    }
    uint32_t address;
    {
        const std::lock_guard lock(mutex_);
        address = address_;
    }
    const bool bus0 = (address >> 16 & 0xff) == 0;
    if (!(address & kEnable) || !bus0 || size > 4) {
        return ~uint64_t{0} >> (64 - 8 * size);
    }
    return host_.read_config(address >> 11 & 31, address >> 8 & 7,
                             (address & 0xfc) + static_cast<unsigned>(offset - 4), size);
}

void PciHost::Ports::write(uint64_t offset, unsigned size, uint64_t value) {
    if (offset < 4) {
        if (offset == 1 && size == 1) {
            reset_.write(0, 1, value);
        } else if (offset == 0 && size == 4) {
            const std::lock_guard lock(mutex_);
            address_ = static_cast<uint32_t>(value);
        }
        return;
    }
    uint32_t address;
    {
        const std::lock_guard lock(mutex_);
        address = address_;
    }
    if ((address & kEnable) && (address >> 16 & 0xff) == 0 && size <= 4) {
        host_.write_config(address >> 11 & 31, address >> 8 & 7,
                           (address & 0xfc) + static_cast<unsigned>(offset - 4), size,
                           static_cast<uint32_t>(value));
    }
}

void PciHost::Ports::clear() {
    const std::lock_guard lock(mutex_);
    address_ = 0;
}

uint64_t PciHost::Ecam::read(uint64_t offset, unsigned size) {
    const auto at = static_cast<unsigned>(offset);
    if (size > 4) {
        return ~uint64_t{0};
    }
    return host_.read_config(at >> 15 & 31, at >> 12 & 7, at & 0xfff, size);
}

void PciHost::Ecam::write(uint64_t offset, unsigned size, uint64_t value) {
    const auto at = static_cast<unsigned>(offset);
    if (size <= 4) {
        host_.write_config(at >> 15 & 31, at >> 12 & 7, at & 0xfff, size,
                           static_cast<uint32_t>(value));
    }
}

} // namespace vireo
