// SPDX-License-Identifier: GPL-2.0-only
// Notifications of a virtio PCI function, both ways: interrupts (virtio 1.2, 4.1.4.5 and 4.1.5.3),
// kicks (4.1.5.2).
//
// A queue's interrupts come through its call eventfd, whoever serves the queue. With MSI-X on the
// eventfds are irqfds (bus/msix.h); else the main loop watches them, sets the ISR status and raises
// the line.
#include <sys/epoll.h>

#include <system_error>

#include "base/log.h"
#include "virtio/pci_layout.h"
#include "virtio/pci_transport.h"

namespace vireo {

using namespace virtio_pci;

// 4.1.4.5: reading it clears it, and lowers the line.
uint8_t VirtioPci::take_isr() {
    const std::lock_guard lock(isr_mutex_);
    const uint8_t isr = isr_;
    isr_ = 0;
    set_interrupt(false);
    return isr;
}

void VirtioPci::interrupt_config() {
    const std::lock_guard lock(isr_mutex_);
    if (!alive_) {
        return; // 2.1.2: nothing is sent before DRIVER_OK
    }
    isr_ |= kIsrConfig;
    if (msix_.enabled()) {
        msix_.notify(state_.config_vector);
    } else {
        set_interrupt(true);
    }
}

// A queue's call eventfd was signalled, and taken.
void VirtioPci::call_seen(unsigned queue) {
    const std::lock_guard lock(isr_mutex_);
    if (!alive_) {
        return;
    }
    // MSI-X may have been switched on since the main loop looked.
    if (msix_.enabled()) {
        msix_.notify_source(queue);
        return;
    }
    isr_ |= kIsrQueue;
    set_interrupt(true);
}

// The device was reset: its interrupts are of no interest to the next driver.
void VirtioPci::clear_interrupts() {
    const std::lock_guard lock(isr_mutex_);
    alive_ = false;
    isr_ = 0;
    set_interrupt(false);
    for (const EventFd& call : calls_) {
        call.take();
    }
}

// MSI-X or DRIVER_OK has changed: the main loop watches the call eventfds, or lets go of them. It
// is told by a task, since whoever holds the control lock never waits for the main loop.
void VirtioPci::follow_calls() {
    main_.post([this] {
        bool wanted;
        {
            const std::lock_guard lock(isr_mutex_);
            wanted = alive_ && !msix_.enabled();
        }
        watch_calls(wanted);
    });
}

void VirtioPci::watch_calls(bool wanted) {
    if (wanted == watching_) {
        return;
    }
    watching_ = wanted;
    for (unsigned i = 0; i < calls_.size(); i++) {
        const int call = calls_[i].get();
        if (!wanted) {
            main_.remove(call);
            continue;
        }
        main_.add(call, EPOLLIN, [this, i](uint32_t) {
            if (calls_[i].take()) {
                call_seen(i);
            }
        });
    }
}

// A notification that came to us and not to the hypervisor.
void VirtioPci::kick(uint64_t queue) const {
    if (queue < kicks_.size()) {
        kicks_[queue].signal();
    }
}

void VirtioPci::add_doorbells(unsigned bar, uint64_t address) {
    try {
        for (unsigned i = 0; i < kicks_.size(); i++) {
            // 4.1.5.2: each queue has an address of its own, and what is written does not matter;
            // the legacy register is one for all, and is told the queue.
            const Platform::Doorbell doorbell =
                bar == kLegacyBar
                    ? Platform::Doorbell{.port = true,
                                         .address = address + VIRTIO_PCI_QUEUE_NOTIFY,
                                         .size = 2,
                                         .match = true,
                                         .value = i,
                                         .eventfd = kicks_[i].get()}
                    : Platform::Doorbell{.port = false,
                                         .address = address + kNotify + i * uint64_t{kNotifyStep},
                                         .size = 0,
                                         .match = false,
                                         .value = 0,
                                         .eventfd = kicks_[i].get()};
            slot_.platform.add_doorbell(doorbell);
            doorbells_[bar].push_back(doorbell);
        }
    } catch (const std::system_error& error) {
        // It goes on, with an exit to the VMM for each kick.
        if (!doorbell_failed_) {
            doorbell_failed_ = true;
            say("{}: kicks are slow: {}", name_, error.what());
        }
    }
}

void VirtioPci::remove_doorbells(unsigned bar) {
    for (const Platform::Doorbell& doorbell : doorbells_[bar]) {
        slot_.platform.remove_doorbell(doorbell);
    }
    doorbells_[bar].clear();
}

} // namespace vireo
