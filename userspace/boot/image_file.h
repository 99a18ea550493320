// SPDX-License-Identifier: GPL-2.0-only
#ifndef VIREO_BOOT_IMAGE_FILE_H
#define VIREO_BOOT_IMAGE_FILE_H

#include <cstdint>
#include <string>

#include "base/fd.h"
#include "memory/guest_memory.h"

namespace vireo {

// A file that is put into guest memory. What is wrong with it is said by its option: "-kernel F:".
class ImageFile {
public:
    ImageFile(std::string option, const std::string& path);

    uint64_t size() const { return size_; }
    const std::string& name() const { return name_; } // "-kernel F"

    // Bytes of it; those past its end are 0. How many there are.
    uint64_t read(uint64_t offset, void* to, uint64_t size) const;
    template <class T>
    T read(uint64_t offset) const {
        T value = {};
        read(offset, &value, sizeof(value));
        return value;
    }

    // Copy a part of it to a guest address. UsageError if it is not in the file, or does not fit.
    void load(const GuestMemory& memory, uint64_t offset, uint64_t size, uint64_t address) const;

private:
    std::string name_;
    Fd fd_;
    uint64_t size_;
};

} // namespace vireo

#endif // VIREO_BOOT_IMAGE_FILE_H
