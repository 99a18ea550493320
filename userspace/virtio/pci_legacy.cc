// SPDX-License-Identifier: GPL-2.0-only
// The legacy interface (virtio 1.2, 4.1.4.10; "0.9.5"): ports, and queues whose place is one page
// number. Little-endian, since the guest is an x86 machine.
#include <linux/virtio_config.h>

#include "virtio/pci_layout.h"
#include "virtio/pci_transport.h"
#include "vq/ring.h"

namespace vireo {

using namespace virtio_pci;

namespace {

constexpr unsigned kPageShift = VIRTIO_PCI_QUEUE_ADDR_SHIFT;

unsigned width_at(uint64_t offset) {
    if (offset < VIRTIO_PCI_QUEUE_NUM) {
        return 4;
    }
    return offset == VIRTIO_PCI_STATUS || offset == VIRTIO_PCI_ISR ? 1 : 2;
}

} // namespace

uint64_t VirtioPci::read_legacy(uint64_t offset, unsigned size) {
    // Neither takes the control lock: they are what an interrupt's handler does.
    if (offset == VIRTIO_PCI_ISR && size == 1) {
        return take_isr();
    }
    const uint64_t config = VIRTIO_PCI_CONFIG_OFF(msix_.enabled());
    if (offset >= config) {
        return read_device_config(offset - config, size);
    }
    const std::lock_guard lock(device_.lock());
    return size == width_at(offset) ? read_legacy_register(offset) : 0;
}

uint64_t VirtioPci::read_legacy_register(uint64_t offset) const {
    const bool there = state_.queue_select < state_.queues.size();
    const Queue* queue = there ? &state_.queues[state_.queue_select] : nullptr;
    switch (offset) {
        case VIRTIO_PCI_HOST_FEATURES:
            return offered_word(0);
        case VIRTIO_PCI_GUEST_FEATURES:
            return static_cast<uint32_t>(state_.driver_features);
        case VIRTIO_PCI_QUEUE_PFN:
            return queue && queue->enabled ? queue->desc >> kPageShift : 0;
        case VIRTIO_PCI_QUEUE_NUM:
            return queue ? queue->size : 0;
        case VIRTIO_PCI_QUEUE_SEL:
            return state_.queue_select;
        case VIRTIO_PCI_STATUS:
            return state_.status;
        case VIRTIO_MSI_CONFIG_VECTOR:
            return state_.config_vector;
        case VIRTIO_MSI_QUEUE_VECTOR:
            return queue ? queue->vector : Msix::kNoVector;
        default:
            return 0;
    }
}

void VirtioPci::write_legacy(uint64_t offset, unsigned size, uint64_t value) {
    if (offset == VIRTIO_PCI_QUEUE_NOTIFY && size == 2) {
        kick(value);
        return;
    }
    const uint64_t config = VIRTIO_PCI_CONFIG_OFF(msix_.enabled());
    if (offset >= config) {
        write_device_config(offset - config, size, value);
        return;
    }
    const std::lock_guard lock(device_.lock());
    if (size == width_at(offset)) {
        write_legacy_register(offset, value);
    }
}

void VirtioPci::write_legacy_register(uint64_t offset, uint64_t value) {
    switch (offset) {
        case VIRTIO_PCI_GUEST_FEATURES:
            if (!(state_.status & (VIRTIO_CONFIG_S_FEATURES_OK | VIRTIO_CONFIG_S_DRIVER_OK))) {
                state_.driver_features = value & offered_;
            }
            break;
        case VIRTIO_PCI_QUEUE_PFN:
            set_legacy_page(static_cast<uint32_t>(value));
            break;
        case VIRTIO_PCI_QUEUE_SEL:
            state_.queue_select = static_cast<uint16_t>(value);
            break;
        case VIRTIO_PCI_STATUS:
            set_status(static_cast<uint8_t>(value), true);
            break;
        case VIRTIO_MSI_CONFIG_VECTOR:
            set_config_vector(value);
            break;
        case VIRTIO_MSI_QUEUE_VECTOR:
            set_queue_vector(value);
            break;
        default: // read-only
            break;
    }
}

// 2.7.2, legacy: the areas follow each other, the used ring on a page of its own. 0 takes the queue
// away.
void VirtioPci::set_legacy_page(uint32_t page) {
    Queue* queue = selected();
    if (!queue) {
        return;
    }
    if (!page) {
        if (queue->enabled) {
            disable_queue(state_.queue_select);
        }
        return;
    }
    if (queue->enabled) {
        return;
    }
    const uint64_t align = VIRTIO_PCI_VRING_ALIGN;
    // A modern driver may have made it smaller; this one cannot.
    queue->size = device_.shape().queues[state_.queue_select];
    queue->desc = uint64_t{page} << kPageShift;
    queue->driver = queue->desc + queue->size * sizeof(vq_split_desc);
    // Room for used_event, whether it was negotiated or not.
    const uint64_t end =
        queue->driver + sizeof(vq_split_avail) + (queue->size + 1) * sizeof(__le16);
    queue->device = (end + align - 1) & ~(align - 1);
    enable_queue(state_.queue_select);
}

} // namespace vireo
