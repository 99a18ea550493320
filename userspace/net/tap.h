// SPDX-License-Identifier: GPL-2.0-only
#ifndef VIREO_NET_TAP_H
#define VIREO_NET_TAP_H

#include <string>
#include <vector>

#include "base/fd.h"
#include "machine/options.h"
#include "net/endpoint.h"
#include "net/host_link.h"

namespace vireo {

// An open tap or macvtap: made here, opened by name, or handed over as file descriptors.
class TapEndpoint final : public NetEndpoint {
public:
    // Throws UsageError or std::system_error, whose text names the option and says what to do.
    explicit TapEndpoint(const NetdevOptions& options);
    ~TapEndpoint() override;

    const std::string& name() const override { return name_; }
    unsigned pairs() const override { return static_cast<unsigned>(queues_.size()); }
    int fd(unsigned pair) const override { return queues_[pair].get(); }
    bool vnet_header() const override { return vnet_header_; }
    void set_header_length(unsigned bytes) override;
    uint64_t offloads() const override { return offloads_; }
    void set_offloads(uint64_t guest) override;
    void set_active(unsigned pairs) override;
    std::optional<MacAddress> mac() const override { return mac_; }
    void set_mac(const MacAddress& mac) override;
    bool gone() const override;

private:
    void open_tap(const NetdevOptions& options);
    void open_macvtap(const NetdevOptions& options);
    void take_over(const NetdevOptions& options);
    void probe();

    const std::string option_; // as the user wrote it, for messages
    HostLink link_;
    std::vector<Fd> queues_;
    std::string name_;
    bool vnet_header_ = false;
    uint64_t offloads_ = 0;
    unsigned active_ = 0;
    std::optional<MacAddress> mac_; // of a macvtap
};

} // namespace vireo

#endif // VIREO_NET_TAP_H
