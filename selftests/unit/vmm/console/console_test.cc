// SPDX-License-Identifier: GPL-2.0-only
// virtio-console from its driver's side: bytes both ways, and messages about ports.
#include <fmt/core.h>
#include <linux/virtio_console.h>

#include <mutex>
#include <string>

#include "console/console_device.h"
#include "virtio_world.h"

namespace vireo {
namespace {

// A chardev whose peer is the test. On the queues' loop, like the console.
class FakeChardev final : public CharBackend {
public:
    explicit FakeChardev(EventLoop& loop) : loop_(loop) {}
    void connect(CharFrontend* frontend) override { frontend_ = frontend; }
    size_t write(std::span<const uint8_t> bytes) override {
        const std::lock_guard lock(mutex_);
        const size_t n = std::min(bytes.size(), room_);
        output_.append(reinterpret_cast<const char*>(bytes.data()), n);
        room_ -= n;
        return n;
    }
    void accept_input() override {
        loop_.post([this] { give_input(); });
    }
    void give_input() {
        while (frontend_ && !input_.empty()) {
            const size_t n = std::min(frontend_->char_room(), input_.size());
            if (!n) {
                return;
            }
            const std::string now = input_.substr(0, n);
            input_.erase(0, n);
            frontend_->char_input({reinterpret_cast<const uint8_t*>(now.data()), n});
        }
    }
    bool open() const override { return open_; }
    std::optional<Size> size() const override { return Size{132, 43}; }
    std::string describe() const override { return "fake"; }

    void type(const std::string& text) {
        loop_.call([&] {
            input_ += text;
            give_input();
        });
    }
    void give_room(size_t bytes) {
        loop_.call([&] {
            {
                const std::lock_guard lock(mutex_);
                room_ = bytes;
            }
            frontend_->char_drained();
        });
    }
    void set_open(bool open) {
        loop_.call([&] {
            open_ = open;
            open ? frontend_->char_opened() : frontend_->char_closed();
        });
    }
    void resize() {
        loop_.call([&] { frontend_->char_resized(); });
    }
    std::string output() {
        const std::lock_guard lock(mutex_);
        return output_;
    }

private:
    EventLoop& loop_;
    CharFrontend* frontend_ = nullptr;
    std::atomic<bool> open_ = true;
    std::string input_;
    std::mutex mutex_;
    std::string output_;
    size_t room_ = 1 << 20;
};

struct ConsoleTest : testing::Test {
    Ground ground;
    FakeChardev first{ground.queues.loop()}, second{ground.queues.loop()};
    std::vector<CharBackend*> chardevs{&first, &second};
    std::optional<ConsoleDevice> device;
    std::optional<Driver> driver;
    std::vector<std::unique_ptr<Ring>> rings;

    void start(std::vector<std::string> names, uint64_t features = 0) {
        ConsoleOptions options = {.id = "con0", .ports = {}, .virtio = {}};
        for (const std::string& name : names) {
            options.ports.push_back({.chardev = "c", .name = name});
        }
        features |= feature(VIRTIO_F_VERSION_1);
        device.emplace(ground.ram, ground.main, ground.queues.loop(), options, chardevs);
        driver.emplace(ground, *device, VirtioOptions{});
        begin(features);
    }
    void begin(uint64_t features) {
        ASSERT_TRUE(driver->negotiate(features));
        rings.clear();
        for (uint16_t i = 0; i < device->shape().queues.size(); i++) {
            rings.push_back(std::make_unique<Ring>(ground, features, size_t{i} << 17));
            driver->enable(i, rings.back()->fd);
        }
        driver->go();
    }
    static uint64_t place(uint16_t queue) {
        return FD_GUEST_BASE + Ring::kPayload + (uint64_t{queue} << 16);
    }
    std::byte* memory(uint16_t queue) { return ground.ram.at(place(queue), 1 << 16); }
    void offer(uint16_t queue, uint32_t readable, uint32_t writable) {
        if (rings[queue]->offer(readable, writable, FD_DIRECT, place(queue))) {
            driver->ring_doorbell(queue);
        }
    }
    uint32_t reap(uint16_t queue) {
        uint32_t length = ~0u;
        EXPECT_TRUE(ground.until([&] { return rings[queue]->reap(length); })) << queue;
        return length;
    }
    void print(uint16_t queue, const std::string& text) {
        memcpy(memory(queue), text.data(), text.size());
        offer(queue, static_cast<uint32_t>(text.size()), 0);
    }
    std::string text(uint16_t queue, uint32_t length) {
        return {reinterpret_cast<const char*>(memory(queue)), length};
    }
    void tell(uint32_t id, uint16_t event, uint16_t value) {
        const virtio_console_control control = {.id = id, .event = event, .value = value};
        memcpy(memory(3), &control, sizeof(control));
        offer(3, sizeof(control), 0);
        reap(3);
    }
    // The next message of the device, as "id event value more".
    std::string hear() {
        offer(2, 0, 256);
        const uint32_t length = reap(2);
        EXPECT_GE(length, sizeof(virtio_console_control));
        virtio_console_control control;
        memcpy(&control, memory(2), sizeof(control));
        return fmt::format("{} {} {} ", control.id, control.event, control.value) +
               text(2, length).substr(sizeof(control));
    }
};

TEST_F(ConsoleTest, OnePortIsAConsoleWithTwoQueues) {
    start({""});
    EXPECT_EQ(device->shape().queues.size(), 2u);
    EXPECT_EQ(driver->get(virtio_pci::kDeviceConfig, 4), 132u | 43u << 16);
    print(1, "hello");
    reap(1);
    EXPECT_EQ(first.output(), "hello");
    offer(0, 0, 64);
    first.type("abc");
    EXPECT_EQ(reap(0), 3u);
    EXPECT_EQ(text(0, 3), "abc");
}

TEST_F(ConsoleTest, InputWaitsForBuffers) {
    start({""});
    first.type("0123456789");
    std::string got;
    for (const uint32_t room : {4u, 4u, 4u}) {
        offer(0, 0, room);
        const uint32_t length = reap(0);
        got += text(0, length);
    }
    EXPECT_EQ(got, "0123456789");
}

TEST_F(ConsoleTest, OutputWaitsForASlowPeerAndGoesOnWhereItWas) {
    start({""});
    first.give_room(3);
    print(1, "0123456789");
    ASSERT_TRUE(ground.until([&] { return first.output() == "012"; }));
    uint32_t length;
    EXPECT_FALSE(rings[1]->reap(length));
    driver->pci.pause();
    driver->pci.resume();
    first.give_room(100);
    reap(1);
    EXPECT_EQ(first.output(), "0123456789");
}

TEST_F(ConsoleTest, EmergencyWritesNeedNoQueue) {
    start({""});
    driver->set_status(0);
    driver->set(virtio_pci::kDeviceConfig + 8, 4, '!');
    EXPECT_EQ(first.output(), "!");
}

TEST_F(ConsoleTest, ATerminalOfAnotherSizeIsAConfigurationChange) {
    start({""});
    first.resize();
    ASSERT_TRUE(ground.until([&] { return ground.platform.lines[10]; }));
    EXPECT_EQ(driver->get(virtio_pci::kIsr, 1), 2u);
}

TEST_F(ConsoleTest, PortsAreAnnouncedNamedAndOpened) {
    start({"", "org.example.agent"}, feature(VIRTIO_CONSOLE_F_MULTIPORT));
    EXPECT_EQ(driver->get(virtio_pci::kDeviceConfig + 4, 4), 2u);
    tell(0xffff'ffff, VIRTIO_CONSOLE_DEVICE_READY, 1);
    EXPECT_EQ(hear(), fmt::format("0 {} 1 ", VIRTIO_CONSOLE_PORT_ADD));
    EXPECT_EQ(hear(), fmt::format("1 {} 1 ", VIRTIO_CONSOLE_PORT_ADD));
    tell(0, VIRTIO_CONSOLE_PORT_READY, 1);
    EXPECT_EQ(hear(), fmt::format("0 {} 1 ", VIRTIO_CONSOLE_CONSOLE_PORT));
    EXPECT_EQ(hear(),
              fmt::format("0 {} 1 ", VIRTIO_CONSOLE_RESIZE) + std::string("\x84\x00\x2b\x00", 4));
    EXPECT_EQ(hear(), fmt::format("0 {} 1 ", VIRTIO_CONSOLE_PORT_OPEN));
    second.set_open(false);
    tell(1, VIRTIO_CONSOLE_PORT_READY, 1);
    EXPECT_EQ(hear(), fmt::format("1 {} 1 org.example.agent", VIRTIO_CONSOLE_PORT_NAME));
    EXPECT_EQ(hear(), fmt::format("1 {} 0 ", VIRTIO_CONSOLE_PORT_OPEN));
    second.set_open(true);
    EXPECT_EQ(hear(), fmt::format("1 {} 1 ", VIRTIO_CONSOLE_PORT_OPEN));

    // Closed in the guest, nothing comes in.
    second.type("early");
    offer(4, 0, 64);
    tell(1, VIRTIO_CONSOLE_PORT_OPEN, 1);
    EXPECT_EQ(text(4, reap(4)), "early");
    print(5, "agent");
    reap(5);
    EXPECT_EQ(second.output(), "agent");
    EXPECT_EQ(first.output(), "");
}

TEST_F(ConsoleTest, MessagesThatMakeNoSenseChangeNothing) {
    start({"", "x"}, feature(VIRTIO_CONSOLE_F_MULTIPORT));
    for (uint16_t event = 0; event < 12; event++) {
        tell(2, event, 1);
        tell(0xffff'fff0, event, 0xffff);
    }
    offer(3, 3, 0); // shorter than a message
    EXPECT_EQ(reap(3), 0u);
    // DEVICE_READY was among them, twice: what is due is due once.
    EXPECT_EQ(hear(), fmt::format("0 {} 1 ", VIRTIO_CONSOLE_PORT_ADD));
    EXPECT_EQ(hear(), fmt::format("1 {} 1 ", VIRTIO_CONSOLE_PORT_ADD));
    offer(2, 0, 256);
    ground.queues.loop().call([] {});
    uint32_t length;
    EXPECT_FALSE(rings[2]->reap(length));
}

TEST_F(ConsoleTest, AResetForgetsWhoIsOpen) {
    start({"", "x"}, feature(VIRTIO_CONSOLE_F_MULTIPORT));
    tell(1, VIRTIO_CONSOLE_PORT_OPEN, 1);
    driver->set_status(0);
    begin(feature(VIRTIO_F_VERSION_1) | feature(VIRTIO_CONSOLE_F_MULTIPORT));
    offer(4, 0, 64);
    second.type("late");
    ground.queues.loop().call([] {});
    uint32_t length;
    EXPECT_FALSE(rings[4]->reap(length));
}

} // namespace
} // namespace vireo
