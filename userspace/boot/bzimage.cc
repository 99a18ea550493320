// SPDX-License-Identifier: GPL-2.0-only
// A bzImage, by the 64-bit boot protocol (the kernel's Documentation/arch/x86/boot.rst).
#include <asm/bootparam.h>

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "base/error.h"
#include "boot/layout.h"
#include "boot/loaders.h"
#include "boot/memory_map.h"

namespace vireo {

namespace {

constexpr uint64_t kHeader = offsetof(boot_params, hdr); // of the file, and of the zero page
constexpr uint64_t kSector = 512;
constexpr uint32_t kMagic = 0x53726448;     // "HdrS"
constexpr uint16_t kProtocol = 0x020c;      // 2.12, Linux 3.8: the first with xloadflags
constexpr uint64_t kEntry64 = 0x200;        // of the 64-bit entry, from where it is loaded
constexpr uint8_t kLoaderUnassigned = 0xff; // type_of_loader

class BzImage final : public KernelImage {
public:
    explicit BzImage(const ImageFile& file);

    void load(const GuestMemory& memory) const override;
    uint64_t end() const override { return header_.pref_address + header_.init_size; }
    uint64_t initrd_last() const override { return header_.initrd_addr_max; }
    uint64_t command_line_limit() const override { return header_.cmdline_size; }
    CpuEntry describe(const GuestMemory& memory, const BootInfo& info) const override;

private:
    const ImageFile& file_;
    setup_header header_;
    uint64_t payload_; // where in the file what runs begins
};

BzImage::BzImage(const ImageFile& file) : file_(file), header_(file.read<setup_header>(kHeader)) {
    if (header_.version < kProtocol || !(header_.loadflags & LOADED_HIGH)) {
        throw_usage(
            "{}: speaks version {}.{:02} of Linux's boot protocol, where 2.12 is needed "
            "(Linux 3.8 and later)",
            file.name(), unsigned{header_.version} >> 8, header_.version & 0xffu);
    }
    if (!(header_.xloadflags & XLF_KERNEL_64)) {
        throw_usage("{}: has no 64-bit entry: a kernel for x86-64 is needed", file.name());
    }
    // 0 means 4, from the days of floppy disks.
    const unsigned sectors = header_.setup_sects ? header_.setup_sects : 4;
    payload_ = (sectors + 1) * kSector;
    // In paragraphs. A signature may follow what it covers.
    const uint64_t size = uint64_t{header_.syssize} * 16;
    if (payload_ >= file.size() || size > file.size() - payload_) {
        throw_usage("{}: cut off: its header tells of {} bytes, there are {}", file.name(),
                    payload_ + size, file.size());
    }
    if (header_.pref_address < layout::kHighStart || header_.pref_address >> 32 ||
        header_.init_size == 0) {
        throw_usage("{}: broken header: it wants to be at {:#x}, with {:#x} bytes", file.name(),
                    uint64_t{header_.pref_address}, uint64_t{header_.init_size});
    }
}

void BzImage::load(const GuestMemory& memory) const {
    // It works in more than it fills.
    if (!memory.at(header_.pref_address, header_.init_size)) {
        throw_usage("{}: needs memory up to {} MiB; give more than {} MiB with -m", file_.name(),
                    (end() >> 20) + 1, memory.size() >> 20);
    }
    const uint64_t size = file_.size() - payload_;
    file_.load(memory, payload_, std::min<uint64_t>(size, header_.init_size), header_.pref_address);
}

CpuEntry BzImage::describe(const GuestMemory& memory, const BootInfo& info) const {
    boot_params params = {};
    params.hdr = header_;
    params.hdr.type_of_loader = kLoaderUnassigned;
    params.hdr.ramdisk_image = static_cast<uint32_t>(info.initrd_address);
    params.hdr.ramdisk_size = static_cast<uint32_t>(info.initrd_size);
    params.hdr.cmd_line_ptr = layout::kCommandLine;
    params.acpi_rsdp_addr = info.rsdp;
    const std::vector<MemoryMapEntry> map = memory_map(memory);
    for (const MemoryMapEntry& entry : map) {
        params.e820_table[params.e820_entries++] = {
            .addr = entry.start, .size = entry.size, .type = static_cast<uint32_t>(entry.type)};
    }
    memory.write(layout::kZeroPage, &params, sizeof(params));
    return {.mode = CpuEntry::Mode::k64,
            .address = header_.pref_address + kEntry64,
            .argument = layout::kZeroPage};
}

} // namespace

std::unique_ptr<KernelImage> open_bzimage(const ImageFile& file) {
    const auto header = file.read<setup_header>(kHeader);
    if (header.header != kMagic || header.boot_flag != 0xaa55) {
        return nullptr;
    }
    return std::make_unique<BzImage>(file);
}

} // namespace vireo
