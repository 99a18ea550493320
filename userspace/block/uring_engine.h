// SPDX-License-Identifier: GPL-2.0-only
#ifndef VIREO_BLOCK_URING_ENGINE_H
#define VIREO_BLOCK_URING_ENGINE_H

#include <liburing.h>

#include <vector>

#include "block/io_engine.h"
#include "block/thread_engine.h"

namespace vireo {

// io_uring: one ring. What is done while it is submitted, as are reads from the page cache, is
// reaped without being waited for. Discards and zeroing, which
// the kernel would give to a thread of its own anyway, go to threads of ours: they know more ways.
class UringEngine : public IoEngine {
public:
    // Throws std::system_error if the kernel has no io_uring for us.
    UringEngine(const ImageEndpoint& image, unsigned depth);
    ~UringEngine() override;

    UringEngine(const UringEngine&) = delete;
    UringEngine& operator=(const UringEngine&) = delete;

    AioMode mode() const override { return AioMode::kIoUring; }
    void add(IoOperation& operation) noexcept override;
    void submit() noexcept override;
    IoOperation* reap() noexcept override;
    std::vector<int> files() const override;

private:
    void prepare(IoOperation& operation) noexcept;
    void enter() noexcept;
    void quiet() noexcept;
    void loud() noexcept;
    void drain(IoList& ended) noexcept;

    const ImageEndpoint& image_;
    ThreadEngine threads_;
    EventFd ended_; // never read: whoever waits looks at its edges
    io_uring ring_;
    bool fixed_file_ = false;
};

} // namespace vireo

#endif // VIREO_BLOCK_URING_ENGINE_H
