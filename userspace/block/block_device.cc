// SPDX-License-Identifier: GPL-2.0-only
#include "block/block_device.h"

#include <linux/virtio_blk.h>
#include <linux/virtio_ids.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>

#include "base/error.h"
#include "virtio/features.h"

namespace vireo {

namespace {

constexpr uint32_t kPciClassStorage = 0x01'00'00;
constexpr uint32_t kSector = ImageEndpoint::kSector;
constexpr unsigned kMaxQueueCount = 256;

template <class T>
T clamped(uint64_t value) {
    return static_cast<T>(std::min<uint64_t>(value, std::numeric_limits<T>::max()));
}

// Data pieces of a request: beside them a header and a status are in the chain.
uint32_t seg_max_of(uint16_t queue_size) {
    const uint32_t longest = std::min<uint32_t>(queue_size, Virtqueue::kMaxPieces);
    return longest > 2 ? longest - 2 : 1;
}

BlkConfig config_of(const ImageEndpoint& image, const DriveOptions& options) {
    const ImageEndpoint::Limits& limits = image.limits();
    const ImageEndpoint::Geometry geometry = image.geometry();
    const uint32_t block = limits.logical_block;
    BlkConfig config = {};
    config.capacity = image.size() / kSector;
    config.seg_max = seg_max_of(options.queue_size);
    config.cylinders = geometry.cylinders;
    config.heads = geometry.heads;
    config.sectors = geometry.sectors;
    config.blk_size = block;
    config.physical_block_exp =
        static_cast<uint8_t>(std::bit_width(limits.physical_block / block) - 1);
    config.alignment_offset = clamped<uint8_t>(limits.alignment / block);
    config.min_io_size = clamped<uint16_t>(limits.min_io / block);
    config.opt_io_size = limits.opt_io / block;
    config.writeback = 1;
    config.num_queues = static_cast<uint16_t>(options.queues);
    config.max_discard_sectors = BlkRules::kMaxRangeSectors;
    config.max_discard_seg = BlkRules::kMaxRanges;
    config.discard_alignment = limits.discard_unit / kSector;
    config.max_zeroes_sectors = BlkRules::kMaxRangeSectors;
    config.max_zeroes_seg = BlkRules::kMaxRanges;
    config.zeroes_may_unmap = limits.discard;
    return config;
}

std::array<char, BlkRules::kSerialBytes> serial_of(const DriveOptions& options) {
    std::array<char, BlkRules::kSerialBytes> serial = {};
    if (options.serial.size() > serial.size()) {
        throw_usage("-drive file={}: serial={}: {} bytes; a serial number has at most {}",
                    options.file, options.serial, options.serial.size(), serial.size());
    }
    std::ranges::copy(options.serial, serial.begin());
    return serial;
}

unsigned checked_queues(const DriveOptions& options) {
    if (!options.queues || options.queues > kMaxQueueCount) {
        throw_usage("-drive file={}: num-queues={}: accepted are 1 to {}", options.file,
                    options.queues, kMaxQueueCount);
    }
    if (options.queue_size < 2 || options.queue_size > BlkQueue::kMaxRequests ||
        !std::has_single_bit(options.queue_size)) {
        throw_usage("-drive file={}: queue-size={}: accepted are powers of two from 2 to {}",
                    options.file, options.queue_size, BlkQueue::kMaxRequests);
    }
    return options.queues;
}

} // namespace

BlockDevice::BlockDevice(const GuestMemory& memory, EventLoop& main,
                         std::span<EventLoop* const> loops, const DriveOptions& options)
    : image_(options),
      queue_count_(checked_queues(options)),
      shape_{.type = VIRTIO_ID_BLOCK,
             .pci_class = kPciClassStorage,
             .queues = std::vector<uint16_t>(queue_count_, options.queue_size)},
      config_(config_of(image_, options)),
      rules_{.image = image_,
             .discard = image_.limits().discard,
             .write_zeroes = !image_.readonly(),
             .serial = serial_of(options),
             .write_through = write_through_},
      user_(memory, loops, queue_count_, rules_, options.aio, report_to(main)) {}

BlockDevice::~BlockDevice() = default;

uint64_t BlockDevice::features() const {
    uint64_t features = backend_->features();
    const auto without = [&](unsigned bit) { features &= ~feature_bit(bit); };
    if (image_.readonly()) {
        without(VIRTIO_BLK_F_WRITE_ZEROES);
    } else {
        without(VIRTIO_BLK_F_RO);
    }
    if (!image_.limits().discard) {
        without(VIRTIO_BLK_F_DISCARD);
    }
    if (queue_count_ == 1) {
        without(VIRTIO_BLK_F_MQ);
    }
    return features;
}

void BlockDevice::read_config(uint32_t offset, std::span<uint8_t> data) const {
    std::ranges::fill(data, 0);
    if (offset < sizeof(config_)) {
        memcpy(data.data(), reinterpret_cast<const uint8_t*>(&config_) + offset,
               std::min<size_t>(data.size(), sizeof(config_) - offset));
    }
}

void BlockDevice::write_config(uint32_t offset, std::span<const uint8_t> data) {
    constexpr uint32_t kWriteback = offsetof(BlkConfig, writeback);
    if (offset <= kWriteback && kWriteback - offset < data.size()) {
        config_.writeback = data[kWriteback - offset] & 1;
        follow_cache_mode();
    }
}

// virtio 1.2, 5.2.5.2 and 5.2.6.2: a driver that can choose has the mode that it chose; one that
// can flush has a cache; one that can do neither has none, so that what it wrote is written.
void BlockDevice::follow_cache_mode() {
    if (has_feature(negotiated_, VIRTIO_BLK_F_CONFIG_WCE)) {
        write_through_ = !config_.writeback;
    } else {
        write_through_ = !has_feature(negotiated_, VIRTIO_BLK_F_FLUSH);
    }
}

void BlockDevice::start(uint64_t features, std::span<const QueueSetup> queues) {
    negotiated_ = features;
    follow_cache_mode();
    serve(queues);
}

void BlockDevice::serve(std::span<const QueueSetup> queues) {
    backend_->start(negotiated_, queues);
    queues_.assign(queues.begin(), queues.end());
}

std::vector<QueueSetup> BlockDevice::stop() {
    const std::vector<uint32_t> states = backend_->stop();
    for (size_t i = 0; i < states.size(); i++) {
        queues_[i].state = states[i];
    }
    return std::exchange(queues_, {});
}

// Backends start and stop as a whole. A queue that comes or goes singly is rare, and what is in
// flight on the others is answered before.
void BlockDevice::start_queue(const QueueSetup& queue) {
    std::vector<QueueSetup> queues = stop();
    queues.push_back(queue);
    serve(queues);
}

void BlockDevice::stop_queue(uint16_t index) {
    std::vector<QueueSetup> queues = stop();
    std::erase_if(queues, [&](const QueueSetup& queue) { return queue.index == index; });
    serve(queues);
}

void BlockDevice::reset() {
    negotiated_ = 0;
    config_.writeback = 1;
    follow_cache_mode();
}

std::vector<VirtioDevice::Counter> BlockDevice::counters(unsigned queue) const {
    if (queue >= queue_count_) {
        return {};
    }
    const QueueCounters& ring = user_.queue(queue).ring_counters();
    const BlkCounters& requests = user_.queue(queue).counters();
    return {{"kicks", ring.kicks},
            {"calls", ring.calls},
            {"chains", ring.chains},
            {"reads", requests.reads},
            {"writes", requests.writes},
            {"flushes", requests.flushes},
            {"discards", requests.discards},
            {"write_zeroes", requests.write_zeroes},
            {"bytes_read", requests.bytes_read},
            {"bytes_written", requests.bytes_written},
            {"errors", requests.errors},
            {"unsupported", requests.unsupported}};
}

std::string BlockDevice::path(unsigned) const {
    return backend_->path();
}

} // namespace vireo
