// SPDX-License-Identifier: GPL-2.0-only
// A network card's endpoint without a tap: each queue is one end of a pair of Unix sockets that
// keep packets apart. The test has the other ends.
#ifndef VIREO_TESTS_CABLE_H
#define VIREO_TESTS_CABLE_H

#include <poll.h>
#include <sys/socket.h>

#include <atomic>
#include <optional>
#include <stdexcept>
#include <vector>

#include "base/fd.h"
#include "net/endpoint.h"
#include "net_driver.h"

namespace vireo::test {

class Cable final : public NetEndpoint {
public:
    explicit Cable(unsigned pairs = 1, bool header = true) : header_(header) {
        for (unsigned i = 0; i < pairs; i++) {
            int fds[2];
            if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) < 0) {
                throw std::runtime_error("socketpair");
            }
            ours_.emplace_back(fds[0]);
            theirs_.emplace_back(fds[1]);
        }
        active = pairs;
    }

    const std::string& name() const override { return name_; }
    unsigned pairs() const override { return static_cast<unsigned>(ours_.size()); }
    int fd(unsigned pair) const override { return ours_[pair].get(); }
    bool vnet_header() const override { return header_; }
    void set_header_length(unsigned bytes) override { header_length = bytes; }
    uint64_t offloads() const override { return header_ ? can : 0; }
    void set_offloads(uint64_t guest) override { guest_offloads = guest; }
    void set_active(unsigned pairs) override { active = pairs; }
    std::optional<MacAddress> mac() const override { return address; }
    void set_mac(const MacAddress& mac) override { given_mac = mac; }
    bool gone() const override { return gone_; }

    // The other end.
    bool put(const Bytes& packet, unsigned pair = 0) {
        return write(theirs_[pair].get(), packet.data(), packet.size()) ==
               static_cast<ssize_t>(packet.size());
    }
    std::optional<Bytes> get(int seconds = 60, unsigned pair = 0) {
        pollfd ready = {.fd = theirs_[pair].get(), .events = POLLIN, .revents = 0};
        if (poll(&ready, 1, seconds * 1000) <= 0) {
            return std::nullopt;
        }
        Bytes packet(1 << 17);
        const ssize_t n = read(ready.fd, packet.data(), packet.size());
        packet.resize(n > 0 ? static_cast<size_t>(n) : 0);
        return packet;
    }
    // The interface is deleted.
    void cut() {
        gone_ = true;
        theirs_.clear();
    }

    uint64_t can = net::kCsum | net::kHostSegmentation | net::kGuestOffloads;
    std::optional<MacAddress> address;
    MacAddress given_mac = {};
    unsigned header_length = 0;
    uint64_t guest_offloads = ~uint64_t{0};
    unsigned active;

private:
    const std::string name_ = "cable0";
    const bool header_;
    std::atomic<bool> gone_ = false;
    std::vector<Fd> ours_, theirs_;
};

} // namespace vireo::test

#endif // VIREO_TESTS_CABLE_H
