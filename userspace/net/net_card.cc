// SPDX-License-Identifier: GPL-2.0-only
#include "net/net_card.h"

#include "base/error.h"
#include "base/log.h"
#include "net/features.h"
#include "net/tap.h"

namespace vireo {

namespace {

// The range that QEMU takes: locally administered addresses that begin 52:54:00.
constexpr MacAddress kFirstMac = {0x52, 0x54, 0x00, 0x12, 0x34, 0x56};

const char* mode_word(VhostMode mode) {
    switch (mode) {
        case VhostMode::kOn:
            return "on";
        case VhostMode::kTry:
            return "try";
        default:
            return "off";
    }
}

std::string describe(const NetdevOptions& netdev) {
    return fmt::format("-netdev tap{}{},vhost={}", netdev.id.empty() ? "" : ",id=", netdev.id,
                       mode_word(netdev.vhost));
}

VhostDevice open_vhost(const NetdevOptions& netdev, unsigned pair) {
    const std::string option = describe(netdev);
    if (netdev.vhostfds.empty()) {
        return {VhostDevice::open(netdev.vhostdev, option), netdev.vhostdev};
    }
    if (pair >= netdev.vhostfds.size()) {
        throw_usage("{},vhostfds=: {} of them, and {} queue pairs; one is needed for each", option,
                    netdev.vhostfds.size(), netdev.queues);
    }
    const int fd = netdev.vhostfds[pair];
    return {Fd(fd), fmt::format("{},vhostfd={}", option, fd)};
}

} // namespace

MacAddress choose_mac(const NicOptions& nic, const NetEndpoint& endpoint, unsigned number) {
    if (nic.mac) {
        if ((*nic.mac)[0] & 1) {
            throw_usage(
                "-device {},mac=: a multicast address cannot be a card's own; its first "
                "byte has to be even",
                nic.model);
        }
        return *nic.mac;
    }
    if (const std::optional<MacAddress> own = endpoint.mac()) {
        return *own;
    }
    MacAddress mac = kFirstMac;
    const unsigned last = mac[4] << 8 | mac[5];
    mac[4] = static_cast<uint8_t>((last + number) >> 8);
    mac[5] = static_cast<uint8_t>(last + number);
    return mac;
}

std::unique_ptr<NetDevice> make_net_card(const GuestMemory& memory, EventLoop& main,
                                         const std::vector<EventLoop*>& loops,
                                         const NicOptions& nic, const NetdevOptions& netdev,
                                         unsigned number) {
    auto endpoint = std::make_unique<TapEndpoint>(netdev);
    const NetEndpoint& tap = *endpoint;
    const MacAddress mac = choose_mac(nic, tap, number);
    auto device = std::make_unique<NetDevice>(
        NetDevice::Parts{.memory = memory,
                         .main = main,
                         .loops = loops,
                         .endpoint = std::move(endpoint),
                         .make_vhost =
                             [netdev, &memory, &main, &tap](unsigned pair, BrokenQueue broken) {
                                 return std::make_unique<VhostNetBackend>(
                                     memory, main, open_vhost(netdev, pair), tap.fd(pair),
                                     tap.vnet_header(), pair, std::move(broken));
                             }},
        nic, mac);
    if (netdev.vhost == VhostMode::kOff) {
        return device;
    }
    try {
        const std::lock_guard held(device->lock());
        device->set_path(NetDevice::Path::kVhost);
        if (nic.virtio.packed && !(device->features() & net::kRingPacked)) {
            throw_usage(
                "-device {},packed=on: {} knows no packed rings; use "
                "vhostdev=/dev/vireo-net, or packed=off",
                nic.model, netdev.vhostdev);
        }
    } catch (const std::exception& error) {
        if (netdev.vhost == VhostMode::kOn) {
            throw;
        }
        say("{}; the VMM carries the packets instead", error.what());
        device->set_path(NetDevice::Path::kUser);
    }
    return device;
}

} // namespace vireo
