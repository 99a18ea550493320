// SPDX-License-Identifier: GPL-2.0-only
// A Unix socket as a chardev: it listens, for one client at a time, or it is somebody's client.
#include <fcntl.h>

#include <csignal>

#include "base/error.h"
#include "base/unix_socket.h"
#include "console/chardevs.h"
#include "console/fd_chardev.h"

namespace vireo {

namespace {

class SocketChardev : public FdChardev {
public:
    SocketChardev(EventLoop& loop, const std::string& path) : FdChardev(loop), path_(path) {
        // A client that goes is no reason to end.
        signal(SIGPIPE, SIG_IGN);
    }

    std::string describe() const override { return "unix:" + path_; }

protected:
    // Input and output are watched apart from each other: one file descriptor each.
    void attach_peer(Fd peer) {
        Fd out(fcntl(peer.get(), F_DUPFD_CLOEXEC, 0));
        if (out) {
            attach(std::move(peer), std::move(out));
        }
    }

    const std::string path_;
};

class SocketClient final : public SocketChardev {
public:
    SocketClient(EventLoop& loop, Fd peer) : SocketChardev(loop, fmt::format("fd {}", peer.get())) {
        if (fcntl(peer.get(), F_SETFD, FD_CLOEXEC) < 0 ||
            fcntl(peer.get(), F_SETFL, O_NONBLOCK) < 0) {
            throw_errno("use the socket {}", path_);
        }
        attach_peer(std::move(peer));
    }

    SocketClient(EventLoop& loop, const std::string& path) : SocketChardev(loop, path) {
        attach_peer(connect_unix(path));
    }

private:
    void input_ended() override { detach(); }
};

class SocketServer final : public SocketChardev {
public:
    SocketServer(EventLoop& loop, const std::string& path, bool wait)
        : SocketChardev(loop, path), wait_(wait), listener_(path) {
        expect_peer();
    }

    ~SocketServer() override {
        if (expecting_) {
            loop_.remove(listener_.get());
        }
    }

    void wait_for_peer() override {
        while (wait_ && !open()) {
            take_peer(listener_.wait());
        }
    }

private:
    void expect_peer() {
        expecting_ = true;
        loop_.add(listener_.get(), EPOLLIN, [this](uint32_t) { take_peer(listener_.accept()); });
    }

    void take_peer(Fd peer) {
        if (!peer) {
            return;
        }
        // The next one waits until this one goes.
        loop_.remove(listener_.get());
        expecting_ = false;
        attach_peer(std::move(peer));
        if (!open()) {
            expect_peer();
        }
    }

    void input_ended() override {
        detach();
        expect_peer();
    }

    const bool wait_;
    const UnixListener listener_;
    bool expecting_ = false; // the loop watches listener_
};

} // namespace

std::unique_ptr<CharBackend> make_socket_server(EventLoop& loop, const std::string& path,
                                                bool wait) {
    return std::make_unique<SocketServer>(loop, path, wait);
}

std::unique_ptr<CharBackend> make_socket_client(EventLoop& loop, const std::string& path) {
    return std::make_unique<SocketClient>(loop, path);
}

std::unique_ptr<CharBackend> make_socket_client(EventLoop& loop, int fd) {
    return std::make_unique<SocketClient>(loop, Fd(fd));
}

} // namespace vireo
