// SPDX-License-Identifier: GPL-2.0-only
#include "block/image.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <optional>
#include <system_error>

#include "base/error.h"
#include "base/log.h"
#include "block/image_server.h"

namespace vireo {

namespace {

constexpr uint32_t kMaxUnit = 4096;       // of direct I/O, on any file system
constexpr uint32_t kMaxLogical = 1 << 15; // what Linux guests accept
constexpr int64_t kQuietSeconds = 5;

// A number in /sys about a block device, or about the disk that it is a partition of.
std::optional<uint64_t> queue_attribute(dev_t device, const char* name) {
    for (const char* up : {"", "../"}) {
        const std::string path =
            fmt::format("/sys/dev/block/{}:{}/{}queue/{}", major(device), minor(device), up, name);
        const std::unique_ptr<FILE, int (*)(FILE*)> file(std::fopen(path.c_str(), "re"),
                                                         std::fclose);
        std::array<char, 32> text;
        uint64_t value = 0;
        if (file && std::fgets(text.data(), text.size(), file.get()) &&
            std::from_chars(text.data(), text.data() + strlen(text.data()), value).ec ==
                std::errc()) {
            return value;
        }
    }
    return std::nullopt;
}

bool valid_logical_block(uint32_t size) {
    return std::has_single_bit(size) && size >= ImageEndpoint::kSector && size <= kMaxLogical;
}

} // namespace

ImageEndpoint::ImageEndpoint(const DriveOptions& options)
    : readonly_(options.readonly),
      direct_(options.cache == CacheMode::kNone),
      name_(options.id.empty() ? options.file : fmt::format("{} ({})", options.id, options.file)) {
    if (options.format == "raw") {
        open_file(options.file, options);
        lock(options);
    } else if (options.format == "qcow2") {
        server_ = std::make_unique<ImageServer>(options); // it locks the image itself
        open_file(server_->path(), options);
    } else {
        throw_usage("-drive file={}: format={}: accepted are raw and qcow2", options.file,
                    options.format);
    }
    find_limits(options);
}

ImageEndpoint::~ImageEndpoint() {
    // An io_uring that had the file lets go of it a little later than it is closed.
    struct flock range = {};
    range.l_type = F_UNLCK;
    range.l_whence = SEEK_SET;
    fcntl(fd_.get(), F_OFD_SETLK, &range);
    fd_.reset(); // before the server ends
}

void ImageEndpoint::open_file(const std::string& path, const DriveOptions& options) {
    const int flags =
        O_CLOEXEC | O_NOCTTY | (readonly_ ? O_RDONLY : O_RDWR) | (direct_ ? O_DIRECT : 0);
    fd_ = Fd(open(path.c_str(), flags));
    if (!fd_) {
        const int error = errno;
        if (!readonly_ && (error == EACCES || error == EROFS || error == EPERM)) {
            throw_error(error, "-drive file={}: open it for writing (readonly=on needs less)",
                        options.file);
        }
        if (direct_ && error == EINVAL) {
            throw_usage(
                "-drive file={}: cache=none: its file system does no direct I/O; use "
                "cache=writeback",
                options.file);
        }
        throw_error(error, "-drive file={}: open it", options.file);
    }
    struct stat status = {};
    if (fstat(fd_.get(), &status) < 0) {
        throw_errno("-drive file={}: look at it", options.file);
    }
    is_device_ = S_ISBLK(status.st_mode);
    if (is_device_) {
        if (ioctl(fd_.get(), BLKGETSIZE64, &size_) < 0) {
            throw_errno("-drive file={}: ask the device for its size", options.file);
        }
        int device_readonly = 0;
        if (!readonly_ && ioctl(fd_.get(), BLKROGET, &device_readonly) == 0 && device_readonly) {
            throw_usage("-drive file={}: the device is read-only; use readonly=on", options.file);
        }
    } else if (S_ISREG(status.st_mode)) {
        size_ = static_cast<uint64_t>(status.st_size);
    } else {
        throw_usage("-drive file={}: neither a file nor a block device", options.file);
    }
}

void ImageEndpoint::lock(const DriveOptions& options) {
    // Readers share, a writer is alone. QEMU, which locks single bytes, is kept out as well, and
    // keeps us out.
    struct flock range = {};
    range.l_type = static_cast<short>(readonly_ ? F_RDLCK : F_WRLCK);
    range.l_whence = SEEK_SET;
    // A VMM that was killed has its lock until the kernel has put away its io_uring.
    constexpr int kTries = 20, kPause = 50; // milliseconds
    for (int i = 0; i < kTries; i++) {
        if (fcntl(fd_.get(), F_OFD_SETLK, &range) == 0) {
            return;
        }
        if (errno != EAGAIN && errno != EACCES) {
            break;
        }
        const int error = errno;
        poll(nullptr, 0, kPause);
        errno = error;
    }
    if (errno == EAGAIN || errno == EACCES) {
        throw_usage(
            "-drive file={}: somebody else {} it; end that first (several may use it with "
            "readonly=on)",
            options.file, readonly_ ? "writes to" : "uses");
    }
    say("-drive file={}: its file system has no locks ({}): nothing keeps a second writer away",
        options.file, strerror(errno));
}

void ImageEndpoint::find_limits(const DriveOptions& options) {
    limits_ = {.logical_block = kSector,
               .physical_block = kSector,
               .alignment = 0,
               .min_io = 0,
               .opt_io = 0,
               .io_unit = kSector,
               .memory_unit = 1,
               .discard_unit = kSector,
               .discard = false};
    if (direct_) {
        find_direct_units();
    }
    limits_.logical_block = limits_.io_unit;
    if (is_device_) {
        find_device_limits();
    } else {
        struct stat status = {};
        if (fstat(fd_.get(), &status) == 0 && status.st_blksize >= kSector) {
            const auto block = std::bit_floor(static_cast<uint32_t>(status.st_blksize));
            limits_.physical_block = limits_.discard_unit = std::min(block, kMaxUnit);
        }
        // A hole behind the end changes nothing, and tells whether there are holes.
        limits_.discard =
            !readonly_ && fallocate(fd_.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                                    static_cast<off_t>((size_ | 0xffff) + 1), 1 << 16) == 0;
    }
    if (options.logical_block_size) {
        if (!valid_logical_block(options.logical_block_size)) {
            throw_usage(
                "-drive file={}: logical_block_size={}: accepted are powers of two from {} to {}",
                options.file, options.logical_block_size, kSector, kMaxLogical);
        }
        if (options.logical_block_size < limits_.io_unit) {
            throw_usage(
                "-drive file={}: logical_block_size={}: with cache=none it takes I/O of {} bytes "
                "at least",
                options.file, options.logical_block_size, limits_.io_unit);
        }
        limits_.logical_block = options.logical_block_size;
    }
    limits_.physical_block = std::max(limits_.physical_block, limits_.logical_block);
    limits_.discard_unit = std::max(limits_.discard_unit, limits_.logical_block);
    limits_.discard = limits_.discard && options.discard && !readonly_;

    const uint64_t rest = size_ % limits_.logical_block;
    if (size_ == rest) {
        throw_usage("-drive file={}: {} bytes are no disk: one block has {}", options.file, size_,
                    limits_.logical_block);
    }
    if (rest) {
        say("-drive file={}: its last {} bytes are no whole block of {}: the guest does not see "
            "them",
            options.file, rest, limits_.logical_block);
        size_ -= rest;
    }
    if (options.format == "raw") {
        alignas(kMaxUnit) std::array<char, kMaxUnit> first;
        if (pread(fd_.get(), first.data(), first.size(), 0) >= 4 &&
            memcmp(first.data(), "QFI\xfb", 4) == 0) {
            say("-drive file={}: format=raw, but it begins like a qcow2 image; if it is one, say "
                "format=qcow2",
                options.file);
        }
    }
}

void ImageEndpoint::find_device_limits() {
    int logical = 0;
    unsigned physical = 0, min_io = 0, opt_io = 0;
    int alignment = 0;
    if (ioctl(fd_.get(), BLKSSZGET, &logical) == 0 &&
        valid_logical_block(static_cast<uint32_t>(logical))) {
        limits_.logical_block = std::max(limits_.io_unit, static_cast<uint32_t>(logical));
    }
    if (ioctl(fd_.get(), BLKPBSZGET, &physical) == 0 && std::has_single_bit(physical)) {
        limits_.physical_block = physical;
    }
    if (ioctl(fd_.get(), BLKIOMIN, &min_io) == 0) {
        limits_.min_io = min_io;
    }
    if (ioctl(fd_.get(), BLKIOOPT, &opt_io) == 0) {
        limits_.opt_io = opt_io;
    }
    if (ioctl(fd_.get(), BLKALIGNOFF, &alignment) == 0 && alignment > 0) {
        limits_.alignment = static_cast<uint32_t>(alignment);
    }
    struct stat status = {};
    if (fstat(fd_.get(), &status) < 0) {
        return;
    }
    limits_.discard = queue_attribute(status.st_rdev, "discard_max_bytes").value_or(0) > 0;
    const uint64_t unit = queue_attribute(status.st_rdev, "discard_granularity").value_or(0);
    limits_.discard_unit = static_cast<uint32_t>(std::min<uint64_t>(unit, 1U << 30));
}

void ImageEndpoint::find_direct_units() {
    // What direct I/O wants is known to the file system alone, and kernels before 6.1 do not tell:
    // it is tried out.
    const std::unique_ptr<std::byte, void (*)(void*)> memory(
        static_cast<std::byte*>(std::aligned_alloc(kMaxUnit, size_t{3} * kMaxUnit)), std::free);
    if (!memory) {
        throw_error(ENOMEM, "make a buffer");
    }
    const auto refused = [&](size_t address, size_t offset, size_t length) {
        return pread(fd_.get(), memory.get() + address, length, static_cast<off_t>(offset)) < 0 &&
               errno == EINVAL;
    };
    while (limits_.io_unit < kMaxUnit && refused(0, limits_.io_unit, limits_.io_unit)) {
        limits_.io_unit *= 2;
    }
    limits_.memory_unit = kSector;
    while (limits_.memory_unit < kMaxUnit && refused(limits_.memory_unit, 0, limits_.io_unit)) {
        limits_.memory_unit *= 2;
    }
}

ImageEndpoint::Geometry ImageEndpoint::geometry() const {
    // The greatest that an ATA disk may claim (ATA-5, 6.2.1).
    constexpr uint64_t kCylinders = 16383, kHeads = 16, kSectors = 63;
    const uint64_t cylinders = size_ / kSector / (kHeads * kSectors);
    return {.cylinders = static_cast<uint16_t>(std::clamp<uint64_t>(cylinders, 1, kCylinders)),
            .heads = kHeads,
            .sectors = kSectors};
}

void ImageEndpoint::report_error(int error, const char* what, uint64_t offset,
                                 uint64_t length) const {
    timespec now = {};
    clock_gettime(CLOCK_MONOTONIC, &now);
    int64_t until = quiet_until_.load(std::memory_order_relaxed);
    if (now.tv_sec < until ||
        !quiet_until_.compare_exchange_strong(until, now.tv_sec + kQuietSeconds)) {
        unsaid_.fetch_add(1, std::memory_order_relaxed);
        return;
    }
    const uint64_t unsaid = unsaid_.exchange(0, std::memory_order_relaxed);
    const std::string where =
        length ? fmt::format(" {} bytes at {}", length, offset) : std::string();
    say("drive {}: {}{}: {}; the guest is given an I/O error{}", name_, what, where,
        strerror(error),
        unsaid ? fmt::format(" (and {} more since the last message)", unsaid) : std::string());
}

} // namespace vireo
