// SPDX-License-Identifier: GPL-2.0-only
#include "block/blocking_io.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace vireo {

namespace {

using Kind = IoOperation::Kind;

// Zeroes to write where a file system cannot zero: pages that are never written to, so all are the
// kernel's one zero page.
constexpr size_t kZeroes = 1 << 16;
alignas(4096) std::array<std::byte, kZeroes> g_zeroes;

void read_or_write(int fd, IoOperation& operation) {
    ssize_t result = 0;
    do {
        const auto offset = static_cast<off_t>(operation.offset + operation.done);
        const auto count = static_cast<int>(operation.pieces.size());
        result = operation.kind == Kind::kRead
                     ? preadv(fd, operation.pieces.data(), count, offset)
                     : pwritev2(fd, operation.pieces.data(), count, offset,
                                operation.durable ? RWF_DSYNC : 0);
    } while (!settle_io(operation, result < 0 ? -errno : result));
}

int allocate(int fd, int mode, const IoOperation& operation) {
    int result = 0;
    do {
        result = fallocate(fd, mode, static_cast<off_t>(operation.offset),
                           static_cast<off_t>(operation.length));
    } while (result < 0 && errno == EINTR);
    return result < 0 ? errno : 0;
}

int write_zeroes(int fd, const IoOperation& operation) {
    std::array<iovec, 16> pieces;
    uint64_t done = 0;
    while (done < operation.length) {
        uint64_t left = operation.length - done;
        int count = 0;
        while (left && count < static_cast<int>(pieces.size())) {
            const size_t piece = std::min<uint64_t>(left, kZeroes);
            pieces[count++] = {.iov_base = g_zeroes.data(), .iov_len = piece};
            left -= piece;
        }
        const ssize_t result =
            pwritev(fd, pieces.data(), count, static_cast<off_t>(operation.offset + done));
        if (result < 0 && errno != EINTR) {
            return errno;
        }
        if (result == 0) {
            return ENOSPC;
        }
        done += result > 0 ? static_cast<uint64_t>(result) : 0;
    }
    return 0;
}

// Of a file system or device that cannot do it, or not with these bounds.
bool unsupported(int error) {
    return error == EOPNOTSUPP || error == ENOSYS || error == EINVAL || error == ENODEV ||
           error == ENOTTY;
}

int discard(const ImageEndpoint& image, const IoOperation& operation) {
    int error = 0;
    if (image.is_device()) {
        uint64_t range[2] = {operation.offset, operation.length};
        error = ioctl(image.fd(), BLKDISCARD, range) < 0 ? errno : 0;
    } else {
        error = allocate(image.fd(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, operation);
    }
    return unsupported(error) ? 0 : error; // a hint: keeping the bytes is right as well
}

int zero(const ImageEndpoint& image, const IoOperation& operation) {
    // The same calls zero a block device's range, by its own means where it has any.
    int error = EOPNOTSUPP;
    if (operation.unmap) {
        error = allocate(image.fd(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, operation);
    }
    if (unsupported(error)) {
        error = allocate(image.fd(), FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, operation);
    }
    return unsupported(error) ? write_zeroes(image.fd(), operation) : error;
}

int flush(int fd) {
    return fdatasync(fd) < 0 ? errno : 0;
}

} // namespace

void perform_io(const ImageEndpoint& image, IoOperation& operation) noexcept {
    switch (operation.kind) {
        case Kind::kRead:
        case Kind::kWrite:
            read_or_write(image.fd(), operation);
            return;
        case Kind::kFlush:
            operation.error = flush(image.fd());
            return;
        case Kind::kDiscard:
            operation.error = discard(image, operation);
            break;
        case Kind::kZero:
            operation.error = zero(image, operation);
            break;
    }
    if (!operation.error && operation.durable) {
        operation.error = flush(image.fd());
    }
}

} // namespace vireo
