// SPDX-License-Identifier: GPL-2.0-only
// What can be asked of a machine while it is there, and what it tells. The monitor and signals ask;
// Machine answers (machine/machine.h), and tests of the monitor have another.
#ifndef VIREO_MACHINE_CONTROL_H
#define VIREO_MACHINE_CONTROL_H

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace vireo {

// What happened to the machine.
struct MachineEvent {
    enum class Kind {
        kStop,      // the vCPUs stand still
        kResume,    // they run
        kReset,     // the machine was reset
        kPowerdown, // the power button was pressed; it is the guest's to obey
        kShutdown,  // the guest powered off, or the VMM was told to end
        kBroken,    // a driver broke a queue of `device`: it needs a reset
    };
    Kind kind;
    bool guest = false;      // kReset, kShutdown: the guest's own doing
    std::string device = {}; // kBroken: its id
    std::string reason = {}; // kBroken: a phrase for people
};

// Everything is called on the main thread, which is in its event loop. What cannot be done throws
// UsageError (the request makes no sense: the text says why) or std::system_error (it failed).
class MachineControl {
public:
    enum class State {
        kPrelaunch, // -S: nothing has run yet
        kRunning,
        kPaused,
        kShutdown, // the guest powered off under -no-shutdown
        kFailed,   // KVM could not go on with a vCPU
    };

    struct Cpu {
        unsigned index;
        pid_t thread;
    };

    struct Counter {
        std::string name;
        uint64_t value;
    };

    struct Queue {
        unsigned index;
        std::string path; // "user", "vhost"; empty: nobody serves it
        std::vector<Counter> counters;
    };

    struct Device {
        std::string id;
        std::string model;
        uint64_t features; // negotiated; 0 without a driver
        std::vector<Queue> queues;
        std::vector<Counter> counters = {}; // of the whole; an emulated device has some
    };

    virtual ~MachineControl() = default;

    virtual State state() const = 0;
    virtual std::vector<Cpu> cpus() const = 0;
    virtual std::vector<Device> devices() const = 0;

    // Both do nothing to a machine that is so already.
    virtual void stop() = 0;
    virtual void cont() = 0;
    virtual void reset() = 0;
    virtual void power_down() = 0;
    // The main loop ends soon after it returns.
    virtual void quit() = 0;

    // The cable of a network card.
    virtual void set_link(const std::string& device, bool up) = 0;
    // Let another path serve a device's data queues, live: "user" or "vhost".
    virtual void set_path(const std::string& device, const std::string& path) = 0;

    // Be told of what happens, on the main thread. One listener; an empty one: nobody.
    virtual void on_event(std::function<void(const MachineEvent&)> listener) = 0;
};

} // namespace vireo

#endif // VIREO_MACHINE_CONTROL_H
