// SPDX-License-Identifier: GPL-2.0-only
#ifndef VIREO_CONSOLE_CONSOLE_DEVICE_H
#define VIREO_CONSOLE_CONSOLE_DEVICE_H

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "console/chardev.h"
#include "console/console_port.h"
#include "virtio/user_device.h"

namespace vireo {

// The configuration space (virtio 1.2, 5.3.4).
struct ConsoleConfig {
    uint16_t columns;   // 0x00
    uint16_t rows;      // 0x02
    uint32_t max_ports; // 0x04
    uint32_t emergency; // 0x08: a byte written here is output of port 0, without a queue
};
static_assert(sizeof(ConsoleConfig) == 12);

// A virtio console (virtio 1.2, 5.3): ports with a chardev each. With one port, a console, there
// are two queues; else ports are told of by messages on two control queues, and have names.
class ConsoleDevice final : public UserDevice {
public:
    // `loop` runs the queues, and is not the main one; the chardevs, one for each port, are of the
    // same loop and outlive the device. Throws UsageError.
    ConsoleDevice(const GuestMemory& memory, EventLoop& main, EventLoop& loop,
                  const ConsoleOptions& options, std::span<CharBackend* const> chardevs);
    ~ConsoleDevice() override;

    uint64_t features() const override;
    void read_config(uint32_t offset, std::span<uint8_t> data) const override;
    void write_config(uint32_t offset, std::span<const uint8_t> data) override;
    void reset() override;
    std::vector<Counter> counters(unsigned queue) const override;

private:
    friend class ConsolePort;

    void starting(uint64_t features) override;
    // On the loop's thread.
    UserQueue::Turn send_messages(Virtqueue& queue, unsigned budget);
    UserQueue::Turn take_messages(Virtqueue& queue, unsigned budget);
    void obey(uint32_t id, uint16_t event, uint16_t value);
    void flush(); // messages are due
    void size_changed();

    EventLoop& main_;
    const bool can_multiport_;
    bool multiport_ = false; // negotiated; the loop's thread
    std::vector<std::unique_ptr<ConsolePort>> ports_;
};

} // namespace vireo

#endif // VIREO_CONSOLE_CONSOLE_DEVICE_H
