// SPDX-License-Identifier: GPL-2.0-only
#ifndef VIREO_VHOST_VHOST_BLK_BACKEND_H
#define VIREO_VHOST_VHOST_BLK_BACKEND_H

#include <cstddef>
#include <span>
#include <string>

#include "vhost/vhost_queues.h"
#include "virtio/backend.h"

namespace vireo {

// The vhost path of a disk: /dev/vireo-blk runs its queues, between guest memory and the file or
// block device. It has the image only while it serves: what the host's cache holds of a block
// device is written when it comes, and forgotten when it goes, so that neither path sees what is
// old. Made and destroyed on the main thread.
class VhostBlkBackend final : public QueueBackend {
public:
    // What the device shall be to its driver, whoever serves it.
    struct Image {
        std::string name; // for messages
        int fd;           // stays its owner's; open for reading only: a read-only disk
        bool is_device;   // a block device
        bool direct;      // past the host's cache
        uint64_t size;    // in bytes
        uint32_t block;   // the unit that the driver is told of, in bytes
        uint32_t seg_max; // data pieces of a request, as the driver is told
        bool discard;     // offered
        uint32_t discard_sectors, discard_ranges; // at most, in a discard or zeroing
        std::span<const char> serial;
    };

    // Throws UsageError if the kernel's disk would be another one, std::system_error.
    VhostBlkBackend(const GuestMemory& memory, EventLoop& main, VhostDevice device,
                    const Image& image, unsigned queues, BrokenQueue broken);

    static constexpr const char* kPath = "vhost";
    const char* path() const override { return kPath; }
    uint64_t features() const override;
    void start(uint64_t features, std::span<const QueueSetup> queues) override;
    std::vector<uint32_t> stop() override;

    // The mode that a driver with CONFIG_WCE has chosen; live too. To write-through: what was
    // written is on stable storage when it returns. Throws std::system_error.
    void set_writeback(bool on);

    // What a queue has done; unset: the device does not say.
    std::optional<vireo_queue_stats> stats(unsigned queue) const {
        return queues_.device().stats(queue);
    }

private:
    VhostQueues queues_;
    const int fd_;
    const uint64_t offered_; // by the device
    vireo_blk_config config_ = {};
    bool has_image_ = false;
};

} // namespace vireo

#endif // VIREO_VHOST_VHOST_BLK_BACKEND_H
