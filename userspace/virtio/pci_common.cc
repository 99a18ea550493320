// SPDX-License-Identifier: GPL-2.0-only
// The common configuration of virtio 1.2, 4.1.4.3: virtio_pci::Common. A driver reads and writes
// each field by its own width, 64-bit ones also by halves (4.1.3.1); other writes are lost.
#include <linux/virtio_config.h>

#include <bit>
#include <cstring>

#include "virtio/features.h"
#include "virtio/pci_layout.h"
#include "virtio/pci_transport.h"

namespace vireo {

using namespace virtio_pci;

namespace {

// Field numbers are their offsets.
#define AT(field) offsetof(Common, field)

unsigned width_at(uint64_t offset) {
    if (offset < AT(config_msix_vector) ||
        (offset >= AT(queue_desc) && offset < AT(queue_notify_data))) {
        return 4;
    }
    return offset == AT(device_status) || offset == AT(config_generation) ? 1 : 2;
}

uint64_t with_half(uint64_t value, bool high, uint64_t half) {
    return high ? (value & 0xffff'ffff) | half << 32 : (value & ~uint64_t{0xffff'ffff}) | half;
}

} // namespace

uint64_t VirtioPci::read_common(uint64_t offset, unsigned size) const {
    Common image = {};
    image.device_feature_select = state_.device_feature_select;
    image.device_feature = offered_word(state_.device_feature_select);
    image.driver_feature_select = state_.driver_feature_select;
    if (state_.driver_feature_select < 2) {
        image.driver_feature =
            static_cast<uint32_t>(state_.driver_features >> (32 * state_.driver_feature_select));
    }
    image.config_msix_vector = state_.config_vector;
    image.num_queues = static_cast<uint16_t>(state_.queues.size());
    image.device_status = state_.status;
    image.config_generation = state_.config_generation;
    image.queue_select = state_.queue_select;
    // 4.1.4.3.1: a queue that is not there has size 0.
    if (state_.queue_select < state_.queues.size()) {
        const Queue& queue = state_.queues[state_.queue_select];
        image.queue_size = queue.size;
        image.queue_msix_vector = queue.vector;
        image.queue_enable = queue.enabled;
        image.queue_notify_off = state_.queue_select;
        image.queue_desc = queue.desc;
        image.queue_driver = queue.driver;
        image.queue_device = queue.device;
        image.queue_notify_data = state_.queue_select;
    }
    uint64_t value = 0;
    if (offset + size <= sizeof(image)) {
        memcpy(&value, reinterpret_cast<const char*>(&image) + offset, size);
    }
    return value;
}

void VirtioPci::write_common(uint64_t offset, unsigned size, uint64_t value) {
    if (offset + size > sizeof(Common)) {
        return;
    }
    if (size == 8 && offset % 8 == 0 && offset >= AT(queue_desc)) {
        write_common(offset, 4, value & 0xffff'ffff);
        write_common(offset + 4, 4, value >> 32);
        return;
    }
    if (size != width_at(offset)) {
        return;
    }
    switch (offset) {
        case AT(device_feature_select):
            state_.device_feature_select = static_cast<uint32_t>(value);
            break;
        case AT(driver_feature_select):
            state_.driver_feature_select = static_cast<uint32_t>(value);
            break;
        case AT(driver_feature):
            // 3.1.1: what was accepted stands.
            if (state_.driver_feature_select < 2 &&
                !(state_.status & (VIRTIO_CONFIG_S_FEATURES_OK | VIRTIO_CONFIG_S_DRIVER_OK))) {
                state_.driver_features =
                    with_half(state_.driver_features, state_.driver_feature_select == 1, value);
            }
            break;
        case AT(config_msix_vector):
            set_config_vector(value);
            break;
        case AT(device_status):
            set_status(static_cast<uint8_t>(value), false);
            break;
        case AT(queue_select):
            state_.queue_select = static_cast<uint16_t>(value);
            break;
        case AT(queue_msix_vector):
            set_queue_vector(value);
            break;
        default:
            if (Queue* queue = selected()) {
                write_queue(*queue, offset, value);
            }
    }
}

// Fields of the selected queue. What makes it up stands while it is enabled (4.1.4.3.2).
void VirtioPci::write_queue(Queue& queue, uint64_t offset, uint64_t value) {
    const bool packed = has_feature(state_.features, VIRTIO_F_RING_PACKED);
    const uint16_t most = device_.shape().queues[state_.queue_select];
    if (offset == AT(queue_reset)) {
        if (value == 1 && queue.enabled && has_feature(state_.features, VIRTIO_F_RING_RESET)) {
            disable_queue(state_.queue_select);
        }
        return;
    }
    if (queue.enabled) {
        return;
    }
    switch (offset) {
        case AT(queue_size):
            // 4.1.4.3.2, 2.7: a power of two, unless the ring is packed.
            if (value && value <= most && (packed || std::has_single_bit(value))) {
                queue.size = static_cast<uint16_t>(value);
            }
            break;
        case AT(queue_enable):
            if (value == 1 && state_.status & VIRTIO_CONFIG_S_FEATURES_OK) {
                enable_queue(state_.queue_select);
            }
            break;
        case AT(queue_desc):
        case AT(queue_desc) + 4:
            queue.desc = with_half(queue.desc, offset & 4, value);
            break;
        case AT(queue_driver):
        case AT(queue_driver) + 4:
            queue.driver = with_half(queue.driver, offset & 4, value);
            break;
        case AT(queue_device):
        case AT(queue_device) + 4:
            queue.device = with_half(queue.device, offset & 4, value);
            break;
        default: // read-only, or the middle of a field
            break;
    }
}

} // namespace vireo
