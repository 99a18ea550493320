// SPDX-License-Identifier: GPL-2.0-only
#ifndef VIREO_BLOCK_IMAGE_H
#define VIREO_BLOCK_IMAGE_H

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "base/fd.h"
#include "machine/options.h"

namespace vireo {

class ImageServer;

// What a disk's bytes are kept in: a raw file or a block device of the host, opened as a drive's
// options say. It knows the host, and no device: the disks of all paths use it. It does no I/O of
// its own (block/io_engine.h does) and does not change once it is open, so any thread may read it.
class ImageEndpoint {
public:
    static constexpr uint32_t kSector = 512;

    // All in bytes.
    struct Limits {
        uint32_t logical_block;  // the smallest unit that the guest is told of
        uint32_t physical_block; // below this a write costs a read
        uint32_t alignment;      // where the first physical block begins
        uint32_t min_io, opt_io; // preferred sizes of I/O; 0: none
        uint32_t io_unit;        // offsets and lengths of reads and writes are multiples of it
        uint32_t memory_unit;    // as are addresses of their buffers; 1: any address will do
        uint32_t discard_unit;   // granularity of discards
        bool discard;            // a discard gives space back
    };

    // For guests that ask in cylinders, heads and sectors: a translation, no disk has it.
    struct Geometry {
        uint16_t cylinders;
        uint8_t heads, sectors;
    };

    // Open the drive's file. Throws UsageError, std::system_error.
    explicit ImageEndpoint(const DriveOptions& options);
    ~ImageEndpoint();

    ImageEndpoint(const ImageEndpoint&) = delete;
    ImageEndpoint& operator=(const ImageEndpoint&) = delete;

    int fd() const { return fd_.get(); }
    uint64_t size() const { return size_; } // bytes, a multiple of the logical block
    bool readonly() const { return readonly_; }
    bool direct() const { return direct_; }
    bool is_device() const { return is_device_; } // a block device
    const Limits& limits() const { return limits_; }
    Geometry geometry() const;
    // How messages call it: "drive0 (disk.img)".
    const std::string& name() const { return name_; }

    // The host failed an operation of the guest's: tell the user, at most once in some seconds.
    // Any thread.
    void report_error(int error, const char* what, uint64_t offset, uint64_t length) const;

private:
    void open_file(const std::string& path, const DriveOptions& options);
    void lock(const DriveOptions& options);
    void find_limits(const DriveOptions& options);
    void find_device_limits();
    void find_direct_units();

    std::unique_ptr<ImageServer> server_; // of a format that is not ours; ends after fd_
    Fd fd_;
    uint64_t size_ = 0;
    bool readonly_;
    bool direct_;
    bool is_device_ = false;
    Limits limits_ = {};
    std::string name_;
    mutable std::atomic<int64_t> quiet_until_ = 0; // seconds of the monotonic clock
    mutable std::atomic<uint64_t> unsaid_ = 0;
};

} // namespace vireo

#endif // VIREO_BLOCK_IMAGE_H
