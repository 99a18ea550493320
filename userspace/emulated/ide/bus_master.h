// SPDX-License-Identifier: GPL-2.0-only
#ifndef VIREO_EMULATED_IDE_BUS_MASTER_H
#define VIREO_EMULATED_IDE_BUS_MASTER_H

#include <cstddef>
#include <cstdint>
#include <span>

#include "memory/guest_memory.h"

namespace vireo {

// The bus master of one IDE channel ("Programming Interface for Bus Master IDE Controller", 1.0):
//
//   0  command: start, direction          2  status: active, error, interrupt, drives
//   4  address of a table in memory: where the data go, or come from
//
// The channel's lock is held.
class BusMaster {
public:
    static constexpr unsigned kPorts = 8;

    enum class Result { kMoved, kShort, kFault };

    struct State {
        uint8_t command = 0, status = 0;
        uint32_t table = 0;
        // Where it is in the table.
        uint32_t entries = 0; // taken
        uint32_t address = 0, left = 0;
        bool last = false; // of the table
    };

    explicit BusMaster(const GuestMemory& memory) : memory_(memory) {}

    uint8_t read(unsigned offset) const;
    // True: it was started.
    bool write(unsigned offset, uint8_t value);
    void reset() { state_ = {}; }

    bool active() const;
    // The direction that the host has set.
    bool to_memory() const;
    // Move the next data. kShort: the table ends before they do; kFault: it, or what it names, is
    // not all memory. Then it stops.
    Result move(std::span<std::byte> data);
    // The drive has an interrupt, perhaps at the end of what it moves.
    void interrupted();

private:
    bool next_piece();

    const GuestMemory& memory_;
    State state_;
};

} // namespace vireo

#endif // VIREO_EMULATED_IDE_BUS_MASTER_H
