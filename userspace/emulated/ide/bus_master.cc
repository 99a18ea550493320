// SPDX-License-Identifier: GPL-2.0-only
#include "emulated/ide/bus_master.h"

#include <algorithm>
#include <cstring>

namespace vireo {

namespace {

enum Command : uint8_t { kStart = 1 << 0, kToMemory = 1 << 3 };
enum Status : uint8_t {
    kActive = 1 << 0,
    kError = 1 << 1,
    kInterrupt = 1 << 2,
    kDrives = 3 << 5, // which can do DMA: what software has found out
};

constexpr unsigned kStatus = 2, kTable = 4;

// An entry of the table: an even address, a length, and whether it is the last. A table does not
// cross a 64 KiB boundary, nor does it have more entries than fit between two.
struct Entry {
    uint32_t address;
    uint32_t length; // bit 31: the last; 0: 64 KiB
};
constexpr uint32_t kLast = 1u << 31;
constexpr uint32_t kWindow = 0x10000;
constexpr uint32_t kMaxEntries = kWindow / sizeof(Entry);

} // namespace

bool BusMaster::active() const {
    return state_.status & kActive;
}

bool BusMaster::to_memory() const {
    return state_.command & kToMemory;
}

uint8_t BusMaster::read(unsigned offset) const {
    if (offset >= kTable) {
        return static_cast<uint8_t>(state_.table >> (8 * (offset - kTable)));
    }
    return offset == 0 ? state_.command : offset == kStatus ? state_.status : 0;
}

bool BusMaster::write(unsigned offset, uint8_t value) {
    if (offset >= kTable) {
        const unsigned shift = 8 * (offset - kTable);
        state_.table = (state_.table & ~(0xffu << shift)) | uint32_t{value} << shift;
        state_.table &= ~3u;
        return false;
    }
    if (offset == kStatus) {
        // Error and interrupt are cleared by a 1.
        const auto cleared = static_cast<uint8_t>(~(value & (kError | kInterrupt)));
        state_.status =
            static_cast<uint8_t>((state_.status & cleared & ~kDrives) | (value & kDrives));
        return false;
    }
    if (offset != 0) {
        return false;
    }
    const bool starts = value & ~state_.command & kStart;
    state_.command = value & (kStart | kToMemory);
    if (starts) {
        state_.status |= kActive;
        state_.entries = state_.left = 0;
        state_.last = false;
    } else if (!(value & kStart)) {
        state_.status &= static_cast<uint8_t>(~kActive);
    }
    return starts;
}

// Take the table's next entry; false: it is not in memory.
bool BusMaster::next_piece() {
    const uint32_t at = state_.table + state_.entries * sizeof(Entry);
    const uint32_t place = (state_.table & ~(kWindow - 1)) | (at & (kWindow - 1));
    Entry entry;
    if (!memory_.read(place, &entry, sizeof(entry))) {
        return false;
    }
    state_.entries++;
    state_.address = entry.address & ~1u;
    state_.left = entry.length & 0xfffe;
    state_.left = state_.left ? state_.left : kWindow;
    state_.last = (entry.length & kLast) || state_.entries == kMaxEntries;
    return true;
}

BusMaster::Result BusMaster::move(std::span<std::byte> data) {
    while (!data.empty()) {
        if (!state_.left) {
            if (state_.last) {
                state_.status &= static_cast<uint8_t>(~kActive);
                return Result::kShort;
            }
            if (!next_piece()) {
                break;
            }
        }
        const size_t n = std::min<size_t>(data.size(), state_.left);
        std::byte* memory = memory_.at(state_.address, n);
        if (!memory) {
            break;
        }
        to_memory() ? std::memcpy(memory, data.data(), n) : std::memcpy(data.data(), memory, n);
        state_.address += static_cast<uint32_t>(n);
        state_.left -= static_cast<uint32_t>(n);
        data = data.subspan(n);
    }
    if (data.empty()) {
        return Result::kMoved;
    }
    state_.status = static_cast<uint8_t>((state_.status & ~kActive) | kError);
    return Result::kFault;
}

void BusMaster::interrupted() {
    state_.status |= kInterrupt;
    // It is still active if the table goes on behind what the drive had to move (3.1).
    if (state_.entries && state_.last && !state_.left) {
        state_.status &= static_cast<uint8_t>(~kActive);
    }
}

} // namespace vireo
