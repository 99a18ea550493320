// SPDX-License-Identifier: GPL-2.0-only
#include "boot/aml.h"

#include <iterator>

namespace vireo::aml {

namespace {

enum Opcode : uint8_t {
    kZero = 0x00,
    kOne = 0x01,
    kName = 0x08,
    kByte = 0x0a,
    kWord = 0x0b,
    kDword = 0x0c,
    kString = 0x0d,
    kQword = 0x0e,
    kScope = 0x10,
    kBuffer = 0x11,
    kPackage = 0x12,
    kExtended = 0x5b,
    kDevice = 0x82, // after kExtended
};

void append(Bytes& to, const Bytes& more) {
    to.insert(to.end(), more.begin(), more.end());
}

void append(Bytes& to, uint64_t value, unsigned size) {
    for (unsigned i = 0; i < size; i++) {
        to.push_back(static_cast<uint8_t>(value >> (8 * i)));
    }
}

// 20.2.4: a package's length counts itself. Up to 63 in one byte; else the first byte has the
// number of those that follow, and the lowest four bits.
Bytes with_length(const Bytes& body) {
    Bytes result;
    if (body.size() + 1 < 64) {
        append(result, body.size() + 1, 1);
    } else {
        unsigned more = 1;
        while (body.size() + 1 + more >= size_t{1} << (4 + 8 * more)) {
            more++;
        }
        const size_t length = body.size() + 1 + more;
        append(result, more << 6 | (length & 0xf), 1);
        append(result, length >> 4, more);
    }
    append(result, body);
    return result;
}

// 20.2.2: segments of four characters, filled up with '_'.
Bytes name_string(std::string_view name) {
    Bytes result;
    if (name.starts_with('\\')) {
        result.push_back('\\');
        name.remove_prefix(1);
    }
    for (unsigned i = 0; i < 4; i++) {
        result.push_back(i < name.size() ? static_cast<uint8_t>(name[i]) : '_');
    }
    return result;
}

Bytes block(std::string_view name, std::initializer_list<Bytes> terms) {
    Bytes body = name_string(name);
    append(body, join(terms));
    return with_length(body);
}

Bytes buffer(const Bytes& content) {
    Bytes body = integer(content.size());
    append(body, content);
    Bytes result = {kBuffer};
    append(result, with_length(body));
    return result;
}

// 6.4.3.5: address space descriptors, by the width of an address.
struct Space {
    uint8_t tag;
    unsigned width;
};
constexpr Space kWordSpace = {0x88, 2};
constexpr Space kDwordSpace = {0x87, 4};
constexpr Space kQwordSpace = {0x8a, 8};

enum Resource : uint8_t { kMemory = 0, kPorts = 1, kBuses = 2 };

constexpr uint8_t kProducedFixed = 0x0c; // handed on, first and last address as given

Bytes address_space(Space space, Resource type, uint8_t type_flags, uint64_t first, uint64_t last) {
    Bytes result = {space.tag};
    append(result, 3 + 5 * space.width, 2);
    append(result, type, 1);
    append(result, kProducedFixed, 1);
    append(result, type_flags, 1);
    for (const uint64_t word : {uint64_t{0}, first, last, uint64_t{0}, last - first + 1}) {
        append(result, word, space.width);
    }
    return result;
}

} // namespace

Bytes join(std::initializer_list<Bytes> parts) {
    Bytes result;
    for (const Bytes& part : parts) {
        append(result, part);
    }
    return result;
}

Bytes integer(uint64_t value) {
    if (value <= 1) {
        return {value ? kOne : kZero};
    }
    const struct {
        uint8_t opcode;
        unsigned size;
    } form = value < 1u << 8      ? decltype(form){kByte, 1}
             : value < 1u << 16   ? decltype(form){kWord, 2}
             : value < 1ull << 32 ? decltype(form){kDword, 4}
                                  : decltype(form){kQword, 8};
    Bytes result = {form.opcode};
    append(result, value, form.size);
    return result;
}

Bytes string(std::string_view text) {
    Bytes result = {kString};
    append(result, Bytes(text.begin(), text.end()));
    result.push_back(0);
    return result;
}

// 19.3.4: three letters of five bits and four hexadecimal digits, bytes in reverse order.
Bytes eisa_id(std::string_view id) {
    uint32_t value = 0;
    for (unsigned i = 0; i < 3; i++) {
        value = value << 5 | (static_cast<uint32_t>(id[i]) - 0x40);
    }
    for (unsigned i = 3; i < 7; i++) {
        const char c = id[i];
        value = value << 4 | static_cast<uint32_t>(c <= '9' ? c - '0' : c - 'A' + 10);
    }
    return integer(__builtin_bswap32(value));
}

Bytes package(const std::vector<Bytes>& elements) {
    Bytes body = {static_cast<uint8_t>(elements.size())};
    for (const Bytes& element : elements) {
        append(body, element);
    }
    Bytes result = {kPackage};
    append(result, with_length(body));
    return result;
}

Bytes name(std::string_view name, const Bytes& value) {
    return join({{kName}, name_string(name), value});
}

Bytes device(std::string_view name, std::initializer_list<Bytes> terms) {
    return join({{kExtended, kDevice}, block(name, terms)});
}

Bytes scope(std::string_view name, std::initializer_list<Bytes> terms) {
    return join({{kScope}, block(name, terms)});
}

Bytes resources(std::initializer_list<Bytes> descriptors) {
    Bytes content = join(descriptors);
    append(content, Bytes{0x79, 0}); // 6.4.2.9: end, without a checksum
    return buffer(content);
}

Bytes io_ports(uint16_t first, uint8_t count) {
    Bytes result = {0x47, 1}; // 6.4.2.5: 16 address bits are decoded
    append(result, first, 2);
    append(result, first, 2);
    append(result, Bytes{1, count});
    return result;
}

Bytes irq(unsigned line) {
    Bytes result = {0x22}; // 6.4.2.1: edge, active high
    append(result, 1u << line, 2);
    return result;
}

Bytes memory_fixed(uint32_t start, uint32_t size) {
    Bytes result = {0x86}; // 6.4.3.4
    append(result, 9, 2);
    append(result, 1, 1); // writable
    append(result, start, 4);
    append(result, size, 4);
    return result;
}

Bytes bus_numbers(uint16_t first, uint16_t last) {
    return address_space(kWordSpace, kBuses, 0, first, last);
}

Bytes port_window(uint16_t first, uint16_t last) {
    return address_space(kWordSpace, kPorts, 3, first, last); // the whole range
}

Bytes memory_window(uint64_t start, uint64_t size) {
    if (size == 0) {
        return {};
    }
    // Writable, not cached.
    return address_space((start + size - 1) >> 32 ? kQwordSpace : kDwordSpace, kMemory, 1, start,
                         start + size - 1);
}

} // namespace vireo::aml
