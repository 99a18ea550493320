// SPDX-License-Identifier: GPL-2.0-only
#include "bus/bus.h"

#include <mutex>

#include "base/error.h"

namespace vireo {

bool Bus::try_add(uint64_t start, uint64_t size, BusDevice& device) {
    const std::lock_guard lock(mutex_);
    const uint64_t last = start + (size - 1);
    if (size == 0 || last < start) {
        return false;
    }
    const auto next = ranges_.lower_bound(start);
    if (next != ranges_.end() && next->first <= last) {
        return false;
    }
    if (next != ranges_.begin()) {
        const auto& [before, range] = *std::prev(next);
        if (start - before < range.size) {
            return false;
        }
    }
    ranges_.emplace_hint(next, start, Range{size, &device});
    return true;
}

void Bus::add(uint64_t start, uint64_t size, BusDevice& device) {
    if (!try_add(start, size, device)) {
        throw_error(EEXIST, "put a device at {:#x}, of {:#x} bytes", start, size);
    }
}

void Bus::remove(uint64_t start) {
    const std::lock_guard lock(mutex_);
    ranges_.erase(start);
}

std::map<uint64_t, Bus::Range>::iterator Bus::find(uint64_t address, unsigned size) {
    auto range = ranges_.upper_bound(address);
    if (range == ranges_.begin()) {
        return ranges_.end();
    }
    --range;
    const uint64_t offset = address - range->first;
    if (offset >= range->second.size || size > range->second.size - offset) {
        return ranges_.end();
    }
    return range;
}

// Devices are called without the lock: an access may well move ranges.

uint64_t Bus::read(uint64_t address, unsigned size) {
    BusDevice* device;
    uint64_t offset;
    {
        const std::shared_lock lock(mutex_);
        const auto range = find(address, size);
        if (range == ranges_.end()) {
            return ~uint64_t{0} >> (64 - 8 * size);
        }
        device = range->second.device;
        offset = address - range->first;
    }
    return device->read(offset, size);
}

void Bus::write(uint64_t address, unsigned size, uint64_t value) {
    BusDevice* device;
    uint64_t offset;
    {
        const std::shared_lock lock(mutex_);
        const auto range = find(address, size);
        if (range == ranges_.end()) {
            return;
        }
        device = range->second.device;
        offset = address - range->first;
    }
    device->write(offset, size, value);
}

} // namespace vireo
