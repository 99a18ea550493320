// SPDX-License-Identifier: GPL-2.0-only
// Traffic that both ends verify, for guests and their host. traffic.cc says how it is used.
#pragma once

#include <netinet/in.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <system_error>
#include <utility>

inline constexpr uint64_t kUntilStopped = std::numeric_limits<uint64_t>::max();

// Set by SIGTERM: an endless client comes to its end, and reports.
extern std::atomic<bool> stopped;

class Fd {
public:
    explicit Fd(int fd) : fd_(fd) {}
    Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    Fd(const Fd&) = delete;
    Fd& operator=(const Fd&) = delete;
    Fd& operator=(Fd&&) = delete;
    ~Fd() {
        if (fd_ >= 0)
            close(fd_);
    }
    int get() const { return fd_; }

private:
    int fd_;
};

[[noreturn]] inline void fail(const std::string& attempted) {
    throw std::system_error(errno, std::system_category(), attempted);
}

template <typename T>
T check(T result, const char* attempted) {
    if (result < 0)
        fail(attempted);
    return result;
}

// A file of one line that is written again and again, for whoever watches.
class Progress {
public:
    explicit Progress(const std::optional<std::string>& path);
    void say(uint64_t sent, uint64_t received, uint64_t peer_received);

private:
    Fd fd_;
};

struct StreamOrder {
    sockaddr_in peer;
    uint64_t seed = 1;
    uint64_t up = 0;   // bytes to send
    uint64_t down = 0; // bytes to ask for
    uint64_t rate = 0; // bytes a second each way, at most; 0: no limit
    std::optional<std::string> progress;
};

struct DatagramOrder {
    sockaddr_in peer;
    uint64_t seed = 1;
    uint64_t count = 0;
    uint64_t window = 0; // datagrams without an answer at a time; 0: by rate
    uint64_t rate = 0;   // datagrams a second
    size_t min = 0, max = 0;
    std::optional<std::string> progress;
};

// Clients print what was seen as one line of JSON; servers run until they are killed.
void run_stream(const StreamOrder& order);
Fd bind_stream(const sockaddr_in& address);
void serve_streams(const Fd& listener);
void run_datagrams(const DatagramOrder& order);
Fd bind_datagram(const sockaddr_in& address);
void serve_datagrams(const Fd& fd);
