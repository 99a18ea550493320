// SPDX-License-Identifier: GPL-2.0-only
#ifndef VIREO_BLOCK_REQUEST_H
#define VIREO_BLOCK_REQUEST_H

#include <array>
#include <atomic>
#include <cstdint>
#include <span>
#include <string>

#include "block/bounce.h"
#include "block/image.h"
#include "block/io_engine.h"
#include "virtio/virtqueue.h"

namespace vireo {

// What the driver puts first into each request (virtio 1.2, 5.2.6), little endian.
struct BlkHeader {
    uint32_t type;
    uint32_t reserved;
    uint64_t sector; // of 512 bytes
};
static_assert(sizeof(BlkHeader) == 16);

// The data of a discard or write-zeroes request is an array of these.
struct BlkRange {
    uint64_t sector;
    uint32_t sectors;
    uint32_t flags;
};
static_assert(sizeof(BlkRange) == 16);

// What requests may be like.
struct BlkRules {
    static constexpr size_t kSerialBytes = 20;
    static constexpr uint32_t kMaxRanges = 16;            // of one discard or write-zeroes
    static constexpr uint32_t kMaxRangeSectors = 1 << 21; // 1 GiB

    const ImageEndpoint& image;
    bool discard, write_zeroes; // negotiated
    std::array<char, kSerialBytes> serial;
    const std::atomic<bool>& write_through; // a write is on stable storage when it is answered
};

// What has been asked of a device, by request type, and what came of it. Written by queue threads,
// read by any (relaxed).
struct BlkCounters {
    std::atomic<uint64_t> reads = 0, writes = 0, flushes = 0, discards = 0, write_zeroes = 0;
    std::atomic<uint64_t> bytes_read = 0, bytes_written = 0;
    std::atomic<uint64_t> errors = 0, unsupported = 0; // answered IOERR, UNSUPP
};

// A request of the guest's, made from a descriptor chain by begin(), carried out by one operation
// after another, and answered once, by finish(). Then the object is used for another. It belongs to
// the thread of its queue.
class BlkRequest {
public:
    enum class Step {
        kRun,    // operation() is to be done, then advance()
        kBounce, // a bounce buffer is needed and none is left: resume() when one is
        kDone,   // finish()
    };

    // `many`: room for the pieces of the longest chain; used if they do not fit in the request.
    explicit BlkRequest(std::span<iovec> many) : operation_(this), many_(many) {}

    BlkRequest(const BlkRequest&) = delete;
    BlkRequest& operator=(const BlkRequest&) = delete;

    // The chain is looked at now; its pieces may go afterwards, guest memory stays. All that the
    // driver wrote is read once.
    Step begin(const DescriptorChain& chain, const BlkRules& rules, BouncePool& bounces) noexcept;
    Step resume(const BlkRules& rules, BouncePool& bounces) noexcept;
    Step advance(const BlkRules& rules, BouncePool& bounces) noexcept;

    // Write the status, and count. The bytes that were written from the beginning of the chain's
    // device-writable part on (virtio 1.2, 2.7.8.2): of a request that failed, those before.
    uint32_t finish(BlkCounters& counters) noexcept;

    IoOperation& operation() { return operation_; }
    static BlkRequest& of(IoOperation& operation) {
        return *static_cast<Operation&>(operation).request;
    }
    // What Virtqueue::push() wants.
    const DescriptorChain& chain() const { return chain_; }

    BlkRequest* next = nullptr; // the owner's: of lists

private:
    static constexpr size_t kFew = 12;

    struct Operation : IoOperation {
        explicit Operation(BlkRequest* owner) : request(owner) {}
        BlkRequest* request;
    };

    Step start(const DescriptorChain& chain, const BlkRules& rules, BouncePool& bounces) noexcept;
    void keep(std::span<const iovec> pieces, uint64_t skip, uint64_t length) noexcept;
    Step start_transfer(const BlkRules& rules, BouncePool& bounces, uint64_t sector) noexcept;
    Step start_ranges(const BlkRules& rules) noexcept;
    bool aligned(const ImageEndpoint::Limits& limits) const noexcept;
    Step next_range(const BlkRules& rules) noexcept;
    Step next_part(const BlkRules& rules) noexcept;
    void give_id(const BlkRules& rules) noexcept;
    Step fail(uint8_t status) noexcept {
        status_ = status;
        return Step::kDone;
    }

    Operation operation_;
    DescriptorChain chain_ = {};
    uint8_t* status_byte_ = nullptr; // in guest memory
    uint8_t status_ = 0;
    uint32_t type_ = 0;
    uint64_t data_in_ = 0;  // bytes before the status byte
    uint64_t data_out_ = 0; // bytes after the header
    uint64_t written_ = 0;  // of data_in_
    std::span<iovec> data_; // of the direction that the type has
    std::span<iovec> many_;
    std::array<iovec, kFew> few_;
    // A transfer through a bounce buffer, in parts.
    std::byte* bounce_ = nullptr;
    iovec bounce_piece_ = {};
    uint64_t length_ = 0, passed_ = 0;
    // Discard, write zeroes.
    std::array<BlkRange, BlkRules::kMaxRanges> ranges_;
    uint32_t range_ = 0, range_count_ = 0;
};

} // namespace vireo

#endif // VIREO_BLOCK_REQUEST_H
