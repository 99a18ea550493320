// SPDX-License-Identifier: GPL-2.0-only
#ifndef VIREO_RNG_RNG_DEVICE_H
#define VIREO_RNG_RNG_DEVICE_H

#include <atomic>

#include "base/fd.h"
#include "machine/options.h"
#include "virtio/user_device.h"

namespace vireo {

// A virtio entropy source (virtio 1.2, 5.4): one queue, whose buffers are filled from a file. It
// has no configuration space.
class RngDevice final : public UserDevice {
public:
    // `loop` runs the queue, and is not the main one. Throws std::system_error.
    RngDevice(const GuestMemory& memory, EventLoop& main, EventLoop& loop,
              const RngOptions& options);
    ~RngDevice() override;

    uint64_t features() const override { return ring_features(); }
    void read_config(uint32_t offset, std::span<uint8_t> data) const override;
    void write_config(uint32_t, std::span<const uint8_t>) override {}
    void reset() override {}
    std::vector<Counter> counters(unsigned queue) const override;

private:
    UserQueue::Turn serve(Virtqueue& queue, unsigned budget);
    ssize_t fill(const DescriptorChain& chain);
    void await_source();
    void stopped() override;

    const std::string path_;
    const Fd source_;
    bool waiting_ = false; // the loop watches source_; the loop's thread
    bool failed_ = false;  // said once
    std::atomic<uint64_t> bytes_ = 0;
};

} // namespace vireo

#endif // VIREO_RNG_RNG_DEVICE_H
