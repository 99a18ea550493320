// SPDX-License-Identifier: GPL-2.0-only
#ifndef VIREO_BLOCK_BLOCK_DEVICE_H
#define VIREO_BLOCK_BLOCK_DEVICE_H

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "block/image.h"
#include "block/request.h"
#include "block/user_backend.h"
#include "machine/options.h"
#include "vhost/vhost_blk_backend.h"
#include "virtio/device.h"

namespace vireo {

// The configuration space of a virtio-blk device (virtio 1.2, 5.2.4), little endian.
struct [[gnu::packed]] BlkConfig {
    uint64_t capacity;            // 0x00 in sectors of 512 bytes
    uint32_t size_max;            // 0x08 of one piece; 0, not offered: any
    uint32_t seg_max;             // 0x0c pieces of data in a request
    uint16_t cylinders;           // 0x10
    uint8_t heads;                // 0x12
    uint8_t sectors;              // 0x13
    uint32_t blk_size;            // 0x14 the logical block, in bytes
    uint8_t physical_block_exp;   // 0x18 logical blocks in a physical one, as a power of two
    uint8_t alignment_offset;     // 0x19 in logical blocks
    uint16_t min_io_size;         // 0x1a in logical blocks
    uint32_t opt_io_size;         // 0x1c in logical blocks
    uint8_t writeback;            // 0x20 the one field that a driver writes
    uint8_t unused0;              // 0x21
    uint16_t num_queues;          // 0x22
    uint32_t max_discard_sectors; // 0x24
    uint32_t max_discard_seg;     // 0x28
    uint32_t discard_alignment;   // 0x2c in sectors
    uint32_t max_zeroes_sectors;  // 0x30
    uint32_t max_zeroes_seg;      // 0x34
    uint8_t zeroes_may_unmap;     // 0x38
    uint8_t unused1[3];           // 0x39
};
static_assert(offsetof(BlkConfig, blk_size) == 0x14 && offsetof(BlkConfig, writeback) == 0x20 &&
              offsetof(BlkConfig, max_discard_sectors) == 0x24 && sizeof(BlkConfig) == 0x3c);

// A virtio-blk disk. It keeps what its driver can see and set; its queues are run by a backend in
// the VMM or, if wanted, by one in the kernel.
class BlockDevice final : public VirtioDevice {
public:
    // Queues are run on `loops`, in turn; neither is the main loop. On the main thread. Throws
    // UsageError, std::system_error.
    BlockDevice(const GuestMemory& memory, EventLoop& main, std::span<EventLoop* const> loops,
                const DriveOptions& options);
    ~BlockDevice() override; // stopped before

    const ImageEndpoint& image() const { return image_; }

    const Shape& shape() const override { return shape_; }
    uint64_t features() const override;
    void read_config(uint32_t offset, std::span<uint8_t> data) const override;
    void write_config(uint32_t offset, std::span<const uint8_t> data) override;
    void start(uint64_t features, std::span<const QueueSetup> queues) override;
    std::vector<QueueSetup> stop() override;
    void start_queue(const QueueSetup& queue) override;
    void stop_queue(uint16_t index) override;
    void reset() override;
    std::vector<Counter> counters(unsigned queue) const override;
    std::string path(unsigned queue) const override;
    void set_path(Path path) override;

private:
    std::unique_ptr<VhostBlkBackend> make_vhost();
    void begin_on(VhostMode mode);
    std::vector<QueueSetup> rest();
    void follow_cache_mode();
    void serve(std::span<const QueueSetup> queues);

    const GuestMemory& memory_;
    EventLoop& main_;
    const ImageEndpoint image_;
    const std::string file_, format_, vhostdev_; // as the options say
    const unsigned queue_count_;
    Shape shape_;
    BlkConfig config_;
    // What the driver set.
    uint64_t negotiated_ = 0;
    std::vector<QueueSetup> queues_; // served
    bool started_ = false;

    std::atomic<bool> write_through_ = false;
    const BlkRules rules_;
    const BrokenQueue broken_;
    BlkUserBackend user_;
    std::unique_ptr<VhostBlkBackend> vhost_; // once it was wanted
    QueueBackend* backend_ = &user_;         // who serves the queues
};

} // namespace vireo

#endif // VIREO_BLOCK_BLOCK_DEVICE_H
