// SPDX-License-Identifier: GPL-2.0-only
// The formats of kernels, one file each, for kernel.cc.
#ifndef VIREO_BOOT_LOADERS_H
#define VIREO_BOOT_LOADERS_H

#include <cstdint>
#include <memory>

#include "boot/image_file.h"
#include "boot/kernel.h"

namespace vireo {

// What is in guest memory already when a kernel gets to know of it.
struct BootInfo {
    uint64_t initrd_address, initrd_size; // 0, 0: none
    uint64_t rsdp;
};

// A kernel file whose headers were found good.
class KernelImage {
public:
    virtual ~KernelImage() = default;

    virtual void load(const GuestMemory& memory) const = 0;
    // The first address after what it needs to begin.
    virtual uint64_t end() const = 0;
    // The last address that its initrd may have.
    virtual uint64_t initrd_last() const = 0;
    // Bytes, without the 0.
    virtual uint64_t command_line_limit() const = 0;
    // Leave the block that tells it of the machine.
    virtual CpuEntry describe(const GuestMemory& memory, const BootInfo& info) const = 0;
};

// nullptr: the file is of another format. Throws UsageError for one that is broken, or too old.
std::unique_ptr<KernelImage> open_bzimage(const ImageFile& file);
std::unique_ptr<KernelImage> open_elf(const ImageFile& file);

} // namespace vireo

#endif // VIREO_BOOT_LOADERS_H
