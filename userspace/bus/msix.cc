// SPDX-License-Identifier: GPL-2.0-only
#include "bus/msix.h"

#include <poll.h>

#include <system_error>

#include "base/event_fd.h"
#include "base/log.h"

namespace vireo {

namespace {

constexpr uint32_t kMasked = 1;

bool signalled(int eventfd) {
    pollfd file = {.fd = eventfd, .events = POLLIN, .revents = 0};
    return poll(&file, 1, 0) == 1;
}

uint64_t half(uint64_t value, bool high) {
    return high ? value >> 32 : value & 0xffff'ffff;
}

bool whole(uint64_t offset, unsigned size) {
    return (size == 4 || size == 8) && offset % size == 0;
}

} // namespace

Msix::Msix(Platform& platform, uint16_t vectors) : platform_(platform), entries_(vectors) {}

Msix::~Msix() {
    for (Source& source : sources_) {
        if (source.attached) {
            platform_.detach_irqfd(*source.route, source.eventfd);
        }
        if (source.route) {
            platform_.remove_msi_route(*source.route);
        }
    }
}

bool Msix::deliverable(uint16_t vector) const {
    return enabled_ && !function_masked_ && vector < entries_.size() &&
           !(entries_[vector].control & kMasked);
}

Platform::Msi Msix::message(uint16_t vector) const {
    const Entry& entry = entries_[vector];
    return {.address = uint64_t{entry.address_high} << 32 | entry.address_low, .data = entry.data};
}

// Let the hypervisor have the eventfd, or take it back.
void Msix::update(Source& source) {
    if (!deliverable(source.vector)) {
        if (source.attached) {
            platform_.detach_irqfd(*source.route, source.eventfd);
            source.attached = false;
        }
        return;
    }
    const Platform::Msi msi = message(source.vector);
    try {
        if (!source.route) {
            source.route = platform_.add_msi_route();
        }
        platform_.set_msi_route(*source.route, msi);
        if (source.attached) {
            return;
        }
        // What came while it was masked is sent here. What comes from now on is the hypervisor's,
        // which looks at the eventfd when it gets it.
        if (take_event(source.eventfd)) {
            platform_.send_msi(msi);
        }
        platform_.attach_irqfd(*source.route, source.eventfd);
        source.attached = true;
    } catch (const std::system_error& error) {
        // The guest may ask for more than the host has. It loses interrupts, and nothing else.
        if (!irqfd_failed_) {
            irqfd_failed_ = true;
            say("cannot deliver interrupts of a device: {}", error.what());
        }
    }
}

void Msix::update_vector(uint16_t vector) {
    if (deliverable(vector) && entries_[vector].pending) {
        entries_[vector].pending = false;
        platform_.send_msi(message(vector));
    }
    for (Source& source : sources_) {
        if (source.vector == vector) {
            update(source);
        }
    }
}

void Msix::update_all() {
    for (uint16_t vector = 0; vector < entries_.size(); vector++) {
        if (deliverable(vector) && entries_[vector].pending) {
            entries_[vector].pending = false;
            platform_.send_msi(message(vector));
        }
    }
    for (Source& source : sources_) {
        update(source);
    }
}

void Msix::set_control(bool enabled, bool function_masked) {
    const std::lock_guard lock(mutex_);
    enabled_ = enabled;
    function_masked_ = function_masked;
    update_all();
}

bool Msix::enabled() const {
    const std::lock_guard lock(mutex_);
    return enabled_;
}

uint64_t Msix::read_table(uint64_t offset, unsigned size) const {
    if (!whole(offset, size)) {
        return 0;
    }
    const std::lock_guard lock(mutex_);
    const Entry& entry = entries_[offset / kEntrySize];
    const uint64_t words[] = {uint64_t{entry.address_high} << 32 | entry.address_low,
                              uint64_t{entry.control} << 32 | entry.data};
    const uint64_t word = words[offset % kEntrySize / 8];
    return size == 8 ? word : half(word, offset & 4);
}

void Msix::write_table(uint64_t offset, unsigned size, uint64_t value) {
    if (!whole(offset, size)) {
        return;
    }
    const std::lock_guard lock(mutex_);
    const auto vector = static_cast<uint16_t>(offset / kEntrySize);
    Entry& entry = entries_[vector];
    for (unsigned done = 0; done < size; done += 4) {
        const auto word = static_cast<uint32_t>(value >> (8 * done));
        switch ((offset + done) % kEntrySize) {
            case 0:
                entry.address_low = word & ~3u; // 6.8.2.3: the lowest two bits are 0
                break;
            case 4:
                entry.address_high = word;
                break;
            case 8:
                entry.data = word;
                break;
            default:
                entry.control = word & kMasked; // the other bits are reserved
        }
    }
    update_vector(vector);
}

uint64_t Msix::read_pending(uint64_t offset, unsigned size) const {
    if (!whole(offset, size)) {
        return 0;
    }
    const std::lock_guard lock(mutex_);
    uint64_t bits = 0;
    for (unsigned i = 0; i < 8 * size; i++) {
        const uint64_t vector = offset * 8 + i;
        if (vector < entries_.size() && entries_[vector].pending) {
            bits |= uint64_t{1} << i;
        }
    }
    for (const Source& source : sources_) {
        const uint64_t bit = source.vector - offset * 8;
        if (source.vector < entries_.size() && bit < 8 * size && !source.attached &&
            signalled(source.eventfd)) {
            bits |= uint64_t{1} << bit;
        }
    }
    return bits;
}

unsigned Msix::add_source(int eventfd) {
    const std::lock_guard lock(mutex_);
    sources_.push_back({.eventfd = eventfd, .vector = kNoVector, .route = {}, .attached = false});
    return static_cast<unsigned>(sources_.size() - 1);
}

void Msix::assign(unsigned source, uint16_t vector) {
    const std::lock_guard lock(mutex_);
    sources_[source].vector = vector;
    update(sources_[source]);
}

void Msix::send(uint16_t vector) {
    if (deliverable(vector)) {
        platform_.send_msi(message(vector));
    } else if (enabled_ && vector < entries_.size()) {
        entries_[vector].pending = true;
    }
}

void Msix::notify(uint16_t vector) {
    const std::lock_guard lock(mutex_);
    send(vector);
}

void Msix::notify_source(unsigned source) {
    const std::lock_guard lock(mutex_);
    send(sources_[source].vector);
}

void Msix::reset() {
    const std::lock_guard lock(mutex_);
    enabled_ = false;
    function_masked_ = false;
    entries_.assign(entries_.size(), Entry{});
    for (Source& source : sources_) {
        source.vector = kNoVector;
        update(source);
    }
}

} // namespace vireo
