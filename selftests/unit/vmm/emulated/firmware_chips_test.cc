// SPDX-License-Identifier: GPL-2.0-only
// The chips that firmware speaks to: fw_cfg, the debug port, the keyboard controller.
#include <gtest/gtest.h>

#include <string>

#include "emulated/debug_port.h"
#include "emulated/fw_cfg.h"
#include "emulated/i8042.h"

namespace vireo {
namespace {

class FwCfgTest : public testing::Test {
protected:
    std::string item(uint16_t key, size_t size) {
        fw_cfg.write(0, 2, key);
        std::string bytes;
        while (bytes.size() < size) {
            bytes.push_back(static_cast<char>(fw_cfg.read(1, 1)));
        }
        return bytes;
    }
    FwCfg fw_cfg;
};

TEST_F(FwCfgTest, HasASignatureAndAVersion) {
    EXPECT_EQ(item(FwCfg::kSignature, 4), "QEMU");
    EXPECT_EQ(item(FwCfg::kId, 4), std::string("\1\0\0\0", 4)) << "ports, no DMA";
    EXPECT_EQ(item(FwCfg::kDirectory, 4), std::string(4, 0)) << "no files";
}

TEST_F(FwCfgTest, AnItemIsReadFromItsBeginningAndIsZeroBehindItsEnd) {
    fw_cfg.set(FwCfg::kCpus, fw_cfg_number(0x0102, 2));
    EXPECT_EQ(item(FwCfg::kCpus, 4), std::string("\2\1\0\0", 4));
    EXPECT_EQ(item(FwCfg::kCpus, 1), "\2");
    EXPECT_EQ(item(0x7777, 3), std::string(3, 0)) << "nobody's";
}

TEST_F(FwCfgTest, FilesAreFoundByTheDirectory) {
    fw_cfg.add_file("etc/first", {'a', 'b', 'c'});
    fw_cfg.add_file("second", FwCfg::Bytes(0x102, 'x'));
    const std::string directory = item(FwCfg::kDirectory, 4 + 2 * 64);
    EXPECT_EQ(directory.substr(0, 4), std::string("\0\0\0\2", 4)) << "big endian";
    EXPECT_EQ(directory.substr(4, 8), std::string("\0\0\0\3\0\x20\0\0", 8));
    EXPECT_EQ(directory.substr(12, 56), "etc/first" + std::string(47, 0));
    EXPECT_EQ(directory.substr(68, 8), std::string("\0\0\1\2\0\x21\0\0", 8));
    EXPECT_EQ(item(0x20, 3), "abc");
    EXPECT_EQ(item(0x21, 2), "xx");
}

TEST_F(FwCfgTest, ClearedItIsAsNew) {
    fw_cfg.add_file("file", {1});
    fw_cfg.clear();
    EXPECT_EQ(item(FwCfg::kDirectory, 4), std::string(4, 0));
    EXPECT_EQ(item(0x20, 1), std::string(1, 0));
}

TEST_F(FwCfgTest, TakesOnlyItsOwnAccesses) {
    fw_cfg.set(FwCfg::kCpus, {7});
    fw_cfg.write(0, 2, FwCfg::kCpus);
    fw_cfg.write(0, 1, FwCfg::kSignature);
    fw_cfg.write(1, 1, 0xff);
    EXPECT_EQ(fw_cfg.read(0, 2), 0xffffu);
    EXPECT_EQ(fw_cfg.read(1, 1), 7u);
}

TEST_F(FwCfgTest, ALongNameIsRefused) {
    EXPECT_NO_THROW(fw_cfg.add_file(std::string(55, 'n'), {}));
    EXPECT_THROW(fw_cfg.add_file(std::string(56, 'n'), {}), std::logic_error);
}

TEST(DebugPortTest, TellsThatItIsThereAndHandsOnWhatIsSaid) {
    struct Notes : CharBackend {
        void connect(CharFrontend*) override {}
        size_t write(std::span<const uint8_t> bytes) override {
            said.append(bytes.begin(), bytes.end());
            return bytes.size();
        }
        void accept_input() override {}
        bool open() const override { return true; }
        std::string describe() const override { return "notes"; }
        std::string said;
    } notes;
    DebugPort port(notes);
    EXPECT_EQ(port.read(0, 1), 0xe9u);
    for (const char c : {'h', 'i'}) {
        port.write(0, 1, static_cast<uint8_t>(c));
    }
    EXPECT_EQ(notes.said, "hi");
}

class I8042Test : public testing::Test {
protected:
    unsigned resets = 0;
    I8042 chip{[this] { resets++; }};

    void command(uint8_t byte) { chip.write(4, 1, byte); }
    void data(uint8_t byte) { chip.write(0, 1, byte); }
    bool full() { return chip.read(4, 1) & 1; }
    uint64_t answer(uint8_t byte) {
        command(byte);
        EXPECT_TRUE(full()) << "answer to " << unsigned{byte};
        const uint64_t value = chip.read(0, 1);
        EXPECT_FALSE(full());
        return value;
    }
};

TEST_F(I8042Test, PassesItsOwnTestAndHasNothingPluggedIn) {
    EXPECT_EQ(answer(0xaa), 0x55u);
    EXPECT_NE(answer(0xab), 0u);
    EXPECT_NE(answer(0xa9), 0u);
}

TEST_F(I8042Test, KeepsItsMode) {
    command(0x60);
    data(0x47);
    EXPECT_EQ(answer(0x20), 0x47u);
    command(0xad);
    EXPECT_EQ(answer(0x20), 0x57u);
    command(0xae);
    command(0xa7);
    EXPECT_EQ(answer(0x20), 0x67u);
    command(0xa8);
    EXPECT_EQ(answer(0x20), 0x47u);
    chip.reset();
    EXPECT_EQ(answer(0x20), 0x34u);
}

TEST_F(I8042Test, AByteWithoutACommandGoesNowhere) {
    data(0xff);
    EXPECT_FALSE(full());
    EXPECT_EQ(chip.read(4, 1) & 8, 0u) << "data was the last";
    command(0xff);
    EXPECT_EQ(chip.read(4, 1) & 8, 8u);
}

TEST_F(I8042Test, TheOutputPortResets) {
    EXPECT_EQ(answer(0xd0) & 3, 3u) << "no reset, address line 20 open";
    command(0xd1);
    data(0xdf);
    EXPECT_EQ(resets, 0u);
    command(0xd1);
    data(0xfe);
    EXPECT_EQ(resets, 1u);
    data(0xfe);
    EXPECT_EQ(resets, 1u) << "one byte a command";
    for (unsigned byte = 0xf0; byte <= 0xff; byte++) {
        command(static_cast<uint8_t>(byte));
    }
    EXPECT_EQ(resets, 9u);
}

} // namespace
} // namespace vireo
