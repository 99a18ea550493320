// SPDX-License-Identifier: GPL-2.0-only
// What a chain of descriptors means: the plainest reading of the specification, on a table that
// keeps still. It marks what it has visited instead of counting steps, returns every reason for
// which a chain may be refused, and knows nothing of the engine but the names of its errors.
#pragma once

#include <array>
#include <cstdint>
#include <functional>

#include "vq/vq.h"

constexpr size_t kMostEntries = 8; // of a table or ring

struct Descriptor {
    uint64_t addr;
    uint32_t len;
    uint16_t flags;
    uint16_t link; // next (split), or buffer id (packed)
};

using ReadDescriptor = std::function<Descriptor(uint32_t index)>;

struct Meaning {
    uint32_t refusals = 0; // 1 << vq_error each; none: the chain is good
    uint32_t nout = 0, nin = 0;
    std::array<vq_seg, size_t{2} * kMostEntries> segs{};
    uint32_t slots = 0;
    uint32_t links = 0; // followed through the ring's table
    uint16_t id = 0;
    uint32_t table_len = 0;
    uint64_t table = 0;

    [[nodiscard]] bool good() const { return refusals == 0; }
};

struct Limits {
    uint32_t max_segs;
    bool indirect; // VIRTIO_F_INDIRECT_DESC was negotiated
};

Meaning split_meaning(const ReadDescriptor& read, uint32_t num, uint32_t head, Limits limits);
Meaning packed_meaning(const ReadDescriptor& read, uint32_t num, uint32_t at, Limits limits);
// An indirect table, behind the direct descriptors that `so_far` tells of.
Meaning split_table_meaning(const ReadDescriptor& read, uint32_t count, Meaning so_far,
                            Limits limits);
Meaning packed_table_meaning(const ReadDescriptor& read, uint32_t count, Meaning so_far,
                             Limits limits);
