// SPDX-License-Identifier: GPL-2.0-only
// A machine's devices as its options ask for them: found on the bus, listed, and asked to change.
#include "machine/devices.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <functional>
#include <string>

#include "base/error.h"
#include "fake_platform.h"

namespace vireo {
namespace {

constexpr uint32_t kNobody = 0xffffffff;

class DevicesTest : public testing::Test {
protected:
    DevicesTest() {
        const int fd = mkstemp(image_.data());
        EXPECT_GE(fd, 0);
        EXPECT_EQ(ftruncate(fd, 1 << 20), 0);
        close(fd);
    }
    ~DevicesTest() override { unlink(image_.c_str()); }

    DriveOptions& add_disk(MachineOptions& options, const std::string& id) const {
        DriveOptions& drive = options.drives.emplace_back();
        drive.id = id;
        drive.file = image_;
        drive.readonly = true; // several may have it
        return drive;
    }
    // A disk, an entropy source, and a console.
    MachineOptions options() const {
        MachineOptions options;
        add_disk(options, "disk0").queues = 2;
        options.rngs.emplace_back().id = "rng0";
        ChardevOptions& null = options.chardevs.emplace_back();
        null.id = "null";
        null.kind = ChardevOptions::Kind::kNull;
        ConsoleOptions& console = options.consoles.emplace_back();
        console.id = "console0";
        console.ports.emplace_back().chardev = "null";
        return options;
    }
    std::unique_ptr<Devices> make(const MachineOptions& options) {
        return std::make_unique<Devices>(options, memory_, main_, board_,
                                         Devices::Reports{.quit = [] {}, .broken = {}});
    }
    // Vendor and device of a PCI slot.
    uint32_t function(unsigned slot) {
        board_.ports().write(0xcf8, 4, 1U << 31 | slot << 11);
        return static_cast<uint32_t>(board_.ports().read(0xcfc, 4));
    }
    static std::string refusal(const std::function<void()>& action) {
        try {
            action();
            return "";
        } catch (const UsageError& error) {
            return error.what();
        }
    }

    std::string image_ = testing::TempDir() + "vireo-machine-XXXXXX";
    GuestMemory memory_{64 << 20};
    FakePlatform platform_;
    EventLoop main_;
    Board board_{platform_, {.power_off = [] {}, .reset = [] {}}};
};

TEST_F(DevicesTest, AreOnTheBusAsLongAsTheyAreThere) {
    auto devices = make(options());
    // Transitional: 0x1000 and a number that goes with the type (virtio 1.2, 4.1.2.1).
    EXPECT_EQ(function(1), 0x1001'1af4U);
    EXPECT_EQ(function(2), 0x1003'1af4U);
    EXPECT_EQ(function(3), 0x1005'1af4U);
    EXPECT_EQ(function(4), kNobody);
    devices.reset();
    EXPECT_EQ(function(1), kNobody);
}

TEST_F(DevicesTest, AreListedInTheirOrder) {
    const auto devices = make(options());
    const auto list = devices->list();
    ASSERT_EQ(list.size(), 3U);
    EXPECT_EQ(list[0].id, "disk0");
    EXPECT_EQ(list[0].model, "virtio-blk-pci");
    EXPECT_EQ(list[0].queues.size(), 2U);
    EXPECT_EQ(list[1].id, "console0");
    EXPECT_EQ(list[2].id, "rng0");
    for (const auto& device : list) {
        EXPECT_EQ(device.features, 0U) << device.id << " has no driver";
        for (const auto& queue : device.queues) {
            EXPECT_EQ(queue.path, "user");
            EXPECT_FALSE(queue.counters.empty());
        }
    }
}

TEST_F(DevicesTest, OnlyACardHasACable) {
    const auto devices = make(options());
    EXPECT_EQ(refusal([&] { devices->set_link("disk0", false); }), "\"disk0\" is no network card");
    EXPECT_EQ(refusal([&] { devices->set_link("net0", false); }), "there is no device \"net0\"");
}

TEST_F(DevicesTest, APathIsSwitchedWhereThereIsOne) {
    MachineOptions asked = options();
    asked.drives[0].vhostdev = "/dev/no-such-vhost";
    const auto devices = make(asked);
    EXPECT_EQ(refusal([&] { devices->set_path("disk9", "user"); }), "there is no device \"disk9\"");
    EXPECT_EQ(refusal([&] { devices->set_path("disk0", "kernel"); }),
              "path \"kernel\": \"user\" or \"vhost\" are known");
    EXPECT_EQ(refusal([&] { devices->set_path("rng0", "vhost"); }),
              "no kernel module serves such a device: its only path is \"user\"");
    EXPECT_EQ(refusal([&] { devices->set_path("disk0", "vhost"); }),
              "-drive file=" + image_ +
                  ",vhost=on: /dev/no-such-vhost is missing; load the modules (those that make it) "
                  "or use vhost=off");
    for (const char* id : {"disk0", "rng0", "console0"}) {
        devices->set_path(id, "user"); // as they are
    }
}

TEST_F(DevicesTest, DisksMayShareAThread) {
    const auto threads = [] {
        unsigned count = 0;
        for (const auto& entry : std::filesystem::directory_iterator("/proc/self/task")) {
            count += entry.is_directory();
        }
        return count;
    };
    MachineOptions asked;
    for (const char* id : {"disk0", "disk1", "disk2"}) {
        add_disk(asked, id);
    }
    const unsigned before = threads();
    auto devices = make(asked);
    EXPECT_EQ(threads(), before + 3);
    devices.reset();
    EXPECT_EQ(threads(), before);
    asked.iothreads = {"shared"};
    for (DriveOptions& drive : asked.drives) {
        drive.iothread = "shared";
    }
    devices = make(asked);
    EXPECT_EQ(threads(), before + 1);
}

TEST_F(DevicesTest, AFailureLeavesNothingBehind) {
    MachineOptions asked = options();
    asked.rngs[0].file = "/no/such/source";
    EXPECT_ANY_THROW(make(asked));
    for (unsigned slot = 1; slot < PciHost::kSlots; slot++) {
        EXPECT_EQ(function(slot), kNobody) << slot;
    }
    EXPECT_TRUE(platform_.doorbells.empty());
    EXPECT_TRUE(platform_.routes.empty());
}

} // namespace
} // namespace vireo
