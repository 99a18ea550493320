// SPDX-License-Identifier: GPL-2.0-only
#include "console/console_device.h"

#include <linux/virtio_console.h>
#include <linux/virtio_ids.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "base/error.h"
#include "virtio/features.h"

namespace vireo {

namespace {

constexpr uint16_t kQueueSize = 128;
constexpr uint32_t kPciClass = 0x078000; // communication, of no kind
constexpr unsigned kMostPorts = 31;      // as Linux has
constexpr unsigned kSendQueue = 2;       // control messages to the driver
constexpr unsigned kTakeQueue = 3;       // and from it

bool wants_multiport(const ConsoleOptions& options) {
    return options.ports.size() != 1 || !options.ports.front().name.empty();
}

VirtioDevice::Shape shape_of(const ConsoleOptions& options) {
    if (options.ports.size() > kMostPorts) {
        throw_usage("{}: {} ports; there may be {}", options.id, options.ports.size(), kMostPorts);
    }
    // 5.3.2: without port 0 its queues are there all the same.
    const size_t ports = std::max<size_t>(options.ports.size(), 1);
    return {
        .type = VIRTIO_ID_CONSOLE,
        .pci_class = kPciClass,
        .queues = std::vector<uint16_t>(wants_multiport(options) ? 2 * ports + 2 : 2, kQueueSize)};
}

void copy_out(const DescriptorChain& chain, std::span<uint8_t> to, size_t& done) {
    for (const iovec& piece : chain.out) {
        const size_t n = std::min(piece.iov_len, to.size() - done);
        memcpy(to.data() + done, piece.iov_base, n);
        done += n;
    }
}

} // namespace

ConsoleDevice::ConsoleDevice(const GuestMemory& memory, EventLoop& main, EventLoop& loop,
                             const ConsoleOptions& options, std::span<CharBackend* const> chardevs)
    : UserDevice(memory, main, loop, shape_of(options)),
      main_(main),
      can_multiport_(wants_multiport(options)) {
    for (unsigned i = 0; i < options.ports.size(); i++) {
        ports_.push_back(
            std::make_unique<ConsolePort>(*this, i, *chardevs[i], options.ports[i].name));
    }
    for (unsigned i = 0; i < shape().queues.size(); i++) {
        using Step = UserQueue::Turn (ConsoleDevice::*)(Virtqueue&, unsigned);
        if (i == kSendQueue || i == kTakeQueue) {
            const Step step =
                i == kSendQueue ? &ConsoleDevice::send_messages : &ConsoleDevice::take_messages;
            add_queue([this, step](Virtqueue& queue, unsigned budget) {
                return (this->*step)(queue, budget);
            });
            continue;
        }
        const unsigned port = i < kSendQueue ? 0 : i / 2 - 1;
        if (port >= ports_.size()) {
            // Of a port 0 that is not there: nothing is ever taken.
            add_queue([](Virtqueue&, unsigned) { return UserQueue::Turn::kWait; });
            continue;
        }
        const auto serve = i % 2 ? &ConsolePort::transmit : &ConsolePort::receive;
        add_queue([it = ports_[port].get(), serve](Virtqueue& queue, unsigned budget) {
            return (it->*serve)(queue, budget);
        });
    }
    loop_.call([this] {
        for (const auto& port : ports_) {
            port->chardev().connect(port.get());
        }
    });
}

ConsoleDevice::~ConsoleDevice() {
    stop();
    loop_.call([this] { ports_.clear(); });
}

uint64_t ConsoleDevice::features() const {
    uint64_t features = ring_features() | feature_bit(VIRTIO_CONSOLE_F_EMERG_WRITE);
    if (can_multiport_) {
        features |= feature_bit(VIRTIO_CONSOLE_F_MULTIPORT);
    }
    if (!ports_.empty() && ports_.front()->chardev().size()) {
        features |= feature_bit(VIRTIO_CONSOLE_F_SIZE);
    }
    return features;
}

void ConsoleDevice::read_config(uint32_t offset, std::span<uint8_t> data) const {
    ConsoleConfig config = {.columns = 0,
                            .rows = 0,
                            .max_ports = static_cast<uint32_t>(std::max<size_t>(ports_.size(), 1)),
                            .emergency = 0};
    if (!ports_.empty()) {
        if (const auto size = ports_.front()->chardev().size()) {
            config.columns = size->columns;
            config.rows = size->rows;
        }
    }
    std::ranges::fill(data, 0);
    if (offset < sizeof(config)) {
        memcpy(data.data(), reinterpret_cast<const uint8_t*>(&config) + offset,
               std::min(data.size(), sizeof(config) - offset));
    }
}

// 5.3.4: the one field that a driver writes, early, and when it has no other way.
void ConsoleDevice::write_config(uint32_t offset, std::span<const uint8_t> data) {
    if (offset == offsetof(ConsoleConfig, emergency) && !ports_.empty()) {
        ports_.front()->chardev().write(data.first(1));
    }
}

void ConsoleDevice::starting(uint64_t features) {
    loop_.call([&] {
        multiport_ = features & feature_bit(VIRTIO_CONSOLE_F_MULTIPORT);
        if (!multiport_ && !ports_.empty()) {
            ports_.front()->be_console();
        }
    });
}

void ConsoleDevice::reset() {
    loop_.call([this] {
        multiport_ = false;
        for (const auto& port : ports_) {
            port->reset();
        }
    });
}

std::vector<VirtioDevice::Counter> ConsoleDevice::counters(unsigned queue) const {
    std::vector<Counter> counters = UserDevice::counters(queue);
    for (unsigned i = 0; i < ports_.size(); i++) {
        if (queue == ConsolePort::receive_queue(i)) {
            counters.push_back({"bytes", ports_[i]->bytes_in()});
        } else if (queue == ConsolePort::transmit_queue(i)) {
            counters.push_back({"bytes", ports_[i]->bytes_out()});
        }
    }
    return counters;
}

// Each port remembers which messages are due, not how often: a driver that takes none costs
// nothing.
UserQueue::Turn ConsoleDevice::send_messages(Virtqueue& queue, unsigned) {
    std::array<uint8_t, ConsolePort::kMessage> buffer;
    for (const auto& port : ports_) {
        for (auto message = port->message(buffer); !message.empty();
             message = port->message(buffer)) {
            const auto chains = queue.pop(1);
            if (chains.empty()) {
                return UserQueue::Turn::kEmpty;
            }
            size_t done = 0;
            for (const iovec& piece : chains.front().in) {
                const size_t n = std::min(piece.iov_len, message.size() - done);
                memcpy(piece.iov_base, message.data() + done, n);
                done += n;
            }
            queue.push(chains.front(), static_cast<uint32_t>(done));
            queue.publish();
            port->message_sent();
        }
    }
    return UserQueue::Turn::kWait; // for messages
}

UserQueue::Turn ConsoleDevice::take_messages(Virtqueue& queue, unsigned budget) {
    for (unsigned taken = 0; taken < budget; taken++) {
        const auto chains = queue.pop(1);
        if (chains.empty()) {
            return UserQueue::Turn::kEmpty;
        }
        virtio_console_control control = {};
        size_t size = 0;
        copy_out(chains.front(), {reinterpret_cast<uint8_t*>(&control), sizeof(control)}, size);
        queue.push(chains.front(), 0);
        queue.publish();
        if (size == sizeof(control)) {
            obey(control.id, control.event, control.value);
        }
    }
    return UserQueue::Turn::kMore;
}

// 5.3.6.2; what makes no sense is ignored.
void ConsoleDevice::obey(uint32_t id, uint16_t event, uint16_t value) {
    if (event == VIRTIO_CONSOLE_DEVICE_READY) {
        for (const auto& port : ports_) {
            if (value) {
                port->announce();
            }
        }
    } else if (id < ports_.size() && event == VIRTIO_CONSOLE_PORT_READY) {
        if (value) {
            ports_[id]->ready();
        }
    } else if (id < ports_.size() && event == VIRTIO_CONSOLE_PORT_OPEN) {
        ports_[id]->opened_by_guest(value);
    }
    flush();
}

void ConsoleDevice::flush() {
    if (multiport_) {
        queue(kSendQueue).turn();
    }
}

// 5.3.4: the size is in the configuration space of a console without messages.
void ConsoleDevice::size_changed() {
    main_.post([this] {
        const std::lock_guard guard(lock());
        if (transport_) {
            transport_->config_changed();
        }
    });
}

} // namespace vireo
