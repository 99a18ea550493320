// SPDX-License-Identifier: GPL-2.0-only
// ACPI machine language: as much of it as describes devices that do not change (ACPI 6.4, 20 for
// the language, 6.4 for resources). Each function gives the bytes of one term.
#ifndef VIREO_BOOT_AML_H
#define VIREO_BOOT_AML_H

#include <cstdint>
#include <initializer_list>
#include <string_view>
#include <vector>

namespace vireo::aml {

using Bytes = std::vector<uint8_t>;

Bytes join(std::initializer_list<Bytes> parts);

Bytes integer(uint64_t value);
Bytes string(std::string_view text);
Bytes eisa_id(std::string_view id); // "PNP0A03"
Bytes package(const std::vector<Bytes>& elements);

// Names have up to four characters, "\\" before them for the root.
Bytes name(std::string_view name, const Bytes& value);
Bytes device(std::string_view name, std::initializer_list<Bytes> terms);
Bytes scope(std::string_view name, std::initializer_list<Bytes> terms);

// A device's resources (_CRS), from their descriptors.
Bytes resources(std::initializer_list<Bytes> descriptors);
Bytes io_ports(uint16_t first, uint8_t count);
Bytes irq(unsigned line);
Bytes memory_fixed(uint32_t start, uint32_t size);
// What a bridge hands on; nothing for size 0.
Bytes bus_numbers(uint16_t first, uint16_t last);
Bytes port_window(uint16_t first, uint16_t last);
Bytes memory_window(uint64_t start, uint64_t size);

} // namespace vireo::aml

#endif // VIREO_BOOT_AML_H
