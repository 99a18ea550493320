// SPDX-License-Identifier: GPL-2.0-only
#include "bus/bus.h"

#include <algorithm>
#include <cstring>
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

// Devices are called without the lock: an access may well move ranges.
Bus::Place Bus::find(uint64_t address, unsigned size) {
    const std::shared_lock lock(mutex_);
    auto range = ranges_.upper_bound(address);
    if (range == ranges_.begin()) {
        return {};
    }
    --range;
    const uint64_t offset = address - range->first;
    if (offset >= range->second.size || size > range->second.size - offset) {
        return {};
    }
    return {range->second.device, offset};
}

uint64_t Bus::read(uint64_t address, unsigned size) {
    const Place place = find(address, size);
    return place.device ? place.device->read(place.offset, size) : ~uint64_t{0} >> (64 - 8 * size);
}

void Bus::write(uint64_t address, unsigned size, uint64_t value) {
    if (const Place place = find(address, size); place.device) {
        place.device->write(place.offset, size, value);
    }
}

void Bus::read_string(uint64_t address, unsigned size, std::span<uint8_t> data) {
    if (const Place place = find(address, size); place.device) {
        place.device->read_string(place.offset, size, data);
    } else {
        std::ranges::fill(data, uint8_t{0xff});
    }
}

void Bus::write_string(uint64_t address, unsigned size, std::span<const uint8_t> data) {
    if (const Place place = find(address, size); place.device) {
        place.device->write_string(place.offset, size, data);
    }
}

void BusDevice::read_string(uint64_t offset, unsigned size, std::span<uint8_t> data) {
    for (; data.size() >= size; data = data.subspan(size)) {
        const uint64_t value = read(offset, size);
        memcpy(data.data(), &value, size);
    }
}

void BusDevice::write_string(uint64_t offset, unsigned size, std::span<const uint8_t> data) {
    for (; data.size() >= size; data = data.subspan(size)) {
        uint64_t value = 0;
        memcpy(&value, data.data(), size);
        write(offset, size, value);
    }
}

} // namespace vireo
