// SPDX-License-Identifier: GPL-2.0-only
// Stands between the engine and ring memory, in the environment of ../env/vq_env.h.
//
// One of these exists at a time and sees what the engine does in one call, or a few. It counts
// the beginnings of sections and the accesses; one of them can be made to fault. It remembers
// accesses and the barriers between them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "vq_env.h"

class RingFaults {
public:
    struct Access {
        const std::byte* ptr;
        size_t size;
        bool write;
    };

    // The `fault_at`th step faults, counted from 1; 0 is never.
    explicit RingFaults(uint64_t fault_at = 0);
    ~RingFaults();
    RingFaults(const RingFaults&) = delete;
    RingFaults& operator=(const RingFaults&) = delete;

    // Called before each access that does not fault: what a driver may do meanwhile.
    std::function<void(const Access&)> before;

    [[nodiscard]] bool fired() const { return fault_at_ != 0 && steps_ >= fault_at_; }
    [[nodiscard]] const std::vector<Access>& accesses() const { return accesses_; }

    // Does a barrier of that kind, or a full one, stand between two accesses? They are numbered as
    // in accesses(); -1 is before all of them.
    [[nodiscard]] bool ordered(vq_barrier kind, ptrdiff_t first, ptrdiff_t second) const;

    // For the environment.
    bool step() { return ++steps_ != fault_at_; }
    bool access(const Access& access);
    void barrier(vq_barrier kind);

private:
    uint64_t fault_at_;
    uint64_t steps_ = 0;
    bool aside_ = false; // in before(): what happens is the driver's doing
    std::vector<Access> accesses_;
    struct Barrier {
        vq_barrier kind;
        ptrdiff_t next; // the access that follows
    };
    std::vector<Barrier> barriers_;
};
