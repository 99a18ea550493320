// SPDX-License-Identifier: GPL-2.0-only
#ifndef VIREO_NET_COUNTERS_H
#define VIREO_NET_COUNTERS_H

#include <atomic>
#include <cstdint>

namespace vireo {

// What one queue of a network card has done on the user path, in the words of struct
// vireo_queue_stats. Written by the queue's thread, read by any (relaxed).
struct NetCounters {
    std::atomic<uint64_t> packets = 0;  // that went through
    std::atomic<uint64_t> bytes = 0;    // of these, without the virtio-net header
    std::atomic<uint64_t> drops = 0;    // buffers too small, packets that make no sense, link down
    std::atomic<uint64_t> filtered = 0; // not wanted by the driver's receive filter
    std::atomic<uint64_t> stalls = 0;   // the tap was full, or the driver had no buffer
    std::atomic<uint64_t> errors = 0;   // the tap refused it
};

} // namespace vireo

#endif // VIREO_NET_COUNTERS_H
