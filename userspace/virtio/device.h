// SPDX-License-Identifier: GPL-2.0-only
#ifndef VIREO_VIRTIO_DEVICE_H
#define VIREO_VIRTIO_DEVICE_H

#include <atomic>
#include <cstdint>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "base/event_loop.h"
#include "virtio/backend.h"
#include "virtio/queue_setup.h"

namespace vireo {

// What a virtio device asks of its transport.
class VirtioTransport {
public:
    virtual ~VirtioTransport() = default;

    // The configuration space has changed: tell the driver (virtio 1.2, 2.3). Any thread but those
    // that run queues, control lock held.
    virtual void config_changed() = 0;

    // Nothing goes on before the driver resets the device: set DEVICE_NEEDS_RESET and tell it
    // (virtio 1.2, 2.1.2). `why` is a phrase for people. The same threads, control lock held.
    virtual void needs_reset(const std::string& why) = 0;
};

// A virtio device: its features, its configuration space, and what its queues do. It knows no
// transport and no bus.
//
// The control lock. All that follows is called with lock() held, by the transport on a vCPU thread
// or by the machine's control thread, and never from a thread that runs queues. Queue threads never
// take it.
class VirtioDevice {
public:
    // Queue sizes that the driver is offered, by index: how many there are, and the greatest size
    // of each.
    struct Shape {
        uint16_t type;      // virtio device ID (virtio 1.2, 5)
        uint32_t pci_class; // class code, 24 bits
        std::vector<uint16_t> queues;
    };

    virtual ~VirtioDevice() = default;

    std::mutex& lock() { return lock_; }
    void connect(VirtioTransport& transport) { transport_ = &transport; }
    // The transport has reset the device: what was reported before is of no interest any more.
    void begin_life() { life_++; }

    virtual const Shape& shape() const = 0;

    // Feature bits of the device type and, of the ring's bits, those that the device's backends can
    // serve: VERSION_1, RING_PACKED, EVENT_IDX, INDIRECT_DESC, IN_ORDER, RING_RESET.
    virtual uint64_t features() const = 0;

    // The configuration space (little endian). Reads past its end give 0, writes there are ignored.
    virtual void read_config(uint32_t offset, std::span<uint8_t> data) const = 0;
    virtual void write_config(uint32_t offset, std::span<const uint8_t> data) = 0;

    // DRIVER_OK: serve these queues, those that the driver enabled. `features` is what was
    // negotiated; without VERSION_1 it is a legacy driver's. Throws if it cannot; the transport
    // sets NEEDS_RESET.
    virtual void start(uint64_t features, std::span<const QueueSetup> queues) = 0;

    // Rest: when it returns no queue is served, and all that was popped has been given back. The
    // queues that were served till now, in any order, each with the state it has now: what start()
    // takes to go on. Nothing started: empty.
    virtual std::vector<QueueSetup> stop() = 0;

    // One queue of a device that is started (VIRTIO_F_RING_RESET; virtio 1.2, 2.6.1), or enabled
    // late.
    virtual void start_queue(const QueueSetup& queue) = 0;
    virtual void stop_queue(uint16_t index) = 0;

    // Forget all that a driver has set. Stopped before.
    virtual void reset() = 0;

    // What a queue has done since the device was made, by name ("kicks", "bytes"), in an order that
    // does not change. With the control lock held, like the rest; a queue with no such number: 0.
    struct Counter {
        std::string name;
        uint64_t value;
    };
    virtual std::vector<Counter> counters(unsigned queue) const = 0;
    // Who runs the queue: "user" or "vhost".
    virtual std::string path(unsigned queue) const = 0;

    // Who runs the data queues from now on: a live switch if they are running. Throws UsageError or
    // std::system_error, and then all is as before. On the main thread.
    enum class Path { kUser, kVhost };
    virtual void set_path(Path path);

protected:
    // What a backend is given to report a queue that its driver broke: the transport is told, from
    // the main loop, since queue threads take no control lock. The device lives as long as the main
    // loop runs.
    BrokenQueue report_to(EventLoop& main);

    VirtioTransport* transport_ = nullptr;

private:
    std::mutex lock_;
    std::atomic<unsigned> life_ = 0;
};

} // namespace vireo

#endif // VIREO_VIRTIO_DEVICE_H
