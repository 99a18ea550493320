// SPDX-License-Identifier: GPL-2.0-only
#ifndef VIREO_NET_NET_DEVICE_H
#define VIREO_NET_NET_DEVICE_H

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "base/event_loop.h"
#include "machine/options.h"
#include "memory/guest_memory.h"
#include "net/control_queue.h"
#include "net/endpoint.h"
#include "net/link_watch.h"
#include "net/user_backend.h"
#include "vhost/vhost_net_backend.h"
#include "virtio/device.h"
#include "virtio/virtqueue.h"

namespace vireo {

// A virtio network card (virtio 1.2, 5.1). Configuration space (5.1.4), little endian:
//
//   0  mac[6]
//   6  status               with STATUS: bit 0: the link is up
//   8  max_virtqueue_pairs  with MQ
//  10  mtu                  with MTU
//
// Queues: receive and transmit of each pair, then the control queue; for a driver without MQ the
// control queue is the third. Each pair has a backend in the VMM and, if wanted, one in the kernel:
// either runs it. The control queue is run on the main loop, since commands take the control lock.
class NetDevice final : public VirtioDevice, private NetControls {
public:
    // Makes the kernel's backend of a pair; throws. Called on the main thread.
    using VhostMaker =
        std::function<std::unique_ptr<VhostNetBackend>(unsigned pair, BrokenQueue broken)>;

    struct Parts {
        const GuestMemory& memory;
        EventLoop& main;
        std::vector<EventLoop*> loops; // that run pairs on the user path, in turn; at least one
        std::unique_ptr<NetEndpoint> endpoint;
        VhostMaker make_vhost;
    };

    // On the main thread. Throws UsageError for options that the endpoint cannot do.
    NetDevice(Parts parts, const NicOptions& options, const MacAddress& mac);
    // On the main thread; stopped, and the loops are not run any more, or run nothing of it.
    ~NetDevice() override;

    const Shape& shape() const override { return shape_; }
    uint64_t features() const override;
    void read_config(uint32_t offset, std::span<uint8_t> data) const override;
    void write_config(uint32_t offset, std::span<const uint8_t> data) override;
    void start(uint64_t features, std::span<const QueueSetup> queues) override;
    std::vector<QueueSetup> stop() override;
    void start_queue(const QueueSetup& queue) override;
    void stop_queue(uint16_t index) override;
    void reset() override;
    std::vector<Counter> counters(unsigned queue) const override;
    std::string path(unsigned queue) const override;

    void set_path(Path path) override;
    Path path() const { return path_; }
    // Plug the cable in, or pull it. With the control lock.
    void set_link(bool up);
    bool link_up() const { return plugged_ && !gone_; }

private:
    struct Pair {
        std::unique_ptr<NetUserBackend> user;
        std::unique_ptr<VhostNetBackend> vhost; // once it was wanted
        std::vector<QueueSetup> queues;         // as the driver set them up, where they stand
        QueueBackend* running = nullptr;
    };
    // NetControls
    uint64_t negotiated() const override { return features_; }
    unsigned max_pairs() const override { return static_cast<unsigned>(pairs_.size()); }
    ReceiveFilter filter() const override { return filter_; }
    bool set_filter(const ReceiveFilter& filter) override;
    bool set_pairs(unsigned pairs) override;
    bool set_guest_offloads(uint64_t guest) override;

    uint64_t offered(const NicOptions& options) const;
    unsigned control_index() const;
    void run(Pair& pair);
    void rest(Pair& pair);
    void rerun(const std::function<void()>& change);
    void make_vhost();
    void link_changed();
    void tap_is_gone();
    void apply_filter();

    void start_control(const QueueSetup& setup);
    void stop_control();
    void watch_control(int kick);
    void control_kicked();
    void serve_control();

    const GuestMemory& memory_;
    EventLoop& main_;
    const std::unique_ptr<NetEndpoint> endpoint_;
    const VhostMaker make_vhost_;
    const BrokenQueue broken_;
    const MacAddress mac_; // that it was made with
    const uint16_t mtu_;
    Shape shape_;
    uint64_t offered_;
    std::vector<Pair> pairs_;

    Path path_ = Path::kUser;
    bool plugged_ = true; // the monitor's word
    bool gone_ = false;   // the tap was deleted

    // What a driver has set.
    bool started_ = false;
    uint64_t features_ = 0;
    unsigned active_pairs_ = 1;
    ReceiveFilter filter_;
    std::optional<uint64_t> guest_offloads_; // unset: those negotiated
    std::optional<Virtqueue> control_;
    QueueCounters control_counters_;

    // On the main thread.
    int watched_kick_ = -1; // of the control queue
    LinkWatch link_watch_;
    // Tasks that were posted to the main loop look whether the device is there still.
    const std::shared_ptr<NetDevice*> alive_;
};

} // namespace vireo

#endif // VIREO_NET_NET_DEVICE_H
