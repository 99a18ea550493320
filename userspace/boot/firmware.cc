// SPDX-License-Identifier: GPL-2.0-only
#include "boot/firmware.h"

#include <sys/mman.h>
#include <unistd.h>

#include "base/error.h"
#include "boot/image_file.h"

namespace vireo {

namespace {

constexpr const char* kSeaBios = "/usr/share/seabios/bios-256k.bin";

std::string path_of(const std::string& given) {
    if (given.empty() && access(kSeaBios, R_OK) < 0) {
        throw_usage(
            "to boot a disk takes firmware, and {} is not here; install it (Debian: seabios), "
            "name another with -bios FILE, or boot a kernel with -kernel FILE",
            kSeaBios);
    }
    return given.empty() ? kSeaBios : given;
}

} // namespace

Firmware::Firmware(const std::string& path) {
    const ImageFile file("-bios", path_of(path));
    size_ = file.size();
    if (size_ == 0 || size_ > kMost || size_ % kUnit) {
        throw_usage("{}: {} bytes; firmware of a PC has 64, 128, 192 or 256 KiB", file.name(),
                    size_);
    }
    void* memory = mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        throw_errno("{}: make memory for it", file.name());
    }
    rom_ = static_cast<std::byte*>(memory);
    try {
        if (file.read(0, rom_, size_) != size_) {
            throw_usage("{}: became shorter while it was read", file.name());
        }
    } catch (...) {
        munmap(rom_, size_);
        throw;
    }
}

Firmware::~Firmware() {
    munmap(rom_, size_);
}

void Firmware::shadow(const GuestMemory& memory) const {
    if (!memory.write(kShadowEnd - size_, rom_, size_)) {
        throw_usage("-m: {} MiB: at least 1 MiB is needed", memory.size() >> 20);
    }
}

} // namespace vireo
