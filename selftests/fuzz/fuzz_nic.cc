// SPDX-License-Identifier: GPL-2.0-only
// A driver of an emulated card that writes anything anywhere: registers, descriptors in memory,
// while frames come and the wire is full at times. The first byte says which card. Whatever it did,
// the next driver, which is the unit tests', finds a card that works.
#include <cstdio>
#include <cstdlib>
#include <string>

#include "base/log.h"
#include "emulated/nic_world.h"
#include "input.h"
#include "no_hypervisor.h"

namespace vireo {

// What a person would read at each turn.
void say(std::string_view) {}

namespace {

constexpr const char* kModels[] = {"e1000", "rtl8139", "rtl8139c"};

void must(bool so, const char* what) {
    if (!so) {
        fprintf(stderr, "ring watch: %s\n", what);
        abort();
    }
}

test::Bytes make_frame(const MacAddress& to, size_t size) {
    test::Bytes frame(size, 0x5a);
    std::copy(to.begin(), to.end(), frame.begin());
    return frame;
}

void arrive(test::NicWorld& world, const test::Bytes& frame) {
    test::Bytes packet(sizeof(virtio_net_hdr));
    packet.insert(packet.end(), frame.begin(), frame.end());
    world.cable->put(packet);
}

void run(test::NicWorld& world, test::NicDriver& driver, Input& input) {
    constexpr unsigned kSizes[] = {1, 2, 4, 4};
    bool paused = false;
    while (!input.empty()) {
        const uint8_t op = input.u8();
        const unsigned size = kSizes[op >> 4 & 3];
        switch (op & 0xf) {
            case 0:
                world.in(input.u8(), size);
                break;
            case 1:
            case 2:
                world.out(input.u8(), size, input.u32());
                break;
            case 3:
                world.read(input.u16() & 0x7fff, size);
                break;
            case 4:
            case 5:
                world.write(input.u16() & 0x7fff, input.u32(), size);
                break;
            case 6:
                world.write(0x2800 + (input.u8() & 0x1f) * 4 + (op & 0x80 ? 0x1000 : 0),
                            input.u16());
                break;
            case 7:
                world.turn();
                break;
            case 8:
                arrive(world, make_frame(test::kNicMac, 14 + input.u16() % 4000));
                break;
            case 9:
                driver.start();
                break;
            case 10:
                driver.send(make_frame(test::kNicMac, 14 + input.u8() * 6));
                break;
            case 11:
                paused ? world.nic->resume() : world.nic->pause();
                paused = !paused;
                break;
            case 12:
                world.nic->set_link(op & 0x10);
                break;
            case 13:
                world.nic->write_config(input.u8() & 0xfc, 4, input.u32());
                break;
            default: {
                const uint64_t at =
                    (uint64_t{input.u16()} & 0x3ff) * 4 + (op & 0x40 ? 0x1000 : 0x2000);
                world.store(at, input.u32());
            }
        }
    }
    world.nic->resume();
    world.nic->set_link(true);
}

// Frames that are still under way, both ways, are let go.
void drain(test::NicWorld& world) {
    for (int i = 0; i < 1000; i++) {
        world.turn();
        if (!world.cable->get(0)) {
            break;
        }
    }
}

void works(test::NicWorld& world, test::NicDriver& driver) {
    // No receiver: what waits goes by.
    world.nic->reset();
    world.place();
    drain(world);
    drain(world);
    must(driver.address() == test::kNicMac, "after a reset the address is another");
    driver.start();
    const test::Bytes out = make_frame(MacAddress{0x52, 1, 2, 3, 4, 5}, 100);
    must(driver.send(out), "after a reset nothing can be sent");
    world.turn();
    const auto sent = world.cable->get(0);
    must(sent && sent->size() == sizeof(virtio_net_hdr) + out.size(),
         "after a reset nothing is sent");
    arrive(world, make_frame(test::kNicMac, 200));
    world.turn();
    must(driver.receive() == make_frame(test::kNicMac, 200), "after a reset nothing is received");
}

} // namespace
} // namespace vireo

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    if (!size) {
        return 0;
    }
    const char* model = vireo::kModels[data[0] % std::size(vireo::kModels)];
    vireo::NoHypervisor platform;
    vireo::test::NicWorld world(model, platform, true);
    const auto driver = vireo::test::make_nic_driver(model, world);
    driver->start();
    Input input(data + 1, size - 1);
    vireo::run(world, *driver, input);
    vireo::works(world, *driver);
    return 0;
}
