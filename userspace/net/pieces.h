// SPDX-License-Identifier: GPL-2.0-only
#ifndef VIREO_NET_PIECES_H
#define VIREO_NET_PIECES_H

#include <sys/uio.h>

#include <algorithm>
#include <cstddef>
#include <span>

namespace vireo {

inline size_t length_of(std::span<const iovec> pieces) noexcept {
    size_t length = 0;
    for (const iovec& piece : pieces) {
        length += piece.iov_len;
    }
    return length;
}

// What follows the first `bytes`, written to `to`, which has room for as many pieces.
inline std::span<iovec> pieces_behind(std::span<const iovec> pieces, size_t bytes,
                                      iovec* to) noexcept {
    size_t n = 0;
    for (const iovec& piece : pieces) {
        const size_t skip = std::min(bytes, piece.iov_len);
        bytes -= skip;
        if (skip < piece.iov_len) {
            to[n++] = {.iov_base = static_cast<std::byte*>(piece.iov_base) + skip,
                       .iov_len = piece.iov_len - skip};
        }
    }
    return {to, n};
}

} // namespace vireo

#endif // VIREO_NET_PIECES_H
