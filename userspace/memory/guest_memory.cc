// SPDX-License-Identifier: GPL-2.0-only
#include "memory/guest_memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>

#include "base/error.h"

namespace vireo {

GuestMemory::GuestMemory(uint64_t size, bool hugetlb) : size_(size) {
    fd_ = Fd(memfd_create("guest-memory", MFD_CLOEXEC | (hugetlb ? MFD_HUGETLB : 0)));
    if (!fd_) {
        throw_errno("create the guest's memory");
    }
    if (ftruncate(fd_.get(), static_cast<off_t>(size)) < 0) {
        throw_errno("give the guest {} MiB of memory", size >> 20);
    }
    const uint64_t low = std::min(size, kHoleStart);
    const struct {
        uint64_t guest, size, offset;
    } ranges[] = {{0, low, 0}, {kHoleEnd, size - low, low}};
    for (const auto& range : ranges) {
        if (!range.size) {
            continue;
        }
        void* host = mmap(nullptr, range.size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE,
                          fd_.get(), static_cast<off_t>(range.offset));
        if (host == MAP_FAILED) {
            const int error = errno;
            unmap();
            throw_error(
                error, "map {} MiB of guest memory{}", range.size >> 20,
                hugetlb ? " in huge pages (are there enough? see /proc/sys/vm/nr_hugepages)" : "");
        }
        regions_.push_back({.guest = range.guest,
                            .size = range.size,
                            .host = static_cast<std::byte*>(host),
                            .offset = range.offset});
    }
}

GuestMemory::~GuestMemory() {
    unmap();
}

void GuestMemory::unmap() noexcept {
    for (const Region& region : regions_) {
        munmap(region.host, region.size);
    }
}

std::byte* GuestMemory::at(uint64_t address, uint64_t size) const noexcept {
    for (const Region& region : regions_) {
        const uint64_t offset = address - region.guest;
        if (offset < region.size && size <= region.size - offset) {
            return region.host + offset;
        }
    }
    return nullptr;
}

bool GuestMemory::read(uint64_t address, void* to, uint64_t size) const noexcept {
    const std::byte* from = at(address, size);
    if (!from) {
        return false;
    }
    memcpy(to, from, size);
    return true;
}

bool GuestMemory::write(uint64_t address, const void* from, uint64_t size) const noexcept {
    std::byte* to = at(address, size);
    if (!to) {
        return false;
    }
    memcpy(to, from, size);
    return true;
}

} // namespace vireo
