// SPDX-License-Identifier: GPL-2.0-only
// A TCP connection with a stream each way, in frames: a header, and bytes of the pattern. A frame
// of no length ends the stream; when both have ended, each side tells the other what it received.
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <thread>
#include <vector>

#include "pattern.h"
#include "traffic.h"

namespace {

constexpr uint32_t kMagic = 0x76737472;
constexpr size_t kLongestFrame = 64 << 10;

struct Hello {
    uint32_t magic;
    uint32_t reserved;
    uint64_t seed;
    uint64_t down;
    uint64_t rate;
};

struct Header {
    uint64_t length;
    uint64_t received; // by the frame's sender, until now
};

struct Verdict {
    uint64_t received;
    int64_t first_bad; // position of the first wrong byte, or -1
};

void send_all(int fd, std::span<const std::byte> data) {
    while (!data.empty()) {
        const ssize_t sent = send(fd, data.data(), data.size(), MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        data = data.subspan(static_cast<size_t>(check(sent, "send")));
    }
}

void receive_all(int fd, std::span<std::byte> data) {
    while (!data.empty()) {
        const ssize_t received = recv(fd, data.data(), data.size(), 0);
        if (received < 0 && errno == EINTR)
            continue;
        if (received == 0)
            throw std::runtime_error("the other side closed the connection before the end");
        data = data.subspan(static_cast<size_t>(check(received, "recv")));
    }
}

template <typename T>
std::span<std::byte> bytes_of(T& value) {
    return std::as_writable_bytes(std::span(&value, 1));
}

class Connection {
public:
    Connection(Fd fd, uint64_t send_seed, uint64_t receive_seed, Progress* progress)
        : fd_(std::move(fd)), out_(send_seed), in_(receive_seed), progress_(progress) {
        const int on = 1;
        setsockopt(fd_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    }

    // Both ways at once; what the other side received comes back.
    Verdict run(uint64_t limit, uint64_t rate, const std::atomic<bool>& stop) {
        std::exception_ptr trouble;
        std::thread sender([&] {
            try {
                send_stream(limit, rate, stop);
            } catch (...) {
                trouble = std::current_exception();
                shutdown(fd_.get(), SHUT_RDWR); // so that the receiver does not wait for ever
            }
        });
        std::exception_ptr mine;
        try {
            receive_stream();
        } catch (...) {
            mine = std::current_exception();
            shutdown(fd_.get(), SHUT_RDWR);
        }
        peer_ended_ = true;
        sender.join();
        if (trouble)
            std::rethrow_exception(trouble);
        if (mine)
            std::rethrow_exception(mine);
        Verdict verdict = {received_, first_bad_};
        send_all(fd_.get(), bytes_of(verdict));
        receive_all(fd_.get(), bytes_of(verdict));
        return verdict;
    }

    uint64_t sent() const { return sent_; }
    uint64_t received() const { return received_; }
    int64_t first_bad() const { return first_bad_; }

private:
    // An endless stream ends when it is told to, or when the other side's has.
    void send_stream(uint64_t limit, uint64_t rate, const std::atomic<bool>& stop) {
        auto due = std::chrono::steady_clock::now();
        // Several a second, so that whoever watches sees it move.
        const uint64_t longest = rate ? std::clamp(rate / 8, 1UL, kLongestFrame) : kLongestFrame;
        std::vector<std::byte> frame(sizeof(Header) + kLongestFrame);
        for (uint64_t number = 0; sent_ < limit; number++) {
            if (limit == kUntilStopped && (stop || peer_ended_))
                break;
            // Lengths of all kinds, so that segments begin and end anywhere.
            const uint64_t wanted = number % 4 ? longest : 1 + mix(number) % longest;
            const Header header = {std::min(wanted, limit - sent_), received_};
            std::memcpy(frame.data(), &header, sizeof header);
            const std::span<std::byte> whole(frame.data(), sizeof header + header.length);
            out_.fill(sent_, whole.subspan(sizeof header));
            send_all(fd_.get(), whole);
            sent_ += header.length;
            if (rate) {
                due = std::max(due + std::chrono::nanoseconds(header.length * 1'000'000'000 / rate),
                               std::chrono::steady_clock::now());
                std::this_thread::sleep_until(due);
            }
        }
        Header end = {0, received_};
        send_all(fd_.get(), bytes_of(end));
    }

    void receive_stream() {
        std::vector<std::byte> frame(kLongestFrame);
        for (;;) {
            Header header = {};
            receive_all(fd_.get(), bytes_of(header));
            if (header.length == 0)
                return;
            if (header.length > kLongestFrame) {
                note_bad(0);
                throw std::runtime_error("a frame's header is wrong: the stream is corrupt");
            }
            const std::span<std::byte> data(frame.data(), header.length);
            receive_all(fd_.get(), data);
            const size_t good = in_.match(received_, data);
            if (good < data.size())
                note_bad(good);
            received_ += header.length;
            if (progress_)
                progress_->say(sent_, received_, header.received);
        }
    }

    void note_bad(size_t offset) {
        if (first_bad_ < 0)
            first_bad_ = static_cast<int64_t>(received_ + offset);
    }

    Fd fd_;
    Pattern out_, in_;
    Progress* progress_;
    std::atomic<uint64_t> sent_ = 0, received_ = 0;
    int64_t first_bad_ = -1;
    std::atomic<bool> peer_ended_ = false;
};

void answer(Fd fd) {
    Hello hello = {};
    receive_all(fd.get(), bytes_of(hello));
    if (hello.magic != kMagic)
        throw std::runtime_error("a client that speaks something else");
    Connection(std::move(fd), ~hello.seed, hello.seed, nullptr)
        .run(hello.down, hello.rate, stopped);
}

} // namespace

void run_stream(const StreamOrder& order) {
    Fd fd(check(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket"));
    check(connect(fd.get(), reinterpret_cast<const sockaddr*>(&order.peer), sizeof order.peer),
          "connect");
    Hello hello = {kMagic, 0, order.seed, order.down, order.rate};
    send_all(fd.get(), bytes_of(hello));
    Progress progress(order.progress);
    Connection connection(std::move(fd), order.seed, ~order.seed, &progress);
    const Verdict peer = connection.run(order.up, order.rate, stopped);
    std::printf(
        "{\"sent\": %llu, \"received\": %llu, \"first_bad\": %lld, \"peer_received\": %llu, "
        "\"peer_first_bad\": %lld}\n",
        static_cast<unsigned long long>(connection.sent()),
        static_cast<unsigned long long>(connection.received()),
        static_cast<long long>(connection.first_bad()),
        static_cast<unsigned long long>(peer.received), static_cast<long long>(peer.first_bad));
}

Fd bind_stream(const sockaddr_in& address) {
    Fd listener(check(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket"));
    const int on = 1;
    check(setsockopt(listener.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on), "SO_REUSEADDR");
    check(bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address),
          "bind");
    check(listen(listener.get(), 64), "listen");
    return listener;
}

void serve_streams(const Fd& listener) {
    std::signal(SIGCHLD, SIG_IGN); // nobody waits for children
    for (;;) {
        Fd fd(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
        if (fd.get() < 0)
            continue;
        // A process for each, so that one connection's end is not another's.
        if (check(fork(), "fork") == 0) {
            answer(std::move(fd));
            _exit(0);
        }
    }
}
