// SPDX-License-Identifier: GPL-2.0-only
// A driver that writes anything anywhere: the PCI configuration space, the BARs, the ports of a
// transitional virtio-rng, and the ring in memory. Whatever it did, the next driver finds a device
// that works: after a reset a request is answered.
#include <fcntl.h>
#include <linux/pci_regs.h>
#include <linux/virtio_config.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>

#include "base/event_fd.h"
#include "base/log.h"
#include "input.h"
#include "rng/rng_device.h"
#include "virtio/pci_layout.h"
#include "virtio/pci_transport.h"

namespace vireo {

// What a person would read at each turn.
void say(std::string_view) {}

namespace {

constexpr uint64_t kBar = 0xd000'0000;
constexpr uint64_t kPorts = 0xc000;
constexpr uint64_t kRing = 0x1000; // descriptors, driver's and device's area: a page each
constexpr uint64_t kBuffer = 0x8000;
constexpr uint32_t kAsked = 64;

// A hypervisor of which nothing is wanted but that it is used in order.
class Hypervisor final : public Platform {
public:
    void send_msi(const Msi&) noexcept override {}
    unsigned add_msi_route() override { return routes_++; }
    void remove_msi_route(unsigned) noexcept override {}
    void set_msi_route(unsigned route, const Msi&) override { must(route < routes_); }
    void attach_irqfd(unsigned route, int) override {
        must(route < routes_);
        attached_++;
    }
    void detach_irqfd(unsigned, int) noexcept override { must(attached_-- > 0); }
    void set_line(unsigned, bool) noexcept override {}
    void add_doorbell(const Doorbell&) override { doorbells_++; }
    void remove_doorbell(const Doorbell&) noexcept override { must(doorbells_-- > 0); }
    ~Hypervisor() override { must(!attached_ && !doorbells_); }

    static void must(bool so) {
        if (!so) {
            fprintf(stderr, "ring watch: doorbells or interrupts are out of order\n");
            abort();
        }
    }

private:
    unsigned routes_ = 0;
    int attached_ = 0, doorbells_ = 0;
};

struct World {
    Hypervisor platform;
    Bus ports, memory;
    InterruptLine line{platform, 10};
    EventLoop main, queues; // nobody's threads: they run when the input says so
    GuestMemory ram{1 << 20};
    RngDevice device{ram, main, queues, {.id = "rng", .file = "/dev/zero", .virtio = {}}};
    VirtioPci pci{
        {.ports = ports, .memory = memory, .platform = platform, .device = 1, .line = line},
        main,
        device,
        {.packed = true},
        "rng"};

    void place() {
        pci.write_config(PCI_BASE_ADDRESS_0, 4, kPorts);
        pci.write_config(PCI_BASE_ADDRESS_1, 4, kBar);
        pci.write_config(PCI_COMMAND, 2, PCI_COMMAND_IO | PCI_COMMAND_MEMORY);
    }
    void turn(EventLoop& loop) {
        for (int i = 0; i < 2; i++) {
            loop.post([&] { loop.quit(); });
            loop.run();
        }
    }
    void set(size_t field, unsigned size, uint64_t value) {
        memory.write(kBar + field, size, value);
    }

    // As a driver should, to DRIVER_OK, but for the features.
    void start(uint64_t features) {
        using virtio_pci::Common;
        set(offsetof(Common, device_status), 1, 0);
        for (unsigned word : {0, 1}) {
            set(offsetof(Common, driver_feature_select), 4, word);
            set(offsetof(Common, driver_feature), 4, features >> (32 * word) & 0xffff'ffff);
        }
        set(offsetof(Common, device_status), 1,
            VIRTIO_CONFIG_S_DRIVER | VIRTIO_CONFIG_S_FEATURES_OK);
        set(offsetof(Common, queue_select), 2, 0);
        set(offsetof(Common, queue_desc), 8, kRing);
        set(offsetof(Common, queue_driver), 8, kRing + 0x1000);
        set(offsetof(Common, queue_device), 8, kRing + 0x2000);
        set(offsetof(Common, queue_enable), 2, 1);
        set(offsetof(Common, device_status), 1, 0xf);
    }

    // A request as it should be, and whether it was answered.
    bool answers() {
        pci.reset();
        place();
        memset(ram.at(0, 1), 0xff, 0x10000);
        memset(ram.at(kRing, 1), 0, 0x3000);
        auto* desc = reinterpret_cast<vq_split_desc*>(ram.at(kRing, 16));
        *desc = {.addr = kBuffer, .len = kAsked, .flags = VQ_DESC_F_WRITE, .next = 0};
        reinterpret_cast<vq_split_avail*>(ram.at(kRing + 0x1000, 16))->idx = 1;
        start(uint64_t{1} << VIRTIO_F_VERSION_1);
        turn(queues);
        const auto* used = reinterpret_cast<const vq_split_used*>(ram.at(kRing + 0x2000, 16));
        return used->idx == 1 && used->ring[0].len == kAsked &&
               *ram.at(kBuffer + kAsked - 1, 1) == std::byte{0};
    }
};

void run(World& world, Input& input) {
    constexpr unsigned kSizes[] = {1, 2, 4, 8};
    bool paused = false;
    while (!input.empty()) {
        const uint8_t op = input.u8();
        const unsigned size = kSizes[op >> 4 & 3];
        // Where registers are close together, most of the time.
        const bool far = op & 0x80;
        const auto offset = [&](unsigned limit) {
            const unsigned at = far ? input.u16() % limit : input.u8() % limit;
            return std::min(at, limit - size);
        };
        switch (op & 0xf) {
            case 0:
                world.pci.read_config(offset(256), size > 4 ? 4 : size);
                break;
            case 1:
                world.pci.write_config(offset(256), size > 4 ? 4 : size, input.u32());
                break;
            case 2:
                world.memory.read(kBar + offset(0x8000), size);
                break;
            case 3:
                world.memory.write(kBar + offset(0x8000), size, input.u32());
                break;
            case 4:
                world.memory.write(kBar + offset(0x3c), size, input.u8());
                break;
            case 5:
                world.ports.read(kPorts + offset(256), size);
                break;
            case 6:
                world.ports.write(kPorts + offset(0x20), size, input.u16());
                break;
            case 7:
                world.memory.write(kBar + virtio_pci::kNotify, 4, 0);
                world.turn(world.queues);
                break;
            case 8:
                world.turn(world.main);
                break;
            case 9:
                world.start(uint64_t{input.u32()} | (1ull + (input.u8() & 0xfe)) << 32);
                break;
            case 10:
                world.place();
                break;
            case 11:
                paused ? world.pci.resume() : world.pci.pause();
                paused = !paused;
                break;
            case 12:
                world.pci.reset();
                world.place();
                break;
            case 13:
                world.memory.write(kBar + virtio_pci::kMsixTable + offset(0x40), size, input.u32());
                break;
            case 14:
                world.start((1ull << VIRTIO_F_VERSION_1) |
                            (far ? 1ull << VIRTIO_F_RING_PACKED : 0));
                break;
            default: {
                const uint64_t at = kRing + (uint64_t{input.u16()} & 0x2fff);
                const uint32_t value = input.u32();
                world.ram.write(at, &value, sizeof(value));
            }
        }
    }
}

} // namespace
} // namespace vireo

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    vireo::World world;
    Input input(data, size);
    world.place();
    vireo::run(world, input);
    if (!world.answers()) {
        fprintf(stderr, "ring watch: after a reset the device answers nothing\n");
        abort();
    }
    return 0;
}
