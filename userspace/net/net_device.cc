// SPDX-License-Identifier: GPL-2.0-only
#include "net/net_device.h"

#include <algorithm>
#include <cstring>
#include <system_error>
#include <utility>

#include "base/error.h"
#include "base/log.h"
#include "net/features.h"

namespace vireo {

using namespace net;

namespace {

constexpr uint16_t kVirtioNet = 1;            // device ID (virtio 1.2, 5)
constexpr uint32_t kEthernetClass = 0x020000; // PCI: network controller, Ethernet
constexpr uint16_t kControlQueueSize = 64;

struct Config {
    MacAddress mac;
    uint16_t status;
    uint16_t max_pairs;
    uint16_t mtu;
};
static_assert(sizeof(Config) == 12 && offsetof(Config, status) == 6);

} // namespace

NetDevice::NetDevice(Parts parts, const NicOptions& options, const MacAddress& mac)
    : memory_(parts.memory),
      main_(parts.main),
      endpoint_(std::move(parts.endpoint)),
      make_vhost_(std::move(parts.make_vhost)),
      broken_(report_to(parts.main)),
      mac_(mac),
      mtu_(options.mtu),
      offered_(offered(options)),
      link_watch_(parts.main,
                  [this] {
                      const std::lock_guard held(lock());
                      if (!gone_ && endpoint_->gone()) {
                          tap_is_gone();
                      }
                  }),
      alive_(std::make_shared<NetDevice*>(this)) {
    const unsigned pairs = offered_ & kMq ? endpoint_->pairs() : 1;
    shape_ = {.type = kVirtioNet, .pci_class = kEthernetClass, .queues = {}};
    shape_.queues.assign(2 * pairs, options.queue_size);
    if (options.ctrl_vq) {
        shape_.queues.push_back(kControlQueueSize);
    }
    for (unsigned i = 0; i < pairs; i++) {
        Pair& pair = pairs_.emplace_back();
        pair.user = std::make_unique<NetUserBackend>(
            memory_, *parts.loops[i % parts.loops.size()], *endpoint_, i, broken_,
            [&main = main_, alive = std::weak_ptr(alive_)] {
                main.post([alive] {
                    if (const auto device = alive.lock()) {
                        const std::lock_guard held((*device)->lock());
                        (*device)->tap_is_gone();
                    }
                });
            });
    }
    endpoint_->set_active(1);
    endpoint_->set_mac(mac_);
    reset();
}

NetDevice::~NetDevice() {
    stop();
    if (watched_kick_ >= 0) {
        main_.remove(watched_kick_);
    }
}

// What the options and the endpoint allow.
uint64_t NetDevice::offered(const NicOptions& options) const {
    const uint64_t possible = endpoint_->offloads();
    uint64_t features = kMac | kStatus | kVersion1 | kAnyLayout | kIndirectDesc | kEventIdx |
                        kRingPacked | kInOrder | kRingReset;
    const auto offload = [&](uint64_t bits, const std::optional<bool>& option, const char* key) {
        if (option.value_or(false) && (possible & bits) != bits) {
            throw_usage("-device {},{}=on: {} cannot do it{}", options.model, key,
                        endpoint_->name(),
                        endpoint_->vnet_header() ? "; newer kernels may, or leave it out"
                                                 : " without vnet_hdr=on");
        }
        if (option.value_or(true)) {
            features |= possible & bits;
        }
    };
    offload(kCsum, options.csum, "csum");
    offload(kGuestCsum, options.guest_csum, "guest_csum");
    // Segments are checksummed by whoever cuts them (virtio 1.2, 5.1.3.1).
    if (features & kCsum) {
        offload(kHostTso4, options.host_tso4, "host_tso4");
        offload(kHostTso6, options.host_tso6, "host_tso6");
        offload(kHostUfo, options.host_ufo, "host_ufo");
        offload(kHostUso, options.host_uso, "host_uso");
    }
    if (features & kGuestCsum) {
        offload(kGuestTso4, options.guest_tso4, "guest_tso4");
        offload(kGuestTso6, options.guest_tso6, "guest_tso6");
        offload(kGuestUfo, options.guest_ufo, "guest_ufo");
        offload(kGuestUso4, options.guest_uso4, "guest_uso4");
        offload(kGuestUso6, options.guest_uso6, "guest_uso6");
    }
    if (features & (kHostTso4 | kHostTso6)) {
        features |= possible & kHostEcn;
    }
    if (features & (kGuestTso4 | kGuestTso6)) {
        features |= possible & kGuestEcn;
    }
    if (options.mrg_rxbuf) {
        features |= kMrgRxbuf;
    }
    if (options.mtu) {
        features |= kMtu;
    }
    if (options.ctrl_vq) {
        features |= kCtrlVq | kCtrlRx | kCtrlRxExtra | kCtrlVlan | kCtrlMacAddr;
        if (features & kGuestOffloads) {
            features |= kCtrlGuestOffloads;
        }
        if (options.mq && endpoint_->pairs() > 1) {
            features |= kMq;
        }
    }
    return features;
}

// What both paths can serve, once both are there, so that a switch is possible at any time.
uint64_t NetDevice::features() const {
    uint64_t features = offered_ & pairs_[0].user->features();
    if (pairs_[0].vhost) {
        features &= pairs_[0].vhost->features();
    }
    return features;
}

void NetDevice::read_config(uint32_t offset, std::span<uint8_t> data) const {
    const Config config = {
        .mac = filter_.mac,
        .status = static_cast<uint16_t>(link_up() ? VIRTIO_NET_S_LINK_UP : 0),
        .max_pairs = static_cast<uint16_t>(pairs_.size()),
        .mtu = mtu_,
    };
    const auto* bytes = reinterpret_cast<const uint8_t*>(&config);
    for (uint8_t& byte : data) {
        byte = offset < sizeof(config) ? bytes[offset] : 0;
        offset++;
    }
}

void NetDevice::write_config(uint32_t offset, std::span<const uint8_t> data) {
    // Only a legacy driver sets its address this way (virtio 1.2, 5.1.4.3), and only without the
    // command for it.
    if (!started_ || features_ & (kVersion1 | kCtrlMacAddr) || offset >= filter_.mac.size()) {
        return;
    }
    ReceiveFilter filter = filter_;
    std::copy_n(data.begin(), std::min(data.size(), filter.mac.size() - offset),
                filter.mac.begin() + offset);
    set_filter(filter);
}

unsigned NetDevice::control_index() const {
    return features_ & kMq ? static_cast<unsigned>(2 * pairs_.size()) : 2;
}

void NetDevice::start(uint64_t features, std::span<const QueueSetup> queues) {
    started_ = true;
    features_ = features;
    filter_.vlans_filtered = features & kCtrlVlan;
    try {
        apply_filter();
        endpoint_->set_header_length(header_length(features));
        endpoint_->set_offloads(guest_offloads_.value_or(features & kGuestOffloads));
        endpoint_->set_active(active_pairs_);
        for (const QueueSetup& setup : queues) {
            if (setup.index < control_index()) {
                pairs_[setup.index / 2].queues.push_back(setup);
            } else if (setup.index == control_index() && features & kCtrlVq) {
                start_control(setup);
            }
        }
        for (unsigned i = 0; i < active_pairs_; i++) {
            run(pairs_[i]);
        }
    } catch (...) {
        stop();
        throw;
    }
}

std::vector<QueueSetup> NetDevice::stop() {
    std::vector<QueueSetup> setups;
    for (Pair& pair : pairs_) {
        rest(pair);
        setups.insert(setups.end(), pair.queues.begin(), pair.queues.end());
        pair.queues.clear();
    }
    if (control_) {
        setups.push_back(control_->setup());
        setups.back().state = control_->state();
        stop_control();
    }
    started_ = false;
    return setups;
}

void NetDevice::start_queue(const QueueSetup& setup) {
    if (setup.index == control_index() && features_ & kCtrlVq) {
        start_control(setup);
        return;
    }
    if (setup.index >= control_index()) {
        return;
    }
    Pair& pair = pairs_[setup.index / 2];
    rest(pair);
    pair.queues.push_back(setup);
    if (setup.index / 2 < active_pairs_) {
        run(pair);
    }
}

void NetDevice::stop_queue(uint16_t index) {
    if (index == control_index()) {
        stop_control();
        return;
    }
    if (index > control_index()) {
        return;
    }
    Pair& pair = pairs_[index / 2];
    const bool running = pair.running;
    rest(pair);
    std::erase_if(pair.queues, [&](const QueueSetup& setup) { return setup.index == index; });
    if (running) {
        run(pair);
    }
}

void NetDevice::reset() {
    features_ = 0;
    active_pairs_ = 1;
    guest_offloads_.reset();
    filter_ = {};
    filter_.mac = mac_;
    endpoint_->set_mac(mac_);
    for (Pair& pair : pairs_) {
        pair.user->discard();
    }
}

// Let the backend that is in charge serve a pair: the kernel has none for a cable that is out.
void NetDevice::run(Pair& pair) {
    if (pair.queues.empty()) {
        return;
    }
    pair.user->set_plugged(link_up());
    QueueBackend* backend = pair.user.get();
    if (path_ == Path::kVhost && link_up()) {
        backend = pair.vhost.get();
        pair.user->discard();
    }
    backend->start(features_, pair.queues);
    pair.running = backend;
}

void NetDevice::rest(Pair& pair) {
    if (!pair.running) {
        return;
    }
    const std::vector<uint32_t> states = std::exchange(pair.running, nullptr)->stop();
    for (size_t i = 0; i < states.size(); i++) {
        pair.queues[i].state = states[i];
    }
}

// Change what decides about backends, while the pairs that are running are at rest.
void NetDevice::rerun(const std::function<void()>& change) {
    std::vector<Pair*> running;
    for (Pair& pair : pairs_) {
        if (pair.running) {
            running.push_back(&pair);
            rest(pair);
        }
    }
    change();
    for (Pair* pair : running) {
        run(*pair);
    }
}

void NetDevice::make_vhost() {
    std::vector<std::unique_ptr<VhostNetBackend>> made;
    for (unsigned i = 0; i < pairs_.size(); i++) {
        made.push_back(make_vhost_(i, broken_));
    }
    const uint64_t missing = started_ ? features_ & ~made[0]->features() : 0;
    if (missing) {
        throw_usage(
            "{}: the kernel's device cannot go on with this driver: it lacks features "
            "{:#x}, which were agreed upon; begin with vhost=on, and the driver will do "
            "without",
            endpoint_->name(), missing);
    }
    for (unsigned i = 0; i < pairs_.size(); i++) {
        pairs_[i].vhost = std::move(made[i]);
    }
}

void NetDevice::set_path(Path path) {
    if (path == path_) {
        return;
    }
    if (path == Path::kVhost && !pairs_[0].vhost) {
        make_vhost();
    }
    const Path before = path_;
    try {
        rerun([&] { path_ = path; });
    } catch (...) {
        // Those that run already, and those that do not: none has lost its state.
        for (Pair& pair : pairs_) {
            rest(pair);
        }
        path_ = before;
        for (unsigned i = 0; i < active_pairs_; i++) {
            run(pairs_[i]);
        }
        throw;
    }
}

void NetDevice::set_link(bool up) {
    const bool before = link_up();
    rerun([&] { plugged_ = up; });
    if (before != link_up()) {
        link_changed();
    }
}

void NetDevice::link_changed() {
    if (transport_ && started_ && features_ & kStatus) {
        transport_->config_changed();
    }
}

// On the main thread, with the control lock.
void NetDevice::tap_is_gone() {
    if (gone_) {
        return;
    }
    say("{}: the interface was deleted: the guest's link is down", endpoint_->name());
    rerun([&] { gone_ = true; });
    link_changed();
}

void NetDevice::apply_filter() {
    for (Pair& pair : pairs_) {
        pair.user->set_filter(filter_);
    }
}

bool NetDevice::set_filter(const ReceiveFilter& filter) {
    try {
        if (filter.mac != filter_.mac) {
            endpoint_->set_mac(filter.mac);
        }
    } catch (const std::system_error& error) {
        say("{}", error.what());
        return false;
    }
    filter_ = filter;
    apply_filter();
    return true;
}

bool NetDevice::set_pairs(unsigned pairs) {
    const unsigned before = active_pairs_;
    try {
        for (unsigned i = pairs; i < before; i++) {
            rest(pairs_[i]);
        }
        endpoint_->set_active(pairs);
        active_pairs_ = pairs;
        for (unsigned i = before; i < pairs; i++) {
            run(pairs_[i]);
        }
        return true;
    } catch (const std::system_error& error) {
        say("{}: {} queue pairs: {}", endpoint_->name(), pairs, error.what());
        transport_->needs_reset("its queue pairs could not be switched");
        return false;
    }
}

bool NetDevice::set_guest_offloads(uint64_t guest) {
    try {
        endpoint_->set_offloads(guest);
    } catch (const std::system_error& error) {
        say("{}", error.what());
        return false;
    }
    guest_offloads_ = guest;
    return true;
}

std::vector<VirtioDevice::Counter> NetDevice::counters(unsigned queue) const {
    if (queue >= shape_.queues.size()) {
        return {};
    }
    if (queue / 2 >= pairs_.size() || (started_ && queue == control_index())) {
        return {{"kicks", control_counters_.kicks},
                {"calls", control_counters_.calls},
                {"chains", control_counters_.chains}};
    }
    const Pair& pair = pairs_[queue / 2];
    const bool transmit = queue % 2;
    const NetCounters& user = pair.user->counters(transmit);
    const QueueCounters& ring = pair.user->queue_counters(transmit);
    vireo_queue_stats vhost = {};
    if (pair.vhost) {
        vhost = pair.vhost->stats(transmit).value_or(vireo_queue_stats{});
    }
    return {{"kicks", ring.kicks + vhost.kicks},
            {"calls", ring.calls + vhost.calls},
            {"chains", ring.chains + vhost.chains},
            {"packets", user.packets + vhost.packets},
            {"bytes", user.bytes + vhost.bytes},
            {"drops", user.drops + vhost.drops},
            {"filtered", user.filtered},
            {"stalls", user.stalls + vhost.stalls},
            {"errors", user.errors + vhost.backend_errors},
            // Who carried them.
            {"user-packets", user.packets},
            {"vhost-packets", vhost.packets}};
}

std::string NetDevice::path(unsigned queue) const {
    const bool data = queue < 2 * pairs_.size() && !(started_ && queue == control_index());
    const bool vhost = data && (pairs_[queue / 2].running
                                    ? pairs_[queue / 2].running == pairs_[queue / 2].vhost.get()
                                    : path_ == Path::kVhost);
    return vhost ? VhostNetBackend::kPath : NetUserBackend::kPath;
}

} // namespace vireo
