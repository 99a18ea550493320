// SPDX-License-Identifier: GPL-2.0-only
#ifndef VIREO_TESTS_IDE_WORLD_H
#define VIREO_TESTS_IDE_WORLD_H

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "base/event_loop.h"
#include "emulated/ide/ata.h"
#include "emulated/ide/controller.h"
#include "fake_platform.h"
#include "memory/guest_memory.h"
#include "until.h"

namespace vireo {

// A file of so many bytes, each sector of 512 filled with its number.
class IdeImage {
public:
    explicit IdeImage(size_t size) {
        const int fd = mkstemp(path_);
        std::string sector(512, 0);
        for (size_t at = 0; at < size; at += sector.size()) {
            for (size_t i = 0; i < sector.size(); i += 4) {
                const auto number = static_cast<uint32_t>(at / sector.size());
                memcpy(&sector[i], &number, sizeof(number));
            }
            if (::write(fd, sector.data(), sector.size()) < 0) {
                abort();
            }
        }
        close(fd);
    }
    ~IdeImage() { unlink(path_); }

    const char* path() const { return path_; }
    std::string content(size_t offset, size_t size) const {
        std::string bytes(size, 0);
        const Fd fd(open(path_, O_RDONLY | O_CLOEXEC));
        if (pread(fd.get(), bytes.data(), size, static_cast<off_t>(offset)) !=
            static_cast<ssize_t>(size)) {
            abort();
        }
        return bytes;
    }

private:
    char path_[24] = "/tmp/ide-image-XXXXXX";
};

// A controller with a disk as drive 0 and a CD-ROM as drive 2, and a driver that polls.
class IdeWorld {
public:
    static constexpr size_t kDiskSize = 1 << 20, kCdSize = 200 << 10;
    static constexpr uint16_t kBusMaster = 0xc000;
    static constexpr uint32_t kTable = 0x1000, kData = 0x10000;

    IdeWorld() {
        DriveOptions disk;
        disk.id = "disk0";
        disk.file = image.path();
        disk.aio = AioMode::kThreads;
        disk.serial = "SERIAL-1";
        ide.add(0, disk);
        DriveOptions cd;
        cd.id = "cd0";
        cd.file = medium.path();
        cd.aio = AioMode::kThreads;
        cd.readonly = cd.cdrom = true;
        ide.add(2, cd);
        ide.write_config(0x20, 4, kBusMaster);
        ide.write_config(0x04, 2, 0x05);
    }

    uint8_t in(unsigned reg) { return static_cast<uint8_t>(ports.read(base + reg, 1)); }
    void out(unsigned reg, uint8_t value) { ports.write(base + reg, 1, value); }
    uint8_t alternate() { return static_cast<uint8_t>(ports.read(base + 0x206, 1)); }
    void control(uint8_t value) { ports.write(base + 0x206, 1, value); }

    // The status once the drive is not busy; the interrupt stays.
    uint8_t settled() {
        test::until([this] { return !(alternate() & ata::kBusy); });
        return alternate();
    }

    // A command with a 28-bit address.
    void command(uint8_t code, uint32_t sector = 0, uint8_t count = 0) {
        out(ata::kDevice, static_cast<uint8_t>(ata::kLba | sector >> 24));
        out(ata::kCount, count);
        out(ata::kLow, static_cast<uint8_t>(sector));
        out(ata::kMid, static_cast<uint8_t>(sector >> 8));
        out(ata::kHigh, static_cast<uint8_t>(sector >> 16));
        out(ata::kCommand, code);
    }
    // With one of 48 bits. which: 0, or kDrive1.
    void command_ext(uint8_t code, uint64_t sector, uint16_t count, uint8_t which = 0) {
        out(ata::kDevice, ata::kLba | which);
        for (const unsigned shift : {8u, 0u}) {
            out(ata::kCount, static_cast<uint8_t>(count >> shift));
            out(ata::kLow, static_cast<uint8_t>(sector >> (shift ? 24 : 0)));
            out(ata::kMid, static_cast<uint8_t>(sector >> (shift ? 32 : 8)));
            out(ata::kHigh, static_cast<uint8_t>(sector >> (shift ? 40 : 16)));
        }
        out(ata::kCommand, code);
    }

    std::string read_data(size_t size) {
        std::string data(size, 0);
        ports.read_string(base, 2, {reinterpret_cast<uint8_t*>(data.data()), size});
        return data;
    }
    void write_data(const std::string& data) {
        ports.write_string(base, 2, {reinterpret_cast<const uint8_t*>(data.data()), data.size()});
    }

    // The bus master.
    uint16_t master() const { return base == 0x1f0 ? kBusMaster : kBusMaster + 8; }
    struct Piece {
        uint32_t address, length;
    };
    void set_table(std::initializer_list<Piece> pieces, bool ends = true) {
        uint32_t at = kTable;
        size_t left = pieces.size();
        for (Piece piece : pieces) {
            piece.length |= --left == 0 && ends ? 1u << 31 : 0;
            memory.write(at, &piece, sizeof(piece));
            at += sizeof(piece);
        }
        ports.write(master() + 4, 4, kTable);
    }
    void start_dma(bool to_memory) {
        ports.write(master() + 2, 1, 6);
        ports.write(master(), 1, to_memory ? 9 : 1);
    }
    uint8_t dma_status() { return static_cast<uint8_t>(ports.read(master() + 2, 1)); }
    void stop_dma() { ports.write(master(), 1, 0); }

    // Packets of the CD-ROM.
    uint8_t packet(std::array<uint8_t, 12> bytes, bool dma = false, uint16_t limit = 0xfffe) {
        out(ata::kDevice, 0);
        out(ata::kFeature, dma ? 1 : 0);
        out(ata::kMid, static_cast<uint8_t>(limit));
        out(ata::kHigh, static_cast<uint8_t>(limit >> 8));
        out(ata::kCommand, ata::kPacket);
        settled();
        write_data({bytes.begin(), bytes.end()});
        return settled();
    }
    // All that the drive has, in blocks as it offers them.
    std::string reply() {
        std::string all;
        while (settled() & ata::kDrq) {
            all += read_data(in(ata::kMid) | in(ata::kHigh) << 8);
        }
        return all;
    }

    static std::string sectors(uint32_t first, uint32_t count) {
        std::string all;
        for (uint32_t number = first; number < first + count; number++) {
            for (unsigned i = 0; i < 128; i++) {
                all.append(reinterpret_cast<const char*>(&number), 4);
            }
        }
        return all;
    }

    IdeImage image{kDiskSize}, medium{kCdSize};
    FakePlatform platform;
    Bus ports, bus_memory;
    GuestMemory memory{4 << 20};
    InterruptLine line{platform, 16};
    const PciSlot slot{ports, bus_memory, platform, 1, line};
    LoopThread first{"ide.0"}, second{"ide.1"};
    IdeController ide{slot, memory, {&first.loop(), &second.loop()}};
    uint16_t base = 0x1f0; // of the channel that is spoken to
};

} // namespace vireo

#endif // VIREO_TESTS_IDE_WORLD_H
