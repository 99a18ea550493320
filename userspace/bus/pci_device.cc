// SPDX-License-Identifier: GPL-2.0-only
// Where bytes of the configuration header are: PCI Local Bus 3.0, figure 6-1.
#include "bus/pci_device.h"

#include <linux/pci_regs.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <stdexcept>

namespace vireo {

namespace {

constexpr unsigned kBarBytes = 4;

uint32_t load(std::span<const uint8_t> from, unsigned size) {
    uint32_t value = 0;
    for (unsigned i = 0; i < size; i++) {
        value |= uint32_t{from[i]} << (8 * i);
    }
    return value;
}

void store(std::span<uint8_t> to, unsigned size, uint64_t value) {
    for (unsigned i = 0; i < size; i++) {
        to[i] = static_cast<uint8_t>(value >> (8 * i));
    }
}

} // namespace

void InterruptLine::raise() noexcept {
    const std::lock_guard lock(mutex_);
    if (raised_++ == 0) {
        platform_.set_line(gsi_, true);
    }
}

void InterruptLine::lower() noexcept {
    const std::lock_guard lock(mutex_);
    if (--raised_ == 0) {
        platform_.set_line(gsi_, false);
    }
}

PciDevice::PciDevice(const PciSlot& slot, const Identity& identity)
    : slot_(slot), capabilities_end_(PCI_STD_HEADER_SIZEOF), last_next_(PCI_CAPABILITY_LIST) {
    const auto put = [this](unsigned offset, unsigned size, uint32_t value) {
        store(std::span(config_).subspan(offset), size, value);
    };
    put(PCI_VENDOR_ID, 2, identity.vendor);
    put(PCI_DEVICE_ID, 2, identity.device);
    put(PCI_REVISION_ID, 1, identity.revision);
    put(PCI_CLASS_PROG, 3, identity.class_code);
    put(PCI_SUBSYSTEM_VENDOR_ID, 2, identity.subsystem_vendor);
    put(PCI_SUBSYSTEM_ID, 2, identity.subsystem);
    put(PCI_INTERRUPT_PIN, 1, identity.interrupt_pin ? 1 : 0);

    const auto allow = [this](unsigned offset, unsigned size, uint32_t bits) {
        store(std::span(writable_).subspan(offset), size, bits);
    };
    allow(PCI_COMMAND, 2,
          PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_INTX_DISABLE);
    allow(PCI_CACHE_LINE_SIZE, 1, 0xff);
    allow(PCI_INTERRUPT_LINE, 1, 0xff);
    initial_ = config_;
}

PciDevice::~PciDevice() {
    unmap();
    set_interrupt(false);
}

void PciDevice::add_bar(unsigned index, BarKind kind, uint64_t size, BusDevice& answers) {
    const bool wide = kind == BarKind::kMemory64;
    const uint64_t least = kind == BarKind::kPorts ? 4 : 16; // 6.2.5.1
    const uint64_t most = kind == BarKind::kPorts ? 256 : uint64_t{1} << (wide ? 62 : 31);
    if (index + (wide ? 1 : 0) >= kBars || places_[index].bar || !std::has_single_bit(size) ||
        size < least || size > most) {
        throw std::logic_error("a BAR that PCI does not have");
    }
    places_[index] = {.bar = Bar{kind, size}, .answers = &answers, .mapped = {}};
    const unsigned offset = PCI_BASE_ADDRESS_0 + index * kBarBytes;
    const uint32_t flags = kind == BarKind::kPorts ? PCI_BASE_ADDRESS_SPACE_IO
                           : wide                  ? PCI_BASE_ADDRESS_MEM_TYPE_64
                                                   : PCI_BASE_ADDRESS_MEM_TYPE_32;
    store(std::span(config_).subspan(offset), kBarBytes, flags);
    // 6.2.5.1: bits below the size read as 0 whatever is written; that is how it is found.
    store(std::span(writable_).subspan(offset), wide ? 2 * kBarBytes : kBarBytes, ~(size - 1));
    initial_ = config_;
}

unsigned PciDevice::add_capability(uint8_t id, std::span<const uint8_t> body,
                                   std::span<const uint8_t> writable) {
    const unsigned offset = capabilities_end_;
    const size_t end = offset + PCI_CAP_SIZEOF / 2 + body.size();
    if (end > kConfigSize || (!writable.empty() && writable.size() != body.size())) {
        throw std::logic_error("a PCI capability without room");
    }
    config_[PCI_STATUS] |= PCI_STATUS_CAP_LIST;
    config_[last_next_] = static_cast<uint8_t>(offset);
    config_[offset + PCI_CAP_LIST_ID] = id;
    last_next_ = offset + PCI_CAP_LIST_NEXT;
    std::ranges::copy(body, config_.begin() + offset + PCI_CAP_FLAGS);
    std::ranges::copy(writable, writable_.begin() + offset + PCI_CAP_FLAGS);
    capabilities_end_ = static_cast<unsigned>((end + 3) & ~size_t{3});
    initial_ = config_;
    return offset;
}

void PciDevice::define(unsigned offset, std::span<const uint8_t> bytes,
                       std::span<const uint8_t> writable) {
    if (offset < PCI_STD_HEADER_SIZEOF || offset + bytes.size() > kConfigSize ||
        writable.size() != bytes.size()) {
        throw std::logic_error("registers that a PCI function has no room for");
    }
    std::ranges::copy(bytes, config_.begin() + offset);
    std::ranges::copy(writable, writable_.begin() + offset);
    // Capabilities come behind.
    capabilities_end_ = std::max(capabilities_end_,
                                 static_cast<unsigned>((offset + bytes.size() + 3) & ~size_t{3}));
    initial_ = config_;
}

std::optional<PciDevice::Bar> PciDevice::bar(unsigned index) const {
    return index < kBars ? places_[index].bar : std::nullopt;
}

bool PciDevice::overlaps(unsigned offset, unsigned size, unsigned from, unsigned bytes) const {
    return offset < from + bytes && from < offset + size;
}

uint32_t PciDevice::read_config(unsigned offset, unsigned size) {
    const std::lock_guard lock(mutex_);
    before_read(offset, size);
    uint32_t value = load(std::span(config_).subspan(offset), size);
    if (overlaps(offset, size, PCI_STATUS, 1)) {
        const std::lock_guard line(line_mutex_);
        if (interrupt_) {
            value |= uint32_t{PCI_STATUS_INTERRUPT} << (8 * (PCI_STATUS - offset));
        }
    }
    return value;
}

void PciDevice::write_config(unsigned offset, unsigned size, uint32_t value) {
    const std::lock_guard lock(mutex_);
    for (unsigned i = 0; i < size; i++) {
        const uint8_t bits = writable_[offset + i];
        uint8_t& byte = config_[offset + i];
        byte = static_cast<uint8_t>((byte & ~bits) | (value >> (8 * i) & bits));
    }
    if (overlaps(offset, size, PCI_COMMAND, 2)) {
        {
            const std::lock_guard line(line_mutex_);
            interrupt_disabled_ = config_[PCI_COMMAND + 1] & PCI_COMMAND_INTX_DISABLE >> 8;
        }
        update_line();
        map_bars();
    } else if (overlaps(offset, size, PCI_BASE_ADDRESS_0, kBars * kBarBytes)) {
        map_bars();
    }
    after_write(offset, size);
}

void PciDevice::reset() {
    const std::lock_guard lock(mutex_);
    config_ = initial_;
    map_bars();
    {
        const std::lock_guard line(line_mutex_);
        interrupt_ = false;
        interrupt_disabled_ = false;
    }
    update_line();
}

void PciDevice::unmap() {
    const std::lock_guard lock(mutex_);
    gone_ = true;
    map_bars();
}

// Where the guest wants a BAR to be answered.
std::optional<uint64_t> PciDevice::decoded(unsigned index) const {
    const Bar& bar = *places_[index].bar;
    const unsigned offset = PCI_BASE_ADDRESS_0 + index * kBarBytes;
    const bool ports = bar.kind == BarKind::kPorts;
    if (gone_ || !(config_[PCI_COMMAND] & (ports ? PCI_COMMAND_IO : PCI_COMMAND_MEMORY))) {
        return {};
    }
    uint64_t address = load(std::span(config_).subspan(offset), 4);
    if (bar.kind == BarKind::kMemory64) {
        address |= uint64_t{load(std::span(config_).subspan(offset + 4), 4)} << 32;
    }
    address &= ~(bar.size - 1);
    const uint64_t last = address + (bar.size - 1);
    // At 0 it has not been placed yet. Ports are 16 bits wide, and what has all address bits set is
    // being sized.
    if (!address || last < address || (ports && last > 0xffff) ||
        (bar.kind != BarKind::kMemory64 && last >= 0xffff'ffff) || last == ~uint64_t{0}) {
        return {};
    }
    return address;
}

// All are unmapped before any is mapped: BARs may change places with each other.
void PciDevice::map_bars() {
    for (unsigned i = 0; i < kBars; i++) {
        if (places_[i].bar && places_[i].mapped && places_[i].mapped != decoded(i)) {
            map_bar(i, std::nullopt);
        }
    }
    for (unsigned i = 0; i < kBars; i++) {
        if (places_[i].bar && !places_[i].mapped) {
            map_bar(i, decoded(i));
        }
    }
}

void PciDevice::map_bar(unsigned index, std::optional<uint64_t> address) {
    Place& place = places_[index];
    Bus& bus = place.bar->kind == BarKind::kPorts ? slot_.ports : slot_.memory;
    if (place.mapped) {
        // Doorbells first: they belong to the place.
        bar_moved(index, std::nullopt);
        bus.remove(*place.mapped);
        place.mapped.reset();
    }
    // Where somebody else answers the guest has made a mistake, and nobody is added.
    if (address && bus.try_add(*address, place.bar->size, *place.answers)) {
        place.mapped = address;
        bar_moved(index, address);
    }
}

void PciDevice::set_interrupt(bool level) noexcept {
    {
        const std::lock_guard line(line_mutex_);
        interrupt_ = level;
    }
    update_line();
}

void PciDevice::update_line() noexcept {
    const std::lock_guard line(line_mutex_);
    const bool up = interrupt_ && !interrupt_disabled_;
    if (up != raised_) {
        raised_ = up;
        up ? slot_.line.raise() : slot_.line.lower();
    }
}

void PciDevice::bar_moved(unsigned, std::optional<uint64_t>) {}
void PciDevice::before_read(unsigned, unsigned) {}
void PciDevice::after_write(unsigned, unsigned) {}

} // namespace vireo
