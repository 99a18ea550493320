// SPDX-License-Identifier: GPL-2.0-only
#ifndef VIREO_BLOCK_BOUNCE_H
#define VIREO_BLOCK_BOUNCE_H

#include <array>
#include <cstddef>
#include <memory>

namespace vireo {

// Aligned buffers for direct I/O whose buffers in guest memory are not. A queue has one pool, whose
// memory is not touched before it is needed.
class BouncePool {
public:
    static constexpr size_t kBytes = 1 << 17; // of one buffer
    static constexpr size_t kBuffers = 4;

    BouncePool();

    std::byte* take() noexcept { return free_ ? buffers_[--free_] : nullptr; }
    void give(std::byte* buffer) noexcept { buffers_[free_++] = buffer; }
    bool empty() const noexcept { return !free_; }

private:
    std::unique_ptr<std::byte, void (*)(void*)> memory_;
    std::array<std::byte*, kBuffers> buffers_; // the first free_ of them
    size_t free_ = 0;
};

} // namespace vireo

#endif // VIREO_BLOCK_BOUNCE_H
