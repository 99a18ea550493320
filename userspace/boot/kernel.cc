// SPDX-License-Identifier: GPL-2.0-only
#include "boot/kernel.h"

#include <algorithm>

#include "base/error.h"
#include "boot/layout.h"
#include "boot/loaders.h"

namespace vireo {

namespace {

constexpr uint64_t kPage = 4096;

// The initrd goes to the end of low memory, where the kernel need not move it, as far as the kernel
// can reach.
uint64_t load_initrd(const GuestMemory& memory, const ImageFile& file, const KernelImage& kernel) {
    const uint64_t low = std::min(memory.size(), GuestMemory::kHoleStart);
    const uint64_t limit = std::min(low, kernel.initrd_last() + 1);
    const uint64_t need = (file.size() + kPage - 1) & ~(kPage - 1);
    if (need > limit || limit - need < kernel.end()) {
        throw_usage(
            "{}: {} MiB do not fit beside the kernel into {} MiB of memory; give more "
            "with -m",
            file.name(), (file.size() >> 20) + 1, memory.size() >> 20);
    }
    const uint64_t address = (limit - need) & ~(kPage - 1);
    file.load(memory, 0, file.size(), address);
    return address;
}

// A flat segment (SDM 3, 3.4.5), and its descriptor.
kvm_segment flat(uint16_t selector, uint8_t type, bool is_64) {
    kvm_segment segment = {};
    segment.limit = 0xffff'ffff;
    segment.selector = selector;
    segment.type = type;
    segment.present = 1;
    segment.db = !is_64;
    segment.s = 1;
    segment.l = is_64;
    segment.g = 1;
    return segment;
}

uint64_t descriptor(const kvm_segment& s) {
    const uint64_t limit = s.g ? s.limit >> 12 : s.limit;
    return (limit & 0xffff) | (s.base & 0xff'ffff) << 16 | uint64_t{s.type} << 40 |
           uint64_t{s.s} << 44 | uint64_t{s.dpl} << 45 | uint64_t{s.present} << 47 |
           (limit >> 16 & 0xf) << 48 | uint64_t{s.l} << 53 | uint64_t{s.db} << 54 |
           uint64_t{s.g} << 55 | (s.base >> 24 & 0xff) << 56;
}

// The selectors that Linux's boot protocol names; PVH names none.
constexpr uint16_t kCode = 0x10;
constexpr uint16_t kData = 0x18;
constexpr uint16_t kTask = 0x20;
constexpr uint8_t kCodeType = 0xb; // executable, readable, accessed
constexpr uint8_t kDataType = 0x3; // writable, accessed
constexpr uint8_t kTaskType = 0xb; // 32- or 64-bit, busy

kvm_segment task() {
    kvm_segment segment = {};
    segment.limit = 0x67;
    segment.selector = kTask;
    segment.type = kTaskType;
    segment.present = 1;
    return segment;
}

void write_gdt(const GuestMemory& memory, bool is_64) {
    const uint64_t table[] = {0,
                              0,
                              descriptor(flat(kCode, kCodeType, is_64)),
                              descriptor(flat(kData, kDataType, false)),
                              descriptor(task()),
                              0}; // a 64-bit task's has a second half
    memory.write(layout::kGdt, table, sizeof(table));
}

// Page tables that map the first 4 GiB to themselves, in pages of 2 MiB.
void write_page_tables(const GuestMemory& memory) {
    constexpr uint64_t kPresentWritable = 3;
    constexpr uint64_t kLarge = 1 << 7;
    const uint64_t top = layout::kPageTables;
    const auto put = [&](uint64_t table, uint64_t index, uint64_t entry) {
        memory.write(table + index * sizeof(entry), &entry, sizeof(entry));
    };
    put(top, 0, (top + kPage) | kPresentWritable);
    for (uint64_t gib = 0; gib < 4; gib++) {
        const uint64_t directory = top + (2 + gib) * kPage;
        put(top + kPage, gib, directory | kPresentWritable);
        for (uint64_t i = 0; i < 512; i++) {
            put(directory, i, (gib << 30 | i << 21) | kLarge | kPresentWritable);
        }
    }
}

constexpr uint64_t kCr0Protected = 1 << 0;
constexpr uint64_t kCr0Extension = 1 << 4; // always there
constexpr uint64_t kCr0Paging = 1u << 31;
constexpr uint64_t kCr4Pae = 1 << 5;
constexpr uint64_t kEferLong = 1 << 8 | 1 << 10; // enabled, active

} // namespace

kvm_regs CpuEntry::registers() const {
    kvm_regs registers = {};
    registers.rflags = 2; // always there: interrupts off
    registers.rip = address;
    (mode == Mode::k64 ? registers.rsi : registers.rbx) = argument;
    return registers;
}

kvm_sregs CpuEntry::special_registers(kvm_sregs special) const {
    const bool is_64 = mode == Mode::k64;
    special.cs = flat(kCode, kCodeType, is_64);
    special.ds = special.es = special.fs = special.gs = special.ss = flat(kData, kDataType, false);
    special.tr = task();
    special.gdt.base = layout::kGdt;
    special.gdt.limit = 6 * sizeof(uint64_t) - 1;
    special.idt.base = 0;
    special.idt.limit = 0;
    special.cr0 = kCr0Protected | kCr0Extension;
    special.cr4 = 0;
    special.efer = 0;
    if (is_64) {
        special.cr0 |= kCr0Paging;
        special.cr3 = layout::kPageTables;
        special.cr4 = kCr4Pae;
        special.efer = kEferLong;
    }
    return special;
}

CpuEntry load_kernel(const GuestMemory& memory, const KernelFiles& files, uint64_t rsdp) {
    const ImageFile file("-kernel", files.kernel);
    std::unique_ptr<KernelImage> kernel = open_bzimage(file);
    if (!kernel) {
        kernel = open_elf(file);
    }
    if (!kernel) {
        throw_usage("{}: not a Linux kernel: neither a bzImage nor an ELF file", file.name());
    }
    const uint64_t limit =
        std::min<uint64_t>(kernel->command_line_limit(), layout::kCommandLineSize - 1);
    if (files.command_line.size() > limit) {
        throw_usage("-append: {} characters, where this kernel takes {}", files.command_line.size(),
                    limit);
    }
    kernel->load(memory);
    BootInfo info = {.initrd_address = 0, .initrd_size = 0, .rsdp = rsdp};
    if (!files.initrd.empty()) {
        const ImageFile initrd("-initrd", files.initrd);
        info.initrd_address = load_initrd(memory, initrd, *kernel);
        info.initrd_size = initrd.size();
    }
    memory.write(layout::kCommandLine, files.command_line.c_str(), files.command_line.size() + 1);
    const CpuEntry entry = kernel->describe(memory, info);
    write_gdt(memory, entry.mode == CpuEntry::Mode::k64);
    if (entry.mode == CpuEntry::Mode::k64) {
        write_page_tables(memory);
    }
    return entry;
}

} // namespace vireo
