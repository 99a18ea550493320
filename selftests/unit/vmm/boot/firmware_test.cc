// SPDX-License-Identifier: GPL-2.0-only
#include "boot/firmware.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <numeric>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "boot/table_loader.h"

namespace vireo {
namespace {

class FirmwareTest : public testing::Test {
protected:
    FirmwareTest() { close(mkstemp(path)); }
    ~FirmwareTest() override { unlink(path); }

    void write(size_t size) {
        std::string content(size, 0);
        for (size_t at = 0; at + 4 <= size; at += 4096) {
            memcpy(&content[at], &at, 4);
        }
        std::ofstream(path, std::ios::binary) << content;
    }

    char path[32] = "/tmp/firmware-XXXXXX";
};

TEST_F(FirmwareTest, EndsAt4GibAndOnceMoreAt1Mib) {
    write(256 << 10);
    const Firmware firmware(path);
    EXPECT_EQ(firmware.address(), 0xfffc'0000u);
    const GuestMemory memory(2 << 20);
    firmware.shadow(memory);
    EXPECT_EQ(memcmp(memory.at(0xc0000, 256 << 10), firmware.rom().data(), 256 << 10), 0);
    EXPECT_EQ(*memory.at(0xc0000 - 1, 1), std::byte{0});
    EXPECT_EQ(*memory.at(0x100000, 1), std::byte{0});
}

TEST_F(FirmwareTest, AResetRestoresWhatTheGuestChanged) {
    write(64 << 10);
    const Firmware firmware(path);
    const GuestMemory memory(2 << 20);
    firmware.shadow(memory);
    memset(memory.at(0xf0000, 64 << 10), 0x55, 64 << 10);
    firmware.shadow(memory);
    EXPECT_EQ(memcmp(memory.at(0xf0000, 64 << 10), firmware.rom().data(), 64 << 10), 0);
}

TEST_F(FirmwareTest, OddSizesAreRefused) {
    for (const size_t size : {0, 1, 65535, 65537, 512 << 10}) {
        std::filesystem::resize_file(path, 0);
        write(size);
        EXPECT_THROW(Firmware{path}, UsageError) << size;
    }
    EXPECT_THROW(Firmware{"/nowhere/at/all"}, std::system_error);
}

// A program that does what firmware does with the commands.
class TableLoaderTest : public testing::Test {
protected:
    struct File {
        std::vector<uint8_t> bytes;
        uint64_t address;
        bool allocated = false;
    };

    void SetUp() override {
        const AcpiMachine machine = {.cpus = 3,
                                     .serials = {true, false, false, false},
                                     .pci = {.ports = {0xc000, 0x1000},
                                             .memory32 = {0xc000'0000, 0x2000'0000},
                                             .memory64 = {0, 0}}};
        const AcpiTables tables = build_acpi(machine);
        files[kRsdpFile] = {tables.rsdp, 0xf5000};
        files[kTablesFile] = {tables.tables, 0x3fff'0000};
        const std::vector<uint8_t> commands = table_loader(tables);
        ASSERT_EQ(commands.size() % 128, 0u);
        for (size_t at = 0; at < commands.size(); at += 128) {
            run(&commands[at]);
        }
    }

    void run(const uint8_t* command) {
        uint32_t kind = 0;
        memcpy(&kind, command, 4);
        File& file = files.at(reinterpret_cast<const char*>(command + 4));
        uint32_t numbers[3] = {};
        if (kind == 1) {
            file.allocated = true;
        } else if (kind == 2) {
            const File& target = files.at(reinterpret_cast<const char*>(command + 60));
            memcpy(numbers, command + 116, 4);
            const unsigned size = command[120];
            ASSERT_TRUE(file.allocated && target.allocated);
            ASSERT_LE(numbers[0] + size, file.bytes.size());
            uint64_t value = 0;
            memcpy(&value, &file.bytes[numbers[0]], size);
            ASSERT_LT(value, target.bytes.size());
            value += target.address;
            memcpy(&file.bytes[numbers[0]], &value, size);
        } else {
            ASSERT_EQ(kind, 3u);
            memcpy(numbers, command + 60, sizeof(numbers));
            const auto first = file.bytes.begin() + numbers[1];
            file.bytes.at(numbers[0]) -=
                static_cast<uint8_t>(std::accumulate(first, first + numbers[2], 0u));
        }
    }

    std::span<const uint8_t> table(uint64_t address) {
        const File& file = files.at(kTablesFile);
        const uint64_t offset = address - file.address;
        EXPECT_LT(offset, file.bytes.size());
        uint32_t size = 0;
        memcpy(&size, &file.bytes.at(offset + 4), 4);
        return std::span(file.bytes).subspan(offset, size);
    }
    template <class T>
    static T get(std::span<const uint8_t> bytes, size_t at) {
        T value;
        memcpy(&value, &bytes[at], sizeof(value));
        return value;
    }
    static bool good(std::span<const uint8_t> bytes) {
        return static_cast<uint8_t>(std::accumulate(bytes.begin(), bytes.end(), 0u)) == 0;
    }

    std::map<std::string, File> files;
};

TEST_F(TableLoaderTest, LeavesTablesThatFirmwareCanFollow) {
    const std::span<const uint8_t> rsdp = files.at(kRsdpFile).bytes;
    EXPECT_TRUE(good(rsdp.first(20)));
    EXPECT_TRUE(good(rsdp));
    const auto xsdt = table(get<uint64_t>(rsdp, 24));
    EXPECT_EQ(memcmp(xsdt.data(), "XSDT", 4), 0);
    EXPECT_TRUE(good(xsdt));
    std::string found;
    for (size_t at = 36; at < xsdt.size(); at += 8) {
        const auto child = table(get<uint64_t>(xsdt, at));
        EXPECT_TRUE(good(child));
        found.append(child.begin(), child.begin() + 4);
        if (memcmp(child.data(), "FACP", 4) == 0) {
            const auto dsdt = table(get<uint64_t>(child, 140));
            EXPECT_EQ(memcmp(dsdt.data(), "DSDT", 4), 0);
            EXPECT_TRUE(good(dsdt));
            EXPECT_EQ(get<uint32_t>(child, 40), get<uint64_t>(child, 140));
        }
    }
    EXPECT_EQ(found, "FACPAPICMCFG");
}

} // namespace
} // namespace vireo
