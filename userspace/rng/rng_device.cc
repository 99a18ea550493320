// SPDX-License-Identifier: GPL-2.0-only
#include "rng/rng_device.h"

#include <fcntl.h>
#include <linux/virtio_ids.h>
#include <sys/epoll.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include "base/error.h"
#include "base/log.h"

namespace vireo {

namespace {

constexpr uint16_t kQueueSize = 64;
constexpr uint32_t kPciClass = 0x00ff00; // unclassified, of no kind

// Of one buffer, however big it is: a device may fill a part (5.4.6.1), and other queues of the
// loop wait.
constexpr size_t kMostBytes = 64 * 1024;
constexpr int kMostPieces = 16;

} // namespace

RngDevice::RngDevice(const GuestMemory& memory, EventLoop& main, EventLoop& loop,
                     const RngOptions& options)
    : UserDevice(memory, main, loop,
                 {.type = VIRTIO_ID_RNG, .pci_class = kPciClass, .queues = {kQueueSize}}),
      path_(options.file),
      source_(open(options.file.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)) {
    if (!source_) {
        throw_errno("open the source of randomness {}", path_);
    }
    add_queue([this](Virtqueue& queue, unsigned budget) { return serve(queue, budget); });
}

RngDevice::~RngDevice() {
    stop();
}

void RngDevice::read_config(uint32_t, std::span<uint8_t> data) const {
    std::ranges::fill(data, 0);
}

// Bytes that were written; -1: there are none now; 0: there will not be any.
ssize_t RngDevice::fill(const DescriptorChain& chain) {
    std::array<iovec, kMostPieces> pieces;
    int n = 0;
    size_t room = kMostBytes;
    for (const iovec& piece : chain.in) {
        if (n == kMostPieces || !room) {
            break;
        }
        pieces[n] = {.iov_base = piece.iov_base, .iov_len = std::min(piece.iov_len, room)};
        room -= pieces[n++].iov_len;
    }
    const ssize_t got = readv(source_.get(), pieces.data(), n);
    if (got > 0) {
        return got;
    }
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        return -1;
    }
    if (!std::exchange(failed_, true)) {
        say("{}: no randomness for the guest: {}", path_,
            got ? std::generic_category().message(errno) : "end of file");
    }
    return 0;
}

UserQueue::Turn RngDevice::serve(Virtqueue& queue, unsigned budget) {
    // Bytes count, not chains: a turn gives out what one full buffer holds, or a little more.
    size_t given = 0;
    for (unsigned taken = 0; taken < budget && given < kMostBytes; taken++) {
        const auto chains = queue.pop(1);
        if (chains.empty()) {
            return UserQueue::Turn::kEmpty;
        }
        const DescriptorChain& chain = chains.front();
        // 5.4.6.1: buffers are for the device to write. Whatever else is given back as it is.
        const ssize_t got = chain.in.empty() ? 0 : fill(chain);
        if (got < 0) {
            queue.unpop(1);
            await_source();
            return UserQueue::Turn::kWait;
        }
        queue.push(chain, static_cast<uint32_t>(got));
        queue.publish();
        given += static_cast<size_t>(got);
        count(bytes_, static_cast<uint64_t>(got));
    }
    return UserQueue::Turn::kMore;
}

// The source is slow, a hardware generator: go on when it has something.
void RngDevice::await_source() {
    if (waiting_) {
        return;
    }
    loop_.add(source_.get(), EPOLLIN, [this](uint32_t) {
        loop_.remove(source_.get());
        waiting_ = false;
        queue(0).turn();
    });
    waiting_ = true;
}

void RngDevice::stopped() {
    loop_.call([this] {
        if (std::exchange(waiting_, false)) {
            loop_.remove(source_.get());
        }
    });
}

std::vector<VirtioDevice::Counter> RngDevice::counters(unsigned queue) const {
    std::vector<Counter> counters = UserDevice::counters(queue);
    counters.push_back({"bytes", bytes_});
    return counters;
}

} // namespace vireo
