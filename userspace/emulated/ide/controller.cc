// SPDX-License-Identifier: GPL-2.0-only
#include "emulated/ide/controller.h"

namespace vireo {

namespace {

constexpr PciDevice::Identity kPiix3 = {
    .vendor = 0x8086,
    .device = 0x7010,
    .subsystem_vendor = 0x1af4,
    .subsystem = 0x1100,
    .class_code = 0x010180, // IDE at fixed ports, a bus master
    .revision = 0,
    .interrupt_pin = false,
};

struct Channel {
    uint16_t command, control;
    unsigned line;
};
constexpr Channel kPlaces[IdeController::kChannels] = {{0x1f0, 0x3f6, 14}, {0x170, 0x376, 15}};

constexpr unsigned kBusMasterBar = 4;
constexpr unsigned kTiming = 0x40;
constexpr unsigned kTimingBytes = 4;

} // namespace

IdeController::IdeController(const PciSlot& slot, const GuestMemory& memory,
                             const std::array<EventLoop*, kChannels>& loops)
    : PciDevice(slot, kPiix3) {
    // Firmware turns the channels on; where there is none, they are.
    define(kTiming, std::array<uint8_t, kTimingBytes>{0x00, 0x80, 0x00, 0x80},
           std::array<uint8_t, kTimingBytes>{0xff, 0xff, 0xff, 0xff});
    add_bar(kBusMasterBar, BarKind::kPorts, kChannels * BusMaster::kPorts, bus_masters_);
    for (unsigned i = 0; i < kChannels; i++) {
        lines_[i] = std::make_unique<InterruptLine>(slot.platform, kPlaces[i].line);
        channels_[i] = std::make_unique<IdeChannel>(memory, *loops[i], *lines_[i]);
        slot.ports.add(kPlaces[i].command, IdeChannel::kCommandPorts,
                       channels_[i]->command_ports());
        slot.ports.add(kPlaces[i].control, 1, channels_[i]->control_port());
    }
}

IdeController::~IdeController() {
    unmap();
    for (const Channel& place : kPlaces) {
        slot_.ports.remove(place.command);
        slot_.ports.remove(place.control);
    }
}

void IdeController::add(unsigned drive, const DriveOptions& options) {
    channels_.at(drive / 2)->add(drive % 2, options);
}

std::optional<IdeChannel::Drive> IdeController::drive(unsigned drive) const {
    return channels_.at(drive / 2)->drive(drive % 2);
}

void IdeController::pause() {
    for (const auto& channel : channels_) {
        channel->wait_idle();
    }
}

void IdeController::reset() {
    for (const auto& channel : channels_) {
        channel->reset();
    }
    PciDevice::reset();
}

uint64_t IdeController::BusMasterPorts::read(uint64_t offset, unsigned size) {
    uint64_t value = 0;
    for (unsigned i = 0; i < size; i++) {
        const auto at = static_cast<unsigned>(offset + i);
        const uint8_t byte =
            ide_.channels_[at / BusMaster::kPorts]->read_bus_master(at % BusMaster::kPorts);
        value |= uint64_t{byte} << (8 * i);
    }
    return value;
}

void IdeController::BusMasterPorts::write(uint64_t offset, unsigned size, uint64_t value) {
    for (unsigned i = 0; i < size; i++) {
        const auto at = static_cast<unsigned>(offset + i);
        ide_.channels_[at / BusMaster::kPorts]->write_bus_master(
            at % BusMaster::kPorts, static_cast<uint8_t>(value >> (8 * i)));
    }
}

} // namespace vireo
