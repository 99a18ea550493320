// SPDX-License-Identifier: GPL-2.0-only
#ifndef VIREO_SELFTESTS_MONITOR_FAKE_MACHINE_H
#define VIREO_SELFTESTS_MONITOR_FAKE_MACHINE_H

#include <fmt/core.h>

#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "machine/control.h"

namespace vireo {

// A machine without a guest: it notes what it was asked for, and tells of it as Machine does.
class FakeMachine : public MachineControl {
public:
    std::vector<std::string> asked;

    State state() const override { return state_; }
    std::vector<Cpu> cpus() const override { return {{0, 4711}, {1, 4712}}; }
    std::vector<Device> devices() const override {
        return {{"net0",
                 "virtio-net-pci",
                 1ull << 32,
                 {{0, "vhost", {{"kicks", 3}, {"chains", 1ull << 40}}}, {1, "vhost", {}}}},
                {"rng0", "virtio-rng-pci", 0, {{0, "", {}}}},
                {"nic0", "e1000", 0, {{0, "emulated", {}}}, {{"traps", 5}, {"interrupts", 2}}}};
    }

    void stop() override {
        state_ = State::kPaused;
        tell({.kind = MachineEvent::Kind::kStop, .device = {}, .reason = {}});
    }
    void cont() override {
        state_ = State::kRunning;
        tell({.kind = MachineEvent::Kind::kResume, .device = {}, .reason = {}});
    }
    void reset() override {
        tell({.kind = MachineEvent::Kind::kReset, .device = {}, .reason = {}});
    }
    void power_down() override {
        tell({.kind = MachineEvent::Kind::kPowerdown, .device = {}, .reason = {}});
    }
    void quit() override {
        asked.emplace_back("quit");
        tell({.kind = MachineEvent::Kind::kShutdown, .device = {}, .reason = {}});
    }
    void set_link(const std::string& device, bool up) override {
        if (device != "net0") {
            throw_usage("{} has no link", device);
        }
        asked.push_back(fmt::format("link {} {}", device, up));
    }
    void set_path(const std::string& device, const std::string& path) override {
        if (path == "vhost") {
            throw_error(ENOENT, "open /dev/vireo-net");
        }
        asked.push_back(fmt::format("path {} {}", device, path));
    }
    void on_event(std::function<void(const MachineEvent&)> listener) override {
        listener_ = std::move(listener);
    }

    void tell(const MachineEvent& event) {
        if (listener_) {
            listener_(event);
        }
    }
    bool is_heard() const { return static_cast<bool>(listener_); }

private:
    State state_ = State::kPrelaunch;
    std::function<void(const MachineEvent&)> listener_;
};

} // namespace vireo

#endif // VIREO_SELFTESTS_MONITOR_FAKE_MACHINE_H
