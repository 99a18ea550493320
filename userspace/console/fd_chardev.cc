// SPDX-License-Identifier: GPL-2.0-only
#include "console/fd_chardev.h"

#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

namespace vireo {

namespace {

constexpr size_t kMostInput = 4096; // of one turn

bool later(int error) {
    return error == EAGAIN || error == EINTR;
}

} // namespace

FdChardev::~FdChardev() {
    frontend_ = nullptr;
    detach();
}

void FdChardev::connect(CharFrontend* frontend) {
    frontend_ = frontend;
    accept_input();
}

void FdChardev::attach(Fd in, Fd out) {
    in_ = std::move(in);
    {
        const std::lock_guard lock(mutex_);
        out_ = std::move(out);
        stalled_ = false;
    }
    open_ = true;
    if (frontend_) {
        frontend_->char_opened();
    }
    accept_input();
}

void FdChardev::end_input() {
    if (std::exchange(reading_, false)) {
        loop_.remove(in_.get());
    }
    in_.reset();
    unwatched_ = false;
}

void FdChardev::detach() {
    if (!open_.exchange(false)) {
        return;
    }
    end_input();
    bool waited;
    {
        const std::lock_guard lock(mutex_);
        if (std::exchange(watching_, false)) {
            loop_.remove(out_.get());
        }
        out_.reset();
        waited = std::exchange(stalled_, false);
    }
    if (frontend_) {
        frontend_->char_closed();
        if (waited) {
            frontend_->char_drained();
        }
    }
}

void FdChardev::accept_input() {
    if (!frontend_ || !in_ || reading_) {
        return;
    }
    if (unwatched_) {
        loop_.post([this] { read_file(); });
        return;
    }
    watch_input();
}

void FdChardev::watch_input() {
    try {
        loop_.add(in_.get(), EPOLLIN, [this](uint32_t) { readable(); });
        reading_ = true;
    } catch (const std::system_error& error) {
        if (error.code().value() != EPERM) {
            throw;
        }
        // A regular file, or /dev/null: always ready.
        unwatched_ = true;
        loop_.post([this] { read_file(); });
    }
}

// False: there is no more for now.
bool FdChardev::take_input() {
    std::array<uint8_t, kMostInput> buffer;
    const size_t room = frontend_ ? std::min(frontend_->char_room(), buffer.size()) : 0;
    if (!room) {
        return false;
    }
    const ssize_t n = read(in_.get(), buffer.data(), room);
    if (n < 0 && later(errno)) {
        return true;
    }
    if (n <= 0) {
        input_ended();
        return false;
    }
    const std::span<uint8_t> bytes(buffer.data(), static_cast<size_t>(n));
    if (const size_t kept = filter(bytes)) {
        frontend_->char_input(bytes.first(kept));
    }
    return true;
}

void FdChardev::readable() {
    if (!take_input() && reading_) {
        // Not watched at all: a hang-up would be told again and again.
        reading_ = false;
        loop_.remove(in_.get());
    }
}

void FdChardev::read_file() {
    if (in_ && unwatched_ && take_input()) {
        loop_.post([this] { read_file(); });
    }
}

size_t FdChardev::write(std::span<const uint8_t> bytes) {
    const std::lock_guard lock(mutex_);
    if (!out_) {
        return bytes.size();
    }
    if (stalled_) {
        return 0;
    }
    size_t done = 0;
    while (done < bytes.size()) {
        const ssize_t n = ::write(out_.get(), bytes.data() + done, bytes.size() - done);
        if (n > 0) {
            done += static_cast<size_t>(n);
        } else if (n < 0 && errno == EINTR) {
            continue;
        } else if (n < 0 && errno == EAGAIN && !deserted(out_.get())) {
            stalled_ = true;
            loop_.post([this] { arm_output(); });
            return done;
        } else {
            return bytes.size(); // the peer is going, as input will tell
        }
    }
    return done;
}

void FdChardev::arm_output() {
    const std::lock_guard lock(mutex_);
    if (out_ && stalled_ && !watching_) {
        loop_.add(out_.get(), EPOLLOUT, [this](uint32_t) { writable(); });
        watching_ = true;
    }
}

void FdChardev::writable() {
    {
        const std::lock_guard lock(mutex_);
        loop_.remove(out_.get());
        watching_ = false;
        stalled_ = false;
    }
    if (frontend_) {
        frontend_->char_drained();
    }
}

} // namespace vireo
