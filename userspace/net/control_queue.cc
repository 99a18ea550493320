// SPDX-License-Identifier: GPL-2.0-only
#include "net/control_queue.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <optional>

#include "net/features.h"

namespace vireo {

namespace {

using namespace net;

// Reads a command from the guest's memory, each byte once.
class Reader {
public:
    explicit Reader(std::span<const iovec> pieces) : pieces_(pieces) {}

    // All of it, or nothing.
    template <class T>
    std::optional<T> take() {
        std::array<uint8_t, sizeof(T)> bytes;
        for (size_t done = 0; done < bytes.size();) {
            if (at_end()) {
                return std::nullopt;
            }
            const iovec& piece = pieces_.front();
            const size_t n = std::min(bytes.size() - done, piece.iov_len - offset_);
            memcpy(bytes.data() + done, static_cast<const uint8_t*>(piece.iov_base) + offset_, n);
            done += n;
            advance(n);
        }
        return std::bit_cast<T>(bytes);
    }

    bool at_end() {
        advance(0);
        return pieces_.empty();
    }

    // The rest has to be that long at least.
    bool skip(uint64_t bytes) {
        while (bytes && !pieces_.empty()) {
            const size_t n = std::min<uint64_t>(bytes, pieces_.front().iov_len - offset_);
            bytes -= n;
            advance(n);
        }
        return !bytes;
    }

private:
    void advance(size_t n) {
        offset_ += n;
        while (!pieces_.empty() && offset_ == pieces_.front().iov_len) {
            pieces_ = pieces_.subspan(1);
            offset_ = 0;
        }
    }

    std::span<const iovec> pieces_;
    size_t offset_ = 0; // in the first
};

// The only value of a command.
template <class T>
std::optional<T> only(Reader& data) {
    const std::optional<T> value = data.take<T>();
    return value && data.at_end() ? value : std::nullopt;
}

bool set_receive_mode(NetControls& device, uint8_t command, Reader& data) {
    const std::optional<uint8_t> on = only<uint8_t>(data);
    const uint64_t needs = command <= VIRTIO_NET_CTRL_RX_ALLMULTI ? kCtrlRx : kCtrlRxExtra;
    if (!on || !(device.negotiated() & needs)) {
        return false;
    }
    ReceiveFilter filter = device.filter();
    switch (command) {
        case VIRTIO_NET_CTRL_RX_PROMISC:
            filter.promiscuous = *on;
            break;
        case VIRTIO_NET_CTRL_RX_ALLMULTI:
            filter.all_multicast = *on;
            break;
        case VIRTIO_NET_CTRL_RX_ALLUNI:
            filter.all_unicast = *on;
            break;
        case VIRTIO_NET_CTRL_RX_NOMULTI:
            filter.no_multicast = *on;
            break;
        case VIRTIO_NET_CTRL_RX_NOUNI:
            filter.no_unicast = *on;
            break;
        case VIRTIO_NET_CTRL_RX_NOBCAST:
            filter.no_broadcast = *on;
            break;
        default:
            return false;
    }
    return device.set_filter(filter);
}

// A list of the MAC table: its length, and as many addresses as there is room for; the rest only
// say that there are more.
bool take_addresses(Reader& data, ReceiveFilter& filter, unsigned first, unsigned& n,
                    bool& overflow) {
    const std::optional<uint32_t> entries = data.take<uint32_t>();
    if (!entries) {
        return false;
    }
    n = 0;
    overflow = *entries > ReceiveFilter::kAddresses - first;
    if (overflow) {
        return data.skip(uint64_t{*entries} * sizeof(MacAddress));
    }
    for (; n < *entries; n++) {
        const std::optional<MacAddress> address = data.take<MacAddress>();
        if (!address) {
            return false;
        }
        filter.addresses[first + n] = *address;
    }
    return true;
}

bool set_mac(NetControls& device, uint8_t command, Reader& data) {
    ReceiveFilter filter = device.filter();
    switch (command) {
        case VIRTIO_NET_CTRL_MAC_ADDR_SET: {
            const std::optional<MacAddress> mac = only<MacAddress>(data);
            if (!mac || !(device.negotiated() & kCtrlMacAddr)) {
                return false;
            }
            filter.mac = *mac;
            return device.set_filter(filter);
        }
        case VIRTIO_NET_CTRL_MAC_TABLE_SET:
            return device.negotiated() & kCtrlRx &&
                   take_addresses(data, filter, 0, filter.unicast, filter.unicast_overflow) &&
                   take_addresses(data, filter, filter.unicast, filter.multicast,
                                  filter.multicast_overflow) &&
                   data.at_end() && device.set_filter(filter);
        default:
            return false;
    }
}

bool set_vlan(NetControls& device, uint8_t command, Reader& data) {
    const std::optional<uint16_t> vlan = only<uint16_t>(data);
    ReceiveFilter filter = device.filter();
    if (!vlan || *vlan >= filter.vlans.size() || !(device.negotiated() & kCtrlVlan) ||
        (command != VIRTIO_NET_CTRL_VLAN_ADD && command != VIRTIO_NET_CTRL_VLAN_DEL)) {
        return false;
    }
    filter.vlans[*vlan] = command == VIRTIO_NET_CTRL_VLAN_ADD;
    return device.set_filter(filter);
}

bool set_pairs(NetControls& device, uint8_t command, Reader& data) {
    const std::optional<uint16_t> pairs = only<uint16_t>(data);
    return pairs && command == VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET && device.negotiated() & kMq &&
           *pairs >= VIRTIO_NET_CTRL_MQ_VQ_PAIRS_MIN && *pairs <= device.max_pairs() &&
           device.set_pairs(*pairs);
}

bool set_offloads(NetControls& device, uint8_t command, Reader& data) {
    const std::optional<uint64_t> wanted = only<uint64_t>(data);
    const uint64_t negotiated = device.negotiated();
    // Only what was negotiated can be switched (5.1.6.5.6.2).
    return wanted && command == VIRTIO_NET_CTRL_GUEST_OFFLOADS_SET &&
           negotiated & kCtrlGuestOffloads && !(*wanted & ~(negotiated & kGuestOffloads)) &&
           device.set_guest_offloads(*wanted);
}

bool execute(NetControls& device, std::span<const iovec> out) {
    Reader command(out);
    const std::optional<virtio_net_ctrl_hdr> header = command.take<virtio_net_ctrl_hdr>();
    if (!header) {
        return false;
    }
    switch (header->class_) {
        case VIRTIO_NET_CTRL_RX:
            return set_receive_mode(device, header->cmd, command);
        case VIRTIO_NET_CTRL_MAC:
            return set_mac(device, header->cmd, command);
        case VIRTIO_NET_CTRL_VLAN:
            return set_vlan(device, header->cmd, command);
        case VIRTIO_NET_CTRL_MQ:
            return set_pairs(device, header->cmd, command);
        case VIRTIO_NET_CTRL_GUEST_OFFLOADS:
            return set_offloads(device, header->cmd, command);
        default:
            return false;
    }
}

} // namespace

uint8_t net_control(NetControls& device, std::span<const iovec> out) {
    return execute(device, out) ? VIRTIO_NET_OK : VIRTIO_NET_ERR;
}

} // namespace vireo
