// SPDX-License-Identifier: GPL-2.0-only
// The life of a virtio PCI function: negotiation, DRIVER_OK, queues on and off, reset, and the
// machine standing still. Everything here has the control lock, or takes it first.
#include <linux/virtio_config.h>

#include <exception>

#include "base/log.h"
#include "virtio/features.h"
#include "virtio/pci_layout.h"
#include "virtio/pci_transport.h"

namespace vireo {

using namespace virtio_pci;

// One of the 32-bit words in which features are read.
uint32_t VirtioPci::offered_word(uint32_t select) const {
    return select < 2 ? static_cast<uint32_t>(offered_ >> (32 * select)) : 0;
}

VirtioPci::Queue* VirtioPci::selected() {
    return state_.queue_select < state_.queues.size() ? &state_.queues[state_.queue_select]
                                                      : nullptr;
}

QueueSetup VirtioPci::setup_of(uint16_t index) const {
    const Queue& queue = state_.queues[index];
    return {.index = index,
            .size = queue.size,
            .desc = queue.desc,
            .driver = queue.driver,
            .device = queue.device,
            .kick = kicks_[index].get(),
            .call = calls_[index].get(),
            .state = queue.position};
}

void VirtioPci::set_status(uint8_t status, bool legacy) {
    if (!status) {
        reset_by_driver();
        return;
    }
    // 2.1.1: a driver clears no bit but by a reset; DEVICE_NEEDS_RESET is the device's.
    constexpr uint8_t kDrivers = VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER |
                                 VIRTIO_CONFIG_S_DRIVER_OK | VIRTIO_CONFIG_S_FEATURES_OK |
                                 VIRTIO_CONFIG_S_FAILED;
    uint8_t added = status & kDrivers & ~state_.status;
    if (added & VIRTIO_CONFIG_S_FEATURES_OK) {
        // 2.2.1, 3.1.1 step 5; and 6.1: without VERSION_1 a driver has no business here.
        const bool good = !(state_.driver_features & ~offered_) &&
                          state_.driver_features & feature_bit(VIRTIO_F_VERSION_1);
        if (legacy || !good) {
            added &= ~VIRTIO_CONFIG_S_FEATURES_OK;
        } else {
            state_.features = state_.driver_features;
        }
    }
    state_.status |= added & ~VIRTIO_CONFIG_S_DRIVER_OK;
    if (!(added & VIRTIO_CONFIG_S_DRIVER_OK)) {
        return;
    }
    // 3.1.1 step 8 comes after step 5; a legacy driver knows no step 5 (3.1.2).
    if (!(state_.status & VIRTIO_CONFIG_S_FEATURES_OK)) {
        if (!legacy) {
            return;
        }
        state_.legacy = true;
        state_.features = state_.driver_features & offered_ & ~feature_bit(VIRTIO_F_VERSION_1);
    }
    state_.status |= VIRTIO_CONFIG_S_DRIVER_OK;
    {
        const std::lock_guard lock(isr_mutex_);
        alive_ = true;
    }
    follow_calls();
    start_device();
}

// Serve all queues that are enabled, from where they stand.
void VirtioPci::start_device() {
    std::vector<QueueSetup> setups;
    for (size_t i = 0; i < state_.queues.size(); i++) {
        if (state_.queues[i].enabled) {
            setups.push_back(setup_of(static_cast<uint16_t>(i)));
        }
    }
    try {
        device_.start(state_.features, setups);
        started_ = true;
    } catch (const std::exception& error) {
        needs_reset(error.what());
    }
}

void VirtioPci::stop_device() {
    if (!started_) {
        return;
    }
    started_ = false;
    try {
        for (const QueueSetup& setup : device_.stop()) {
            state_.queues[setup.index].position = setup.state;
        }
    } catch (const std::exception& error) {
        say("{}: {}", name_, error.what());
    }
}

// 2.4: it returns when the device is as new.
void VirtioPci::reset_by_driver() {
    stop_device();
    paused_ = false;
    device_.reset();
    device_.begin_life();

    VirtioPciState fresh;
    // 4.1.4.3.1: the generation tells what was read before from what is read after.
    fresh.config_generation = state_.config_generation;
    for (unsigned i = 0; i < state_.queues.size(); i++) {
        fresh.queues.push_back({.size = device_.shape().queues[i]});
        msix_.assign(i, Msix::kNoVector);
    }
    state_ = fresh;
    for (const EventFd& kick : kicks_) {
        kick.take();
    }
    clear_interrupts();
    follow_calls();
}

void VirtioPci::enable_queue(uint16_t index) {
    Queue& queue = state_.queues[index];
    if (queue.enabled) {
        return;
    }
    queue.enabled = true;
    queue.position = fresh_state(state_.features & feature_bit(VIRTIO_F_RING_PACKED));
    if (!started_) {
        return;
    }
    try {
        device_.start_queue(setup_of(index));
    } catch (const std::exception& error) {
        needs_reset(error.what());
    }
}

// 2.6.1: it returns when the queue is at rest, and can be set up anew.
void VirtioPci::disable_queue(uint16_t index) {
    Queue& queue = state_.queues[index];
    if (started_ && queue.enabled) {
        try {
            device_.stop_queue(index);
        } catch (const std::exception& error) {
            needs_reset(error.what());
        }
    }
    queue = {.size = device_.shape().queues[index]};
    msix_.assign(index, Msix::kNoVector);
    kicks_[index].take();
}

void VirtioPci::set_config_vector(uint64_t vector) {
    // 4.1.5.1.2: a vector that cannot be is read back as none.
    const std::lock_guard lock(isr_mutex_);
    state_.config_vector =
        vector < msix_.vectors() ? static_cast<uint16_t>(vector) : Msix::kNoVector;
}

void VirtioPci::set_queue_vector(uint64_t vector) {
    Queue* queue = selected();
    if (!queue) {
        return;
    }
    queue->vector = vector < msix_.vectors() ? static_cast<uint16_t>(vector) : Msix::kNoVector;
    msix_.assign(state_.queue_select, queue->vector);
}

void VirtioPci::reset() {
    {
        const std::lock_guard lock(device_.lock());
        reset_by_driver();
        msix_.reset();
    }
    PciDevice::reset();
}

void VirtioPci::pause() {
    const std::lock_guard lock(device_.lock());
    paused_ = paused_ || started_;
    stop_device();
}

void VirtioPci::resume() {
    const std::lock_guard lock(device_.lock());
    if (paused_) {
        paused_ = false;
        start_device();
    }
}

void VirtioPci::config_changed() {
    state_.config_generation++;
    interrupt_config();
}

void VirtioPci::needs_reset(const std::string& why) {
    if (!(state_.status & VIRTIO_CONFIG_S_DRIVER_OK) ||
        state_.status & VIRTIO_CONFIG_S_NEEDS_RESET) {
        return;
    }
    state_.status |= VIRTIO_CONFIG_S_NEEDS_RESET;
    say("{}: {}; it needs a reset by the guest's driver", name_, why);
    interrupt_config();
    if (broken_) {
        broken_(why);
    }
}

} // namespace vireo
