// SPDX-License-Identifier: GPL-2.0-only
#ifndef VIREO_EMULATED_NIC_DMA_H
#define VIREO_EMULATED_NIC_DMA_H

#include <atomic>
#include <bit>
#include <cstdint>
#include <cstring>
#include <span>

#include "memory/guest_memory.h"
#include "virtio/virtqueue.h"

namespace vireo {

// What a bus master reads and writes in guest memory: all of an access, or, where some of it is no
// RAM or the guest has not made the function a bus master, nothing. Numbers are little endian, as
// the host's are. With the card's lock; whether it is a master may change on any thread.
class Dma {
public:
    explicit Dma(const GuestMemory& memory) : memory_(memory) {}

    void set_master(bool on) noexcept { master_.store(on, std::memory_order_relaxed); }
    bool master() const noexcept { return master_.load(std::memory_order_relaxed); }

    bool read(uint64_t address, std::span<uint8_t> to) noexcept {
        return to.empty() ||
               (at(address, to.size()) && memory_.read(address, to.data(), to.size()));
    }
    bool write(uint64_t address, std::span<const uint8_t> from) noexcept {
        return from.empty() ||
               (at(address, from.size()) && memory_.write(address, from.data(), from.size()));
    }

    // A descriptor, or a word of one. It is loaded before whatever comes next, and stored behind
    // whatever came first: so that what says who owns it is the first or last that is touched.
    template <class T>
    bool load(uint64_t address, T& value) const noexcept {
        const std::byte* from = at(address, sizeof(value));
        if (!from) {
            return false;
        }
        memcpy(&value, from, sizeof(value));
        std::atomic_signal_fence(std::memory_order_acquire); // x86 loads and stores in order
        return true;
    }
    template <class T>
    bool store(uint64_t address, const T& value) noexcept {
        std::byte* to = at(address, sizeof(value));
        if (!to) {
            return false;
        }
        std::atomic_signal_fence(std::memory_order_release);
        memcpy(to, &value, sizeof(value));
        return true;
    }

    // Bytes that went either way. Any thread.
    uint64_t bytes() const noexcept { return bytes_.load(std::memory_order_relaxed); }

private:
    std::byte* at(uint64_t address, uint64_t size) const noexcept {
        std::byte* found = master() ? memory_.at(address, size) : nullptr;
        if (found) {
            count(bytes_, size);
        }
        return found;
    }

    const GuestMemory& memory_;
    std::atomic<bool> master_ = false;
    mutable std::atomic<uint64_t> bytes_ = 0;
};

static_assert(std::endian::native == std::endian::little);

} // namespace vireo

#endif // VIREO_EMULATED_NIC_DMA_H
