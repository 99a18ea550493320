// SPDX-License-Identifier: GPL-2.0-only
#include "block/block_device.h"

#include <linux/virtio_blk.h>
#include <linux/virtio_ids.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <system_error>
#include <utility>

#include "base/error.h"
#include "base/log.h"
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

std::string vhost_option(const std::string& file) {
    return fmt::format("-drive file={},vhost=on", file);
}

void want_raw(const std::string& option, const std::string& file, const std::string& format) {
    if (format != "raw") {
        throw_usage(
            "{}: the kernel serves no {} image; let the host have it as a block device "
            "(modprobe nbd; qemu-nbd -f {} -c /dev/nbd0 {}), and use "
            "file=/dev/nbd0,format=raw,vhost=on",
            option, format, format, file);
    }
}

// What cannot be is said before a server of the image is started for nothing.
ImageEndpoint open_image(const DriveOptions& options) {
    if (options.vhost == VhostMode::kOn) {
        want_raw(vhost_option(options.file), options.file, options.format);
    }
    return ImageEndpoint(options);
}

} // namespace

BlockDevice::BlockDevice(const GuestMemory& memory, EventLoop& main,
                         std::span<EventLoop* const> loops, const DriveOptions& options)
    : memory_(memory),
      main_(main),
      image_(open_image(options)),
      file_(options.file),
      format_(options.format),
      vhostdev_(options.vhostdev),
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
      broken_(report_to(main)),
      user_(memory, loops, queue_count_, rules_, options.aio, broken_) {
    begin_on(options.vhost);
}

BlockDevice::~BlockDevice() = default;

void BlockDevice::begin_on(VhostMode mode) {
    if (mode == VhostMode::kOff) {
        return;
    }
    try {
        set_path(Path::kVhost);
    } catch (const std::exception& error) {
        if (mode == VhostMode::kOn) {
            throw;
        }
        say("{}; the VMM serves the disk instead", error.what());
    }
}

std::unique_ptr<VhostBlkBackend> BlockDevice::make_vhost() {
    const std::string option = vhost_option(file_);
    want_raw(option, file_, format_);
    auto made = std::make_unique<VhostBlkBackend>(
        memory_, main_, VhostDevice(VhostDevice::open(vhostdev_, option), vhostdev_),
        VhostBlkBackend::Image{.name = option,
                               .fd = image_.fd(),
                               .is_device = image_.is_device(),
                               .direct = image_.direct(),
                               .size = image_.size(),
                               .block = image_.limits().logical_block,
                               .seg_max = config_.seg_max,
                               .discard = image_.limits().discard,
                               .discard_sectors = BlkRules::kMaxRangeSectors,
                               .discard_ranges = BlkRules::kMaxRanges,
                               .serial = rules_.serial},
        queue_count_, broken_);
    const uint64_t missing = negotiated_ & ~made->features();
    if (missing) {
        throw_usage(
            "{}: {} cannot go on with this driver: it lacks features {:#x}, which were agreed "
            "upon; begin with vhost=on, and the driver will do without",
            option, vhostdev_, missing);
    }
    made->set_writeback(config_.writeback);
    return made;
}

// What was popped is answered, by whoever popped it, before the other one begins.
void BlockDevice::set_path(Path path) {
    if (path == Path::kVhost && !vhost_) {
        vhost_ = make_vhost();
    }
    QueueBackend* const next =
        path == Path::kVhost ? static_cast<QueueBackend*>(vhost_.get()) : &user_;
    if (next == backend_) {
        return;
    }
    const std::vector<QueueSetup> queues = rest();
    QueueBackend* const before = std::exchange(backend_, next);
    if (!started_) {
        return;
    }
    try {
        serve(queues);
    } catch (...) {
        backend_ = before;
        serve(queues);
        throw;
    }
}

// What both paths can serve, once both are there, so that a switch is possible at any time.
uint64_t BlockDevice::features() const {
    uint64_t features = user_.features();
    if (vhost_) {
        features &= vhost_->features();
    }
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
        try {
            follow_cache_mode();
        } catch (const std::system_error& error) {
            say("{}", error.what());
            transport_->needs_reset("its cache mode could not be changed");
        }
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
    if (vhost_) {
        vhost_->set_writeback(config_.writeback);
    }
}

void BlockDevice::start(uint64_t features, std::span<const QueueSetup> queues) {
    negotiated_ = features;
    follow_cache_mode();
    serve(queues);
    started_ = true;
}

void BlockDevice::serve(std::span<const QueueSetup> queues) {
    backend_->start(negotiated_, queues);
    queues_.assign(queues.begin(), queues.end());
}

std::vector<QueueSetup> BlockDevice::stop() {
    std::vector<QueueSetup> queues = rest();
    started_ = false;
    return queues;
}

std::vector<QueueSetup> BlockDevice::rest() {
    const std::vector<uint32_t> states = backend_->stop();
    for (size_t i = 0; i < states.size(); i++) {
        queues_[i].state = states[i];
    }
    return std::exchange(queues_, {});
}

// Backends start and stop as a whole. A queue that comes or goes singly is rare, and what is in
// flight on the others is answered before.
void BlockDevice::start_queue(const QueueSetup& queue) {
    std::vector<QueueSetup> queues = rest();
    queues.push_back(queue);
    serve(queues);
}

void BlockDevice::stop_queue(uint16_t index) {
    std::vector<QueueSetup> queues = rest();
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
    vireo_queue_stats vhost = {};
    if (vhost_) {
        vhost = vhost_->stats(queue).value_or(vireo_queue_stats{});
    }
    return {{"kicks", ring.kicks + vhost.kicks},
            {"calls", ring.calls + vhost.calls},
            {"chains", ring.chains + vhost.chains},
            // Who served them.
            {"user-requests", ring.chains},
            {"vhost-requests", vhost.packets},
            // The kernel counts no kinds of requests.
            {"reads", requests.reads},
            {"writes", requests.writes},
            {"flushes", requests.flushes},
            {"discards", requests.discards},
            {"write_zeroes", requests.write_zeroes},
            {"bytes_read", requests.bytes_read},
            {"bytes_written", requests.bytes_written},
            {"vhost-bytes", vhost.bytes},
            {"stalls", vhost.stalls},
            {"refused", vhost.drops},
            {"errors", requests.errors + vhost.backend_errors},
            {"unsupported", requests.unsupported}};
}

std::string BlockDevice::path(unsigned) const {
    return backend_->path();
}

} // namespace vireo
