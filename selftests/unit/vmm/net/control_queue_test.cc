// SPDX-License-Identifier: GPL-2.0-only
// The control queue's commands (virtio 1.2, 5.1.6.5), good and bad.
#include "net/control_queue.h"

#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "net/features.h"

namespace vireo::test {
namespace {

using namespace net;
using Bytes = std::vector<uint8_t>;

class Device final : public NetControls {
public:
    uint64_t negotiated() const override { return features; }
    unsigned max_pairs() const override { return 4; }
    ReceiveFilter filter() const override { return current; }
    bool set_filter(const ReceiveFilter& filter) override {
        current = filter;
        changes++;
        return able;
    }
    bool set_pairs(unsigned n) override {
        pairs = n;
        changes++;
        return able;
    }
    bool set_guest_offloads(uint64_t guest) override {
        offloads = guest;
        changes++;
        return able;
    }

    uint64_t features = ~uint64_t{0};
    ReceiveFilter current;
    unsigned pairs = 1;
    uint64_t offloads = 0;
    unsigned changes = 0;
    bool able = true;
};

Bytes operator+(Bytes left, const Bytes& right) {
    left.insert(left.end(), right.begin(), right.end());
    return left;
}

template <class T>
Bytes raw(T value) {
    Bytes bytes(sizeof(value));
    memcpy(bytes.data(), &value, sizeof(value));
    return bytes;
}

// In pieces of `each` bytes, as a guest may have it.
uint8_t command(Device& device, Bytes bytes, size_t each = 1000) {
    std::vector<iovec> pieces;
    for (size_t at = 0; at < bytes.size(); at += each) {
        pieces.push_back(
            {.iov_base = bytes.data() + at, .iov_len = std::min(each, bytes.size() - at)});
    }
    return net_control(device, pieces);
}

Bytes addresses(uint32_t n, uint8_t first) {
    Bytes list = raw(n);
    for (uint32_t i = 0; i < n; i++) {
        list = list + Bytes{first, 0, 0, 0, static_cast<uint8_t>(i >> 8), static_cast<uint8_t>(i)};
    }
    return list;
}

constexpr Bytes::value_type kRx = 0, kMacClass = 1, kVlan = 2, kAnnounce = 3, kMqClass = 4,
                            kOffloads = 5;

TEST(ControlQueue, ReceiveModes) {
    Device device;
    using Flag = bool ReceiveFilter::*;
    const Flag flags[] = {&ReceiveFilter::promiscuous, &ReceiveFilter::all_multicast,
                          &ReceiveFilter::all_unicast, &ReceiveFilter::no_multicast,
                          &ReceiveFilter::no_unicast,  &ReceiveFilter::no_broadcast};
    for (uint8_t i = 0; i < std::size(flags); i++) {
        EXPECT_EQ(command(device, {kRx, i, 1}), VIRTIO_NET_OK);
        EXPECT_TRUE(device.current.*flags[i]) << int(i);
        EXPECT_EQ(command(device, {kRx, i, 0}), VIRTIO_NET_OK);
        EXPECT_FALSE(device.current.*flags[i]) << int(i);
    }
    EXPECT_EQ(command(device, {kRx, 6, 1}), VIRTIO_NET_ERR);
}

TEST(ControlQueue, ReceiveModesNeedTheirFeature) {
    Device device;
    device.features = kCtrlRx;
    EXPECT_EQ(command(device, {kRx, 0, 1}), VIRTIO_NET_OK);
    EXPECT_EQ(command(device, {kRx, 2, 1}), VIRTIO_NET_ERR);
    device.features = kCtrlRxExtra;
    EXPECT_EQ(command(device, {kRx, 0, 1}), VIRTIO_NET_ERR);
    EXPECT_EQ(command(device, {kRx, 2, 1}), VIRTIO_NET_OK);
}

TEST(ControlQueue, Address) {
    Device device;
    EXPECT_EQ(command(device, {kMacClass, 1, 2, 3, 4, 5, 6, 7}, 3), VIRTIO_NET_OK);
    EXPECT_EQ(device.current.mac, (MacAddress{2, 3, 4, 5, 6, 7}));
    device.features = ~kCtrlMacAddr;
    EXPECT_EQ(command(device, {kMacClass, 1, 9, 3, 4, 5, 6, 7}), VIRTIO_NET_ERR);
    EXPECT_EQ(device.current.mac, (MacAddress{2, 3, 4, 5, 6, 7}));
}

TEST(ControlQueue, AddressTable) {
    Device device;
    for (const size_t each : {1, 2, 7, 1000}) {
        const Bytes table = Bytes{kMacClass, 0} + addresses(3, 2) + addresses(5, 3);
        EXPECT_EQ(command(device, table, each), VIRTIO_NET_OK);
        EXPECT_EQ(device.current.unicast, 3u);
        EXPECT_EQ(device.current.multicast, 5u);
        EXPECT_EQ(device.current.addresses[2], (MacAddress{2, 0, 0, 0, 0, 2}));
        EXPECT_EQ(device.current.addresses[7], (MacAddress{3, 0, 0, 0, 0, 4}));
    }
    EXPECT_EQ(command(device, Bytes{kMacClass, 0} + addresses(0, 2) + addresses(0, 3)),
              VIRTIO_NET_OK);
    EXPECT_EQ(device.current.unicast + device.current.multicast, 0u);
}

TEST(ControlQueue, AnAddressTableThatIsTooLargeTakesAllOfThatKind) {
    Device device;
    EXPECT_EQ(command(device, Bytes{kMacClass, 0} + addresses(65, 2) + addresses(64, 3)),
              VIRTIO_NET_OK);
    EXPECT_TRUE(device.current.unicast_overflow);
    EXPECT_EQ(device.current.unicast, 0u);
    EXPECT_FALSE(device.current.multicast_overflow);
    EXPECT_EQ(device.current.multicast, 64u);
    EXPECT_EQ(command(device, Bytes{kMacClass, 0} + addresses(60, 2) + addresses(5, 3)),
              VIRTIO_NET_OK);
    EXPECT_FALSE(device.current.unicast_overflow);
    EXPECT_TRUE(device.current.multicast_overflow);
}

TEST(ControlQueue, AnAddressTableThatEndsEarly) {
    Device device;
    const Bytes whole = Bytes{kMacClass, 0} + addresses(2, 2) + addresses(2, 3);
    for (size_t length = 0; length < whole.size(); length++) {
        EXPECT_EQ(command(device, Bytes(whole.begin(), whole.begin() + length)), VIRTIO_NET_ERR)
            << length;
    }
    EXPECT_EQ(command(device, whole + Bytes{0}), VIRTIO_NET_ERR);
    EXPECT_EQ(command(device, Bytes{kMacClass, 0} + raw<uint32_t>(0xffffffff) + Bytes(100)),
              VIRTIO_NET_ERR);
    EXPECT_EQ(device.changes, 0u);
}

TEST(ControlQueue, Vlans) {
    Device device;
    EXPECT_EQ(command(device, Bytes{kVlan, 0} + raw<uint16_t>(4095)), VIRTIO_NET_OK);
    EXPECT_TRUE(device.current.vlans[4095]);
    EXPECT_EQ(command(device, Bytes{kVlan, 1} + raw<uint16_t>(4095)), VIRTIO_NET_OK);
    EXPECT_FALSE(device.current.vlans[4095]);
    EXPECT_EQ(command(device, Bytes{kVlan, 0} + raw<uint16_t>(4096)), VIRTIO_NET_ERR);
    EXPECT_EQ(command(device, Bytes{kVlan, 2} + raw<uint16_t>(1)), VIRTIO_NET_ERR);
    EXPECT_EQ(command(device, Bytes{kVlan, 0, 1}), VIRTIO_NET_ERR);
    device.features = ~kCtrlVlan;
    EXPECT_EQ(command(device, Bytes{kVlan, 0} + raw<uint16_t>(1)), VIRTIO_NET_ERR);
}

TEST(ControlQueue, Pairs) {
    Device device;
    for (const uint16_t good : {1, 2, 4}) {
        EXPECT_EQ(command(device, Bytes{kMqClass, 0} + raw(good)), VIRTIO_NET_OK);
        EXPECT_EQ(device.pairs, good);
    }
    for (const uint16_t bad : {0, 5, 0x8000, 0xffff}) {
        EXPECT_EQ(command(device, Bytes{kMqClass, 0} + raw(bad)), VIRTIO_NET_ERR) << bad;
    }
    EXPECT_EQ(command(device, Bytes{kMqClass, 1} + raw<uint16_t>(2)), VIRTIO_NET_ERR);
    device.features = ~kMq;
    EXPECT_EQ(command(device, Bytes{kMqClass, 0} + raw<uint16_t>(2)), VIRTIO_NET_ERR);
    EXPECT_EQ(device.pairs, 4u);
}

TEST(ControlQueue, GuestOffloads) {
    Device device;
    device.features = kCtrlGuestOffloads | kGuestCsum | kGuestTso4;
    EXPECT_EQ(command(device, Bytes{kOffloads, 0} + raw(kGuestCsum)), VIRTIO_NET_OK);
    EXPECT_EQ(device.offloads, kGuestCsum);
    EXPECT_EQ(command(device, Bytes{kOffloads, 0} + raw<uint64_t>(0)), VIRTIO_NET_OK);
    EXPECT_EQ(device.offloads, 0u);
    EXPECT_EQ(command(device, Bytes{kOffloads, 0} + raw(kGuestCsum | kGuestTso6)), VIRTIO_NET_ERR);
    EXPECT_EQ(command(device, Bytes{kOffloads, 0} + raw(kCtrlGuestOffloads)), VIRTIO_NET_ERR);
    EXPECT_EQ(command(device, Bytes{kOffloads, 1} + raw(kGuestCsum)), VIRTIO_NET_ERR);
    EXPECT_EQ(device.offloads, 0u);
}

TEST(ControlQueue, NonsenseIsRefused) {
    Device device;
    EXPECT_EQ(command(device, {}), VIRTIO_NET_ERR);
    EXPECT_EQ(command(device, {kRx}), VIRTIO_NET_ERR);
    EXPECT_EQ(command(device, {kRx, 0}), VIRTIO_NET_ERR);
    EXPECT_EQ(command(device, {kRx, 0, 1, 1}), VIRTIO_NET_ERR);
    EXPECT_EQ(command(device, {kAnnounce, 0}), VIRTIO_NET_ERR);
    EXPECT_EQ(command(device, {77, 0, 0, 0}), VIRTIO_NET_ERR);
    EXPECT_EQ(device.changes, 0u);
}

TEST(ControlQueue, WhatTheDeviceCannotDoIsAnError) {
    Device device;
    device.able = false;
    EXPECT_EQ(command(device, {kRx, 0, 1}), VIRTIO_NET_ERR);
    EXPECT_EQ(command(device, Bytes{kMqClass, 0} + raw<uint16_t>(2)), VIRTIO_NET_ERR);
}

class Filter : public testing::Test {
protected:
    static ReceiveFilter strict() {
        ReceiveFilter filter;
        filter.mac = kMine;
        filter.promiscuous = false;
        return filter;
    }

    bool accepts(const MacAddress& to, uint16_t type = 0x0800, uint16_t tag = 0) const {
        std::array<uint8_t, ReceiveFilter::kFrameHead> frame = {};
        std::copy(to.begin(), to.end(), frame.begin());
        frame[12] = static_cast<uint8_t>(type >> 8);
        frame[13] = static_cast<uint8_t>(type);
        frame[14] = static_cast<uint8_t>(tag >> 8);
        frame[15] = static_cast<uint8_t>(tag);
        return filter.accepts(frame);
    }

    static constexpr MacAddress kMine = {2, 0, 0, 0, 0, 1};
    static constexpr MacAddress kOther = {2, 0, 0, 0, 0, 2};
    static constexpr MacAddress kGroup = {3, 0, 0, 0, 0, 1};
    static constexpr MacAddress kAll = {255, 255, 255, 255, 255, 255};
    ReceiveFilter filter = strict();
};

TEST_F(Filter, TakesEverythingUntilItIsTold) {
    filter = {};
    EXPECT_TRUE(accepts(kMine) && accepts(kOther) && accepts(kGroup) && accepts(kAll));
}

TEST_F(Filter, TakesItsOwnAndBroadcasts) {
    EXPECT_TRUE(accepts(kMine));
    EXPECT_TRUE(accepts(kAll));
    EXPECT_FALSE(accepts(kOther));
    EXPECT_FALSE(accepts(kGroup));
}

TEST_F(Filter, TakesWhatIsListed) {
    filter.addresses[0] = kOther;
    filter.addresses[1] = kGroup;
    filter.unicast = 1;
    filter.multicast = 1;
    EXPECT_TRUE(accepts(kOther));
    EXPECT_TRUE(accepts(kGroup));
    filter.unicast = 0;
    filter.multicast = 0;
    EXPECT_FALSE(accepts(kOther));
    EXPECT_FALSE(accepts(kGroup));
}

TEST_F(Filter, TakesAllOfAKind) {
    filter.all_multicast = true;
    EXPECT_TRUE(accepts(kGroup));
    EXPECT_FALSE(accepts(kOther));
    filter.all_unicast = true;
    EXPECT_TRUE(accepts(kOther));
    filter.no_unicast = filter.no_multicast = filter.no_broadcast = true;
    EXPECT_FALSE(accepts(kMine) || accepts(kGroup) || accepts(kAll));
    filter = strict();
    filter.unicast_overflow = true;
    EXPECT_TRUE(accepts(kOther));
    EXPECT_FALSE(accepts(kGroup));
    filter.multicast_overflow = true;
    EXPECT_TRUE(accepts(kGroup));
}

TEST_F(Filter, LetsVlansThroughThatWereAdded) {
    EXPECT_TRUE(accepts(kMine, 0x8100, 7));
    filter.vlans_filtered = true;
    EXPECT_FALSE(accepts(kMine, 0x8100, 7));
    EXPECT_TRUE(accepts(kMine));
    filter.vlans[7] = true;
    EXPECT_TRUE(accepts(kMine, 0x8100, 7));
    EXPECT_TRUE(accepts(kMine, 0x8100, 0xe007)); // with a priority
    EXPECT_FALSE(accepts(kOther, 0x8100, 7));
    filter.promiscuous = true;
    EXPECT_FALSE(accepts(kMine, 0x8100, 8));
}

} // namespace
} // namespace vireo::test
