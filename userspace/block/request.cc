// SPDX-License-Identifier: GPL-2.0-only
#include "block/request.h"

#include <linux/virtio_blk.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace vireo {

namespace {

using Kind = IoOperation::Kind;

constexpr uint32_t kSector = ImageEndpoint::kSector;

uint64_t bytes_of(std::span<const iovec> pieces) {
    uint64_t bytes = 0;
    for (const iovec& piece : pieces) {
        bytes += piece.iov_len;
    }
    return bytes;
}

// Copy between a buffer and the front of pieces of guest memory, which is taken off them. There are
// `size` bytes in the pieces at least.
enum class Way { kFromPieces, kToPieces };

void move_bytes(Way way, std::span<iovec>& pieces, std::byte* buffer, uint64_t size) {
    while (size) {
        iovec& piece = pieces.front();
        const size_t part = std::min<uint64_t>(size, piece.iov_len);
        if (way == Way::kFromPieces) {
            memcpy(buffer, piece.iov_base, part);
        } else {
            memcpy(piece.iov_base, buffer, part);
        }
        buffer += part;
        size -= part;
        piece.iov_base = static_cast<std::byte*>(piece.iov_base) + part;
        piece.iov_len -= part;
        if (!piece.iov_len) {
            pieces = pieces.subspan(1);
        }
    }
}

bool in_image(const ImageEndpoint& image, uint64_t sector, uint64_t sectors) {
    const uint64_t capacity = image.size() / kSector;
    return sector <= capacity && sectors <= capacity - sector;
}

const char* verb(Kind kind) {
    switch (kind) {
        case Kind::kRead:
            return "reading";
        case Kind::kWrite:
            return "writing";
        case Kind::kFlush:
            return "flushing";
        case Kind::kDiscard:
            return "discarding";
        case Kind::kZero:
            return "zeroing";
    }
    return "I/O";
}

} // namespace

BlkRequest::Step BlkRequest::begin(const DescriptorChain& chain, const BlkRules& rules,
                                   BouncePool& bounces) noexcept {
    chain_ = chain;
    status_byte_ = nullptr;
    status_ = VIRTIO_BLK_S_OK;
    type_ = UINT32_MAX;
    data_in_ = data_out_ = written_ = 0;
    length_ = passed_ = 0;
    if (chain.in.empty()) {
        return Step::kDone; // no room for a status: the driver does not want to know
    }
    // virtio 1.2, 2.7.4.2: nothing may be supposed of how a request is split into descriptors. The
    // status is the last byte that we may write, wherever it is.
    const iovec& last = chain.in.back();
    status_byte_ = static_cast<uint8_t*>(last.iov_base) + last.iov_len - 1;
    return start(chain, rules, bounces);
}

BlkRequest::Step BlkRequest::start(const DescriptorChain& chain, const BlkRules& rules,
                                   BouncePool& bounces) noexcept {
    const uint64_t out = bytes_of(chain.out);
    const uint64_t in = bytes_of(chain.in);
    data_in_ = in - 1;
    if (out < sizeof(BlkHeader) || in > UINT32_MAX) {
        return fail(VIRTIO_BLK_S_IOERR);
    }
    data_out_ = out - sizeof(BlkHeader);

    keep(chain.out, 0, sizeof(BlkHeader));
    BlkHeader header;
    move_bytes(Way::kFromPieces, data_, reinterpret_cast<std::byte*>(&header), sizeof(header));
    type_ = header.type;
    switch (header.type) {
        case VIRTIO_BLK_T_IN:
            keep(chain.in, 0, data_in_);
            return start_transfer(rules, bounces, header.sector);
        case VIRTIO_BLK_T_OUT:
            keep(chain.out, sizeof(BlkHeader), data_out_);
            return start_transfer(rules, bounces, header.sector);
        case VIRTIO_BLK_T_FLUSH:
            operation_ = Operation(this);
            return Step::kRun;
        case VIRTIO_BLK_T_GET_ID:
            keep(chain.in, 0, data_in_);
            give_id(rules);
            return Step::kDone;
        case VIRTIO_BLK_T_DISCARD:
        case VIRTIO_BLK_T_WRITE_ZEROES:
            keep(chain.out, sizeof(BlkHeader), data_out_);
            return start_ranges(rules);
        default:
            return fail(VIRTIO_BLK_S_UNSUPP);
    }
}

// Make data_ of `length` bytes of the pieces, from `skip` on: all of it is there.
void BlkRequest::keep(std::span<const iovec> pieces, uint64_t skip, uint64_t length) noexcept {
    const std::span<iovec> room = pieces.size() <= kFew ? std::span<iovec>(few_) : many_;
    size_t n = 0;
    for (const iovec& piece : pieces) {
        if (!length) {
            break;
        }
        if (skip >= piece.iov_len) {
            skip -= piece.iov_len;
            continue;
        }
        const size_t part = std::min<uint64_t>(piece.iov_len - skip, length);
        room[n++] = {.iov_base = static_cast<std::byte*>(piece.iov_base) + skip, .iov_len = part};
        length -= part;
        skip = 0;
    }
    data_ = room.first(n);
}

void BlkRequest::give_id(const BlkRules& rules) noexcept {
    std::array<char, BlkRules::kSerialBytes> serial = rules.serial;
    written_ = std::min<uint64_t>(data_in_, serial.size());
    move_bytes(Way::kToPieces, data_, reinterpret_cast<std::byte*>(serial.data()), written_);
}

BlkRequest::Step BlkRequest::start_transfer(const BlkRules& rules, BouncePool& bounces,
                                            uint64_t sector) noexcept {
    const bool write = type_ == VIRTIO_BLK_T_OUT;
    const ImageEndpoint& image = rules.image;
    const uint64_t length = write ? data_out_ : data_in_;
    // Data of the wrong direction would be lost silently.
    if ((write ? data_in_ : data_out_) || (write && image.readonly())) {
        return fail(VIRTIO_BLK_S_IOERR);
    }
    if (length % kSector || !in_image(image, sector, length / kSector)) {
        return fail(VIRTIO_BLK_S_IOERR);
    }
    const uint64_t offset = sector * kSector;
    if ((offset | length) % image.limits().io_unit) {
        return fail(VIRTIO_BLK_S_IOERR);
    }
    if (!length) {
        return Step::kDone;
    }
    operation_ = Operation(this);
    operation_.kind = write ? Kind::kWrite : Kind::kRead;
    operation_.durable = write && rules.write_through.load(std::memory_order_relaxed);
    operation_.offset = offset;
    operation_.length = length;
    operation_.pieces = data_;
    if (aligned(image.limits())) {
        return Step::kRun;
    }
    length_ = length;
    return resume(rules, bounces);
}

bool BlkRequest::aligned(const ImageEndpoint::Limits& limits) const noexcept {
    return limits.memory_unit == 1 || std::ranges::all_of(data_, [&](const iovec& piece) {
               return reinterpret_cast<uintptr_t>(piece.iov_base) % limits.memory_unit == 0 &&
                      piece.iov_len % limits.io_unit == 0;
           });
}

BlkRequest::Step BlkRequest::resume(const BlkRules& rules, BouncePool& bounces) noexcept {
    bounce_ = bounces.take();
    return bounce_ ? next_part(rules) : Step::kBounce;
}

BlkRequest::Step BlkRequest::next_part(const BlkRules& rules) noexcept {
    const uint64_t part = std::min<uint64_t>(length_ - passed_, BouncePool::kBytes);
    const uint64_t offset = operation_.offset + operation_.done;
    const Kind kind = operation_.kind;
    if (kind == Kind::kWrite) {
        move_bytes(Way::kFromPieces, data_, bounce_, part);
    }
    bounce_piece_ = {.iov_base = bounce_, .iov_len = part};
    operation_ = Operation(this);
    operation_.kind = kind;
    operation_.durable =
        kind == Kind::kWrite && rules.write_through.load(std::memory_order_relaxed);
    operation_.offset = offset;
    operation_.length = part;
    operation_.pieces = {&bounce_piece_, 1};
    return Step::kRun;
}

BlkRequest::Step BlkRequest::start_ranges(const BlkRules& rules) noexcept {
    const bool discard = type_ == VIRTIO_BLK_T_DISCARD;
    if (!(discard ? rules.discard : rules.write_zeroes)) {
        return fail(VIRTIO_BLK_S_UNSUPP);
    }
    if (rules.image.readonly() || !data_out_ || data_out_ % sizeof(BlkRange) ||
        data_out_ / sizeof(BlkRange) > BlkRules::kMaxRanges) {
        return fail(VIRTIO_BLK_S_IOERR);
    }
    range_ = 0;
    range_count_ = static_cast<uint32_t>(data_out_ / sizeof(BlkRange));
    move_bytes(Way::kFromPieces, data_, reinterpret_cast<std::byte*>(ranges_.data()), data_out_);
    // All of them are looked at before the first is acted upon.
    const uint32_t flags = discard ? 0 : VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP;
    for (const BlkRange& range : std::span(ranges_).first(range_count_)) {
        // virtio 1.2, 5.2.6.2: a flag that is reserved, and unmap with a discard: UNSUPP.
        if (range.flags & ~flags) {
            return fail(VIRTIO_BLK_S_UNSUPP);
        }
        if (range.sectors > BlkRules::kMaxRangeSectors ||
            !in_image(rules.image, range.sector, range.sectors) ||
            (range.sector | range.sectors) * kSector % rules.image.limits().io_unit) {
            return fail(VIRTIO_BLK_S_IOERR);
        }
    }
    return next_range(rules);
}

BlkRequest::Step BlkRequest::next_range(const BlkRules& rules) noexcept {
    while (range_ < range_count_ && !ranges_[range_].sectors) {
        range_++;
    }
    if (range_ == range_count_) {
        return Step::kDone;
    }
    const BlkRange& range = ranges_[range_++];
    operation_ = Operation(this);
    operation_.kind = type_ == VIRTIO_BLK_T_DISCARD ? Kind::kDiscard : Kind::kZero;
    operation_.durable = rules.write_through.load(std::memory_order_relaxed);
    operation_.unmap = range.flags & VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP;
    operation_.offset = range.sector * kSector;
    operation_.length = uint64_t{range.sectors} * kSector;
    return Step::kRun;
}

BlkRequest::Step BlkRequest::advance(const BlkRules& rules, BouncePool& bounces) noexcept {
    const IoOperation& operation = operation_;
    const bool read = operation.kind == Kind::kRead;
    Step step = Step::kDone;
    if (operation.error) {
        rules.image.report_error(operation.error, verb(operation.kind), operation.offset,
                                 operation.length);
        status_ = VIRTIO_BLK_S_IOERR;
    }
    if (bounce_) {
        if (read) {
            move_bytes(Way::kToPieces, data_, bounce_, operation.done);
            written_ += operation.done;
        }
        passed_ += operation.done;
        if (!operation.error && passed_ < length_) {
            return next_part(rules);
        }
        bounces.give(bounce_);
        bounce_ = nullptr;
    } else if (read) {
        written_ = operation.done;
    } else if (!operation.error &&
               (operation.kind == Kind::kDiscard || operation.kind == Kind::kZero)) {
        step = next_range(rules);
    }
    return step;
}

uint32_t BlkRequest::finish(BlkCounters& counters) noexcept {
    if (!status_byte_) {
        return 0;
    }
    *status_byte_ = status_;
    if (status_ != VIRTIO_BLK_S_OK) {
        count(status_ == VIRTIO_BLK_S_UNSUPP ? counters.unsupported : counters.errors);
    }
    switch (type_) {
        case VIRTIO_BLK_T_IN:
            count(counters.reads);
            count(counters.bytes_read, written_);
            break;
        case VIRTIO_BLK_T_OUT:
            count(counters.writes);
            count(counters.bytes_written, status_ == VIRTIO_BLK_S_OK ? data_out_ : 0);
            break;
        case VIRTIO_BLK_T_FLUSH:
            count(counters.flushes);
            break;
        case VIRTIO_BLK_T_DISCARD:
            count(counters.discards);
            break;
        case VIRTIO_BLK_T_WRITE_ZEROES:
            count(counters.write_zeroes);
            break;
        default:
            break;
    }
    return static_cast<uint32_t>(written_ == data_in_ ? data_in_ + 1 : written_);
}

} // namespace vireo
