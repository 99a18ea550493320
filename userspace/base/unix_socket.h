// SPDX-License-Identifier: GPL-2.0-only
#ifndef VIREO_BASE_UNIX_SOCKET_H
#define VIREO_BASE_UNIX_SOCKET_H

#include <string>

#include "base/fd.h"

namespace vireo {

// A Unix socket that listens at a path, for the user alone (mode 0600); its file goes with it. What
// an earlier process left there is replaced; a socket that somebody listens at is not, nor is any
// other file. Throws std::system_error.
class UnixListener {
public:
    explicit UnixListener(std::string path);
    ~UnixListener();

    UnixListener(const UnixListener&) = delete;
    UnixListener& operator=(const UnixListener&) = delete;

    int get() const { return fd_.get(); }
    const std::string& path() const { return path_; }

    // The next client, not blocking; empty if none waits.
    Fd accept() const;
    // Block until there is one.
    Fd wait() const;

private:
    std::string path_;
    Fd fd_;
};

// Connect to whoever listens at a path; the result does not block. Throws as it does.
Fd connect_unix(const std::string& path);

} // namespace vireo

#endif // VIREO_BASE_UNIX_SOCKET_H
