// SPDX-License-Identifier: GPL-2.0-only
#include "console/console_port.h"

#include <linux/virtio_console.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#include "console/console_device.h"

namespace vireo {

namespace {

constexpr size_t kMostInput = 4096; // of one buffer

} // namespace

ConsolePort::ConsolePort(ConsoleDevice& device, unsigned index, CharBackend& chardev,
                         std::string name)
    : device_(device), index_(index), chardev_(chardev), name_(std::move(name)) {}

ConsolePort::~ConsolePort() {
    chardev_.connect(nullptr);
}

void ConsolePort::due(Due what) {
    due_ |= 1u << what;
}

void ConsolePort::announce() {
    ready_ = false;
    due(kAdd);
}

void ConsolePort::ready() {
    ready_ = true;
    if (name_.empty()) {
        due(kConsole);
        if (chardev_.size()) {
            due(kResize);
        }
    } else {
        due(kName);
    }
    due(kOpen);
}

void ConsolePort::opened_by_guest(bool open) {
    guest_open_ = open;
    if (open) {
        chardev_.accept_input();
    }
}

void ConsolePort::reset() {
    guest_open_ = false;
    ready_ = false;
    due_ = 0;
    out_done_ = 0;
}

std::span<const uint8_t> ConsolePort::message(std::span<uint8_t, kMessage> buffer) {
    if (!due_) {
        return {};
    }
    virtio_console_control control = {.id = index_, .event = 0, .value = 1};
    size_t size = sizeof(control);
    uint8_t* more = buffer.data() + sizeof(control);
    switch (std::countr_zero(due_)) {
        case kAdd:
            control.event = VIRTIO_CONSOLE_PORT_ADD;
            break;
        case kConsole:
            control.event = VIRTIO_CONSOLE_CONSOLE_PORT;
            break;
        case kName: {
            control.event = VIRTIO_CONSOLE_PORT_NAME;
            const size_t length = std::min(name_.size(), buffer.size() - size);
            memcpy(more, name_.data(), length);
            size += length;
            break;
        }
        case kResize: {
            control.event = VIRTIO_CONSOLE_RESIZE;
            const auto terminal = chardev_.size().value_or(CharBackend::Size{80, 24});
            const uint16_t both[] = {terminal.columns, terminal.rows};
            memcpy(more, both, sizeof(both));
            size += sizeof(both);
            break;
        }
        default:
            control.event = VIRTIO_CONSOLE_PORT_OPEN;
            control.value = chardev_.open();
    }
    memcpy(buffer.data(), &control, sizeof(control));
    return buffer.first(size);
}

void ConsolePort::message_sent() {
    due_ &= due_ - 1; // the lowest
}

// Input.

size_t ConsolePort::room_in_ring() {
    UserQueue& queue = device_.queue(receive_queue(index_));
    if (!guest_open_ || !queue.active()) {
        return 0;
    }
    size_t room = 0;
    for (const DescriptorChain& chain : queue.queue().pop(1)) {
        for (const iovec& piece : chain.in) {
            room += piece.iov_len;
        }
        queue.queue().unpop(1);
        // A buffer without room is used up by a byte that is lost: it must not stop the queue.
        room = std::max(room, size_t{1});
    }
    return std::min(room, kMostInput);
}

size_t ConsolePort::char_room() {
    const size_t room = room_in_ring();
    if (room || !guest_open_) {
        return room;
    }
    // Have the driver kick for the next buffer; it may have come by now.
    device_.queue(receive_queue(index_)).turn();
    return room_in_ring();
}

void ConsolePort::char_input(std::span<const uint8_t> bytes) {
    Virtqueue& queue = device_.queue(receive_queue(index_)).queue();
    for (const DescriptorChain& chain : queue.pop(1)) {
        size_t done = 0;
        for (const iovec& piece : chain.in) {
            const size_t n = std::min(piece.iov_len, bytes.size() - done);
            memcpy(piece.iov_base, bytes.data() + done, n);
            done += n;
        }
        queue.push(chain, static_cast<uint32_t>(done));
        count(bytes_in_, done);
    }
    queue.publish();
}

// Buffers have come, for whatever the chardev has.
UserQueue::Turn ConsolePort::receive(Virtqueue& queue, unsigned) {
    if (queue.pop(1).empty()) {
        return UserQueue::Turn::kEmpty;
    }
    queue.unpop(1);
    chardev_.accept_input();
    return UserQueue::Turn::kWait;
}

// Output.

// Write what is left of the chain; false: the chardev takes no more for now.
bool ConsolePort::output(const DescriptorChain& chain) {
    size_t before = 0; // bytes of the pieces before this one
    for (const iovec& piece : chain.out) {
        const size_t end = before + piece.iov_len;
        if (out_done_ < end) {
            const size_t skip = out_done_ - before;
            const std::span rest(static_cast<const uint8_t*>(piece.iov_base) + skip,
                                 piece.iov_len - skip);
            const size_t n = chardev_.write(rest);
            count(bytes_out_, n);
            out_done_ += n;
            if (n < rest.size()) {
                return false;
            }
        }
        before = end;
    }
    return true;
}

UserQueue::Turn ConsolePort::transmit(Virtqueue& queue, unsigned budget) {
    for (unsigned taken = 0; taken < budget; taken++) {
        const auto chains = queue.pop(1);
        if (chains.empty()) {
            return UserQueue::Turn::kEmpty;
        }
        if (!output(chains.front())) {
            queue.unpop(1);
            return UserQueue::Turn::kWait; // char_drained()
        }
        out_done_ = 0;
        queue.push(chains.front(), 0);
        queue.publish();
    }
    return UserQueue::Turn::kMore;
}

void ConsolePort::char_drained() {
    device_.queue(transmit_queue(index_)).turn();
}

// The chardev's peer and terminal.

void ConsolePort::char_opened() {
    if (ready_) {
        due(kOpen);
        device_.flush();
    }
}

void ConsolePort::char_closed() {
    char_opened();
}

void ConsolePort::char_resized() {
    if (!name_.empty()) {
        return;
    }
    if (index_ == 0) {
        device_.size_changed();
    }
    if (ready_) {
        due(kResize);
        device_.flush();
    }
}

} // namespace vireo
