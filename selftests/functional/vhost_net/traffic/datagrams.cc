// SPDX-License-Identifier: GPL-2.0-only
// Numbered datagrams, each answered by a numbered one of the same size: what is lost is known for
// each way. At the end the client asks the server for its record.
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cinttypes>
#include <cstdio>
#include <ctime>
#include <map>

#include "pattern.h"
#include "traffic.h"

namespace {

constexpr uint32_t kMagic = 0x76647467;
constexpr size_t kLongest = 65000;
constexpr int kStall =
    30'000; // milliseconds without an answer after which those that wait are lost
constexpr int kSilence = 3'000; // and after which a paced client takes it that no more will come
constexpr int kReportTries = 300;
constexpr int kReportPause = 200;

enum Kind : uint32_t { kData, kAnswer, kAskReport, kReport };

struct Header {
    uint32_t magic;
    Kind kind;
    uint64_t session;
    uint64_t number;
    uint64_t echo; // in an answer: the number that is answered
};

struct Gap {
    uint64_t first, count;
};

// What came of a numbered sequence. A number that is missing when a later one comes is in a gap,
// until it comes late.
struct Record {
    uint64_t next = 0;
    uint64_t received = 0;
    uint64_t bad = 0;   // of wrong size or content
    uint64_t late = 0;  // after a later one
    uint64_t again = 0; // more than once
    uint64_t gap_count = 0;
    uint64_t answered = 0; // the server's: how many answers it sent
    std::array<Gap, 32> gaps = {};

    void note(uint64_t number, bool good) {
        received++;
        bad += !good;
        if (number < next) {
            (fill(number) ? late : again)++;
            return;
        }
        end_at(number);
        next = number + 1;
    }

    // All before this number that did not come are lost, unless they come late.
    void end_at(uint64_t number) {
        if (number <= next)
            return;
        add({next, number - next});
        next = number;
    }

    void print(const char* name) const {
        std::printf("\"%s\": {\"received\": %" PRIu64 ", \"bad\": %" PRIu64 ", \"late\": %" PRIu64
                    ", \"again\": %" PRIu64 ", \"gap_count\": %" PRIu64 ", \"gaps\": [",
                    name, received, bad, late, again, gap_count);
        for (size_t i = 0; i < kept(); i++)
            std::printf("%s[%" PRIu64 ", %" PRIu64 "]", i ? ", " : "", gaps[i].first,
                        gaps[i].count);
        std::printf("]}");
    }

private:
    // Of more gaps than are kept, only the count is known.
    size_t kept() const { return std::min<size_t>(gap_count, gaps.size()); }

    void add(Gap gap) {
        if (gap_count < gaps.size())
            gaps[gap_count] = gap;
        gap_count++;
    }

    bool fill(uint64_t number) {
        const auto end = gaps.begin() + static_cast<ptrdiff_t>(kept());
        const auto gap = std::find_if(gaps.begin(), end, [number](const Gap& each) {
            return number - each.first < each.count;
        });
        if (gap == end)
            return false;
        const Gap rest = {number + 1, gap->first + gap->count - number - 1};
        gap->count = number - gap->first;
        if (!gap->count) {
            *std::move(gap + 1, end, gap) = {};
            gap_count--;
        }
        if (rest.count)
            add(rest);
        return true;
    }
};

class Datagram {
public:
    Header& header() { return header_; }
    size_t size() const { return size_; }

    void make(const Header& header, size_t size) {
        header_ = header;
        size_ = size;
        std::memcpy(data_.data(), &header, sizeof header);
        pattern().fill(position(), payload());
    }

    // True if something came that is ours.
    bool take(int fd, sockaddr_in* from) {
        socklen_t length = sizeof *from;
        const ssize_t received = recvfrom(fd, data_.data(), data_.size(), MSG_DONTWAIT | MSG_TRUNC,
                                          reinterpret_cast<sockaddr*>(from), &length);
        if (received < static_cast<ssize_t>(sizeof header_))
            return false;
        size_ = std::min(static_cast<size_t>(received), data_.size());
        std::memcpy(&header_, data_.data(), sizeof header_);
        return header_.magic == kMagic;
    }

    bool good() { return pattern().match(position(), payload()) == payload().size(); }

    std::span<std::byte> payload() {
        return std::span(data_).subspan(sizeof(Header), size_ - sizeof(Header));
    }

    // A datagram that cannot be sent now is one that is lost: a link that is down is no error.
    void send_to(int fd, const sockaddr_in& to) {
        sendto(fd, data_.data(), size_, 0, reinterpret_cast<const sockaddr*>(&to), sizeof to);
    }

private:
    Pattern pattern() const { return Pattern(header_.session + header_.kind); }
    uint64_t position() const { return header_.number * kLongest; }

    Header header_ = {};
    size_t size_ = 0;
    std::array<std::byte, kLongest> data_;
};

Fd open_socket() {
    Fd fd(check(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), "socket"));
    // What is lost shall have been lost on the way, and not here.
    const int size = 8 << 20;
    check(setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size), "SO_RCVBUFFORCE");
    return fd;
}

uint64_t now() { // nanoseconds
    timespec time = {};
    clock_gettime(CLOCK_MONOTONIC, &time);
    return static_cast<uint64_t>(time.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(time.tv_nsec);
}

class Client {
public:
    explicit Client(const DatagramOrder& order)
        : order_(order),
          fd_(open_socket()),
          progress_(order.progress),
          session_(mix(order.seed ^ now())) {}

    void run() {
        if (order_.window)
            run_by_window();
        else
            run_by_rate();
        const Record there = ask_report();
        answers_.end_at(there.answered);
        std::printf("{\"sent\": %" PRIu64 ", ", sent_);
        there.print("there");
        std::printf(", ");
        answers_.print("back");
        std::printf("}\n");
    }

private:
    bool done() const {
        return order_.count == kUntilStopped ? stopped.load() : sent_ >= order_.count;
    }

    // The first is the longest, the others are as it comes.
    void send_next() {
        const size_t size =
            sent_ ? order_.min + mix(order_.seed + sent_) % (order_.max - order_.min + 1)
                  : order_.max;
        datagram_.make({kMagic, kData, session_, sent_, 0}, size);
        datagram_.send_to(fd_.get(), order_.peer);
        sent_++;
    }

    bool wait(int milliseconds) {
        pollfd waiting = {fd_.get(), POLLIN, 0};
        return poll(&waiting, 1, milliseconds) > 0;
    }

    void take_answers() {
        sockaddr_in from = {};
        while (wait(0)) {
            if (!datagram_.take(fd_.get(), &from) || datagram_.header().session != session_ ||
                datagram_.header().kind != kAnswer)
                continue;
            answers_.note(datagram_.header().number, datagram_.good());
            settled_ = std::max(settled_, datagram_.header().echo + 1);
            progress_.say(sent_, answers_.received, datagram_.header().number + 1);
        }
    }

    void run_by_window() {
        while (!done() || settled_ < sent_) {
            while (!done() && sent_ - settled_ < order_.window)
                send_next();
            if (!wait(kStall))
                settled_ = sent_; // lost
            take_answers();
        }
    }

    void run_by_rate() {
        const uint64_t interval = 1'000'000'000 / order_.rate;
        uint64_t due = now();
        while (!done()) {
            const uint64_t time = now();
            if (time >= due) {
                send_next();
                due = std::max(due + interval, time); // no bursts to make up for a pause
            } else {
                wait(static_cast<int>((due - time) / 1'000'000 + 1));
            }
            take_answers();
        }
        while (settled_ < sent_ && wait(kSilence))
            take_answers();
    }

    Record ask_report() {
        sockaddr_in from = {};
        for (int tries = 0; tries < kReportTries; tries++) {
            datagram_.make({kMagic, kAskReport, session_, 0, sent_}, sizeof(Header));
            datagram_.send_to(fd_.get(), order_.peer);
            while (wait(kReportPause)) {
                if (!datagram_.take(fd_.get(), &from) || datagram_.header().session != session_)
                    continue;
                if (datagram_.header().kind == kAnswer)
                    answers_.note(datagram_.header().number, datagram_.good());
                if (datagram_.header().kind == kReport) {
                    Record record;
                    std::memcpy(&record, datagram_.payload().data(), sizeof record);
                    return record;
                }
            }
        }
        throw std::runtime_error("the server does not answer when it is asked for its record");
    }

    const DatagramOrder& order_;
    Fd fd_;
    Progress progress_;
    uint64_t session_;
    Datagram datagram_;
    Record answers_;
    uint64_t sent_ = 0;
    uint64_t settled_ = 0; // datagrams before this one are answered, or taken for lost
};

} // namespace

void run_datagrams(const DatagramOrder& order) {
    Client(order).run();
}

Fd bind_datagram(const sockaddr_in& address) {
    Fd fd = open_socket();
    check(bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), "bind");
    return fd;
}

void serve_datagrams(const Fd& fd) {
    std::map<uint64_t, Record> sessions;
    Datagram datagram;
    for (;;) {
        pollfd waiting = {fd.get(), POLLIN, 0};
        poll(&waiting, 1, -1);
        sockaddr_in from = {};
        if (!datagram.take(fd.get(), &from))
            continue;
        const Header header = datagram.header();
        Record& record = sessions[header.session];
        if (header.kind == kData) {
            record.note(header.number, datagram.good());
            datagram.make({kMagic, kAnswer, header.session, record.answered++, header.number},
                          datagram.size());
        } else if (header.kind == kAskReport) {
            record.end_at(header.echo);
            datagram.make({kMagic, kReport, header.session, 0, 0}, sizeof header + sizeof record);
            std::memcpy(datagram.payload().data(), &record, sizeof record);
        } else {
            continue;
        }
        datagram.send_to(fd.get(), from);
    }
}
