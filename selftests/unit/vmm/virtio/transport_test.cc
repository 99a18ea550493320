// SPDX-License-Identifier: GPL-2.0-only
// Registers and life of a virtio PCI function, modern and legacy.
#include <linux/virtio_pci.h>

#include "base/error.h"
#include "virtio/echo_device.h"
#include "virtio_world.h"

namespace vireo {
namespace {

using virtio_pci::Common;

constexpr uint64_t kModern = feature(VIRTIO_F_VERSION_1);

struct VirtioPciTest : testing::Test {
    Ground ground;
    EchoDevice device{ground.ram, ground.main, ground.queues.loop()};
    VirtioOptions options{.packed = true};
    std::optional<Driver> made;

    Driver& driver() {
        if (!made) {
            made.emplace(ground, device, options);
        }
        return *made;
    }
};

TEST_F(VirtioPciTest, IdentityOfATransitionalDevice) {
    EXPECT_EQ(driver().pci.read_config(PCI_VENDOR_ID, 4), 0x1005'1af4u);
    EXPECT_EQ(driver().pci.read_config(PCI_SUBSYSTEM_ID, 2), 4u);
    EXPECT_EQ(driver().pci.read_config(PCI_REVISION_ID, 1), 0u);
}

TEST_F(VirtioPciTest, IdentityOfAModernDevice) {
    options.disable_legacy = true;
    EXPECT_EQ(driver().pci.read_config(PCI_VENDOR_ID, 4), 0x1044'1af4u);
    EXPECT_GE(driver().pci.read_config(PCI_REVISION_ID, 1), 1u);
    EXPECT_FALSE(driver().pci.bar(0));
    EXPECT_EQ(driver().in(VIRTIO_PCI_STATUS, 1), 0xffu);
}

TEST_F(VirtioPciTest, NothingIsLeftWithoutBoth) {
    options.disable_legacy = options.disable_modern = true;
    EXPECT_THROW(driver(), UsageError);
}

TEST_F(VirtioPciTest, CapabilitiesPointIntoTheBar) {
    unsigned seen = 0;
    for (unsigned at = driver().pci.read_config(PCI_CAPABILITY_LIST, 1); at;
         at = driver().pci.read_config(at + 1, 1)) {
        ASSERT_LT(at, 0x100u);
        if (driver().pci.read_config(at, 1) != PCI_CAP_ID_VNDR) {
            continue;
        }
        const uint32_t type = driver().pci.read_config(at + 3, 1);
        seen |= 1u << type;
        if (type != VIRTIO_PCI_CAP_PCI_CFG) {
            EXPECT_EQ(driver().pci.read_config(at + 4, 1), 1u);
            EXPECT_LE(driver().pci.read_config(at + 8, 4) + driver().pci.read_config(at + 12, 4),
                      virtio_pci::kModernBarSize);
        }
    }
    EXPECT_EQ(seen, 0x3eu); // 1 to 5
}

TEST_F(VirtioPciTest, RingFeaturesFollowTheOptions) {
    EXPECT_TRUE(driver().offered() & feature(VQ_F_RING_PACKED));
    made.reset();
    options = {.packed = false, .event_idx = false, .indirect_desc = false};
    EXPECT_EQ(driver().offered(), kModern | feature(VIRTIO_F_RING_RESET));
}

TEST_F(VirtioPciTest, FeaturesOkNeedsVersion1AndNothingThatWasNotOffered) {
    EXPECT_FALSE(driver().negotiate(feature(VQ_F_EVENT_IDX)));
    driver().set_status(0);
    EXPECT_FALSE(driver().negotiate(kModern | feature(5)));
    driver().set_status(0);
    EXPECT_TRUE(driver().negotiate(kModern));
    driver().accept(kModern | feature(VQ_F_EVENT_IDX));
    driver().go();
    EXPECT_EQ(driver().pci.features(), kModern) << "features stand after FEATURES_OK";
}

TEST_F(VirtioPciTest, DriverOkBeforeFeaturesOkIsIgnored) {
    driver().set_status(VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER_OK);
    EXPECT_EQ(driver().status(), VIRTIO_CONFIG_S_ACKNOWLEDGE);
    EXPECT_EQ(device.starts, 0u);
}

TEST_F(VirtioPciTest, NoBitIsClearedButByReset) {
    ASSERT_TRUE(driver().negotiate(kModern));
    driver().set_status(VIRTIO_CONFIG_S_ACKNOWLEDGE);
    EXPECT_TRUE(driver().status() & VIRTIO_CONFIG_S_FEATURES_OK);
    driver().set_status(0);
    EXPECT_EQ(driver().status(), 0);
    EXPECT_EQ(device.resets, 1u);
}

TEST_F(VirtioPciTest, QueueFieldsAreCheckedAndStandWhileEnabled) {
    const unsigned size = offsetof(Common, queue_size);
    ASSERT_TRUE(driver().negotiate(kModern));
    driver().select(0);
    for (const unsigned bad : {0u, 3u, 128u, 0xffffu}) {
        driver().set(size, 2, bad);
        EXPECT_EQ(driver().get(size, 2), EchoDevice::kQueueSize) << bad;
    }
    driver().set(size, 2, 8);
    EXPECT_EQ(driver().get(size, 2), 8u);
    driver().set(offsetof(Common, queue_enable), 2, 1);
    driver().set(size, 2, 16);
    driver().set_address(offsetof(Common, queue_desc), 0x1000);
    EXPECT_EQ(driver().get(size, 2), 8u);
    EXPECT_EQ(driver().get(offsetof(Common, queue_desc), 4), 0u);
    driver().set(offsetof(Common, queue_enable), 2, 0);
    EXPECT_EQ(driver().get(offsetof(Common, queue_enable), 2), 1u);

    driver().select(2);
    EXPECT_EQ(driver().get(size, 2), 0u) << "a queue that is not there";
    driver().set(offsetof(Common, queue_enable), 2, 1);
    driver().set(offsetof(Common, queue_msix_vector), 2, 0);
}

TEST_F(VirtioPciTest, AVectorThatCannotBeIsNone) {
    driver().select(1);
    driver().set(offsetof(Common, queue_msix_vector), 2, 2);
    EXPECT_EQ(driver().get(offsetof(Common, queue_msix_vector), 2), 2u);
    driver().set(offsetof(Common, queue_msix_vector), 2, 3);
    EXPECT_EQ(driver().get(offsetof(Common, queue_msix_vector), 2), 0xffffu);
    driver().set(offsetof(Common, config_msix_vector), 2, 0x100);
    EXPECT_EQ(driver().get(offsetof(Common, config_msix_vector), 2), 0xffffu);
}

TEST_F(VirtioPciTest, ADeviceThatCannotStartNeedsAResetOnce) {
    device.refuse = true;
    ASSERT_TRUE(driver().negotiate(kModern));
    driver().go();
    EXPECT_TRUE(driver().status() & VIRTIO_CONFIG_S_NEEDS_RESET);
    EXPECT_EQ(driver().broken, 1u);
    device.refuse = false;
    driver().set_status(0);
    EXPECT_EQ(driver().status(), 0);
    ASSERT_TRUE(driver().negotiate(kModern));
    driver().go();
    EXPECT_FALSE(driver().status() & VIRTIO_CONFIG_S_NEEDS_RESET);
}

TEST_F(VirtioPciTest, ARingOutsideMemoryNeedsAReset) {
    Ring ring(ground, kModern);
    ring.fd.desc = uint64_t{1} << 40;
    ASSERT_TRUE(driver().negotiate(kModern));
    driver().enable(0, ring.fd);
    driver().go();
    EXPECT_TRUE(driver().status() & VIRTIO_CONFIG_S_NEEDS_RESET);
}

TEST_F(VirtioPciTest, ConfigurationChangesAreToldOnlyToADriverThatIsThere) {
    const uint64_t before = driver().get(offsetof(Common, config_generation), 1);
    device.change_config();
    EXPECT_NE(driver().get(offsetof(Common, config_generation), 1), before);
    EXPECT_FALSE(ground.platform.lines[10]);
    ASSERT_TRUE(driver().negotiate(kModern));
    driver().go();
    device.change_config();
    EXPECT_TRUE(ground.platform.lines[10]);
    EXPECT_TRUE(driver().pci.read_config(PCI_STATUS, 2) & PCI_STATUS_INTERRUPT);
    EXPECT_EQ(driver().get(virtio_pci::kIsr, 1), 2u);
    EXPECT_FALSE(ground.platform.lines[10]);
    EXPECT_EQ(driver().get(virtio_pci::kIsr, 1), 0u);
}

TEST_F(VirtioPciTest, DeviceConfigurationByAnyWidth) {
    const unsigned at = virtio_pci::kDeviceConfig;
    EXPECT_EQ(driver().get(at, 8), 0x0807'0605'0403'0201u);
    driver().set(at + 2, 2, 0xbeef);
    EXPECT_EQ(driver().get(at + 2, 1), 0xefu);
    EXPECT_EQ(driver().get(at + 0x100, 4), 0u);
}

TEST_F(VirtioPciTest, TheConfigurationSpaceReachesTheBars) {
    unsigned cap = 0;
    for (unsigned at = driver().pci.read_config(PCI_CAPABILITY_LIST, 1); at;
         at = driver().pci.read_config(at + 1, 1)) {
        if (driver().pci.read_config(at, 1) == PCI_CAP_ID_VNDR &&
            driver().pci.read_config(at + 3, 1) == VIRTIO_PCI_CAP_PCI_CFG) {
            cap = at;
        }
    }
    ASSERT_TRUE(cap);
    VirtioPci& pci = driver().pci;
    const auto aim = [&](unsigned bar, uint32_t offset, uint32_t length) {
        pci.write_config(cap + 4, 1, bar);
        pci.write_config(cap + 8, 4, offset);
        pci.write_config(cap + 12, 4, length);
    };
    aim(1, offsetof(Common, device_status), 1);
    pci.write_config(cap + 16, 1, VIRTIO_CONFIG_S_ACKNOWLEDGE);
    EXPECT_EQ(driver().status(), VIRTIO_CONFIG_S_ACKNOWLEDGE);
    EXPECT_EQ(pci.read_config(cap + 16, 1), unsigned{VIRTIO_CONFIG_S_ACKNOWLEDGE});
    for (const uint32_t bad : {0u, 3u, 8u, 0xffff'ffffu}) {
        aim(1, 0, bad);
        pci.read_config(cap + 16, 4);
    }
    for (const uint32_t bad : {0x7ffdu, 0x8000u, 0xffff'fffcu}) {
        aim(1, bad, 4);
        pci.write_config(cap + 16, 4, 0);
    }
    aim(5, 0, 4);
    pci.read_config(cap + 16, 4);
    EXPECT_EQ(driver().status(), VIRTIO_CONFIG_S_ACKNOWLEDGE);
}

TEST_F(VirtioPciTest, DoorbellsGoWithTheBar) {
    driver();
    EXPECT_EQ(ground.platform.doorbells.size(), 4u);
    EXPECT_TRUE(driver().ring_doorbell(1));
    driver().pci.write_config(PCI_COMMAND, 2, PCI_COMMAND_IO);
    EXPECT_FALSE(driver().ring_doorbell(1));
    EXPECT_EQ(ground.platform.doorbells.size(), 2u) << "those of the ports stay";
    for (const auto& bell : ground.platform.doorbells) {
        EXPECT_TRUE(bell.port && bell.match && bell.size == 2);
        EXPECT_EQ(bell.address, Driver::kPorts + VIRTIO_PCI_QUEUE_NOTIFY);
    }
    driver().pci.reset();
    EXPECT_TRUE(ground.platform.doorbells.empty());
}

TEST_F(VirtioPciTest, LegacyOnlyHasNoModernRegisters) {
    options.disable_modern = true;
    EXPECT_EQ(driver().get(offsetof(Common, num_queues), 2), 0u);
    EXPECT_EQ(driver().in(VIRTIO_PCI_HOST_FEATURES, 4),
              feature(VQ_F_EVENT_IDX) | feature(VQ_F_INDIRECT_DESC));
}

TEST_F(VirtioPciTest, LegacyConfigurationMovesWithMsix) {
    EXPECT_EQ(driver().in(0x14, 4), 0x0403'0201u);
    driver().use_msix(0, 1);
    EXPECT_EQ(driver().in(0x18, 4), 0x0403'0201u);
    driver().out(VIRTIO_PCI_QUEUE_SEL, 2, 0);
    EXPECT_EQ(driver().in(VIRTIO_MSI_QUEUE_VECTOR, 2), 1u);
}

} // namespace
} // namespace vireo
