// SPDX-License-Identifier: GPL-2.0-only
// Where a virtio PCI function has its registers.
//
// BAR 0, ports, transitional and legacy-only devices (virtio 1.2, 4.1.4.10):
//   0x00 device features   0x04 driver features    0x08 queue address (pages)  0x0c queue size
//   0x0e queue select      0x10 queue notify       0x12 device status          0x13 ISR status
//   with MSI-X on: 0x14 configuration vector, 0x16 queue vector
//   0x14 or 0x18: device configuration
//
// BAR 1, memory, 32 KiB:
//   0x0000 common configuration (4.1.4.3)
//   0x1000 ISR status (4.1.4.5)
//   0x2000 device configuration (4.1.4.6)
//   0x3000 notification, 4 bytes a queue (4.1.4.4)
//   0x4000 MSI-X table
//   0x7000 MSI-X pending bits
// A legacy-only device has the last two alone.
#ifndef VIREO_VIRTIO_PCI_LAYOUT_H
#define VIREO_VIRTIO_PCI_LAYOUT_H

#include <linux/virtio_pci.h>

#include <cstddef>
#include <cstdint>

namespace vireo::virtio_pci {

constexpr unsigned kLegacyBar = 0;
constexpr unsigned kLegacyBarSize = 256;

constexpr unsigned kModernBar = 1;
constexpr unsigned kModernBarSize = 0x8000;
constexpr unsigned kPageSize = 0x1000;
constexpr unsigned kCommon = 0x0000;
constexpr unsigned kIsr = 0x1000;
constexpr unsigned kDeviceConfig = 0x2000;
constexpr unsigned kNotify = 0x3000;
constexpr unsigned kMsixTable = 0x4000;
constexpr unsigned kMsixPending = 0x7000;

constexpr unsigned kNotifyStep = 4;
constexpr unsigned kMaxQueues = (kMsixPending - kMsixTable) / 16 - 1; // a vector each, and one

// The common configuration structure of virtio 1.2, 4.1.4.3.
struct Common {
    uint32_t device_feature_select;
    uint32_t device_feature;
    uint32_t driver_feature_select;
    uint32_t driver_feature;
    uint16_t config_msix_vector;
    uint16_t num_queues;
    uint8_t device_status;
    uint8_t config_generation;
    uint16_t queue_select;
    uint16_t queue_size;
    uint16_t queue_msix_vector;
    uint16_t queue_enable;
    uint16_t queue_notify_off;
    uint64_t queue_desc;
    uint64_t queue_driver;
    uint64_t queue_device;
    uint16_t queue_notify_data;
    uint16_t queue_reset;
};
static_assert(offsetof(Common, device_status) == 0x14 && offsetof(Common, queue_desc) == 0x20 &&
              offsetof(Common, queue_reset) == 0x3a);

// ISR status (4.1.4.5).
constexpr uint8_t kIsrQueue = 1;
constexpr uint8_t kIsrConfig = 2;

} // namespace vireo::virtio_pci

#endif // VIREO_VIRTIO_PCI_LAYOUT_H
