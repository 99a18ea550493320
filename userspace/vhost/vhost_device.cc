// SPDX-License-Identifier: GPL-2.0-only
#include "vhost/vhost_device.h"

#include <fcntl.h>
#include <sys/ioctl.h>

#include <utility>
#include <vector>

#include "base/error.h"
#include "virtio/ring_areas.h"
#include "vq/vq.h"

namespace vireo {

Fd VhostDevice::open(const std::string& path, const std::string& option) {
    Fd fd(::open(path.c_str(), O_RDWR | O_CLOEXEC));
    if (fd) {
        return fd;
    }
    const bool ours = path == "/dev/vireo-net" || path == "/dev/vireo-blk";
    switch (errno) {
        case ENOENT:
        case ENODEV:
        case ENXIO:
            throw_usage("{}: {} is missing; load the modules ({}) or use vhost=off", option, path,
                        ours                       ? "make load"
                        : path == "/dev/vhost-net" ? "modprobe vhost_net"
                                                   : "those that make it");
        case EACCES:
        case EPERM:
            throw_usage(
                "{}: {}: permission denied; join the group that owns it (`ls -l {}`), or run "
                "as root",
                option, path, path);
        default:
            throw_errno("{}: open {}", option, path);
    }
}

VhostDevice::VhostDevice(Fd fd, std::string name) : fd_(std::move(fd)), name_(std::move(name)) {
    if (ioctl(fd_.get(), VHOST_SET_OWNER) == 0) {
        return;
    }
    switch (errno) {
        case EBADF:
            fd_.release();
            throw_usage("{}: it is not open; the shell opens it with {}<>/dev/vireo-net", name_,
                        name_.substr(name_.find('=') + 1));
        case EBUSY:
            throw_usage(
                "{}: it has an owner already; each queue pair needs an open file of its own",
                name_);
        case ENOTTY:
            throw_usage("{}: it is no vhost device", name_);
        default:
            throw_errno("{}: become its owner", name_);
    }
}

uint64_t VhostDevice::features() const {
    uint64_t features;
    if (ioctl(fd_.get(), VHOST_GET_FEATURES, &features) < 0) {
        throw_errno("{}: ask for its features", name_);
    }
    return features;
}

void VhostDevice::set_features(uint64_t features) {
    if (ioctl(fd_.get(), VHOST_SET_FEATURES, &features) < 0) {
        throw_errno("{}: set features {:#x}", name_, features);
    }
}

void VhostDevice::set_memory(const GuestMemory& memory) {
    const auto regions = memory.regions();
    std::vector<uint64_t> bytes(
        (sizeof(vhost_memory) + regions.size() * sizeof(vhost_memory_region)) / sizeof(uint64_t));
    auto* table = reinterpret_cast<vhost_memory*>(bytes.data());
    table->nregions = static_cast<uint32_t>(regions.size());
    for (size_t i = 0; i < regions.size(); i++) {
        table->regions[i] = {.guest_phys_addr = regions[i].guest,
                             .memory_size = regions[i].size,
                             .userspace_addr = reinterpret_cast<uintptr_t>(regions[i].host),
                             .flags_padding = 0};
    }
    if (ioctl(fd_.get(), VHOST_SET_MEM_TABLE, table) < 0) {
        throw_errno("{}: tell it the guest's memory", name_);
    }
}

void VhostDevice::set_queue(unsigned queue, uint64_t features, const GuestMemory& memory,
                            const QueueSetup& setup, int error) {
    const auto set = [&](unsigned long request, const char* what, const auto& argument) {
        if (ioctl(fd_.get(), request, &argument) < 0) {
            throw_errno("{}: set {} of queue {}", name_, what, setup.index);
        }
    };
    set(VHOST_SET_VRING_NUM, "the size", vhost_vring_state{.index = queue, .num = setup.size});
    set(VHOST_SET_VRING_BASE, "the position",
        vhost_vring_state{.index = queue, .num = setup.state});
    const RingAreas ring = find_ring(memory, features, setup);
    const auto here = [](const std::byte* at) { return reinterpret_cast<uintptr_t>(at); };
    set(VHOST_SET_VRING_ADDR, "the addresses",
        vhost_vring_addr{.index = queue,
                         .flags = 0,
                         .desc_user_addr = here(ring.desc),
                         .used_user_addr = here(ring.device),
                         .avail_user_addr = here(ring.driver),
                         .log_guest_addr = 0});
    set(VHOST_SET_VRING_ERR, "the error eventfd", vhost_vring_file{.index = queue, .fd = error});
    set(VHOST_SET_VRING_CALL, "the call eventfd",
        vhost_vring_file{.index = queue, .fd = setup.call});
    set(VHOST_SET_VRING_KICK, "the kick eventfd",
        vhost_vring_file{.index = queue, .fd = setup.kick});
}

void VhostDevice::release_queue(unsigned queue) noexcept {
    const vhost_vring_file none = {.index = queue, .fd = VHOST_FILE_UNBIND};
    ioctl(fd_.get(), VHOST_SET_VRING_KICK, &none);
    ioctl(fd_.get(), VHOST_SET_VRING_CALL, &none);
    ioctl(fd_.get(), VHOST_SET_VRING_ERR, &none);
}

uint32_t VhostDevice::queue_state(unsigned queue) const {
    vhost_vring_state state = {.index = queue, .num = 0};
    if (ioctl(fd_.get(), VHOST_GET_VRING_BASE, &state) < 0) {
        throw_errno("{}: ask where queue {} stands", name_, queue);
    }
    return state.num;
}

void VhostDevice::set_net_backend(unsigned queue, int fd) {
    const vhost_vring_file backend = {.index = queue, .fd = fd};
    if (ioctl(fd_.get(), VHOST_NET_SET_BACKEND, &backend) == 0) {
        return;
    }
    if (fd < 0) {
        throw_errno("{}: stop queue {}", name_, queue);
    }
    switch (errno) {
        case ENOTSOCK:
            throw_error(ENOTSOCK, "{}: give queue {} the tap: it is none that the device knows",
                        name_, queue);
        case EINVAL:
            throw_error(EINVAL, "{}: give queue {} the tap: its interface is gone, or switched off",
                        name_, queue);
        default:
            throw_errno("{}: give queue {} the tap", name_, queue);
    }
}

void VhostDevice::set_disk(int fd) {
    if (ioctl(fd_.get(), VIREO_BLK_SET_DISK, &fd) == 0) {
        return;
    }
    switch (errno) {
        case ENOTTY:
            throw_usage("{}: it serves no disks; /dev/vireo-blk does", name_);
        case ETXTBSY:
            throw_usage("{}: give it the disk: the host swaps to it", name_);
        case EINVAL:
            throw_usage("{}: give it the disk: neither a file that it can serve nor a block device",
                        name_);
        default:
            throw_errno("{}: {} the disk", name_, fd < 0 ? "take away" : "give it");
    }
}

vireo_blk_config VhostDevice::disk_config() const {
    vireo_blk_config config = {};
    config.size = sizeof(config);
    if (ioctl(fd_.get(), VIREO_BLK_GET_CONFIG, &config) < 0) {
        throw_errno("{}: ask for the disk's configuration", name_);
    }
    return config;
}

void VhostDevice::set_disk_config(const vireo_blk_config& config) {
    if (ioctl(fd_.get(), VIREO_BLK_SET_CONFIG, &config) < 0) {
        throw_errno("{}: configure the disk", name_);
    }
}

void VhostDevice::set_running(unsigned queue, bool on) {
    const vhost_vring_state state = {.index = queue, .num = on};
    if (ioctl(fd_.get(), VIREO_BLK_SET_RUNNING, &state) < 0) {
        throw_errno("{}: {} queue {}", name_, on ? "start" : "stop", queue);
    }
}

std::optional<vireo_queue_stats> VhostDevice::stats(unsigned queue) const {
    vireo_queue_stats stats = {};
    stats.index = queue;
    stats.size = sizeof(stats);
    if (ioctl(fd_.get(), VIREO_GET_QUEUE_STATS, &stats) < 0) {
        return std::nullopt;
    }
    return stats;
}

std::string vhost_error_text(uint32_t error) {
    switch (error) {
        case VIREO_ERROR_ADDRESS:
            return "a buffer outside guest memory";
        case VIREO_ERROR_BUFFER_FAULT:
            return "guest memory that cannot be reached";
        case VIREO_ERROR_DIRECTION:
            return "a buffer of the wrong direction";
        case VIREO_ERROR_LOG:
            return "a dirty log that cannot be written";
        case VIREO_ERROR_BASE:
            return "a ring at a place of the wrong alignment";
        default:
            break;
    }
    if (error == VIREO_ERROR_NONE || error >= VQ_ERR_MAX) {
        return fmt::format("error {}", error);
    }
    return vq_strerror(static_cast<vq_error>(error));
}

} // namespace vireo
