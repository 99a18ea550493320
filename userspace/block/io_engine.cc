// SPDX-License-Identifier: GPL-2.0-only
#include "block/io_engine.h"

#include <pthread.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <system_error>

#include "base/log.h"
#include "block/thread_engine.h"
#include "block/uring_engine.h"

namespace vireo {

namespace {

// A write past a limit on file sizes (RLIMIT_FSIZE) is an error for the guest, not the VMM's death.
void survive_full_files() {
    sigset_t full;
    sigemptyset(&full);
    sigaddset(&full, SIGXFSZ);
    pthread_sigmask(SIG_BLOCK, &full, nullptr);
}

} // namespace

std::unique_ptr<IoEngine> make_io_engine(const ImageEndpoint& image, AioMode mode, unsigned depth) {
    survive_full_files();
    if (mode == AioMode::kIoUring) {
        try {
            return std::make_unique<UringEngine>(image, depth);
        } catch (const std::system_error& error) {
            say("drive {}: io_uring cannot be had ({}); threads do its I/O (aio=threads says so "
                "without this message)",
                image.name(), error.code().message());
        }
    }
    return std::make_unique<ThreadEngine>(image);
}

bool settle_io(IoOperation& operation, int64_t result) noexcept {
    if (result == -EINTR || result == -EAGAIN) {
        return false;
    }
    if (result < 0) {
        operation.error = static_cast<int>(-result);
        return true;
    }
    operation.done += static_cast<uint64_t>(result);
    if (operation.done >= operation.length) {
        return true;
    }
    if (result == 0) {
        // Somebody made the file shorter, or it takes no more.
        operation.error = operation.kind == IoOperation::Kind::kRead ? EIO : ENOSPC;
        return true;
    }
    auto over = static_cast<size_t>(result);
    while (over >= operation.pieces.front().iov_len) {
        over -= operation.pieces.front().iov_len;
        operation.pieces = operation.pieces.subspan(1);
    }
    iovec& piece = operation.pieces.front();
    piece.iov_base = static_cast<std::byte*>(piece.iov_base) + over;
    piece.iov_len -= over;
    return false;
}

} // namespace vireo
