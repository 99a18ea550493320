// SPDX-License-Identifier: GPL-2.0-only
#ifndef VIREO_VIRTIO_PCI_STATE_H
#define VIREO_VIRTIO_PCI_STATE_H

#include <cstdint>
#include <vector>

#include "bus/msix.h"

namespace vireo {

// All that a driver has set in a virtio PCI function beside its PCI configuration space and MSI-X
// table: plain values, to be saved and loaded.
struct VirtioPciState {
    struct Queue {
        uint16_t size = 0;
        uint16_t vector = Msix::kNoVector;
        bool enabled = false;
        uint64_t desc = 0, driver = 0, device = 0;
        uint32_t position = 0; // QueueSetup::state while the device is paused
    };

    uint8_t status = 0;           // virtio 1.2, 2.1
    bool legacy = false;          // the driver came by the legacy interface
    uint64_t driver_features = 0; // as written
    uint64_t features = 0;        // negotiated, once they are
    uint32_t device_feature_select = 0;
    uint32_t driver_feature_select = 0;
    uint16_t queue_select = 0;
    uint16_t config_vector = Msix::kNoVector;
    uint8_t config_generation = 0;
    uint8_t isr = 0;
    std::vector<Queue> queues;
};

} // namespace vireo

#endif // VIREO_VIRTIO_PCI_STATE_H
