// SPDX-License-Identifier: GPL-2.0-only
// An ELF kernel with a PVH entry: Xen's "x86/HVM direct boot ABI" (Linux: CONFIG_PVH), which is a
// vmlinux as the build leaves it, without decompression.
#include <elf.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <vector>

#include "base/error.h"
#include "boot/layout.h"
#include "boot/loaders.h"
#include "boot/memory_map.h"

namespace vireo {

namespace {

constexpr uint32_t kNoteEntry = 18; // XEN_ELFNOTE_PHYS32_ENTRY
constexpr unsigned kMaxSegments = 64;
constexpr uint64_t kMaxNotes = 64 << 10; // bytes

// What the kernel is told; all addresses are physical.
struct StartInfo {
    uint32_t magic = 0x336ec578;
    uint32_t version = 1;
    uint32_t flags = 0;
    uint32_t modules = 0;
    uint64_t module_list = 0;
    uint64_t command_line = 0;
    uint64_t rsdp = 0;
    uint64_t memory_map = 0;
    uint32_t memory_map_entries = 0;
    uint32_t reserved = 0;
};
static_assert(sizeof(StartInfo) == 56);

struct Module {
    uint64_t address, size, command_line, reserved;
};
static_assert(sizeof(Module) == 32);

struct MapEntry {
    uint64_t address, size;
    uint32_t type, reserved;
};
static_assert(sizeof(MapEntry) == 24);

// Make memory 0. Whole pages are given back instead: what is not touched takes no room.
void clear(std::byte* start, uint64_t size) {
    constexpr uintptr_t kPage = 4096;
    std::byte* const end = start + size;
    auto* first = reinterpret_cast<std::byte*>((reinterpret_cast<uintptr_t>(start) + kPage - 1) &
                                               ~(kPage - 1));
    auto* last = reinterpret_cast<std::byte*>(reinterpret_cast<uintptr_t>(end) & ~(kPage - 1));
    // It fails for parts of huge pages.
    if (first >= last || madvise(first, static_cast<size_t>(last - first), MADV_REMOVE) < 0) {
        first = last = end;
    }
    memset(start, 0, static_cast<size_t>(first - start));
    memset(last, 0, static_cast<size_t>(end - last));
}

class ElfKernel final : public KernelImage {
public:
    explicit ElfKernel(const ImageFile& file);

    void load(const GuestMemory& memory) const override;
    uint64_t end() const override { return end_; }
    uint64_t initrd_last() const override { return 0xffff'ffff; }
    uint64_t command_line_limit() const override { return layout::kCommandLineSize - 1; }
    CpuEntry describe(const GuestMemory& memory, const BootInfo& info) const override;

private:
    void read_notes(const Elf64_Phdr& segment);

    const ImageFile& file_;
    std::vector<Elf64_Phdr> segments_; // those to be loaded
    std::optional<uint64_t> entry_;
    uint64_t end_ = 0;
};

ElfKernel::ElfKernel(const ImageFile& file) : file_(file) {
    const auto header = file.read<Elf64_Ehdr>(0);
    if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_machine != EM_X86_64 ||
        header.e_phentsize != sizeof(Elf64_Phdr)) {
        throw_usage("{}: an ELF file, but not for x86-64", file.name());
    }
    if (header.e_phnum == 0 || header.e_phnum > kMaxSegments) {
        throw_usage("{}: an ELF file with {} program headers, where 1 to {} are expected",
                    file.name(), header.e_phnum, kMaxSegments);
    }
    for (unsigned i = 0; i < header.e_phnum; i++) {
        const auto segment = file.read<Elf64_Phdr>(header.e_phoff + i * sizeof(Elf64_Phdr));
        if (segment.p_type == PT_NOTE) {
            read_notes(segment);
        }
        if (segment.p_type != PT_LOAD || segment.p_memsz == 0) {
            continue;
        }
        // Below 1 MiB is what it is entered with, and the entry is 32 bits wide.
        if (segment.p_filesz > segment.p_memsz || segment.p_paddr < layout::kHighStart ||
            segment.p_paddr >> 32 || segment.p_memsz >> 32) {
            throw_usage("{}: broken: {:#x} bytes of it want to be at {:#x}, in {:#x} bytes",
                        file.name(), segment.p_filesz, segment.p_paddr, segment.p_memsz);
        }
        end_ = std::max(end_, segment.p_paddr + segment.p_memsz);
        segments_.push_back(segment);
    }
    if (!entry_) {
        throw_usage(
            "{}: an ELF file without a PVH entry; a Linux kernel has one if built with "
            "CONFIG_PVH, or use its bzImage",
            file.name());
    }
    if (segments_.empty()) {
        throw_usage("{}: an ELF file with nothing to load", file.name());
    }
}

// Notes follow each other: sizes of name and content, type, name, content, each padded to 4 bytes.
void ElfKernel::read_notes(const Elf64_Phdr& segment) {
    std::vector<char> notes(std::min<uint64_t>(segment.p_filesz, kMaxNotes));
    file_.read(segment.p_offset, notes.data(), notes.size());
    const auto padded = [](uint64_t size) { return (size + 3) & ~uint64_t{3}; };
    uint64_t at = 0;
    while (notes.size() - at >= sizeof(Elf64_Nhdr)) {
        Elf64_Nhdr note;
        memcpy(&note, &notes[at], sizeof(note));
        at += sizeof(note);
        const uint64_t name = at;
        const uint64_t content = name + padded(note.n_namesz);
        at = content + padded(note.n_descsz);
        if (at > notes.size()) {
            break;
        }
        const bool xen = note.n_namesz == 4 && memcmp(&notes[name], "Xen", 4) == 0;
        if (xen && note.n_type == kNoteEntry && (note.n_descsz == 4 || note.n_descsz == 8)) {
            uint64_t entry = 0;
            memcpy(&entry, &notes[content], note.n_descsz);
            entry_ = entry;
        }
    }
}

void ElfKernel::load(const GuestMemory& memory) const {
    for (const Elf64_Phdr& segment : segments_) {
        if (!memory.at(segment.p_paddr, segment.p_memsz)) {
            throw_usage("{}: needs memory up to {} MiB; give more than {} MiB with -m",
                        file_.name(), (end_ >> 20) + 1, memory.size() >> 20);
        }
        file_.load(memory, segment.p_offset, segment.p_filesz, segment.p_paddr);
        clear(memory.at(segment.p_paddr, segment.p_memsz) + segment.p_filesz,
              segment.p_memsz - segment.p_filesz);
    }
}

CpuEntry ElfKernel::describe(const GuestMemory& memory, const BootInfo& info) const {
    StartInfo start;
    uint64_t at = layout::kStartInfo + sizeof(start);
    const auto append = [&](const auto& value) {
        memory.write(at, &value, sizeof(value));
        at += sizeof(value);
    };
    if (info.initrd_size) {
        start.modules = 1;
        start.module_list = at;
        append(Module{info.initrd_address, info.initrd_size, 0, 0});
    }
    start.memory_map = at;
    const std::vector<MemoryMapEntry> map = memory_map(memory);
    for (const MemoryMapEntry& entry : map) {
        append(MapEntry{entry.start, entry.size, static_cast<uint32_t>(entry.type), 0});
    }
    start.memory_map_entries = static_cast<uint32_t>(map.size());
    start.command_line = layout::kCommandLine;
    start.rsdp = info.rsdp;
    memory.write(layout::kStartInfo, &start, sizeof(start));
    return {.mode = CpuEntry::Mode::k32, .address = *entry_, .argument = layout::kStartInfo};
}

} // namespace

std::unique_ptr<KernelImage> open_elf(const ImageFile& file) {
    const auto header = file.read<Elf64_Ehdr>(0);
    if (memcmp(header.e_ident, ELFMAG, SELFMAG) != 0) {
        return nullptr;
    }
    return std::make_unique<ElfKernel>(file);
}

} // namespace vireo
