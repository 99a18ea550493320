// SPDX-License-Identifier: GPL-2.0-only
#include "vhost/vhost_blk_backend.h"

#include <linux/virtio_blk.h>
#include <linux/virtio_config.h>

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "virtio/features.h"
#include "vq/ring.h"

namespace vireo {

namespace {

constexpr uint32_t kSector = 512;

// What the kernel has to know of to serve a ring and its requests. All other features are about the
// configuration space, which is the VMM's, and pass by: so does RING_RESET, which is a queue
// stopped and started.
constexpr uint64_t kKernels = feature_bits(
    {VQ_F_NOTIFY_ON_EMPTY, VQ_F_INDIRECT_DESC, VQ_F_EVENT_IDX, VIRTIO_F_VERSION_1,
     VIRTIO_F_ACCESS_PLATFORM, VQ_F_RING_PACKED, VQ_F_IN_ORDER, VIRTIO_BLK_F_RO, VIRTIO_BLK_F_FLUSH,
     VIRTIO_BLK_F_CONFIG_WCE, VIRTIO_BLK_F_DISCARD, VIRTIO_BLK_F_WRITE_ZEROES});

} // namespace

VhostBlkBackend::VhostBlkBackend(const GuestMemory& memory, EventLoop& main, VhostDevice device,
                                 const Image& image, unsigned queues, BrokenQueue broken)
    : queues_(
          memory, main, std::move(device), 0, queues,
          [](VhostDevice& vhost, unsigned queue, bool live) { vhost.set_running(queue, live); },
          std::move(broken)),
      fd_(image.fd),
      offered_(queues_.device().features()) {
    VhostDevice& vhost = queues_.device();
    vhost.set_disk(fd_);
    config_ = vhost.disk_config();
    vhost.set_disk(-1);
    if (config_.logical_block_size > image.block) {
        throw_usage("{}: {} serves it in blocks of {} bytes, not {}; use logical_block_size={}",
                    image.name, vhost.name(), config_.logical_block_size, image.block,
                    config_.logical_block_size);
    }
    if (config_.seg_max < image.seg_max || config_.num_queues < queues) {
        throw_usage("{}: {} takes at most {} queues, and requests of {} pieces", image.name,
                    vhost.name(), config_.num_queues, config_.seg_max);
    }
    config_.capacity = image.size / kSector;
    config_.logical_block_size = image.block;
    if (!image.is_device && !image.direct) {
        config_.flags |= VIREO_BLK_BUFFERED;
    }
    if (!image.discard) {
        config_.flags &= ~VIREO_BLK_UNMAP;
        config_.max_discard_sectors = config_.max_discard_seg = 0;
    }
    for (uint32_t* most : {&config_.max_discard_sectors, &config_.max_write_zeroes_sectors}) {
        *most = std::min(*most, image.discard_sectors);
    }
    for (uint32_t* most : {&config_.max_discard_seg, &config_.max_write_zeroes_seg}) {
        *most = std::min(*most, image.discard_ranges);
    }
    std::ranges::copy(image.serial.first(std::min(image.serial.size(), sizeof(config_.serial))),
                      config_.serial);
}

uint64_t VhostBlkBackend::features() const {
    uint64_t features = offered_ | ~kKernels;
    if (!config_.max_discard_sectors) {
        features &= ~feature_bit(VIRTIO_BLK_F_DISCARD);
    }
    if (!config_.max_write_zeroes_sectors) {
        features &= ~feature_bit(VIRTIO_BLK_F_WRITE_ZEROES);
    }
    // Translated addresses need somebody who answers the device's questions.
    return features & ~feature_bit(VIRTIO_F_ACCESS_PLATFORM);
}

void VhostBlkBackend::start(uint64_t features, std::span<const QueueSetup> queues) {
    VhostDevice& vhost = queues_.device();
    vhost.set_disk(fd_);
    has_image_ = true;
    try {
        vhost.set_disk_config(config_);
        queues_.start(features, features & kKernels, queues);
    } catch (...) {
        has_image_ = false;
        vhost.set_disk(-1);
        throw;
    }
}

std::vector<uint32_t> VhostBlkBackend::stop() {
    std::vector<uint32_t> states = queues_.stop();
    if (std::exchange(has_image_, false)) {
        queues_.device().set_disk(-1);
    }
    return states;
}

void VhostBlkBackend::set_writeback(bool on) {
    if (on) {
        config_.flags |= VIREO_BLK_WRITEBACK;
    } else {
        config_.flags &= ~VIREO_BLK_WRITEBACK;
    }
    if (has_image_) {
        queues_.device().set_disk_config(config_);
    }
}

} // namespace vireo
