// SPDX-License-Identifier: GPL-2.0-only
// Tables, fields and bits: ACPI 6.4, chapter 5; power management registers: chapter 4.
#include "boot/acpi.h"

#include <cstddef>
#include <cstring>
#include <iterator>
#include <numeric>
#include <span>
#include <string_view>

#include "base/error.h"
#include "boot/layout.h"

namespace vireo {

namespace {

using aml::Bytes;

constexpr unsigned kHeaderSize = 36;
constexpr unsigned kHeaderChecksum = 9;
constexpr unsigned kFadtDsdt = 40, kFadtXDsdt = 140; // 4 and 8 bytes
constexpr uint64_t kAboveEcam = layout::kEcam + PciHost::kEcamSize;

class Table {
public:
    Table(std::string_view signature, uint8_t revision) {
        text(signature);
        value(0, 4); // length
        value(revision, 1);
        value(0, 1); // checksum
        text("VIREO ");
        text("VIREO   ");
        value(1, 4);
        text("VIRE");
        value(1, 4);
    }

    void text(std::string_view t) { bytes_.insert(bytes_.end(), t.begin(), t.end()); }
    void value(uint64_t v, unsigned size) {
        for (unsigned i = 0; i < size; i++) {
            bytes_.push_back(static_cast<uint8_t>(v >> (8 * i)));
        }
    }
    void append(const Bytes& more) { bytes_.insert(bytes_.end(), more.begin(), more.end()); }
    void set(unsigned offset, uint64_t v, unsigned size) {
        for (unsigned i = 0; i < size; i++) {
            bytes_.at(offset + i) = static_cast<uint8_t>(v >> (8 * i));
        }
    }
    void grow(unsigned size) { bytes_.resize(size); }

    // The checksum is made when it is known where the table is.
    Bytes finish() {
        set(4, bytes_.size(), 4);
        return std::move(bytes_);
    }

private:
    Bytes bytes_;
};

// 5.2.8
Bytes fadt(uint64_t dsdt) {
    constexpr uint8_t kPorts = 1;      // address space of a register
    constexpr uint8_t kByteAccess = 1; // its width
    constexpr unsigned kSize = 276;
    Table t("FACP", 6);
    t.grow(kSize);
    t.set(kFadtDsdt, dsdt, 4);
    t.set(45, 4, 1); // preferred profile: enterprise server
    t.set(46, layout::kAcpiLine, 2);
    // No way into ACPI mode and out of it (SMI_CMD is 0): it is always on.
    t.set(56, layout::kPmPorts, 4);
    t.set(64, layout::kPmPorts + layout::kPmControl, 4);
    t.set(88, layout::kPmEventSize, 1);
    t.set(89, layout::kPmControlSize, 1);
    t.set(96, 0xffff, 2); // C2 and C3: not there
    t.set(98, 0xffff, 2);
    t.set(108, 0, 1); // no century in the CMOS
    // Architecture: there are devices on ISA; no keyboard controller to speak to (it resets, that
    // is all), no VGA, no ASPM.
    t.set(109, 1 << 0 | 1 << 2 | 1 << 4, 2);
    // WBINVD works; CPUs have C1; no sleep button; no wake-up by the clock; the reset register.
    t.set(112, 1 << 0 | 1 << 2 | 1 << 5 | 1 << 6 | 1 << 10, 4);
    t.set(116, kPorts, 1);
    t.set(117, 8, 1);
    t.set(119, kByteAccess, 1);
    t.set(120, layout::kResetPort, 8);
    t.set(128, 0x06, 1); // what it is to be told: reset of the whole machine
    t.set(131, 5, 1);    // minor version
    t.set(kFadtXDsdt, dsdt, 8);
    const auto register_block = [&t](unsigned offset, unsigned size, uint64_t port) {
        t.set(offset, kPorts, 1);
        t.set(offset + 1, 8 * size, 1);
        t.set(offset + 3, 2, 1); // 16-bit accesses
        t.set(offset + 4, port, 8);
    };
    register_block(148, layout::kPmEventSize, layout::kPmPorts);
    register_block(172, layout::kPmControlSize, layout::kPmPorts + layout::kPmControl);
    return t.finish();
}

// 5.2.12
Bytes madt(unsigned cpus) {
    enum { kLocalApic = 0, kIoApic = 1, kOverride = 2, kLocalApicNmi = 4 };
    Table t("APIC", 5);
    t.value(layout::kLocalApic, 4);
    t.value(1, 4); // there are 8259s too
    for (unsigned id = 0; id < cpus; id++) {
        t.append({kLocalApic, 8, static_cast<uint8_t>(id), static_cast<uint8_t>(id)});
        t.value(1, 4); // enabled
    }
    t.append({kIoApic, 12, 0, 0});
    t.value(layout::kIoApic, 4);
    t.value(0, 4); // the first of its interrupts
    const auto override = [&t](uint8_t irq, uint32_t gsi, uint16_t flags) {
        t.append({kOverride, 10, 0, irq});
        t.value(gsi, 4);
        t.value(flags, 2);
    };
    override(0, 2, 0);                                      // the timer; see Vm::update_routes()
    override(layout::kAcpiLine, layout::kAcpiLine, 0x000d); // level, active high
    t.append({kLocalApicNmi, 6, 0xff, 0, 0, 1});            // all CPUs, LINT1
    return t.finish();
}

// PCI Firmware 3.3, 4.1.2
Bytes mcfg() {
    Table t("MCFG", 1);
    t.value(0, 8);
    t.value(layout::kEcam, 8);
    t.value(0, 2);    // segment
    t.append({0, 0}); // first and last bus
    t.value(0, 4);
    return t.finish();
}

Bytes pci_routing() {
    std::vector<Bytes> routes;
    for (unsigned slot = 1; slot < PciHost::kSlots; slot++) {
        // All functions of the slot, INTA#, a global system interrupt.
        routes.push_back(
            aml::package({aml::integer(slot << 16 | 0xffff), aml::integer(0), aml::integer(0),
                          aml::integer(layout::kPciLines + PciHost::line_of(slot))}));
    }
    return aml::package(routes);
}

Bytes serial_port(unsigned index) {
    const char name[] = {'C', 'O', 'M', static_cast<char>('1' + index), 0};
    return aml::device(name,
                       {
                           aml::name("_HID", aml::eisa_id("PNP0501")),
                           aml::name("_UID", aml::integer(index + 1)),
                           aml::name("_CRS", aml::resources({
                                                 aml::io_ports(layout::kSerialPorts[index], 8),
                                                 aml::irq(layout::kSerialLines[index]),
                                             })),
                       });
}

Bytes dsdt(const AcpiMachine& machine) {
    Table t("DSDT", 2);
    Bytes serials;
    for (unsigned i = 0; i < machine.serials.size(); i++) {
        if (machine.serials[i]) {
            serials = aml::join({serials, serial_port(i)});
        }
    }
    // The bridge has the ports that its own configuration registers leave.
    const Bytes bridge = aml::device(
        "PCI0",
        {
            aml::name("_HID", aml::eisa_id("PNP0A03")),
            aml::name("_UID", aml::integer(0)),
            aml::name("_SEG", aml::integer(0)),
            aml::name("_BBN", aml::integer(0)),
            aml::name("_PRT", pci_routing()),
            aml::name("_CRS",
                      aml::resources({
                          aml::bus_numbers(0, 0),
                          aml::io_ports(0xcf8, 8),
                          aml::port_window(0x0000, 0x0cf7),
                          aml::port_window(0x0d00, 0xffff),
                          aml::memory_window(machine.pci.memory32.start, machine.pci.memory32.size),
                          // Here a PC's firmware puts BARs, from above.
                          aml::memory_window(kAboveEcam, layout::kIoApic - kAboveEcam),
                          aml::memory_window(machine.pci.memory64.start, machine.pci.memory64.size),
                      })),
        });
    // What nobody else may have.
    const Bytes board = aml::device(
        "MB", {
                  aml::name("_HID", aml::eisa_id("PNP0C02")),
                  aml::name("_CRS", aml::resources({
                                        aml::memory_fixed(layout::kEcam, PciHost::kEcamSize),
                                        aml::io_ports(layout::kPmPorts, layout::kPmSize),
                                    })),
              });
    const Bytes clock =
        aml::device("RTC", {
                               aml::name("_HID", aml::eisa_id("PNP0B00")),
                               aml::name("_CRS", aml::resources({
                                                     aml::io_ports(layout::kCmosPorts, 2),
                                                     aml::irq(layout::kCmosLine),
                                                 })),
                           });
    t.append(aml::scope("\\_SB", {bridge, board, clock, serials}));
    // 7.4.2: what the sleep type field is to be for power off.
    const Bytes off = aml::integer(layout::kPmSleepOff);
    t.append(aml::name("\\_S5", aml::package({off, off, aml::integer(0), aml::integer(0)})));
    return t.finish();
}

constexpr unsigned kRsdpSize = 36;
constexpr unsigned kRsdpXsdt = 24; // 8 bytes

// 5.2.5.3: the first checksum is of what ACPI 1.0 has, the second of all.
constexpr AcpiTables::Checksum kRsdpChecksums[] = {{8, 0, 20}, {32, 0, kRsdpSize}};

Bytes rsdp() {
    Bytes bytes(kRsdpSize);
    memcpy(&bytes[0], "RSD PTR ", 8);
    memcpy(&bytes[9], "VIREO ", 6);
    bytes[15] = 2;
    bytes[20] = kRsdpSize;
    return bytes;
}

void add(std::span<uint8_t> to, uint64_t value, unsigned size) {
    uint64_t sum = 0;
    memcpy(&sum, to.data(), size);
    sum += value;
    memcpy(to.data(), &sum, size);
}

void set_checksum(Bytes& bytes, const AcpiTables::Checksum& sum) {
    bytes.at(sum.at) = 0;
    const auto first = bytes.begin() + sum.start;
    bytes.at(sum.at) = static_cast<uint8_t>(-std::accumulate(first, first + sum.length, 0u));
}

} // namespace

AcpiTables build_acpi(const AcpiMachine& machine) {
    AcpiTables all;
    Bytes& bytes = all.tables;
    const auto place = [&](const Bytes& table) {
        bytes.resize((bytes.size() + 15) & ~size_t{15});
        const auto offset = static_cast<uint32_t>(bytes.size());
        bytes.insert(bytes.end(), table.begin(), table.end());
        all.checksums.push_back(
            {offset + kHeaderChecksum, offset, static_cast<uint32_t>(table.size())});
        return offset;
    };
    const uint32_t described = place(dsdt(machine));
    const uint32_t fixed = place(fadt(described));
    all.pointers.push_back({fixed + kFadtDsdt, 4});
    all.pointers.push_back({fixed + kFadtXDsdt, 8});

    Table root("XSDT", 1);
    const uint32_t children[] = {fixed, place(madt(machine.cpus)), place(mcfg())};
    for (const uint32_t child : children) {
        root.value(child, 8);
    }
    const uint32_t top = place(root.finish());
    for (uint32_t i = 0; i < std::size(children); i++) {
        all.pointers.push_back({top + kHeaderSize + 8 * i, 8});
    }

    all.rsdp = rsdp();
    add(std::span(all.rsdp).subspan(kRsdpXsdt), top, 8);
    all.rsdp_pointer = {kRsdpXsdt, 8};
    all.rsdp_checksums = kRsdpChecksums;
    return all;
}

std::vector<uint8_t> acpi_tables(const AcpiMachine& machine, uint64_t base) {
    AcpiTables all = build_acpi(machine);
    Bytes bytes = std::move(all.rsdp);
    bytes.resize((bytes.size() + 15) & ~size_t{15});
    const uint64_t place = base + bytes.size();
    for (const AcpiTables::Pointer& pointer : all.pointers) {
        add(std::span(all.tables).subspan(pointer.offset), place, pointer.size);
    }
    for (const AcpiTables::Checksum& sum : all.checksums) {
        set_checksum(all.tables, sum);
    }
    add(std::span(bytes).subspan(all.rsdp_pointer.offset), place, all.rsdp_pointer.size);
    for (const AcpiTables::Checksum& sum : all.rsdp_checksums) {
        set_checksum(bytes, sum);
    }
    bytes.insert(bytes.end(), all.tables.begin(), all.tables.end());
    return bytes;
}

uint64_t load_acpi(const GuestMemory& memory, const AcpiMachine& machine) {
    const std::vector<uint8_t> tables = acpi_tables(machine, layout::kAcpi);
    if (tables.size() > layout::kAcpiEnd - layout::kAcpi) {
        throw std::logic_error("ACPI tables without room");
    }
    if (!memory.write(layout::kAcpi, tables.data(), tables.size())) {
        throw_usage("-m: {} MiB: at least 1 MiB is needed", memory.size() >> 20);
    }
    return layout::kAcpi;
}

} // namespace vireo
