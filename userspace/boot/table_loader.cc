// SPDX-License-Identifier: GPL-2.0-only
#include "boot/table_loader.h"

#include <cstddef>
#include <cstring>
#include <string_view>

namespace vireo {

namespace {

enum CommandKind : uint32_t { kAllocate = 1, kAddPointer = 2, kAddChecksum = 3 };
enum Zone : uint8_t { kHigh = 1, kFSegment = 2 };

constexpr size_t kNameSize = 56; // its 0 included
constexpr size_t kCommandSize = 128;

// One command, little endian: its kind, and its fields one after the other.
class Command {
public:
    explicit Command(CommandKind kind) { number(kind, 4); }

    Command& name(std::string_view name) {
        const size_t end = bytes_.size() + kNameSize;
        bytes_.insert(bytes_.end(), name.begin(), name.end());
        bytes_.resize(end);
        return *this;
    }
    Command& number(uint64_t value, unsigned size) {
        for (unsigned i = 0; i < size; i++) {
            bytes_.push_back(static_cast<uint8_t>(value >> (8 * i)));
        }
        return *this;
    }
    void append_to(std::vector<uint8_t>& commands) {
        bytes_.resize(kCommandSize);
        commands.insert(commands.end(), bytes_.begin(), bytes_.end());
    }

private:
    std::vector<uint8_t> bytes_;
};

} // namespace

std::vector<uint8_t> table_loader(const AcpiTables& tables) {
    constexpr unsigned kAlignment = 16; // of the RSDP: it is searched for in such steps
    constexpr unsigned kTableAlignment = 64;
    std::vector<uint8_t> all;
    Command(kAllocate).name(kRsdpFile).number(kAlignment, 4).number(kFSegment, 1).append_to(all);
    Command(kAllocate).name(kTablesFile).number(kTableAlignment, 4).number(kHigh, 1).append_to(all);

    const auto add_pointer = [&all](const char* file, const AcpiTables::Pointer& pointer) {
        Command(kAddPointer)
            .name(file)
            .name(kTablesFile)
            .number(pointer.offset, 4)
            .number(pointer.size, 1)
            .append_to(all);
    };
    const auto add_checksum = [&all](const char* file, const AcpiTables::Checksum& sum) {
        Command(kAddChecksum)
            .name(file)
            .number(sum.at, 4)
            .number(sum.start, 4)
            .number(sum.length, 4)
            .append_to(all);
    };
    for (const AcpiTables::Pointer& pointer : tables.pointers) {
        add_pointer(kTablesFile, pointer);
    }
    for (const AcpiTables::Checksum& sum : tables.checksums) {
        add_checksum(kTablesFile, sum);
    }
    add_pointer(kRsdpFile, tables.rsdp_pointer);
    for (const AcpiTables::Checksum& sum : tables.rsdp_checksums) {
        add_checksum(kRsdpFile, sum);
    }
    return all;
}

} // namespace vireo
