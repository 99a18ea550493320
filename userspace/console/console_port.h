// SPDX-License-Identifier: GPL-2.0-only
#ifndef VIREO_CONSOLE_CONSOLE_PORT_H
#define VIREO_CONSOLE_CONSOLE_PORT_H

#include <atomic>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "console/chardev.h"
#include "virtio/user_queue.h"

namespace vireo {

class ConsoleDevice;

// A port of a virtio console, between a chardev and two queues. Everything on the loop's thread,
// but for construction and counters.
class ConsolePort final : public CharFrontend {
public:
    ConsolePort(ConsoleDevice& device, unsigned index, CharBackend& chardev, std::string name);
    ~ConsolePort() override;

    static unsigned receive_queue(unsigned port) { return port ? 2 + 2 * port : 0; }
    static unsigned transmit_queue(unsigned port) { return receive_queue(port) + 1; }

    // Serve its queues.
    UserQueue::Turn receive(Virtqueue& queue, unsigned budget);
    UserQueue::Turn transmit(Virtqueue& queue, unsigned budget);

    // The driver's messages.
    void announce();
    void ready();
    void opened_by_guest(bool open);
    // The driver knows no messages: a console, open from the beginning.
    void be_console() { guest_open_ = true; }
    void reset();

    // The next message that is due for the driver, at most `kMessage` bytes; empty: none.
    static constexpr size_t kMessage = 8 + 128;
    std::span<const uint8_t> message(std::span<uint8_t, kMessage> buffer);
    void message_sent();

    CharBackend& chardev() { return chardev_; }
    uint64_t bytes_in() const { return bytes_in_; }
    uint64_t bytes_out() const { return bytes_out_; }

    // CharFrontend
    size_t char_room() override;
    void char_input(std::span<const uint8_t> bytes) override;
    void char_drained() override;
    void char_opened() override;
    void char_closed() override;
    void char_resized() override;

private:
    // Messages, in the order in which they are sent (virtio 1.2, 5.3.6.2).
    enum Due { kAdd, kConsole, kName, kResize, kOpen, kDues };

    void due(Due what);
    size_t room_in_ring();
    bool output(const DescriptorChain& chain);

    ConsoleDevice& device_;
    const unsigned index_;
    CharBackend& chardev_;
    const std::string name_; // empty: a console
    bool guest_open_ = false;
    bool ready_ = false;  // the driver knows it
    unsigned due_ = 0;    // bits of Due
    size_t out_done_ = 0; // bytes of the transmit queue's next chain that are out already
    std::atomic<uint64_t> bytes_in_ = 0;
    std::atomic<uint64_t> bytes_out_ = 0;
};

} // namespace vireo

#endif // VIREO_CONSOLE_CONSOLE_PORT_H
