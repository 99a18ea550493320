// SPDX-License-Identifier: GPL-2.0-only
// Rings as a driver leaves them for the benchmark: laid out once, and offered again with few
// writes.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "vq/ring.h"

constexpr uint32_t kRingSize = 256; // what virtio-net and virtio-blk have by default in most VMMs
constexpr uint32_t kSegmentBytes = 512;
constexpr uint64_t kPayload = 0x100000; // guest address of the first buffer; nobody follows it

// A descriptor of either format.
struct RawDescriptor {
    uint64_t addr;
    uint32_t len;
    uint16_t low, high; // flags and next (split); id and flags (packed)
};

class Buffers {
public:
    Buffers(uint32_t segments, bool indirect)
        : segments_(segments),
          indirect_(indirect),
          count_(indirect ? kRingSize : kRingSize / segments),
          tables_(indirect ? size_t(count_) * segments : 0) {}

    [[nodiscard]] uint32_t count() const { return count_; }
    // Descriptors of the ring that a buffer takes.
    [[nodiscard]] uint32_t slots() const { return indirect_ ? 1 : segments_; }
    [[nodiscard]] uint32_t segments() const { return segments_; }
    [[nodiscard]] bool indirect() const { return indirect_; }
    [[nodiscard]] RawDescriptor* table(uint32_t buffer) {
        return &tables_[size_t(buffer) * segments_];
    }
    [[nodiscard]] static uint64_t address(uint32_t buffer, uint32_t segment) {
        return kPayload + (uint64_t(buffer) * 64 + segment) * 4096;
    }
    [[nodiscard]] uint16_t write_flag(uint32_t segment) const {
        return segment >= segments_ / 2 ? VQ_DESC_F_WRITE : 0;
    }
    // Sum over all segments of what touch() makes of each.
    [[nodiscard]] uint64_t expected() const {
        uint64_t sum = 0;
        for (uint32_t b = 0; b < count_; b++)
            for (uint32_t s = 0; s < segments_; s++)
                sum += address(b, s) + kSegmentBytes;
        return sum;
    }

private:
    uint32_t segments_;
    bool indirect_;
    uint32_t count_;
    std::vector<RawDescriptor> tables_;
};

struct alignas(4096) SplitRing {
    std::array<RawDescriptor, kRingSize> desc{};
    struct alignas(4096) {
        uint16_t flags, idx;
        std::array<uint16_t, kRingSize> ring;
        uint16_t used_event;
    } avail{};
    struct alignas(4096) {
        uint16_t flags, idx;
        struct {
            uint32_t id, len;
        } ring[kRingSize];
        uint16_t avail_event;
    } used{};

    explicit SplitRing(Buffers& buffers) {
        for (uint32_t b = 0; b < buffers.count(); b++)
            lay_out(buffers, b);
    }

    // All buffers again. The used index that the driver wants to hear of is far away.
    void offer(uint32_t count) {
        avail.idx = uint16_t(avail.idx + count);
        avail.used_event = uint16_t(avail.idx + 0x7fff);
    }

private:
    void lay_out(Buffers& buffers, uint32_t b) {
        const uint32_t head = b * buffers.slots();
        RawDescriptor* table = buffers.indirect() ? buffers.table(b) : &desc[head];
        const uint32_t base = buffers.indirect() ? 0 : head;
        for (uint32_t s = 0; s < buffers.segments(); s++) {
            const bool more = s + 1 < buffers.segments();
            table[s] = {Buffers::address(b, s), kSegmentBytes,
                        uint16_t(buffers.write_flag(s) | (more ? VQ_DESC_F_NEXT : 0)),
                        uint16_t(more ? base + s + 1 : 0)};
        }
        if (buffers.indirect())
            desc[head] = {reinterpret_cast<uint64_t>(table),
                          uint32_t(sizeof(RawDescriptor)) * buffers.segments(), VQ_DESC_F_INDIRECT,
                          0};
        // Where the buffers do not fill the ring of indices, it goes round in their order.
        for (uint32_t i = b; i < kRingSize; i += buffers.count())
            avail.ring[i] = uint16_t(head);
    }
};

struct alignas(4096) PackedRing {
    std::array<RawDescriptor, kRingSize> desc{};
    alignas(4096) vq_packed_event driver{};
    alignas(4096) vq_packed_event device{};

    explicit PackedRing(Buffers& buffers) : buffers_(buffers) {
        driver.flags = VQ_EVENT_F_DISABLE;
        for (uint32_t b = 0; b < buffers.count() && buffers.indirect(); b++)
            for (uint32_t s = 0; s < buffers.segments(); s++)
                buffers.table(b)[s] = {Buffers::address(b, s), kSegmentBytes, 0,
                                       buffers.write_flag(s)};
    }

    // Used descriptors lie over the old ones, so all are written anew.
    void offer(uint32_t count) {
        const uint16_t mark = wrap_ ? VQ_DESC_F_AVAIL : VQ_DESC_F_USED;
        for (uint32_t b = 0; b < count; b++) {
            if (buffers_.indirect()) {
                desc[b] = {reinterpret_cast<uint64_t>(buffers_.table(b)),
                           uint32_t(sizeof(RawDescriptor)) * buffers_.segments(), uint16_t(b),
                           uint16_t(VQ_DESC_F_INDIRECT | mark)};
                continue;
            }
            for (uint32_t s = 0; s < buffers_.segments(); s++) {
                const bool more = s + 1 < buffers_.segments();
                desc[b * buffers_.slots() + s] = {
                    Buffers::address(b, s), kSegmentBytes, uint16_t(b),
                    uint16_t(buffers_.write_flag(s) | mark | (more ? VQ_DESC_F_NEXT : 0))};
            }
        }
        wrap_ = !wrap_;
    }

private:
    Buffers& buffers_;
    bool wrap_ = true;
};
