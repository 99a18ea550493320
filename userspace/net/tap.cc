// SPDX-License-Identifier: GPL-2.0-only
#include "net/tap.h"

#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "net/features.h"

namespace vireo {

namespace {

using namespace net;

// Linux 6.2 has them; the headers of 6.1 do not.
constexpr unsigned kTunUso4 = 0x20;
constexpr unsigned kTunUso6 = 0x40;

constexpr char kTunNode[] = "/dev/net/tun";

// virtio-net's bits of what a tap may give its reader, in TUNSETOFFLOAD's.
unsigned tun_offloads(uint64_t guest) {
    if (!(guest & kGuestCsum)) {
        return 0; // the others need it (virtio 1.2, 5.1.3.1)
    }
    unsigned tun = TUN_F_CSUM;
    tun |= guest & kGuestTso4 ? TUN_F_TSO4 : 0;
    tun |= guest & kGuestTso6 ? TUN_F_TSO6 : 0;
    if (guest & kGuestEcn && tun & (TUN_F_TSO4 | TUN_F_TSO6)) {
        tun |= TUN_F_TSO_ECN;
    }
    tun |= guest & kGuestUfo ? TUN_F_UFO : 0;
    // The kernel takes the two together or not at all.
    if ((guest & (kGuestUso4 | kGuestUso6)) == (kGuestUso4 | kGuestUso6)) {
        tun |= kTunUso4 | kTunUso6;
    }
    return tun;
}

std::string describe(const NetdevOptions& options) {
    std::string text =
        options.macvtap.empty() ? "-netdev tap" : "-netdev tap,macvtap=" + options.macvtap;
    if (!options.id.empty()) {
        text += ",id=" + options.id;
    }
    if (!options.ifname.empty()) {
        text += ",ifname=" + options.ifname;
    }
    return text;
}

// The address of the interface behind an open tap, in whatever network namespace it is.
std::optional<MacAddress> address_by_file(int fd) {
    ifreq request = {};
    if (ioctl(fd, SIOCGIFHWADDR, &request) < 0) {
        return std::nullopt;
    }
    MacAddress mac;
    memcpy(mac.data(), request.ifr_hwaddr.sa_data, mac.size());
    return mac;
}

Fd open_tun(const std::string& option) {
    Fd fd(open(kTunNode, O_RDWR | O_NONBLOCK | O_CLOEXEC));
    if (fd) {
        return fd;
    }
    switch (errno) {
        case ENOENT:
        case ENODEV:
        case ENXIO:
            throw_usage("{}: {} is missing; load the driver (modprobe tun)", option, kTunNode);
        case EACCES:
        case EPERM:
            throw_usage(
                "{}: {}: permission denied; run as root, or hand over a tap that is open "
                "already with fd=",
                option, kTunNode);
        default:
            throw_errno("{}: open {}", option, kTunNode);
    }
}

} // namespace

TapEndpoint::TapEndpoint(const NetdevOptions& options) : option_(describe(options)) {
    if (!options.fds.empty()) {
        take_over(options);
    } else if (!options.macvtap.empty()) {
        open_macvtap(options);
    } else {
        open_tap(options);
    }
    probe();
    if (!options.bridge.empty()) {
        link_.join_bridge(option_, name_, options.bridge);
    }
    if (options.create && options.macvtap.empty()) {
        HostLink::set_up(option_, name_);
    }
    link_.run_scripts(option_, options.script, options.downscript, name_);
    active_ = pairs();
}

TapEndpoint::~TapEndpoint() {
    // Scripts find the tap still there.
    link_.undo();
}

void TapEndpoint::open_tap(const NetdevOptions& options) {
    const std::string& wanted = options.ifname;
    const bool there = !wanted.empty() && if_nametoindex(wanted.c_str());
    if (wanted.size() >= IFNAMSIZ) {
        throw_usage("{}: the name is too long; an interface's has at most {} characters", option_,
                    IFNAMSIZ - 1);
    }
    if (there && options.create) {
        throw_usage("{},create=on: {} exists already; leave create=on out to use it", option_,
                    wanted);
    }
    if (!there && !wanted.empty() && !options.create) {
        throw_usage(
            "{}: no such interface; make it (ip tuntap add {} mode tap{} vnet_hdr), or say "
            "create=on",
            option_, wanted, options.queues > 1 ? " multi_queue" : "");
    }
    // A tap that the kernel makes for us goes when its last file is closed, however we end.
    ifreq request = {};
    const std::string name = wanted.empty() ? "vt%d" : wanted;
    memcpy(request.ifr_name, name.c_str(), name.size());
    for (unsigned i = 0; i < options.queues; i++) {
        Fd fd = open_tun(option_);
        unsigned features = 0;
        if (i == 0) {
            ioctl(fd.get(), TUNGETFEATURES, &features);
            if (options.vnet_hdr.value_or(false) && !(features & IFF_VNET_HDR)) {
                throw_usage("{},vnet_hdr=on: this kernel's tap has no header; use vnet_hdr=off",
                            option_);
            }
            vnet_header_ = options.vnet_hdr.value_or(features & IFF_VNET_HDR);
        }
        int flags = IFF_TAP | IFF_NO_PI | (vnet_header_ ? IFF_VNET_HDR : 0);
        request.ifr_flags = static_cast<short>(flags | (options.queues > 1 ? IFF_MULTI_QUEUE : 0));
        int result = ioctl(fd.get(), TUNSETIFF, &request);
        if (result < 0 && errno == EINVAL && there && options.queues == 1) {
            // It was made with multi_queue, and has to be opened so.
            request.ifr_flags = static_cast<short>(flags | IFF_MULTI_QUEUE);
            result = ioctl(fd.get(), TUNSETIFF, &request);
        }
        if (result < 0) {
            switch (errno) {
                case EPERM:
                    throw_usage(
                        "{}: opening {} is not permitted; run as root (CAP_NET_ADMIN), make "
                        "the tap for this user (ip tuntap add ... user NAME), or hand it over "
                        "with fd=",
                        option_, name);
                case EBUSY:
                    throw_usage("{}: {} is in use by another program; `ip -d tuntap` shows which",
                                option_, name);
                case E2BIG:
                    throw_usage("{},queues={}: {} has no {} free queues", option_, options.queues,
                                name, options.queues);
                case EINVAL:
                    if (there && options.queues > 1) {
                        throw_usage(
                            "{},queues={}: {} was made without multi_queue, or is no tap; make "
                            "it anew (ip tuntap add {} mode tap multi_queue vnet_hdr), or use "
                            "queues=1",
                            option_, options.queues, name, name);
                    }
                    if (there) {
                        throw_usage("{}: {} is no tap; `ip -d link show {}` says what it is",
                                    option_, name, name);
                    }
                    [[fallthrough]];
                default:
                    throw_errno("{}: open the tap {}", option_, name);
            }
        }
        // The name that the kernel chose, for the other queues.
        name_ = std::string(request.ifr_name, strnlen(request.ifr_name, IFNAMSIZ));
        queues_.push_back(std::move(fd));
    }
}

void TapEndpoint::open_macvtap(const NetdevOptions& options) {
    name_ = options.ifname;
    if (options.create || name_.empty()) {
        name_ = link_.add_macvtap(option_, options.ifname, options.macvtap);
    }
    const unsigned index = if_nametoindex(name_.c_str());
    if (!index) {
        throw_usage("{}: no such interface; say create=on to make it", option_);
    }
    const std::string node = fmt::format("/dev/tap{}", index);
    for (unsigned i = 0; i < options.queues; i++) {
        Fd fd(open(node.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC));
        if (!fd) {
            throw_errno("{}: open {} (the node of the macvtap {})", option_, node, name_);
        }
        vnet_header_ = options.vnet_hdr.value_or(true);
        ifreq request = {};
        request.ifr_flags = static_cast<short>(IFF_TAP | IFF_NO_PI | IFF_MULTI_QUEUE |
                                               (vnet_header_ ? IFF_VNET_HDR : 0));
        if (ioctl(fd.get(), TUNSETIFF, &request) < 0) {
            throw_errno("{}: set up {}", option_, node);
        }
        queues_.push_back(std::move(fd));
    }
}

void TapEndpoint::take_over(const NetdevOptions& options) {
    for (const int given : options.fds) {
        Fd fd(given);
        ifreq request = {};
        if (ioctl(given, TUNGETIFF, &request) < 0) {
            if (errno == EBADF) {
                fd.release();
                throw_usage(
                    "{},fd={}: it is not open; the shell opens it with, for example, "
                    "{}<>/dev/tap5",
                    option_, given, given);
            }
            throw_usage("{},fd={}: it is no tap that has an interface ({})", option_, given,
                        strerror(errno));
        }
        if (!(request.ifr_flags & IFF_TAP)) {
            throw_usage("{},fd={}: it is a tun, which carries IP packets; a tap carries frames",
                        option_, given);
        }
        if (!(request.ifr_flags & IFF_NO_PI)) {
            throw_usage(
                "{},fd={}: it puts packet information before each frame; open it with "
                "IFF_NO_PI",
                option_, given);
        }
        const bool header = request.ifr_flags & IFF_VNET_HDR;
        if (options.vnet_hdr && *options.vnet_hdr != header) {
            throw_usage("{},fd={},vnet_hdr={}: it was opened {} IFF_VNET_HDR", option_, given,
                        *options.vnet_hdr ? "on" : "off", header ? "with" : "without");
        }
        const std::string name(request.ifr_name, strnlen(request.ifr_name, IFNAMSIZ));
        if (!queues_.empty() && (name != name_ || header != vnet_header_)) {
            throw_usage("{},fds=: {} and {} are not queues of one tap", option_,
                        options.fds.front(), given);
        }
        const int flags = fcntl(given, F_GETFL);
        if (flags < 0 || fcntl(given, F_SETFL, flags | O_NONBLOCK) < 0 ||
            fcntl(given, F_SETFD, FD_CLOEXEC) < 0) {
            throw_errno("{},fd={}: set its flags", option_, given);
        }
        name_ = name;
        vnet_header_ = header;
        queues_.push_back(std::move(fd));
    }
}

void TapEndpoint::probe() {
    unsigned features = 0;
    if (ioctl(fd(0), TUNGETFEATURES, &features) == 0 && !(features & IFF_TUN)) {
        mac_ = address_by_file(fd(0)); // no tun either: a macvtap, which sorts packets by address
    }
    if (!vnet_header_) {
        return;
    }
    const auto can = [this](uint64_t guest) {
        return ioctl(fd(0), TUNSETOFFLOAD, tun_offloads(guest)) == 0;
    };
    // What can be given to a tap cannot be asked; what it gives can, and goes together with that.
    constexpr uint64_t kTso = kGuestTso4 | kGuestTso6 | kGuestEcn;
    constexpr uint64_t kUso = kGuestUso4 | kGuestUso6;
    if (can(kGuestCsum)) {
        offloads_ |= kCsum | kGuestCsum;
    }
    if (can(kGuestCsum | kTso)) {
        offloads_ |= kTso | kHostTso4 | kHostTso6 | kHostEcn;
    }
    if (can(kGuestCsum | kGuestUfo)) {
        offloads_ |= kGuestUfo | kHostUfo;
    }
    if (can(kGuestCsum | kUso)) {
        offloads_ |= kUso | kHostUso;
    }
    set_offloads(0);
}

void TapEndpoint::set_header_length(unsigned bytes) {
    if (!vnet_header_) {
        return;
    }
    for (const Fd& queue : queues_) {
        if (ioctl(queue.get(), TUNSETVNETHDRSZ, &bytes) < 0 && !gone()) {
            throw_errno("{}: set the header before each packet of {} to {} bytes", option_, name_,
                        bytes);
        }
    }
}

void TapEndpoint::set_offloads(uint64_t guest) {
    if (!vnet_header_) {
        return;
    }
    // A tap has one setting, a macvtap one for each queue.
    const unsigned files = mac_ ? pairs() : 1;
    for (unsigned i = 0; i < files; i++) {
        if (ioctl(fd(i), TUNSETOFFLOAD, tun_offloads(guest)) < 0 && !gone()) {
            throw_errno("{}: set the offloads of {}", option_, name_);
        }
    }
}

void TapEndpoint::set_active(unsigned pairs) {
    for (; active_ != pairs; active_ += active_ < pairs ? 1 : -1) {
        ifreq request = {};
        const bool attach = active_ < pairs;
        request.ifr_flags = attach ? IFF_ATTACH_QUEUE : IFF_DETACH_QUEUE;
        const unsigned queue = attach ? active_ : active_ - 1;
        if (ioctl(fd(queue), TUNSETQUEUE, &request) < 0 && !gone()) {
            throw_errno("{}: switch queue {} of {} {}", option_, queue, name_,
                        attach ? "on" : "off");
        }
    }
}

bool TapEndpoint::gone() const {
    const int error = errno; // callers look at it afterwards
    ifreq request = {};
    const bool there = ioctl(fd(0), TUNGETIFF, &request) == 0;
    errno = error;
    return !there;
}

void TapEndpoint::set_mac(const MacAddress& mac) {
    if (!mac_ || mac == *mac_) {
        return;
    }
    ifreq request = {};
    memcpy(request.ifr_name, name_.c_str(), name_.size());
    request.ifr_hwaddr.sa_family = ARPHRD_ETHER;
    memcpy(request.ifr_hwaddr.sa_data, mac.data(), mac.size());
    if (ioctl(fd(0), SIOCSIFHWADDR, &request) < 0) {
        throw_errno("{}: set the address of {}", option_, name_);
    }
    mac_ = mac;
}

} // namespace vireo
