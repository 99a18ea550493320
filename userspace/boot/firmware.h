// SPDX-License-Identifier: GPL-2.0-only
#ifndef VIREO_BOOT_FIRMWARE_H
#define VIREO_BOOT_FIRMWARE_H

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "memory/guest_memory.h"

namespace vireo {

// A PC's firmware: a read-only memory that ends at 4 GiB, where CPUs begin. It is a second time in
// RAM, where it ends at 1 MiB and is written to: on a PC it copies itself there, and tells the
// chipset to show RAM instead of ROM; here is no such chipset.
class Firmware {
public:
    static constexpr uint64_t kEnd = 0x1'0000'0000;
    static constexpr uint64_t kMost = 256 << 10;
    static constexpr uint64_t kUnit = 64 << 10; // its size is a multiple of this
    static constexpr uint64_t kShadowEnd = 0x100000;

    // Throws UsageError, std::system_error. An empty path: where Debian keeps SeaBIOS.
    explicit Firmware(const std::string& path);
    ~Firmware();

    Firmware(const Firmware&) = delete;
    Firmware& operator=(const Firmware&) = delete;

    // As it is at `address`; whole pages, in this process as long as the object lives.
    std::span<std::byte> rom() const { return {rom_, size_}; }
    uint64_t address() const { return kEnd - size_; }

    // Put it below 1 MiB, as after power-on.
    void shadow(const GuestMemory& memory) const;

private:
    std::byte* rom_ = nullptr;
    uint64_t size_ = 0;
};

} // namespace vireo

#endif // VIREO_BOOT_FIRMWARE_H
