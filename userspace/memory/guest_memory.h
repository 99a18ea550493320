// SPDX-License-Identifier: GPL-2.0-only
#ifndef VIREO_MEMORY_GUEST_MEMORY_H
#define VIREO_MEMORY_GUEST_MEMORY_H

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/fd.h"

namespace vireo {

// The guest's RAM: where its physical addresses are mapped in this process. It is mapped for as
// long as the object lives and does not change, so any thread may use it, without a lock. What is
// in it belongs to the guest, which changes it at any moment: read once, check the copy.
class GuestMemory {
public:
    struct Region {
        uint64_t guest; // physical address of the first byte
        uint64_t size;  // bytes
        std::byte* host;
        uint64_t offset; // in the memory file
    };

    // Where a PC's RAM is interrupted, for devices, and goes on.
    static constexpr uint64_t kHoleStart = 0xc000'0000;
    static constexpr uint64_t kHoleEnd = 0x1'0000'0000;

    // RAM of a PC: `size` bytes, a multiple of 4 KiB, from 0 on, the rest from 4 GiB on. `hugetlb`:
    // of huge pages that the administrator has set aside; size is a multiple of theirs. Throws
    // std::system_error.
    explicit GuestMemory(uint64_t size, bool hugetlb = false);
    ~GuestMemory();

    GuestMemory(const GuestMemory&) = delete;
    GuestMemory& operator=(const GuestMemory&) = delete;

    std::span<const Region> regions() const { return regions_; }
    uint64_t size() const { return size_; }
    // The memory file (a memfd): region.offset is a place in it.
    int fd() const { return fd_.get(); }

    // Where [address, address + size) is, nullptr unless all of it is RAM. size is at least 1.
    // Regions are apart from each other: what is all RAM is in one piece.
    std::byte* at(uint64_t address, uint64_t size) const noexcept;

    // Copies for control paths; false if some of it is not RAM (then part of it may have been
    // copied).
    bool read(uint64_t address, void* to, uint64_t size) const noexcept;
    bool write(uint64_t address, const void* from, uint64_t size) const noexcept;

private:
    void unmap() noexcept;

    uint64_t size_;
    Fd fd_;
    std::vector<Region> regions_;
};

} // namespace vireo

#endif // VIREO_MEMORY_GUEST_MEMORY_H
