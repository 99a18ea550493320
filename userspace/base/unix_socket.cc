// SPDX-License-Identifier: GPL-2.0-only
#include "base/unix_socket.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <utility>

#include "base/error.h"

namespace vireo {
namespace {

sockaddr_un address_of(const std::string& path) {
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    if (path.empty()) {
        throw_error(EINVAL, "Unix socket: its path is missing");
    }
    if (path.size() >= sizeof(address.sun_path)) {
        throw_error(ENAMETOOLONG, "Unix socket {}: at most {} characters", path,
                    sizeof(address.sun_path) - 1);
    }
    memcpy(address.sun_path, path.data(), path.size());
    return address;
}

Fd new_socket() {
    Fd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!fd) {
        throw_errno("open a Unix socket");
    }
    return fd;
}

int try_connect(const Fd& fd, const sockaddr_un& address) {
    return connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) < 0
               ? errno
               : 0;
}

// True if the path is a socket that nobody listens at any more.
bool is_left_over(const sockaddr_un& address) {
    struct stat status = {};
    return lstat(address.sun_path, &status) == 0 && S_ISSOCK(status.st_mode) &&
           try_connect(new_socket(), address) == ECONNREFUSED;
}

} // namespace

UnixListener::UnixListener(std::string path) : path_(std::move(path)), fd_(new_socket()) {
    const sockaddr_un address = address_of(path_);
    if (is_left_over(address)) {
        unlink(address.sun_path);
    }
    if (bind(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) < 0) {
        throw_errno("listen at {}", path_);
    }
    // Nobody can connect before listen(), so nobody else does.
    if (chmod(address.sun_path, 0600) < 0 || listen(fd_.get(), 8) < 0) {
        const int error = errno;
        unlink(address.sun_path);
        throw_error(error, "listen at {}", path_);
    }
}

UnixListener::~UnixListener() {
    unlink(path_.c_str());
}

Fd UnixListener::accept() const {
    return Fd(accept4(fd_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
}

Fd UnixListener::wait() const {
    while (true) {
        pollfd ready = {.fd = fd_.get(), .events = POLLIN, .revents = 0};
        if (poll(&ready, 1, -1) < 0 && errno != EINTR) {
            throw_errno("wait for a client at {}", path_);
        }
        if (Fd client = accept()) {
            return client;
        }
    }
}

Fd connect_unix(const std::string& path) {
    Fd fd = new_socket();
    if (const int error = try_connect(fd, address_of(path))) {
        throw_error(error, "connect to {} (server=on listens there instead)", path);
    }
    return fd;
}

} // namespace vireo
