// SPDX-License-Identifier: GPL-2.0-only
// A driver that writes anything to an IDE controller: registers of both channels, tables of the bus
// masters, packets, data, in any order and at any moment. Whatever it did, after a reset a sector
// is read as it was last written, and the images have kept their sizes.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <utility>

#include "base/log.h"
#include "emulated/ide/ata.h"
#include "emulated/ide/controller.h"
#include "input.h"
#include "no_hypervisor.h"

namespace vireo {

// What a person would read at each turn.
void say(std::string_view) {}

namespace {

using namespace ata;

constexpr uint16_t kMaster = 0xc000;
constexpr uint16_t kChannels[] = {0x1f0, 0x170};
constexpr uint32_t kMemory = 1 << 20;
constexpr off_t kDiskSize = 512 << 10, kCdSize = 64 << 10;
constexpr unsigned kMostSteps = 400;

void must(bool so, const char* what) {
    if (!so) {
        fprintf(stderr, "ide: %s\n", what);
        abort();
    }
}

DriveOptions image(const char* name, off_t size, bool cdrom) {
    DriveOptions options;
    options.id = name;
    options.file = "/proc/self/fd/" + std::to_string(memfd_create(name, 0));
    must(truncate(options.file.c_str(), size) == 0, "no image");
    options.aio = AioMode::kThreads;
    options.cdrom = options.readonly = cdrom;
    return options;
}

struct World {
    NoHypervisor platform;
    Bus ports, memory;
    InterruptLine line{platform, 16};
    GuestMemory ram{kMemory};
    LoopThread loop{"ide"};
    DriveOptions disk = image("disk", kDiskSize, false), other = image("other", kDiskSize, false),
                 cd = image("cd", kCdSize, true);
    IdeController ide{
        {.ports = ports, .memory = memory, .platform = platform, .device = 1, .line = line},
        ram,
        {&loop.loop(), &loop.loop()}};

    World() {
        ide.add(0, disk);
        ide.add(1, other);
        ide.add(2, cd);
    }

    void place() {
        ide.reset();
        ide.write_config(0x20, 4, kMaster);
        ide.write_config(0x04, 2, 5);
    }
    uint8_t status(unsigned channel) {
        return static_cast<uint8_t>(ports.read(kChannels[channel] + 0x206, 1));
    }
    void settle(unsigned channel) {
        while (status(channel) != 0xff && status(channel) & kBusy &&
               !(controls[channel] & kSoftReset)) {
            std::this_thread::yield();
        }
    }

    void step(Input& in) {
        const uint8_t what = in.u8();
        const unsigned channel = what >> 7;
        const uint16_t base = kChannels[channel];
        switch (what & 0x0f) {
            case 0:
            case 1: // a command, with registers before it
                for (unsigned reg = kFeature; reg <= kDevice; reg++) {
                    ports.write(base + reg, 1, in.u8());
                }
                ports.write(base + kCommand, 1, in.u8());
                break;
            case 2:
                ports.write(base + (in.u8() & 7), 1, in.u8());
                break;
            case 3:
                ports.read(base + (in.u8() & 7), 1u << (in.u8() & 1));
                break;
            case 4:
                controls[channel] = in.u8();
                ports.write(base + 0x206, 1, controls[channel]);
                break;
            case 5:
                ports.write(kMaster + (in.u8() & 15), 1, in.u8());
                break;
            case 6:
                ports.write(kMaster + 8 * channel + 4, 4, in.u32());
                break;
            case 7: { // an entry of a table
                const uint32_t entry[2] = {in.u32() & (kMemory * 2 - 1), in.u32() & 0x8000'ffff};
                ram.write(in.u16() & ~7u, entry, sizeof(entry));
                break;
            }
            case 8: {
                uint8_t data[2048];
                ports.read_string(base, 2, {data, size_t{in.u16() & 1023u} * 2});
                break;
            }
            case 9: {
                uint8_t data[2048];
                memset(data, in.u8(), sizeof(data));
                ports.write_string(base, 2, {data, size_t{in.u16() & 1023u} * 2});
                break;
            }
            case 10: { // a packet
                ports.write(base + kCommand, 1, kPacket);
                uint8_t packet[12];
                for (uint8_t& byte : packet) {
                    byte = in.u8();
                }
                ports.write_string(base, 2, packet);
                break;
            }
            case 11:
                ide.write_config(in.u8() & 0xfc, 4, in.u32());
                break;
            case 12:
                ide.pause();
                break;
            default:
                settle(channel);
        }
    }

    // Writes a sector and reads it, as a sane driver does.
    void check() {
        place();
        controls[0] = controls[1] = 0;
        uint8_t data[512], seen[512];
        memset(data, ++round, sizeof(data));
        for (const uint8_t command : {kWriteSectors, kReadSectors}) {
            settle(0);
            ports.write(0x1f0 + kDevice, 1, kLba);
            ports.write(0x1f0 + kCount, 1, 1);
            ports.write(0x1f0 + kLow, 1, 7);
            ports.write(0x1f0 + kMid, 1, 0);
            ports.write(0x1f0 + kHigh, 1, 0);
            ports.write(0x1f0 + kCommand, 1, command);
            settle(0);
            must(status(0) & kDrq, "a sane driver's command was refused");
            command == kWriteSectors ? ports.write_string(0x1f0, 2, data)
                                     : ports.read_string(0x1f0, 2, seen);
        }
        must(memcmp(data, seen, sizeof(data)) == 0, "a sector was not what was written");
        for (const auto& [options, size] :
             {std::pair{&disk, kDiskSize}, {&other, kDiskSize}, {&cd, kCdSize}}) {
            struct stat now = {};
            must(stat(options->file.c_str(), &now) == 0 && now.st_size == size,
                 "an image has another size");
        }
    }

    uint8_t controls[2] = {};
    uint8_t round = 0;
};

} // namespace
} // namespace vireo

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    static vireo::World world;
    Input input(data, size);
    world.place();
    for (unsigned i = 0; i < vireo::kMostSteps && !input.empty(); i++) {
        world.step(input);
    }
    world.check();
    return 0;
}
