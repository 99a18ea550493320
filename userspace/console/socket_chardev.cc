// SPDX-License-Identifier: GPL-2.0-only
// A Unix socket as a chardev: it listens, for one client at a time, or it is somebody's client.
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <csignal>
#include <cstring>

#include "base/error.h"
#include "console/chardevs.h"
#include "console/fd_chardev.h"

namespace vireo {

namespace {

sockaddr_un address_of(const std::string& path) {
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    if (path.empty() || path.size() >= sizeof(address.sun_path)) {
        throw_usage("socket path \"{}\": 1 to {} bytes are wanted", path,
                    sizeof(address.sun_path) - 1);
    }
    memcpy(address.sun_path, path.data(), path.size());
    return address;
}

Fd make_socket() {
    Fd file(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!file) {
        throw_errno("make a socket");
    }
    return file;
}

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
        const sockaddr_un address = address_of(path);
        Fd peer = make_socket();
        if (::connect(peer.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) <
            0) {
            throw_errno("connect to {}", path);
        }
        attach_peer(std::move(peer));
    }

private:
    void input_ended() override { detach(); }
};

class SocketServer final : public SocketChardev {
public:
    SocketServer(EventLoop& loop, const std::string& path, bool wait)
        : SocketChardev(loop, path), wait_(wait), listener_(make_socket()) {
        const sockaddr_un address = address_of(path);
        const auto* generic = reinterpret_cast<const sockaddr*>(&address);
        // A socket that nobody listens on is left from a process that is gone.
        const Fd probe = make_socket();
        if (::connect(probe.get(), generic, sizeof(address)) < 0 && errno == ECONNREFUSED) {
            unlink(path.c_str());
        }
        if (bind(listener_.get(), generic, sizeof(address)) < 0 || listen(listener_.get(), 1) < 0) {
            throw_errno("listen on {}", path);
        }
        bound_ = true;
        expect_peer();
    }

    ~SocketServer() override {
        if (expecting_) {
            loop_.remove(listener_.get());
        }
        if (bound_) {
            unlink(path_.c_str());
        }
    }

    void wait_for_peer() override {
        while (wait_ && !open()) {
            pollfd file = {.fd = listener_.get(), .events = POLLIN, .revents = 0};
            if (poll(&file, 1, -1) < 0 && errno != EINTR) {
                throw_errno("wait for a client of {}", path_);
            }
            accept_peer();
        }
    }

private:
    void expect_peer() {
        expecting_ = true;
        loop_.add(listener_.get(), EPOLLIN, [this](uint32_t) { accept_peer(); });
    }

    void accept_peer() {
        Fd peer(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
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
    const Fd listener_;
    bool bound_ = false;
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
