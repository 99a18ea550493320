// SPDX-License-Identifier: GPL-2.0-only
#ifndef VIREO_VHOST_VHOST_DEVICE_H
#define VIREO_VHOST_VHOST_DEVICE_H

// The ring's functions in <linux/virtio_ring.h> are no C++.
#define VIRTIO_RING_NO_LEGACY
#include <linux/vireo.h>

#include <cstdint>
#include <optional>
#include <string>

#include "base/fd.h"
#include "memory/guest_memory.h"
#include "virtio/queue_setup.h"

namespace vireo {

// An open vhost device, ours or the kernel's own, and its ioctls (<linux/vhost.h>,
// Documentation/abi.md): one call each, failures thrown as std::system_error that names the device
// and what was attempted. It keeps no state but the file. `queue` counts from 0 in each device. On
// control threads.
class VhostDevice {
public:
    // `name` is for messages. Becomes the owner: the device works on this process's memory.
    VhostDevice(Fd fd, std::string name);

    // Throws UsageError: `option` is what the user wrote. ENOENT and the like say what to load.
    static Fd open(const std::string& path, const std::string& option);

    const std::string& name() const { return name_; }
    uint64_t features() const;
    void set_features(uint64_t features);
    void set_memory(const GuestMemory& memory);

    // Ring, position, eventfds. `error` is signalled when the queue stops on its own.
    void set_queue(unsigned queue, uint64_t features, const GuestMemory& memory,
                   const QueueSetup& setup, int error);
    // The device forgets the eventfds.
    void release_queue(unsigned queue) noexcept;
    uint32_t queue_state(unsigned queue) const;

    // The other end; -1: none. When it returns, the queue is left alone.
    void set_net_backend(unsigned queue, int fd);

    // A disk (/dev/vireo-blk) stands on this file or block device; -1: on none. No queue is live.
    // Throws UsageError for what can be no disk.
    void set_disk(int fd);
    vireo_blk_config disk_config() const;
    void set_disk_config(const vireo_blk_config& config);
    // When it returns from stopping a queue, nothing is in flight and the queue is left alone.
    void set_running(unsigned queue, bool on);

    // What a queue has done; unset: the device is not ours.
    std::optional<vireo_queue_stats> stats(unsigned queue) const;

private:
    Fd fd_;
    std::string name_;
};

// A phrase for enum vireo_queue_error.
std::string vhost_error_text(uint32_t error);

} // namespace vireo

#endif // VIREO_VHOST_VHOST_DEVICE_H
