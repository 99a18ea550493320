// SPDX-License-Identifier: GPL-2.0-only
#include "machine/machine.h"

#include "base/error.h"
#include "base/log.h"
#include "boot/kernel.h"

namespace vireo {

Machine::Machine(const MachineOptions& options, EventLoop& main)
    : options_(options),
      main_(main),
      memory_(options.memory, options.hugetlb),
      vm_(kvm_, memory_),
      board_(vm_, {.power_off = [this] { request(Request::kPowerOff); },
                   .reset = [this] { request(Request::kReset); }}),
      devices_(
          options_, memory_, main, board_,
          {.quit = [this] { quit(); },
           .broken =
               [this](const std::string& id, const std::string& why) {
                   main_.post([this, id, why] {
                       tell({.kind = MachineEvent::Kind::kBroken, .device = id, .reason = why});
                   });
               }}),
      cpus_(kvm_, vm_, options.cpus, board_.ports(), board_.memory(), *this) {
    if (options_.kernel.empty()) {
        firmware_.emplace(options_.bios);
        vm_.add_rom(firmware_->address(), firmware_->rom());
    }
    boot();
}

// Members go in reverse order: the vCPUs, then the devices that they reach.
Machine::~Machine() = default;

// What power-on does, and without firmware what that would do.
void Machine::boot() {
    vm_.reset();
    board_.reset();
    const AcpiMachine tables =
        board_.describe(memory_, options_.cpus, cpus_.physical_address_bits());
    if (firmware_) {
        firmware_->shadow(memory_);
        board_.tell({.memory = memory_,
                     .machine = tables,
                     .boot_order = devices_.boot_order(options_.boot_order)});
        cpus_.reset();
        return;
    }
    const uint64_t rsdp = board_.set_up(memory_, tables);
    cpus_.reset(load_kernel(
        memory_,
        {.kernel = options_.kernel, .initrd = options_.initrd, .command_line = options_.append},
        rsdp));
}

void Machine::start() {
    devices_.wait_for_peers();
    if (!options_.paused) {
        state_ = State::kRunning;
        cpus_.resume();
    }
}

std::vector<MachineControl::Cpu> Machine::cpus() const {
    std::vector<Cpu> cpus;
    for (const auto& cpu : cpus_.all()) {
        cpus.push_back({cpu->index(), cpu->thread_id()});
    }
    return cpus;
}

void Machine::tell(const MachineEvent& event) {
    if (listener_) {
        listener_(event);
    }
}

void Machine::on_event(std::function<void(const MachineEvent&)> listener) {
    listener_ = std::move(listener);
}

// --- stop and go ---

void Machine::pause_all() {
    cpus_.pause();
    devices_.pause();
}

void Machine::stop() {
    if (state_ != State::kRunning) {
        return;
    }
    pause_all();
    state_ = State::kPaused;
    tell({.kind = MachineEvent::Kind::kStop});
}

void Machine::cont() {
    if (state_ == State::kShutdown) {
        throw_usage("the guest is powered off: reset the machine first");
    }
    if (state_ == State::kFailed) {
        throw_usage("a vCPU cannot go on: reset the machine first");
    }
    if (state_ == State::kRunning) {
        return;
    }
    devices_.resume();
    state_ = State::kRunning;
    tell({.kind = MachineEvent::Kind::kResume});
    cpus_.resume();
}

void Machine::reset() {
    reset(false);
}

void Machine::reset(bool by_guest) {
    const bool running = state_ == State::kRunning;
    cpus_.pause();
    request_ = Request::kNone; // of the guest that is no more
    boot();
    if (state_ == State::kShutdown || state_ == State::kFailed) {
        state_ = State::kPrelaunch;
    }
    tell({.kind = MachineEvent::Kind::kReset, .guest = by_guest});
    if (running) {
        cpus_.resume();
    }
}

void Machine::power_down() {
    board_.power().press_power_button();
    tell({.kind = MachineEvent::Kind::kPowerdown});
}

void Machine::quit() {
    tell({.kind = MachineEvent::Kind::kShutdown});
    main_.quit();
}

// --- what the guest asks for ---

void Machine::request(Request what) {
    // A guest whose reset takes a moment tries other ways meanwhile.
    Request none = Request::kNone;
    if (request_.compare_exchange_strong(none, what)) {
        main_.post([this] { serve_request(); });
    }
}

void Machine::serve_request() {
    switch (request_) {
        case Request::kNone: // a reset came between
            break;
        case Request::kPowerOff:
            shut_down(true);
            break;
        case Request::kReset:
            if (options_.no_reboot) {
                shut_down(true);
            } else {
                reset(true);
            }
            break;
    }
}

void Machine::shut_down(bool by_guest) {
    pause_all();
    state_ = State::kShutdown;
    tell({.kind = MachineEvent::Kind::kShutdown, .guest = by_guest});
    if (!options_.no_shutdown) {
        main_.quit();
    }
}

void Machine::vcpu_shut_down(unsigned) {
    request(Request::kReset);
}

void Machine::vcpu_failed(unsigned index, const std::string& why) {
    main_.post([this, index, why] { failed(index, why); });
}

// It stands still, to be looked at, if there is somebody who can.
void Machine::failed(unsigned index, const std::string& why) {
    say("vCPU {}: {}", index, why);
    failed_ = true;
    if (state_ != State::kRunning) {
        return; // stopped, reset or ended since
    }
    stop();
    state_ = State::kFailed;
    if (options_.monitors.empty()) {
        quit();
    }
}

// --- devices ---

void Machine::set_link(const std::string& device, bool up) {
    devices_.set_link(device, up);
}

void Machine::set_path(const std::string& device, const std::string& path) {
    devices_.set_path(device, path);
}

} // namespace vireo
