// SPDX-License-Identifier: GPL-2.0-only
// A virtio device on a PCI bus of its own, seen from its driver: registers by the names of virtio
// 1.2, 4.1.4.3, and rings by the fake driver.
#ifndef VIREO_TESTS_VIRTIO_WORLD_H
#define VIREO_TESTS_VIRTIO_WORLD_H

#include <gtest/gtest.h>
#include <linux/pci_regs.h>
#include <linux/virtio_config.h>

#include <chrono>
#include <cstring>
#include <functional>
#include <thread>
#include <vector>

#include "fake_driver.h"
#include "fake_platform.h"
#include "virtio/pci_layout.h"
#include "virtio/pci_transport.h"

namespace vireo {

constexpr uint64_t feature(unsigned number) {
    return uint64_t{1} << number;
}

// The machine around it. The fake driver's memory is guest memory from FD_GUEST_BASE on.
struct Ground {
    FakePlatform platform;
    Bus ports, memory;
    InterruptLine line{platform, 10};
    EventLoop main;
    GuestMemory ram{FD_GUEST_BASE + (16 << 20)};
    LoopThread queues{"queues"};

    // Do what the main loop has to do.
    void settle() {
        for (int i = 0; i < 4; i++) {
            main.post([this] { main.quit(); });
            main.run();
        }
    }

    // Until it is so, or so late that it never will be.
    bool until(const std::function<bool()>& so) {
        const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
        while (!so()) {
            if (std::chrono::steady_clock::now() > end) {
                return false;
            }
            settle();
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
        }
        return true;
    }
};

// The function and its registers.
struct Driver {
    static constexpr uint64_t kBar = 0xd000'0000;
    static constexpr uint64_t kPorts = 0xc000;
    static constexpr unsigned kMsixControl = 0x40 + PCI_MSIX_FLAGS; // the first capability

    Driver(Ground& ground, VirtioDevice& device, const VirtioOptions& options)
        : ground(ground),
          pci({.ports = ground.ports,
               .memory = ground.memory,
               .platform = ground.platform,
               .device = 3,
               .line = ground.line},
              ground.main, device, options, "test0", [this](const std::string&) { broken++; }) {
        place();
    }

    void place() {
        pci.write_config(PCI_BASE_ADDRESS_0, 4, kPorts);
        pci.write_config(PCI_BASE_ADDRESS_1, 4, kBar);
        pci.write_config(PCI_COMMAND, 2, PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
    }

    uint64_t get(uint64_t offset, unsigned size) { return ground.memory.read(kBar + offset, size); }
    void set(uint64_t offset, unsigned size, uint64_t value) {
        ground.memory.write(kBar + offset, size, value);
    }
    uint64_t in(uint64_t port, unsigned size) { return ground.ports.read(kPorts + port, size); }
    void out(uint64_t port, unsigned size, uint64_t value) {
        ground.ports.write(kPorts + port, size, value);
    }

    using Common = virtio_pci::Common;
    uint8_t status() { return static_cast<uint8_t>(get(offsetof(Common, device_status), 1)); }
    void set_status(uint8_t value) { set(offsetof(Common, device_status), 1, value); }
    uint64_t offered() {
        uint64_t features = 0;
        for (unsigned word : {0, 1}) {
            set(offsetof(Common, device_feature_select), 4, word);
            features |= get(offsetof(Common, device_feature), 4) << (32 * word);
        }
        return features;
    }
    void accept(uint64_t features) {
        for (unsigned word : {0, 1}) {
            set(offsetof(Common, driver_feature_select), 4, word);
            set(offsetof(Common, driver_feature), 4, features >> (32 * word) & 0xffff'ffff);
        }
    }
    // Up to FEATURES_OK; whether the device agrees.
    bool negotiate(uint64_t features) {
        set_status(VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER);
        accept(features);
        set_status(status() | VIRTIO_CONFIG_S_FEATURES_OK);
        return status() & VIRTIO_CONFIG_S_FEATURES_OK;
    }
    void select(uint16_t queue) { set(offsetof(Common, queue_select), 2, queue); }
    void set_address(unsigned field, uint64_t address) {
        set(field, 4, address & 0xffff'ffff);
        set(field + 4, 4, address >> 32);
    }
    void enable(uint16_t queue, const fake_driver& ring) {
        select(queue);
        set(offsetof(Common, queue_size), 2, ring.setup.num);
        set_address(offsetof(Common, queue_desc), FD_GUEST_BASE + ring.desc);
        set_address(offsetof(Common, queue_driver), FD_GUEST_BASE + ring.driver);
        set_address(offsetof(Common, queue_device), FD_GUEST_BASE + ring.device);
        set(offsetof(Common, queue_enable), 2, 1);
    }
    void go() { set_status(status() | VIRTIO_CONFIG_S_DRIVER_OK); }

    void use_msix(uint16_t queue, uint16_t vector) {
        const uint64_t entry = virtio_pci::kMsixTable + uint64_t{vector} * 16;
        set(entry, 4, 0xfee0'0000);
        set(entry + 4, 4, 0);
        set(entry + 8, 4, 0x40u + vector);
        set(entry + 12, 4, 0);
        pci.write_config(kMsixControl, 2, PCI_MSIX_FLAGS_ENABLE);
        select(queue);
        set(offsetof(Common, queue_msix_vector), 2, vector);
    }

    // What the hypervisor would do for a write to the queue's doorbell.
    bool ring_doorbell(uint16_t queue) {
        for (const Platform::Doorbell& bell : ground.platform.doorbells) {
            if (!bell.port && bell.address == kBar + virtio_pci::kNotify +
                                                  uint64_t{queue} * virtio_pci::kNotifyStep) {
                signal_event(bell.eventfd);
                return true;
            }
        }
        return false;
    }

    Ground& ground;
    unsigned broken = 0;
    VirtioPci pci;
};

// A queue as its driver has it.
struct Ring {
    static constexpr unsigned kSize = 16;
    static constexpr uint64_t kPayload = 8 << 20; // from the arena's beginning

    Ring(Ground& ground, uint64_t features, size_t offset = 0) : bufs(kSize), ram(&ground.ram) {
        const fd_setup setup = {
            .features = features,
            .num = kSize,
            .table_max = 4,
            .arena = ram->at(FD_GUEST_BASE, 16 << 20),
            .arena_device = reinterpret_cast<unsigned long>(ram->at(FD_GUEST_BASE, 1)),
            .arena_bytes = 16 << 20,
            .offset = offset,
            .bufs = bufs.data()};
        memset(ram->at(FD_GUEST_BASE + offset, 1 << 16), 0, 1 << 16);
        EXPECT_EQ(fd_init(&fd, &setup), 0);
    }

    // Make a buffer available; true: the device wants a kick.
    bool offer(uint32_t readable, uint32_t writable, fd_shape shape = FD_DIRECT,
               uint64_t at = FD_GUEST_BASE + kPayload) {
        std::vector<vq_seg> segments;
        if (readable) {
            segments.push_back({.addr = at, .len = readable});
        }
        if (writable) {
            segments.push_back({.addr = at + readable, .len = writable});
        }
        EXPECT_GE(fd_add(&fd, segments.data(), readable ? 1 : 0, writable ? 1 : 0, shape, this), 0);
        return fd_show(&fd);
    }
    bool reap(uint32_t& length) {
        fd_used used;
        const int got = fd_reap(&fd, &used);
        EXPECT_GE(got, 0) << fd.error;
        length = got > 0 ? used.len : 0;
        return got > 0;
    }
    std::byte* payload() { return ram->at(FD_GUEST_BASE + kPayload, 1); }

    std::vector<fd_buf> bufs;
    GuestMemory* ram;
    fake_driver fd{};
};

} // namespace vireo

#endif // VIREO_TESTS_VIRTIO_WORLD_H
