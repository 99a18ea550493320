// SPDX-License-Identifier: GPL-2.0-only
// What a driver may say on a network card's control queue, and frames for the filter that it set.
//
// The input is a list of commands: two bytes say how long the command is (12 bits) and into how
// many pieces it is cut (4 bits), then the command. After each, what the device was told is looked
// at, and the command's own bytes pass its filter as a frame.
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "net/control_queue.h"
#include "net/features.h"

namespace {

using namespace vireo;

void require(bool holds) {
    if (!holds) {
        abort();
    }
}

class Device final : public NetControls {
public:
    uint64_t negotiated() const override { return ~net::kGuestUfo; }
    unsigned max_pairs() const override { return 8; }
    ReceiveFilter filter() const override { return filter_; }
    bool set_filter(const ReceiveFilter& filter) override {
        require(filter.unicast + filter.multicast <= ReceiveFilter::kAddresses);
        require(!filter.unicast || !filter.unicast_overflow);
        require(!filter.multicast || !filter.multicast_overflow);
        filter_ = filter;
        return changed();
    }
    bool set_pairs(unsigned pairs) override {
        require(pairs >= 1 && pairs <= max_pairs());
        return changed();
    }
    bool set_guest_offloads(uint64_t guest) override {
        require(!(guest & ~(net::kGuestOffloads & negotiated())));
        return changed();
    }

    bool changed() {
        changes++;
        return true;
    }

    unsigned changes = 0;

private:
    ReceiveFilter filter_;
};

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    Device device;
    while (size >= 2) {
        const size_t length = std::min<size_t>((data[0] | data[1] << 8) & 0xfff, size - 2);
        const size_t cuts = (data[1] >> 4) + 1;
        data += 2;
        size -= 2;
        // Each piece in memory of its own, so that a read beyond it is seen.
        std::vector<std::vector<uint8_t>> memory;
        std::vector<iovec> pieces;
        for (size_t i = 0; i < cuts; i++) {
            memory.emplace_back(data + length * i / cuts, data + length * (i + 1) / cuts);
        }
        for (std::vector<uint8_t>& piece : memory) {
            pieces.push_back({.iov_base = piece.data(), .iov_len = piece.size()});
        }
        const unsigned before = device.changes;
        const uint8_t answer = net_control(device, pieces);
        require(answer == VIRTIO_NET_OK ? device.changes == before + 1 : device.changes == before);
        std::array<uint8_t, ReceiveFilter::kFrameHead> frame = {};
        std::copy_n(data, std::min(length, frame.size()), frame.begin());
        device.filter().accepts(frame);
        data += length;
        size -= length;
    }
    return 0;
}
