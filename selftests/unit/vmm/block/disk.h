// SPDX-License-Identifier: GPL-2.0-only
// A disk under test: an image in a directory of its own, the device on it, and a driver of its
// queues.
#pragma once

#include <fcntl.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_config.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/event_loop.h"
#include "block/block_device.h"
#include "fake_driver.h"
#include "fake_transport.h"
#include "memory/guest_memory.h"
#include "virtio/features.h"

namespace vireo::test {

constexpr uint64_t kMiB = 1 << 20;
constexpr uint64_t kImageSize = 8 * kMiB;
constexpr uint32_t kSector = 512;
constexpr int kPatience = 60'000; // milliseconds until a test that hangs is given up

using Bytes = std::vector<uint8_t>;

// Bytes that are different everywhere, so that a shifted copy is noticed.
Bytes pattern(size_t size, uint32_t seed);
// A directory that is removed at the end.
class TemporaryDirectory {
public:
    explicit TemporaryDirectory(const std::string& parent = "");
    ~TemporaryDirectory();
    std::string path(const std::string& name) const { return path_ + "/" + name; }

private:
    std::string path_;
};

void make_file(const std::string& path, uint64_t size);
Bytes read_file(const std::string& path, uint64_t offset, size_t size);
void write_file(const std::string& path, uint64_t offset, const Bytes& bytes);

// Does direct I/O work there?
bool direct_io_works(const std::string& directory);

// A request as a driver sees it, and its answer.
struct Answer {
    uint8_t status = 0xff; // 0xff: not written
    uint32_t used = 0;     // bytes, as the used ring says
    Bytes in;              // what the device may write but the status
};

struct Layout {
    std::vector<size_t> out_cuts, in_cuts; // where the two areas are cut into descriptors
    fd_shape shape = FD_DIRECT;
    size_t misalign = 0; // bytes by which data is off a page's beginning
};

// The driver of one queue.
class Driver {
public:
    static constexpr size_t kArena = 24 * kMiB; // of each queue

    Driver(const GuestMemory& memory, unsigned index, uint64_t features, uint16_t size);

    QueueSetup setup() const;
    uint16_t size() const { return size_; }
    fake_driver& ring() { return ring_; }
    void set_state(uint32_t state) { state_ = state; }

    // Put a request in the ring: out area, and an in area of that size. Its number, or nothing if
    // the ring is full.
    std::optional<size_t> add(const Bytes& out, size_t in, const Layout& layout = {});
    void show(); // and kick, if the device wants that
    void kick() { kick_.signal(); }
    size_t wait(size_t at_least); // for so many to be answered; how many were, 0: none came
    Answer answer(size_t number); // of one that was answered
    bool answered(size_t number) const { return slots_[number].done; }
    Answer run(const Bytes& out, size_t in, const Layout& layout = {});

    // A piece of guest memory.
    uint64_t allocate(size_t size, size_t align = 4096, size_t off = 0);
    void rewind() { next_ = first_; } // nothing is in flight
    uint8_t* at(uint64_t address) const;
    unsigned calls() const { return calls_; }

private:
    struct Slot {
        uint64_t in;
        size_t in_size;
        uint32_t used;
        bool done;
    };

    const GuestMemory& memory_;
    const unsigned index_;
    const uint16_t size_;
    uint64_t base_; // of this queue's part of guest memory
    size_t first_, next_;
    std::vector<fd_buf> buffers_;
    fake_driver ring_;
    EventFd kick_, call_;
    std::vector<Slot> slots_;
    uint32_t state_;
    unsigned calls_ = 0;
};

// Requests.
Bytes header(uint32_t type, uint64_t sector);
Bytes operator+(Bytes a, const Bytes& b);
Bytes range(uint64_t sector, uint32_t sectors, uint32_t flags);

class Disk {
public:
    struct Options {
        DriveOptions drive;
        uint64_t without = 0; // features that the driver does not take
        bool packed = false;
    };

    explicit Disk(const Options& options);
    ~Disk();

    BlockDevice& device() { return *device_; }
    Driver& driver(unsigned queue = 0) { return *drivers_[queue]; }
    uint64_t features() const { return features_; }
    void start();
    void stop(); // drivers keep the states
    void set_path(VirtioDevice::Path path);
    BlkConfig config() const;
    uint64_t counter(const char* name, unsigned queue = 0);

    Answer read(uint64_t sector, size_t bytes, const Layout& layout = {}) {
        return driver().run(header(VIRTIO_BLK_T_IN, sector), bytes + 1, layout);
    }
    Answer write(uint64_t sector, const Bytes& bytes, const Layout& layout = {}) {
        return driver().run(header(VIRTIO_BLK_T_OUT, sector) + bytes, 1, layout);
    }
    Answer flush() { return driver().run(header(VIRTIO_BLK_T_FLUSH, 0), 1); }
    Answer ranges(uint32_t type, const Bytes& ranges) {
        return driver().run(header(type, 0) + ranges, 1);
    }

    std::string wait_for_reset() { return transport_.wait_for_reset(); } // what was said

private:
    GuestMemory memory_;
    LoopThread main_{"main"};
    LoopThread io_{"blk0"};
    std::unique_ptr<BlockDevice> device_;
    uint64_t features_;
    std::vector<std::unique_ptr<Driver>> drivers_;
    bool started_ = false;
    FakeTransport transport_;
};

} // namespace vireo::test
