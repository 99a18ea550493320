// SPDX-License-Identifier: GPL-2.0-only
#include "boot/acpi.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>
#include <numeric>
#include <sstream>
#include <string>

#include "boot/aml.h"
#include "boot/layout.h"

namespace vireo {
namespace {

constexpr uint64_t kBase = 0xe0000;

AcpiMachine machine(unsigned cpus = 2) {
    return {.cpus = cpus,
            .serials = {true, true, false, false},
            .pci = {.ports = {0xc000, 0x1000},
                    .memory32 = {0xc000'0000, 0x2000'0000},
                    .memory64 = {0x1'0000'0000, 0x10'0000'0000}}};
}

class Tables {
public:
    explicit Tables(const AcpiMachine& machine) : bytes(acpi_tables(machine, kBase)) {
        const auto xsdt = table(get<uint64_t>(24));
        EXPECT_EQ(xsdt.substr(0, 4), "XSDT");
        for (size_t at = 36; at < xsdt.size(); at += 8) {
            uint64_t address;
            memcpy(&address, &xsdt[at], 8);
            const std::string t = table(address);
            all[t.substr(0, 4)] = t;
        }
        uint64_t dsdt;
        memcpy(&dsdt, &all.at("FACP")[140], 8);
        all["DSDT"] = table(dsdt);
    }

    template <class T>
    T get(size_t offset) const {
        T value;
        memcpy(&value, &bytes.at(offset), sizeof(T));
        return value;
    }
    std::string table(uint64_t address) const {
        const auto size = get<uint32_t>(address - kBase + 4);
        EXPECT_LE(address - kBase + size, bytes.size());
        return {reinterpret_cast<const char*>(&bytes[address - kBase]), size};
    }

    std::vector<uint8_t> bytes;
    std::map<std::string, std::string> all;
};

uint8_t sum(std::string_view bytes) {
    return std::accumulate(bytes.begin(), bytes.end(), uint8_t{0},
                           [](uint8_t s, char c) { return static_cast<uint8_t>(s + c); });
}

TEST(Acpi, EveryTableSumsUpToNothing) {
    const Tables tables(machine());
    const std::string rsdp(tables.bytes.begin(), tables.bytes.begin() + 36);
    EXPECT_EQ(rsdp.substr(0, 8), "RSD PTR ");
    EXPECT_EQ(sum(rsdp.substr(0, 20)), 0);
    EXPECT_EQ(sum(rsdp), 0);
    EXPECT_EQ(sum(tables.table(tables.get<uint64_t>(24))), 0);
    for (const auto& [name, table] : tables.all) {
        EXPECT_EQ(sum(table), 0) << name;
    }
    EXPECT_EQ(tables.all.size(), 4u);
}

TEST(Acpi, TheMadtHasEachCpu) {
    for (const unsigned cpus : {1u, 2u, 255u}) {
        const std::string madt = Tables(machine(cpus)).all.at("APIC");
        unsigned found = 0;
        for (size_t at = 44; at < madt.size(); at += static_cast<uint8_t>(madt[at + 1])) {
            ASSERT_NE(madt[at + 1], 0);
            if (madt[at] == 0) {
                EXPECT_EQ(static_cast<uint8_t>(madt[at + 3]), found) << "APIC ID";
                EXPECT_EQ(madt[at + 4], 1) << "enabled";
                found++;
            }
        }
        EXPECT_EQ(found, cpus);
    }
}

TEST(Acpi, TheFadtHasThePowerButtonAndTheReset) {
    const std::string fadt = Tables(machine()).all.at("FACP");
    uint32_t flags;
    memcpy(&flags, &fadt[112], 4);
    EXPECT_FALSE(flags & 1 << 4) << "the button is a fixed register's";
    EXPECT_TRUE(flags & 1 << 10) << "there is a reset register";
    EXPECT_FALSE(flags & 1 << 20) << "not hardware-reduced";
    EXPECT_EQ(static_cast<uint8_t>(fadt[120]) | static_cast<uint8_t>(fadt[121]) << 8, 0xcf9);
    EXPECT_EQ(fadt.size(), 276u);
}

TEST(Acpi, FitsBelowOneMebibyte) {
    EXPECT_LE(acpi_tables(machine(255), layout::kAcpi).size(), layout::kAcpiEnd - layout::kAcpi);
    const GuestMemory memory(1 << 20);
    EXPECT_EQ(load_acpi(memory, machine(255)), layout::kAcpi);
}

// ACPICA's compiler reads the tables, and takes what it has read.
TEST(Acpi, IaslUnderstandsTheTables) {
    if (system("iasl -v >/dev/null 2>&1") != 0) {
        GTEST_SKIP() << "iasl is not here (package acpica-tools)";
    }
    char folder[] = "/tmp/vireo-acpi-XXXXXX";
    ASSERT_TRUE(mkdtemp(folder));
    const std::string path = folder;
    AcpiMachine narrow = machine();
    narrow.pci.memory64.size = 0;
    for (const AcpiMachine& m : {machine(), narrow}) {
        for (const auto& [name, table] : Tables(m).all) {
            std::ofstream(path + "/t.dat", std::ios::binary) << table;
            const std::string command = "cd " + path +
                                        " && iasl -p t -d t.dat >log 2>&1 && iasl -p again t.dsl "
                                        ">>log 2>&1; echo $? >>log";
            ASSERT_EQ(system(command.c_str()), 0);
            std::ifstream log(path + "/log");
            std::stringstream text;
            text << log.rdbuf();
            EXPECT_NE(text.str().find(" 0 Errors"), std::string::npos) << name << text.str();
            EXPECT_EQ(text.str().find("Warning  "), std::string::npos) << name << text.str();
            std::ifstream dsl(path + "/t.dsl");
            std::stringstream source;
            source << dsl.rdbuf();
            EXPECT_EQ(source.str().find("Invalid"), std::string::npos) << source.str();
            if (name == "DSDT") {
                for (const char* part : {"Device (PCI0)", "_PRT", "EisaId (\"PNP0A03\")",
                                         "Device (COM1)", "Device (COM2)", "Name (\\_S5"}) {
                    EXPECT_NE(source.str().find(part), std::string::npos) << part << source.str();
                }
                EXPECT_EQ(source.str().find("COM3"), std::string::npos);
            }
        }
    }
    EXPECT_EQ(system(("rm -r " + path).c_str()), 0);
}

TEST(Aml, IntegersAreAsShortAsCanBe) {
    EXPECT_EQ(aml::integer(0), aml::Bytes({0x00}));
    EXPECT_EQ(aml::integer(1), aml::Bytes({0x01}));
    EXPECT_EQ(aml::integer(0xff), aml::Bytes({0x0a, 0xff}));
    EXPECT_EQ(aml::integer(0x100), aml::Bytes({0x0b, 0x00, 0x01}));
    EXPECT_EQ(aml::integer(0x1'0000), aml::Bytes({0x0c, 0, 0, 1, 0}));
    EXPECT_EQ(aml::integer(1ull << 32), aml::Bytes({0x0e, 0, 0, 0, 0, 1, 0, 0, 0}));
}

TEST(Aml, LengthsCountThemselves) {
    // A name of 4 characters, and a body of so many bytes.
    const auto scope = [](size_t size) { return aml::scope("ABCD", {aml::Bytes(size)}); };
    EXPECT_EQ(scope(58)[1], 63);
    EXPECT_EQ(scope(59)[1], 0x40 | (65 & 15));
    EXPECT_EQ(scope(59)[2], 65 >> 4);
    const aml::Bytes large = scope(4090);
    EXPECT_EQ(large[1], 0x80 | (4097 & 15));
    EXPECT_EQ(large[2] | large[3] << 8, 4097 >> 4);
    EXPECT_EQ(large.size(), 4098u);
}

} // namespace
} // namespace vireo
