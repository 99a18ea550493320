// SPDX-License-Identifier: GPL-2.0-only
#include "emulated/nic/wire.h"

#include <sys/timerfd.h>
#include <sys/uio.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/error.h"
#include "emulated/nic/offload.h"
#include "net/framing.h"
#include "virtio/virtqueue.h"

namespace vireo {

namespace {

// Frames in one turn, with the card's lock held: a driver waits no longer for its registers.
constexpr unsigned kBudget = 32;
constexpr size_t kRoom = NicWire::kLargestFrame + 1; // one more tells what is too long
constexpr timespec kRetry = {.tv_sec = 0, .tv_nsec = 10'000'000};
constexpr std::array<uint8_t, NicWire::kSmallestFrame> kPadding = {};

} // namespace

NicWire::NicWire(Card& card, std::mutex& mutex, EventLoop& loop, const NetEndpoint& endpoint)
    : card_(card),
      mutex_(mutex),
      loop_(loop),
      endpoint_(endpoint),
      fd_(endpoint.fd(0)),
      header_(endpoint.vnet_header()),
      retry_(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC)),
      segment_(header_ ? nullptr : std::make_unique_for_overwrite<uint8_t[]>(kRoom)),
      frame_(std::make_unique_for_overwrite<uint8_t[]>(kRoom)) {
    if (!retry_) {
        throw_errno("create a timer");
    }
    loop_.call([this] {
        loop_.add(retry_.get(), EPOLLIN, [this](uint32_t) {
            uint64_t times;
            const std::lock_guard lock(mutex_);
            if (::read(retry_.get(), &times, sizeof(times)) == sizeof(times) && starved_ &&
                !paused_) {
                receive_again();
                if (starved_) {
                    starve();
                }
            }
        });
    });
}

NicWire::~NicWire() {
    pause();
    loop_.call([this] { loop_.remove(retry_.get()); });
}

// --- what the loop waits for ---

void NicWire::pause() {
    loop_.call([this] {
        const std::lock_guard lock(mutex_);
        paused_ = true;
        leave();
    });
}

void NicWire::resume() {
    loop_.call([this] {
        const std::lock_guard lock(mutex_);
        if (!paused_) {
            return;
        }
        paused_ = false;
        // Of an interface that is gone nothing more is to be heard.
        if (!endpoint_.gone()) {
            watched_ = 0;
            loop_.add(fd_, watched_, [this](uint32_t events) { ready(events); });
            watching_ = true;
        }
        if (starved_) {
            starve();
        }
        update_soon();
    });
}

void NicWire::leave() noexcept {
    if (std::exchange(watching_, false)) {
        loop_.remove(fd_);
    }
}

void NicWire::update_soon() noexcept {
    if (!std::exchange(update_posted_, true)) {
        loop_.post([this] { update(); });
    }
}

void NicWire::update() {
    const std::lock_guard lock(mutex_);
    update_posted_ = false;
    if (paused_) {
        return; // resume() comes here again
    }
    if (!full_ && std::exchange(turn_wanted_, false)) {
        card_.turn();
    }
    watch();
}

void NicWire::watch() noexcept {
    const uint32_t wanted = (starved_ ? 0u : EPOLLIN) | (full_ ? EPOLLOUT : 0u);
    if (watching_ && wanted != watched_) {
        loop_.modify(fd_, wanted);
        watched_ = wanted;
    }
}

void NicWire::ready(uint32_t events) {
    const std::lock_guard lock(mutex_);
    if (events & (EPOLLERR | EPOLLHUP)) {
        leave();
        card_.wire_gone();
        return;
    }
    if (events & EPOLLOUT) {
        full_ = false;
        card_.turn();
    }
    if (events & EPOLLIN) {
        read_frames();
    }
    watch();
}

// --- frames to the card ---

void NicWire::starve() noexcept {
    starved_ = true;
    const itimerspec when = {.it_interval = {}, .it_value = kRetry};
    timerfd_settime(retry_.get(), 0, &when, nullptr);
}

void NicWire::read_frames() {
    bool some = false;
    for (unsigned n = 0; n < kBudget; n++) {
        const Readiness readiness = plugged_ ? card_.readiness() : Readiness::kOff;
        if (readiness == Readiness::kFull) {
            count(received_.stalls);
            starve();
            break;
        }
        virtio_net_hdr header = {};
        iovec pieces[] = {{.iov_base = &header, .iov_len = header_ ? sizeof(header) : 0},
                          {.iov_base = frame_.get(), .iov_len = kRoom}};
        const ssize_t got = readv(fd_, pieces, 2);
        if (got < 0) {
            if (errno == EINTR) {
                continue;
            }
            if (interface_gone(errno)) {
                leave();
                card_.wire_gone();
            } else if (errno != EAGAIN) {
                count(received_.errors);
            }
            break;
        }
        const size_t length = static_cast<size_t>(got) - pieces[0].iov_len;
        if (readiness == Readiness::kOff || static_cast<size_t>(got) < pieces[0].iov_len ||
            length < kEthernetHeader || length >= kRoom) {
            count(received_.drops);
            continue;
        }
        if (length < kSmallestFrame) {
            std::fill(&frame_[length], &frame_[kSmallestFrame], 0);
        }
        some = true;
        const std::span<const uint8_t> frame(frame_.get(),
                                             std::max<size_t>(length, kSmallestFrame));
        if (card_.receive(frame, header.flags & VIRTIO_NET_HDR_F_DATA_VALID)) {
            count(received_.packets);
            count(received_.bytes, length);
        } else {
            count(received_.filtered);
        }
    }
    if (some) {
        card_.settle();
    }
}

// --- frames from the card ---

bool NicWire::write_frame(std::span<const uint8_t> frame, const virtio_net_hdr& header) noexcept {
    const size_t padding =
        frame.size() < kSmallestFrame ? kSmallestFrame - frame.size() : size_t{0};
    const iovec pieces[] = {
        {.iov_base = const_cast<virtio_net_hdr*>(&header), .iov_len = header_ ? sizeof(header) : 0},
        {.iov_base = const_cast<uint8_t*>(frame.data()), .iov_len = frame.size()},
        {.iov_base = const_cast<uint8_t*>(kPadding.data()), .iov_len = padding}};
    ssize_t written;
    do {
        written = writev(fd_, pieces, padding ? 3 : 2);
    } while (written < 0 && errno == EINTR);
    if (written >= 0) {
        count(sent_.packets);
        count(sent_.bytes, frame.size());
        return true;
    }
    if (errno == EAGAIN) {
        full_ = true;
        count(sent_.stalls);
        update_soon();
        return false;
    }
    // The interface is down or gone, or the frame is malformed: it is lost like on a wire.
    count(sent_.errors);
    return true;
}

bool NicWire::send(std::span<const uint8_t> frame, const virtio_net_hdr& offload) noexcept {
    if (!plugged_ || frame.size() < kEthernetHeader || frame.size() > kLargestFrame) {
        count(sent_.drops);
        return true;
    }
    if (header_ || (offload.gso_type == VIRTIO_NET_HDR_GSO_NONE && !offload.flags)) {
        return write_frame(frame, offload);
    }
    return send_segments(frame, offload);
}

bool NicWire::send_segments(std::span<const uint8_t> frame,
                            const virtio_net_hdr& offload) noexcept {
    const unsigned segments = segments_of(frame, offload);
    if (!segments) {
        count(sent_.drops);
        return true;
    }
    for (; sent_segments_ < segments; sent_segments_++) {
        const size_t length = make_segment(frame, offload, sent_segments_, segment_.get());
        if (!write_frame({segment_.get(), length}, {})) {
            return false;
        }
    }
    sent_segments_ = 0;
    return true;
}

} // namespace vireo
