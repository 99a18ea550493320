// SPDX-License-Identifier: GPL-2.0-only
#ifndef VIREO_BLOCK_USER_BACKEND_H
#define VIREO_BLOCK_USER_BACKEND_H

#include <memory>
#include <span>
#include <vector>

#include "block/block_queue.h"
#include "virtio/backend.h"

namespace vireo {

// Runs a disk's queues in the VMM: on threads whose event loops it is given, queue i on loop i
// modulo their number. Control side, with the device's control lock held.
class BlkUserBackend : public QueueBackend {
public:
    // The rules are the device's; `discard` and `write_zeroes` there say what it offers. All that
    // is referred to outlives the backend.
    BlkUserBackend(const GuestMemory& memory, std::span<EventLoop* const> loops, unsigned queues,
                   const BlkRules& rules, AioMode aio, const BrokenQueue& broken);

    const char* path() const override { return "user"; }
    uint64_t features() const override;
    void start(uint64_t features, std::span<const QueueSetup> queues) override;
    std::vector<uint32_t> stop() override;

    const BlkQueue& queue(unsigned index) const { return *queues_[index]; }

private:
    std::vector<std::unique_ptr<BlkQueue>> queues_;
    std::vector<BlkQueue*> started_; // in the order of start()
};

} // namespace vireo

#endif // VIREO_BLOCK_USER_BACKEND_H
