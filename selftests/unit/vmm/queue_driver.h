// SPDX-License-Identifier: GPL-2.0-only
// A guest's side of a virtqueue in a guest's memory: the fake driver with eventfds and buffers, for
// tests that run a device's queue.
#ifndef VIREO_TESTS_QUEUE_DRIVER_H
#define VIREO_TESTS_QUEUE_DRIVER_H

#include <poll.h>

#include <cstring>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "base/event_fd.h"
#include "fake_driver.h"
#include "memory/guest_memory.h"
#include "virtio/queue_setup.h"

namespace vireo::test {

// The fake driver's guest addresses begin at 1 GiB; what is below is never touched.
constexpr uint64_t kArena = FD_GUEST_BASE;
constexpr uint64_t kArenaSize = 128 << 20;
constexpr uint64_t kPerQueue = 8 << 20;
constexpr uint64_t kRings = 2 << 20; // of that: the rings and tables, the rest are buffers
constexpr uint64_t kGuestSize = kArena + kArenaSize;

class QueueDriver {
public:
    // At most 16 queues in a guest, by `place`.
    QueueDriver(const GuestMemory& memory, uint64_t features, uint16_t index, unsigned place,
                uint16_t size = 256)
        : memory_(memory),
          index_(index),
          size_(size),
          place_(place),
          packed_(features >> VQ_F_RING_PACKED & 1),
          buffers_(size) {
        fd_setup setup = {};
        setup.features = features;
        setup.num = size;
        setup.table_max = 64;
        setup.arena = memory.at(kArena, kArenaSize);
        setup.arena_device = kArena;
        setup.arena_bytes = kArenaSize;
        setup.offset = place * kPerQueue;
        setup.bufs = buffers_.data();
        if (fd_init(&driver_, &setup) < 0) {
            throw std::runtime_error("a queue that the fake driver does not do");
        }
    }

    QueueDriver(const QueueDriver&) = delete;
    QueueDriver& operator=(const QueueDriver&) = delete;

    QueueSetup setup() const {
        vq_setup areas = {};
        fd_describe(&driver_, &areas);
        return {.index = index_,
                .size = size_,
                .desc = reinterpret_cast<uintptr_t>(areas.desc),
                .driver = reinterpret_cast<uintptr_t>(areas.driver),
                .device = reinterpret_cast<uintptr_t>(areas.device),
                .kick = kick_.get(),
                .call = call_.get(),
                .state = fresh_state(packed_)};
    }

    // Guest address of the first byte for buffers.
    uint64_t buffers() const { return kArena + place_ * kPerQueue + kRings; }
    std::byte* at(uint64_t address, size_t bytes) const { return memory_.at(address, bytes); }

    // The token is not 0. False: the ring is full.
    bool add(const std::vector<vq_seg>& segments, unsigned out, uintptr_t token,
             fd_shape shape = FD_DIRECT) {
        const u32 in = static_cast<u32>(segments.size()) - out;
        return fd_add(&driver_, segments.data(), out, in, shape, reinterpret_cast<void*>(token)) >=
               0;
    }
    // Make it available; the device is kicked if it wants that.
    void show() {
        if (fd_show(&driver_)) {
            kick_.signal();
        }
    }
    void kick() const { kick_.signal(); }

    struct Used {
        uintptr_t token;
        uint32_t length;
    };
    std::optional<Used> reap() {
        fd_used used;
        const int n = fd_reap(&driver_, &used);
        if (n < 0) {
            throw std::runtime_error(std::string("the device broke a rule: ") + driver_.error);
        }
        if (!n) {
            return std::nullopt;
        }
        return Used{reinterpret_cast<uintptr_t>(used.token), used.len};
    }
    // Sleep until the device calls; nothing within so many seconds: give up.
    std::optional<Used> wait(int seconds = 60) {
        for (;;) {
            if (const auto used = reap()) {
                return used;
            }
            if (fd_enable_call(&driver_)) {
                continue;
            }
            pollfd ready = {.fd = call_.get(), .events = POLLIN, .revents = 0};
            if (poll(&ready, 1, seconds * 1000) <= 0) {
                return reap();
            }
            call_.take();
        }
    }

    fake_driver& raw() { return driver_; }
    uint16_t index() const { return index_; }

private:
    const GuestMemory& memory_;
    const uint16_t index_;
    const uint16_t size_;
    const unsigned place_;
    const bool packed_;
    std::vector<fd_buf> buffers_;
    fake_driver driver_ = {};
    EventFd kick_;
    EventFd call_;
};

} // namespace vireo::test

#endif // VIREO_TESTS_QUEUE_DRIVER_H
