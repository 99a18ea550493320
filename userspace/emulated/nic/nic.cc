// SPDX-License-Identifier: GPL-2.0-only
#include "emulated/nic/nic.h"

#include <linux/pci_regs.h>
#include <sys/timerfd.h>

#include "base/error.h"
#include "base/log.h"
#include "net/features.h"

namespace vireo {

EmulatedNic::EmulatedNic(Parts parts, const Identity& identity)
    : PciDevice(parts.slot, identity),
      mac_(parts.mac),
      dma_(parts.memory),
      loop_(parts.loop),
      endpoint_(std::move(parts.endpoint)),
      timer_(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC)),
      wire_(*this, lock_, parts.loop, *endpoint_),
      link_watch_(parts.main, [this] { look_for_endpoint(); }) {
    if (!timer_) {
        throw_errno("create a timer");
    }
    endpoint_->set_header_length(sizeof(virtio_net_hdr));
    endpoint_->set_offloads(0); // what is read are whole frames, as on a wire
    endpoint_->set_active(1);
    endpoint_->set_mac(mac_);
    loop_.call([this] {
        loop_.add(timer_.get(), EPOLLIN, [this](uint32_t) {
            uint64_t times;
            const std::lock_guard lock(lock_);
            if (::read(timer_.get(), &times, sizeof(times)) == sizeof(times) && !wire_.paused()) {
                timer_expired();
                settle();
            }
        });
    });
}

EmulatedNic::~EmulatedNic() {
    retire();
}

void EmulatedNic::retire() {
    if (std::exchange(retired_, true)) {
        return;
    }
    unmap();
    wire_.pause();
    loop_.call([this] { loop_.remove(timer_.get()); });
}

void EmulatedNic::add_registers(unsigned bar, BarKind kind, uint64_t size) {
    registers_.push_back(std::make_unique<Registers>(*this, bar));
    add_bar(bar, kind, size, *registers_.back());
}

// --- what guests do ---

uint64_t EmulatedNic::Registers::read(uint64_t offset, unsigned size) {
    const std::lock_guard lock(nic_.lock_);
    count(nic_.traps_);
    if (size > 4) {
        return ~uint64_t{0};
    }
    const uint64_t value = nic_.read_register(bar_, static_cast<uint32_t>(offset), size);
    nic_.settle(); // some registers change by being read
    return value & ~uint64_t{0} >> (64 - 8 * size);
}

void EmulatedNic::Registers::write(uint64_t offset, unsigned size, uint64_t value) {
    const std::lock_guard lock(nic_.lock_);
    count(nic_.traps_);
    if (size > 4) {
        return;
    }
    const uint64_t bits = ~uint64_t{0} >> (64 - 8 * size);
    nic_.write_register(bar_, static_cast<uint32_t>(offset), size,
                        static_cast<uint32_t>(value & bits));
    nic_.wire_.receive_again();
    nic_.settle();
}

void EmulatedNic::after_write(unsigned offset, unsigned size) {
    if (offset < PCI_COMMAND + 2 && offset + size > PCI_COMMAND) {
        dma_.set_master(bytes()[PCI_COMMAND] & PCI_COMMAND_MASTER);
    }
}

void EmulatedNic::settle() {
    const bool wanted = interrupt_wanted();
    if (wanted != line_) {
        line_ = wanted;
        count(interrupts_, wanted ? 1 : 0);
        set_interrupt(wanted);
    }
}

// --- control ---

void EmulatedNic::reset() {
    PciDevice::reset();
    const std::lock_guard lock(lock_);
    dma_.set_master(false);
    set_timer({});
    wire_.forget();
    reset_chip();
    wire_.receive_again();
    settle();
}

void EmulatedNic::pause() {
    wire_.pause();
}

void EmulatedNic::resume() {
    wire_.resume();
    const std::lock_guard lock(lock_);
    if (endpoint_->gone()) {
        set_gone();
    }
}

void EmulatedNic::set_link(bool up) {
    const std::lock_guard lock(lock_);
    const bool before = link_up();
    plugged_ = up;
    wire_.plug(link_up());
    wire_.receive_again();
    if (before != link_up()) {
        link_changed();
        settle();
    }
}

void EmulatedNic::look_for_endpoint() {
    const std::lock_guard lock(lock_);
    if (endpoint_->gone()) {
        set_gone();
    }
}

void EmulatedNic::wire_gone() {
    set_gone();
}

void EmulatedNic::set_gone() {
    if (gone_) {
        return;
    }
    say("{}: the interface was deleted: the guest's link is down", endpoint_->name());
    const bool before = link_up();
    gone_ = true;
    wire_.plug(false);
    if (before) {
        link_changed();
        settle();
    }
}

// --- for the model ---

void EmulatedNic::start_transmit() {
    if (!wire_.full() && transmit()) {
        wire_.ask_turn();
    }
}

void EmulatedNic::turn() {
    start_transmit();
    settle();
}

void EmulatedNic::set_timer(std::chrono::nanoseconds from_now) {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(from_now);
    const itimerspec when = {
        .it_interval = {},
        .it_value = {.tv_sec = seconds.count(), .tv_nsec = (from_now - seconds).count()}};
    timerfd_settime(timer_.get(), 0, &when, nullptr);
}

std::vector<EmulatedNic::Counter> EmulatedNic::counters() const {
    return {{"traps", traps_}, {"dma-bytes", dma_.bytes()}, {"interrupts", interrupts_}};
}

} // namespace vireo
