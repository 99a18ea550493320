// SPDX-License-Identifier: GPL-2.0-only
#ifndef VIREO_BLOCK_IO_ENGINE_H
#define VIREO_BLOCK_IO_ENGINE_H

#include <sys/uio.h>

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "block/image.h"
#include "machine/options.h"

namespace vireo {

// Something to be done to an image. It belongs to whoever made it, who leaves it alone from
// IoEngine::add() until IoEngine::reap() gives it back.
struct IoOperation {
    enum class Kind : uint8_t {
        kRead,
        kWrite,
        kFlush,   // what was written before is on stable storage after it
        kDiscard, // the bytes are not needed; what is read there afterwards is anything
        kZero,    // the bytes are zero afterwards
    };

    Kind kind = Kind::kFlush;
    bool durable = false; // all but reads: on stable storage when it is done
    bool unmap = false;   // kZero: the space may be given back
    uint64_t offset = 0;  // bytes in the image; the range lies inside it
    uint64_t length = 0;
    // Reads, writes: where the bytes are, `length` in all. The engine changes the pieces.
    std::span<iovec> pieces;

    // The outcome.
    int error = 0;     // errno, or 0
    uint64_t done = 0; // reads, writes: bytes done before it failed, or all

    IoOperation* next = nullptr; // the engine's, and of the list that reap() gives
};

// Does operations on one image without keeping its caller waiting. It belongs to one thread, the
// one that it was made on. Nothing is allocated for an operation, nothing is thrown, and operations
// may end in any order. A short read or write is resumed.
class IoEngine {
public:
    virtual ~IoEngine() = default; // nothing is in flight

    virtual AioMode mode() const = 0;

    // Take an operation; at most `depth` are in flight. It begins at the next submit(), or before.
    virtual void add(IoOperation& operation) noexcept = 0;
    virtual void submit() noexcept = 0;

    // Those that have ended, as a list; nullptr: none. Always once after submit(), since some end
    // at once.
    virtual IoOperation* reap() noexcept = 0;

    // Files for an event loop: an edge (EPOLLET) of one tells that more has ended since the last
    // reap(). They are not to be read.
    virtual std::vector<int> files() const = 0;
};

// An engine for `depth` operations at a time. Where io_uring cannot be had, threads do it, and a
// message says so. Throws std::system_error.
std::unique_ptr<IoEngine> make_io_engine(const ImageEndpoint& image, AioMode mode, unsigned depth);

// For engines: a read or write has come to an end for now, with this result (bytes, or a negative
// errno). True: that was all; false: `pieces` are what is left, and it is to be resumed.
bool settle_io(IoOperation& operation, int64_t result) noexcept;

} // namespace vireo

#endif // VIREO_BLOCK_IO_ENGINE_H
