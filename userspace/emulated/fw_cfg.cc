// SPDX-License-Identifier: GPL-2.0-only
#include "emulated/fw_cfg.h"

#include <algorithm>
#include <cstddef>
#include <stdexcept>

namespace vireo {

namespace {

constexpr uint64_t kSelector = 0;
constexpr uint64_t kData = 1;

// The directory: a count, and for each file an entry. Numbers are big endian there.
constexpr size_t kCountSize = 4;
constexpr size_t kNameSize = 56; // its 0 included
constexpr size_t kEntrySize = 64;

void append_big_endian(FwCfg::Bytes& to, uint64_t value, unsigned size) {
    for (unsigned i = size; i-- > 0;) {
        to.push_back(static_cast<uint8_t>(value >> (8 * i)));
    }
}

} // namespace

FwCfg::Bytes fw_cfg_number(uint64_t value, unsigned size) {
    FwCfg::Bytes bytes;
    for (unsigned i = 0; i < size; i++) {
        bytes.push_back(static_cast<uint8_t>(value >> (8 * i)));
    }
    return bytes;
}

FwCfg::FwCfg() {
    clear();
}

void FwCfg::clear() {
    const std::lock_guard lock(mutex_);
    state_ = {};
    files_ = 0;
    items_.clear();
    items_[kSignature] = {'Q', 'E', 'M', 'U'};
    items_[kId] = fw_cfg_number(1, 4); // ports alone: no DMA
    items_[kDirectory] = Bytes(kCountSize);
}

void FwCfg::set(uint16_t key, Bytes value) {
    const std::lock_guard lock(mutex_);
    items_[key] = std::move(value);
}

void FwCfg::add_file(std::string_view name, Bytes content) {
    if (name.size() >= kNameSize) {
        throw std::logic_error("a name too long for fw_cfg's directory");
    }
    const std::lock_guard lock(mutex_);
    const auto key = static_cast<uint16_t>(kFirstFile + files_++);
    Bytes& directory = items_[kDirectory];
    Bytes count;
    append_big_endian(count, files_, kCountSize);
    std::ranges::copy(count, directory.begin());
    const size_t end = directory.size() + kEntrySize;
    append_big_endian(directory, content.size(), 4);
    append_big_endian(directory, key, 2);
    append_big_endian(directory, 0, 2); // reserved
    directory.insert(directory.end(), name.begin(), name.end());
    directory.resize(end);
    items_[key] = std::move(content);
}

uint64_t FwCfg::read(uint64_t offset, unsigned size) {
    if (offset != kData || size != 1) {
        return ~uint64_t{0} >> (64 - 8 * size);
    }
    const std::lock_guard lock(mutex_);
    const auto item = items_.find(state_.key);
    if (item == items_.end() || state_.at >= item->second.size()) {
        return 0;
    }
    return item->second[state_.at++];
}

void FwCfg::write(uint64_t offset, unsigned size, uint64_t value) {
    // Items cannot be written: writes to the data register are lost.
    if (offset == kSelector && size == 2) {
        const std::lock_guard lock(mutex_);
        state_ = {.key = static_cast<uint16_t>(value), .at = 0};
    }
}

} // namespace vireo
