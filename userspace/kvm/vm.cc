// SPDX-License-Identifier: GPL-2.0-only
#include "kvm/vm.h"

#include <sys/ioctl.h>

#include <cstring>

#include "base/error.h"

namespace vireo {

namespace {

// Pages that VMX needs while the guest is in real mode: three for the task state, one for the
// identity map. In the hole for devices, below the place of a firmware.
constexpr uint64_t kIdentityMap = 0xfffb'c000;
constexpr uint64_t kTaskState = 0xfffb'd000;

} // namespace

Vm::Vm(const Kvm& kvm, const GuestMemory& memory) : fd_(kvm.create_vm()) {
    if (ioctl(fd_.get(), KVM_SET_IDENTITY_MAP_ADDR, &kIdentityMap) < 0 ||
        ioctl(fd_.get(), KVM_SET_TSS_ADDR, kTaskState) < 0) {
        throw_errno("give KVM the pages that real mode needs");
    }
    add_memory(memory);
    create_controllers();
    for (unsigned i = 0; i < chips_.size(); i++) {
        chips_[i].chip_id = i;
        if (ioctl(fd_.get(), KVM_GET_IRQCHIP, &chips_[i]) < 0) {
            throw_errno("read the state of interrupt controller {}", i);
        }
    }
    if (ioctl(fd_.get(), KVM_GET_PIT2, &timer_) < 0) {
        throw_errno("read the state of the timer");
    }
    update_routes();
}

void Vm::add_slot(uint64_t address, std::span<std::byte> memory, uint32_t flags) {
    kvm_userspace_memory_region request = {};
    request.slot = slots_++;
    request.flags = flags;
    request.guest_phys_addr = address;
    request.memory_size = memory.size();
    request.userspace_addr = reinterpret_cast<uint64_t>(memory.data());
    if (ioctl(fd_.get(), KVM_SET_USER_MEMORY_REGION, &request) < 0) {
        throw_errno("give KVM {} KiB of memory at {:#x}", memory.size() >> 10, address);
    }
}

void Vm::add_memory(const GuestMemory& memory) {
    for (const GuestMemory::Region& region : memory.regions()) {
        add_slot(region.guest, {region.host, region.size}, 0);
    }
}

void Vm::add_rom(uint64_t address, std::span<std::byte> rom) {
    add_slot(address, rom, KVM_MEM_READONLY);
}

void Vm::create_controllers() const {
    if (ioctl(fd_.get(), KVM_CREATE_IRQCHIP, 0) < 0) {
        throw_errno("create the interrupt controllers");
    }
    // With the gate and output of its third counter, which guests measure clocks with.
    kvm_pit_config config = {};
    config.flags = KVM_PIT_SPEAKER_DUMMY;
    if (ioctl(fd_.get(), KVM_CREATE_PIT2, &config) < 0) {
        throw_errno("create the timer");
    }
}

Fd Vm::create_vcpu(unsigned id) const {
    Fd vcpu(ioctl(fd_.get(), KVM_CREATE_VCPU, id));
    if (!vcpu) {
        throw_errno("create vCPU {}", id);
    }
    return vcpu;
}

void Vm::reset() {
    for (const kvm_irqchip& chip : chips_) {
        if (ioctl(fd_.get(), KVM_SET_IRQCHIP, &chip) < 0) {
            throw_errno("reset interrupt controller {}", chip.chip_id);
        }
    }
    if (ioctl(fd_.get(), KVM_SET_PIT2, &timer_) < 0) {
        throw_errno("reset the timer");
    }
}

// --- messages ---

void Vm::send_msi(const Msi& msi) noexcept {
    kvm_msi request = {};
    request.address_lo = static_cast<uint32_t>(msi.address);
    request.address_hi = static_cast<uint32_t>(msi.address >> 32);
    request.data = msi.data;
    // An address that is no interrupt's fails: nobody gets it.
    ioctl(fd_.get(), KVM_SIGNAL_MSI, &request);
}

unsigned Vm::add_msi_route() {
    const std::lock_guard lock(mutex_);
    unsigned route = 0;
    while (route < routes_.size() && routes_[route].used) {
        route++;
    }
    if (route == routes_.size()) {
        routes_.emplace_back();
    }
    routes_[route].used = true;
    return route;
}

void Vm::remove_msi_route(unsigned route) noexcept {
    // KVM keeps the entry until the next change: nothing is attached to it.
    const std::lock_guard lock(mutex_);
    routes_.at(route) = {};
}

void Vm::set_msi_route(unsigned route, const Msi& msi) {
    const std::lock_guard lock(mutex_);
    std::optional<Msi>& known = routes_.at(route).message;
    // A change makes KVM wait for all who read the table.
    if (known && known->address == msi.address && known->data == msi.data) {
        return;
    }
    known = msi;
    update_routes();
}

// KVM takes the table as a whole.
void Vm::update_routes() {
    const size_t size = 16 + kLines + routes_.size();
    // kvm_irq_routing ends in an array.
    std::vector<uint64_t> memory(
        (sizeof(kvm_irq_routing) + size * sizeof(kvm_irq_routing_entry)) / sizeof(uint64_t) + 1);
    auto* table = reinterpret_cast<kvm_irq_routing*>(memory.data());
    const auto add_line = [table](unsigned gsi, unsigned chip, unsigned pin) {
        kvm_irq_routing_entry& entry = table->entries[table->nr++];
        entry.gsi = gsi;
        entry.type = KVM_IRQ_ROUTING_IRQCHIP;
        entry.u.irqchip.irqchip = chip;
        entry.u.irqchip.pin = pin;
    };
    for (unsigned gsi = 0; gsi < 16; gsi++) {
        add_line(gsi, gsi < 8 ? KVM_IRQCHIP_PIC_MASTER : KVM_IRQCHIP_PIC_SLAVE, gsi % 8);
    }
    // On a PC the timer, interrupt 0, is at the IOAPIC's pin 2, where the second 8259 would be.
    for (unsigned gsi = 0; gsi < kLines; gsi++) {
        if (gsi != 2) {
            add_line(gsi, KVM_IRQCHIP_IOAPIC, gsi == 0 ? 2 : gsi);
        }
    }
    for (unsigned route = 0; route < routes_.size(); route++) {
        if (const std::optional<Msi>& message = routes_[route].message) {
            kvm_irq_routing_entry& entry = table->entries[table->nr++];
            entry.gsi = kLines + route;
            entry.type = KVM_IRQ_ROUTING_MSI;
            entry.u.msi.address_lo = static_cast<uint32_t>(message->address);
            entry.u.msi.address_hi = static_cast<uint32_t>(message->address >> 32);
            entry.u.msi.data = message->data;
        }
    }
    if (ioctl(fd_.get(), KVM_SET_GSI_ROUTING, table) < 0) {
        throw_errno("set the routes of {} interrupts", table->nr);
    }
}

void Vm::attach_irqfd(unsigned route, int eventfd) {
    kvm_irqfd request = {};
    request.fd = static_cast<uint32_t>(eventfd);
    request.gsi = kLines + route;
    if (ioctl(fd_.get(), KVM_IRQFD, &request) < 0) {
        throw_errno("let an eventfd send an interrupt");
    }
}

void Vm::detach_irqfd(unsigned route, int eventfd) noexcept {
    kvm_irqfd request = {};
    request.fd = static_cast<uint32_t>(eventfd);
    request.gsi = kLines + route;
    request.flags = KVM_IRQFD_FLAG_DEASSIGN;
    ioctl(fd_.get(), KVM_IRQFD, &request);
}

void Vm::set_line(unsigned gsi, bool level) noexcept {
    kvm_irq_level request = {};
    request.irq = gsi;
    request.level = level;
    ioctl(fd_.get(), KVM_IRQ_LINE, &request);
}

// --- doorbells ---

namespace {

kvm_ioeventfd request_of(const Platform::Doorbell& doorbell) {
    kvm_ioeventfd request = {};
    request.datamatch = doorbell.value;
    request.addr = doorbell.address;
    request.len = doorbell.size;
    request.fd = doorbell.eventfd;
    request.flags = (doorbell.port ? uint32_t{KVM_IOEVENTFD_FLAG_PIO} : 0) |
                    (doorbell.match ? uint32_t{KVM_IOEVENTFD_FLAG_DATAMATCH} : 0);
    return request;
}

} // namespace

void Vm::add_doorbell(const Doorbell& doorbell) {
    kvm_ioeventfd request = request_of(doorbell);
    if (ioctl(fd_.get(), KVM_IOEVENTFD, &request) < 0) {
        throw_errno("let writes to {} {:#x} signal an eventfd", doorbell.port ? "port" : "address",
                    doorbell.address);
    }
}

void Vm::remove_doorbell(const Doorbell& doorbell) noexcept {
    kvm_ioeventfd request = request_of(doorbell);
    request.flags |= KVM_IOEVENTFD_FLAG_DEASSIGN;
    ioctl(fd_.get(), KVM_IOEVENTFD, &request);
}

} // namespace vireo
