// SPDX-License-Identifier: GPL-2.0-only
// Kernel files that are made up here, good ones and broken ones.
#include "boot/kernel.h"

#include <asm/bootparam.h>
#include <elf.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <string>
#include <vector>

#include "base/error.h"
#include "boot/layout.h"

namespace vireo {
namespace {

constexpr uint64_t kRsdp = 0xe0000;

class TemporaryFile {
public:
    explicit TemporaryFile(const std::string& content) : path_("/tmp/vireo-boot-XXXXXX") {
        const int fd = mkstemp(path_.data());
        EXPECT_EQ(write(fd, content.data(), content.size()), static_cast<ssize_t>(content.size()));
        close(fd);
    }
    ~TemporaryFile() { unlink(path_.c_str()); }
    const std::string& path() const { return path_; }

private:
    std::string path_;
};

// --- a bzImage ---

struct BzImage {
    setup_header header = [] {
        setup_header h = {};
        h.setup_sects = 1;
        h.boot_flag = 0xaa55;
        h.header = 0x53726448;
        h.version = 0x020f;
        h.loadflags = LOADED_HIGH;
        h.initrd_addr_max = 0x7fff'ffff;
        h.relocatable_kernel = 1;
        h.xloadflags = XLF_KERNEL_64;
        h.cmdline_size = 2047;
        h.pref_address = 0x100'0000;
        h.init_size = 0x20'0000;
        return h;
    }();
    std::string payload = std::string(4096, 'K');

    std::string bytes() const {
        setup_header h = header;
        h.syssize = static_cast<uint32_t>(payload.size() / 16);
        std::string file((h.setup_sects + 1) * size_t{512}, '\0');
        memcpy(&file[0x1f1], &h, sizeof(h));
        return file + payload;
    }
};

std::string error_of(const GuestMemory& memory, const std::string& kernel,
                     const std::string& initrd = "", const std::string& command_line = "") {
    try {
        load_kernel(memory, {.kernel = kernel, .initrd = initrd, .command_line = command_line},
                    kRsdp);
        return "";
    } catch (const UsageError& error) {
        return error.what();
    }
}

std::string error_of(const std::string& content, uint64_t mib = 64) {
    const GuestMemory memory(mib << 20);
    const TemporaryFile file(content);
    return error_of(memory, file.path());
}

testing::AssertionResult says(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos ? testing::AssertionSuccess()
                                                : testing::AssertionFailure() << text;
}

template <class T>
T peek(const GuestMemory& memory, uint64_t address) {
    T value = {};
    EXPECT_TRUE(memory.read(address, &value, sizeof(value)));
    return value;
}

TEST(BzImageTest, IsPutWhereItWantsToBe) {
    const GuestMemory memory(64 << 20);
    const TemporaryFile kernel(BzImage{}.bytes());
    const TemporaryFile initrd(std::string(10000, 'I'));
    const CpuEntry entry = load_kernel(
        memory, {.kernel = kernel.path(), .initrd = initrd.path(), .command_line = "console=ttyS0"},
        kRsdp);
    EXPECT_EQ(entry.mode, CpuEntry::Mode::k64);
    EXPECT_EQ(entry.address, 0x100'0200u);
    EXPECT_EQ(peek<char>(memory, 0x100'0000), 'K');

    const auto params = peek<boot_params>(memory, entry.argument);
    EXPECT_EQ(params.hdr.header, 0x53726448u);
    EXPECT_EQ(params.hdr.type_of_loader, 0xff);
    EXPECT_EQ(uint64_t{params.acpi_rsdp_addr}, kRsdp);
    EXPECT_EQ(params.hdr.ramdisk_size, 10000u);
    EXPECT_EQ(params.hdr.ramdisk_image % 4096, 0u);
    EXPECT_EQ(params.hdr.ramdisk_image, (64u << 20) - 12288);
    EXPECT_EQ(peek<char>(memory, params.hdr.ramdisk_image + 9999), 'I');
    char line[14];
    ASSERT_TRUE(memory.read(params.hdr.cmd_line_ptr, line, sizeof(line)));
    EXPECT_STREQ(line, "console=ttyS0");
}

TEST(BzImageTest, TheMapHasAllMemoryAndTheConfigurationSpace) {
    const GuestMemory memory(4ull << 30);
    const TemporaryFile kernel(BzImage{}.bytes());
    const CpuEntry entry =
        load_kernel(memory, {.kernel = kernel.path(), .initrd = "", .command_line = ""}, kRsdp);
    const auto params = peek<boot_params>(memory, entry.argument);
    uint64_t ram = 0, end = 0;
    bool ecam = false;
    for (unsigned i = 0; i < params.e820_entries; i++) {
        const boot_e820_entry e = params.e820_table[i];
        EXPECT_GE(uint64_t{e.addr}, end);
        end = e.addr + e.size;
        ram += e.type == 1 ? e.size : 0;
        ecam |= e.type == 2 && e.addr == layout::kEcam;
    }
    EXPECT_TRUE(ecam);
    EXPECT_EQ(ram, (4ull << 30) - (layout::kHighStart - layout::kLowEnd));
    EXPECT_EQ(end, GuestMemory::kHoleEnd + (1ull << 30));
}

TEST(BzImageTest, TheInitrdStaysWithinTheKernelsReach) {
    const GuestMemory memory(512 << 20);
    BzImage image;
    image.header.initrd_addr_max = 0x7ff'ffff;
    const TemporaryFile kernel(image.bytes());
    const TemporaryFile initrd(std::string(4096, 'I'));
    const CpuEntry entry = load_kernel(
        memory, {.kernel = kernel.path(), .initrd = initrd.path(), .command_line = ""}, kRsdp);
    EXPECT_EQ(peek<boot_params>(memory, entry.argument).hdr.ramdisk_image, 0x7ff'f000u);
}

TEST(BzImageTest, RefusesWhatItCannotEnter) {
    BzImage image;
    image.header.version = 0x020b;
    EXPECT_TRUE(says(error_of(image.bytes()), "version 2.11"));
    image = {};
    image.header.loadflags = 0;
    EXPECT_TRUE(says(error_of(image.bytes()), "boot protocol"));
    image = {};
    image.header.xloadflags = 0;
    EXPECT_TRUE(says(error_of(image.bytes()), "64-bit"));
}

TEST(BzImageTest, RefusesBrokenHeaders) {
    BzImage image;
    image.header.pref_address = 0x1000;
    EXPECT_TRUE(says(error_of(image.bytes()), "broken header"));
    image = {};
    image.header.pref_address = 1ull << 40;
    EXPECT_TRUE(says(error_of(image.bytes()), "broken header"));
    image = {};
    image.header.init_size = 0;
    EXPECT_TRUE(says(error_of(image.bytes()), "broken header"));
    image = {};
    image.header.init_size = 0xffff'ffff;
    EXPECT_TRUE(says(error_of(image.bytes()), "-m"));
}

TEST(BzImageTest, RefusesAFileThatIsCutOff) {
    const std::string whole = BzImage{}.bytes();
    for (const size_t size : {whole.size() - 16, size_t{1024}, size_t{1025}, size_t{0x270}}) {
        EXPECT_TRUE(says(error_of(whole.substr(0, size)), "cut off")) << size;
    }
    for (const size_t size : {size_t{0}, size_t{1}, size_t{0x1f1}, size_t{0x203}}) {
        EXPECT_TRUE(says(error_of(whole.substr(0, size)), "not a Linux kernel")) << size;
    }
}

TEST(BzImageTest, SaysHowMuchMemoryItNeeds) {
    EXPECT_TRUE(says(error_of(BzImage{}.bytes(), 16), "-m"));
    const GuestMemory memory(32 << 20);
    const TemporaryFile kernel(BzImage{}.bytes());
    const TemporaryFile initrd(std::string(15 << 20, 'I'));
    EXPECT_TRUE(says(error_of(memory, kernel.path(), initrd.path()), "-initrd"));
}

TEST(BzImageTest, RefusesACommandLineThatIsTooLong) {
    const GuestMemory memory(64 << 20);
    const TemporaryFile kernel(BzImage{}.bytes());
    EXPECT_EQ(error_of(memory, kernel.path(), "", std::string(2047, 'a')), "");
    EXPECT_TRUE(says(error_of(memory, kernel.path(), "", std::string(2048, 'a')), "-append"));
}

TEST(KernelTest, NamesFilesThatAreNoKernels) {
    EXPECT_TRUE(says(error_of(std::string(100000, 'x')), "not a Linux kernel"));
    const GuestMemory memory(16 << 20);
    EXPECT_TRUE(says(error_of(memory, "/tmp"), "not a regular file"));
    try {
        error_of(memory, "/nonexistent");
        FAIL();
    } catch (const std::system_error& error) {
        EXPECT_TRUE(says(error.what(), "-kernel /nonexistent"));
    }
}

// --- an ELF file with a PVH entry ---

struct ElfFile {
    Elf64_Ehdr header = [] {
        Elf64_Ehdr h = {};
        memcpy(h.e_ident, ELFMAG, SELFMAG);
        h.e_ident[EI_CLASS] = ELFCLASS64;
        h.e_machine = EM_X86_64;
        h.e_phoff = sizeof(Elf64_Ehdr);
        h.e_phentsize = sizeof(Elf64_Phdr);
        h.e_phnum = 2;
        return h;
    }();
    Elf64_Phdr code = {.p_type = PT_LOAD,
                       .p_flags = 0,
                       .p_offset = 4096,
                       .p_vaddr = 0,
                       .p_paddr = 0x100'0000,
                       .p_filesz = 4096,
                       .p_memsz = 0x10000,
                       .p_align = 0};
    Elf64_Phdr notes = {.p_type = PT_NOTE,
                        .p_flags = 0,
                        .p_offset = 512,
                        .p_vaddr = 0,
                        .p_paddr = 0,
                        .p_filesz = 0,
                        .p_memsz = 0,
                        .p_align = 0};
    std::string note = pvh(0x100'0100);

    static std::string one(uint32_t type, const std::string& name, const std::string& content) {
        const Elf64_Nhdr h = {.n_namesz = static_cast<uint32_t>(name.size()),
                              .n_descsz = static_cast<uint32_t>(content.size()),
                              .n_type = type};
        std::string bytes(sizeof(h), 0);
        memcpy(bytes.data(), &h, sizeof(h));
        const auto pad = [](std::string s) {
            s.resize((s.size() + 3) & ~size_t{3});
            return s;
        };
        return bytes + pad(name) + pad(content);
    }
    static std::string pvh(uint32_t entry) {
        std::string content(4, 0);
        memcpy(content.data(), &entry, 4);
        return one(6, std::string("Linux\0", 6), "12345") +
               one(18, std::string("Xen\0", 4), content);
    }

    std::string bytes() const {
        std::string file(8192, 'E');
        Elf64_Phdr n = notes;
        n.p_filesz = n.p_filesz ? n.p_filesz : note.size();
        memcpy(&file[0], &header, sizeof(header));
        memcpy(&file[sizeof(header)], &code, sizeof(code));
        memcpy(&file[sizeof(header) + sizeof(code)], &n, sizeof(n));
        memcpy(&file[512], note.data(), note.size());
        return file;
    }
};

TEST(ElfKernelTest, IsEnteredByItsNote) {
    const GuestMemory memory(64 << 20);
    // As if another kernel had been there.
    memset(memory.at(0x100'0000, 0x10000), 0xaa, 0x10000);
    const TemporaryFile kernel(ElfFile{}.bytes());
    const TemporaryFile initrd(std::string(5000, 'I'));
    const CpuEntry entry = load_kernel(
        memory, {.kernel = kernel.path(), .initrd = initrd.path(), .command_line = "quiet"}, kRsdp);
    EXPECT_EQ(entry.mode, CpuEntry::Mode::k32);
    EXPECT_EQ(entry.address, 0x100'0100u);
    EXPECT_EQ(peek<char>(memory, 0x100'0fff), 'E');
    for (uint64_t at = 0x100'1000; at < 0x101'0000; at++) {
        ASSERT_EQ(peek<char>(memory, at), 0) << at;
    }

    // Xen's hvm_start_info, by its offsets.
    const uint64_t start = entry.argument;
    EXPECT_EQ(peek<uint32_t>(memory, start), 0x336ec578u);
    EXPECT_EQ(peek<uint32_t>(memory, start + 4), 1u);
    EXPECT_EQ(peek<uint32_t>(memory, start + 12), 1u) << "modules";
    const uint64_t module = peek<uint64_t>(memory, start + 16);
    EXPECT_EQ(peek<char>(memory, peek<uint64_t>(memory, module)), 'I');
    EXPECT_EQ(peek<uint64_t>(memory, module + 8), 5000u);
    EXPECT_EQ(peek<char>(memory, peek<uint64_t>(memory, start + 24)), 'q');
    EXPECT_EQ(peek<uint64_t>(memory, start + 32), kRsdp);
    EXPECT_EQ(peek<uint64_t>(memory, peek<uint64_t>(memory, start + 40)), 0u) << "of RAM";
    EXPECT_EQ(peek<uint32_t>(memory, start + 48), 4u) << "pieces of the map";
}

TEST(ElfKernelTest, RefusesWhatItCannotEnter) {
    ElfFile file;
    file.note = ElfFile::one(18, std::string("Xyz\0", 4), "1234");
    EXPECT_TRUE(says(error_of(file.bytes()), "PVH"));
    file = {};
    file.notes.p_type = PT_NULL;
    EXPECT_TRUE(says(error_of(file.bytes()), "PVH"));
    file = {};
    file.code.p_type = PT_NULL;
    EXPECT_TRUE(says(error_of(file.bytes()), "nothing to load"));
    file = {};
    file.header.e_machine = EM_AARCH64;
    EXPECT_TRUE(says(error_of(file.bytes()), "x86-64"));
    file = {};
    file.header.e_ident[EI_CLASS] = ELFCLASS32;
    EXPECT_TRUE(says(error_of(file.bytes()), "x86-64"));
    file = {};
    file.header.e_phnum = 60000;
    EXPECT_TRUE(says(error_of(file.bytes()), "program headers"));
    EXPECT_TRUE(says(error_of(std::string("\177ELF")), "x86-64"));
}

TEST(ElfKernelTest, RefusesSegmentsOutOfPlace) {
    for (const auto& [address, in_file, in_memory] :
         {std::tuple<uint64_t, uint64_t, uint64_t>{0x1000, 4096, 4096},
          {1ull << 32, 4096, 4096},
          {~uint64_t{0}, 4096, 4096},
          {0x100'0000, 4096, 4095},
          {0x100'0000, 4096, ~uint64_t{0}}}) {
        ElfFile file;
        file.code.p_paddr = address;
        file.code.p_filesz = in_file;
        file.code.p_memsz = in_memory;
        EXPECT_TRUE(says(error_of(file.bytes()), "broken")) << address;
    }
    ElfFile file;
    file.code.p_memsz = 0x800'0000;
    EXPECT_TRUE(says(error_of(file.bytes()), "-m"));
    file = {};
    file.code.p_offset = 8000;
    EXPECT_TRUE(says(error_of(file.bytes()), "cut off"));
    file.code.p_offset = ~uint64_t{0} - 100;
    EXPECT_TRUE(says(error_of(file.bytes()), "cut off"));
}

TEST(ElfKernelTest, BrokenNotesEndTheSearch) {
    for (const uint32_t size : {~0u, 0x7fff'ffffu, 4096u}) {
        ElfFile file;
        memcpy(file.note.data(), &size, 4);
        EXPECT_TRUE(says(error_of(file.bytes()), "PVH")) << size;
        file = {};
        memcpy(&file.note[4], &size, 4);
        EXPECT_TRUE(says(error_of(file.bytes()), "PVH")) << size;
    }
    ElfFile file;
    file.notes.p_filesz = ~uint64_t{0};
    file.notes.p_offset = ~uint64_t{0} / 2;
    EXPECT_TRUE(says(error_of(file.bytes()), "PVH"));
}

// --- how the CPU is entered ---

TEST(CpuEntryTest, LongModeHasPagingAndTheZeroPage) {
    const CpuEntry entry = {.mode = CpuEntry::Mode::k64, .address = 0x100'0200, .argument = 0x7000};
    const kvm_regs registers = entry.registers();
    EXPECT_EQ(registers.rip, 0x100'0200u);
    EXPECT_EQ(registers.rsi, 0x7000u);
    EXPECT_EQ(registers.rflags, 2u);
    const kvm_sregs special = entry.special_registers({});
    EXPECT_EQ(special.cr0 & 0x8000'0001, 0x8000'0001u);
    EXPECT_EQ(special.efer, 0x500u);
    EXPECT_EQ(special.cs.selector, 0x10);
    EXPECT_EQ(special.cs.l, 1);
    EXPECT_EQ(special.ss.selector, 0x18);
}

TEST(CpuEntryTest, PvhIsFlatWithoutPaging) {
    const CpuEntry entry = {.mode = CpuEntry::Mode::k32, .address = 0x100'0100, .argument = 0x6000};
    EXPECT_EQ(entry.registers().rbx, 0x6000u);
    const kvm_sregs special = entry.special_registers({});
    EXPECT_EQ(special.cr0 & 0x8000'0001, 1u);
    EXPECT_EQ(special.cr4, 0u);
    EXPECT_EQ(special.efer, 0u);
    EXPECT_EQ(special.cs.db, 1);
    EXPECT_EQ(special.cs.l, 0);
    EXPECT_EQ(special.cs.limit, 0xffff'ffffu);
}

} // namespace
} // namespace vireo
