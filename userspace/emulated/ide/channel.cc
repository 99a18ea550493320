// SPDX-License-Identifier: GPL-2.0-only
#include "emulated/ide/channel.h"

#include <algorithm>
#include <utility>

#include "base/counter.h"
#include "emulated/ide/ata.h"
#include "emulated/ide/ata_disk.h"
#include "emulated/ide/atapi_drive.h"

namespace vireo {

using namespace ata;

namespace {

constexpr uint8_t kNobody = 0xff; // what an empty channel reads as

uint64_t all_ones(unsigned size) {
    return ~uint64_t{0} >> (64 - 8 * size);
}

std::unique_ptr<AtaDrive> make_drive(AtaHost& host, const ImageEndpoint& image,
                                     const DriveOptions& options) {
    if (options.cdrom) {
        return std::make_unique<AtapiDrive>(host, image);
    }
    return std::make_unique<AtaDisk>(host, image,
                                     options.serial.empty() ? options.id : options.serial);
}

} // namespace

IdeChannel::Place::Place(AtaHost& host, const DriveOptions& options)
    : id(options.id),
      cdrom(options.cdrom),
      aio(options.aio),
      image(options),
      drive(make_drive(host, image, options)) {}

IdeChannel::IdeChannel(const GuestMemory& memory, EventLoop& loop, InterruptLine& interrupt)
    : loop_(loop), line_(interrupt), bus_master_(memory) {
    loop_.call([this] { loop_.add(kick_.get(), EPOLLIN, [this](uint32_t) { kicked(); }); });
}

IdeChannel::~IdeChannel() {
    wait_idle();
    loop_.call([this] {
        loop_.remove(kick_.get());
        for (const auto& place : places_) {
            if (place && place->engine) {
                end_engine(*place);
            }
        }
    });
    if (raised_) {
        line_.lower();
    }
}

void IdeChannel::add(unsigned place, const DriveOptions& options) {
    places_.at(place) = std::make_unique<Place>(*this, options);
    loop_.call([&] { start_engine(*places_[place]); });
}

std::optional<IdeChannel::Drive> IdeChannel::drive(unsigned place) const {
    const auto& found = places_.at(place);
    if (!found) {
        return {};
    }
    return Drive{found->id, found->drive->model(), found->cdrom, found->drive->counters()};
}

void IdeChannel::wait_idle() {
    std::unique_lock lock(mutex_);
    idle_.wait(lock, [this] { return !in_io(); });
}

void IdeChannel::reset() {
    wait_idle();
    const std::lock_guard lock(mutex_);
    for (const auto& place : places_) {
        if (place) {
            place->drive->power_on();
        }
    }
    bus_master_.reset();
    device_ = control_bits_ = 0;
    interrupt_ = false;
    update_line();
}

// --- what drives ask for ---

void IdeChannel::interrupt(AtaDrive& drive) {
    count(drive.counters().interrupts);
    interrupt_ = true;
    bus_master_.interrupted();
    update_line();
}

void IdeChannel::update_line() {
    const bool wanted = interrupt_ && !(control_bits_ & kNoInterrupt);
    if (wanted != raised_) {
        raised_ = wanted;
        wanted ? line_.raise() : line_.lower();
    }
}

void IdeChannel::begin_io(AtaDrive& drive) {
    waiting_ = &drive;
    kick_.signal();
}

void IdeChannel::begin_dma(AtaDrive& drive) {
    if (!bus_master_.active()) {
        return; // when it is started
    }
    // The wrong direction is a table that cannot be moved along.
    const bool moved = bus_master_.to_memory() == drive.dma_to_host() &&
                       bus_master_.move(drive.dma_data()) == BusMaster::Result::kMoved;
    drive.dma_done(moved);
}

// --- the loop ---

void IdeChannel::start_engine(Place& place) {
    place.engine = make_io_engine(place.image, place.aio, 1);
    for (const int file : place.engine->files()) {
        loop_.add(file, EPOLLIN | EPOLLET, [this, &place](uint32_t) { harvest(place); });
    }
}

void IdeChannel::end_engine(Place& place) noexcept {
    for (const int file : place.engine->files()) {
        loop_.remove(file);
    }
    place.engine.reset();
}

void IdeChannel::kicked() {
    kick_.take();
    Place* place = nullptr;
    {
        const std::lock_guard lock(mutex_);
        AtaDrive* drive = std::exchange(waiting_, nullptr);
        for (const auto& candidate : places_) {
            if (drive && candidate && candidate->drive.get() == drive) {
                place = candidate.get();
            }
        }
    }
    // The operation is ours until io_done(): the drive is busy.
    if (place) {
        place->engine->add(place->drive->operation());
        place->engine->submit();
        harvest(*place);
    }
}

void IdeChannel::harvest(Place& place) {
    while (place.engine->reap()) {
        const std::lock_guard lock(mutex_);
        place.drive->io_done();
        if (!in_io()) {
            idle_.notify_all();
        }
    }
}

bool IdeChannel::in_io() const {
    return std::ranges::any_of(places_,
                               [](const auto& place) { return place && place->drive->in_io(); });
}

// --- registers ---

AtaDrive* IdeChannel::selected() const {
    const auto& place = places_[device_ & kDrive1 ? 1 : 0];
    return place ? place->drive.get() : nullptr;
}

// Counts an access. nullptr: no drive is selected.
AtaDrive* IdeChannel::trap() {
    AtaDrive* drive = selected();
    if (drive) {
        count(drive->counters().traps);
    }
    return drive;
}

uint8_t IdeChannel::status() {
    const AtaDrive* drive = selected();
    return drive ? drive->read(kStatus, false) : empty() ? kNobody : 0;
}

uint8_t IdeChannel::read_register(unsigned reg) {
    if (reg == kStatus) {
        interrupt_ = false;
        update_line();
        return status();
    }
    const AtaDrive* drive = selected();
    if (!drive) {
        return empty() ? kNobody : 0;
    }
    return drive->read(reg, control_bits_ & kPrevious);
}

void IdeChannel::write_register(unsigned reg, uint8_t value) {
    if (control_bits_ & kSoftReset) {
        return;
    }
    control_bits_ &= static_cast<uint8_t>(~kPrevious);
    if (reg == kCommand) {
        command(value);
        return;
    }
    if (reg == kDevice && !in_io()) {
        device_ = value;
    }
    // Both drives listen.
    for (const auto& place : places_) {
        if (place) {
            place->drive->write(reg, value);
        }
    }
}

void IdeChannel::command(uint8_t command) {
    AtaDrive* drive = selected();
    if (command == kDeviceReset) {
        // Alone it is obeyed by a drive that is busy, if it has packets.
        if (drive && drive->obeys_device_reset()) {
            drive->soft_reset();
        } else if (drive) {
            drive->command(command);
        }
        return;
    }
    if (in_io()) {
        return;
    }
    interrupt_ = false;
    update_line();
    if (command == kDiagnose) {
        device_ = 0;
        for (const auto& place : places_) {
            if (place) {
                place->drive->diagnose();
            }
        }
        if (places_[0]) {
            interrupt(*places_[0]->drive);
        }
    } else if (drive) {
        drive->command(command);
    }
}

void IdeChannel::write_control(uint8_t value) {
    const auto before = std::exchange(control_bits_, value);
    if (before & ~value & kSoftReset) {
        device_ = 0;
        interrupt_ = false;
    }
    if (~before & value & kSoftReset) {
        for (const auto& place : places_) {
            if (place) {
                place->drive->soft_reset();
            }
        }
    }
    update_line();
}

uint64_t IdeChannel::CommandPorts::read(uint64_t offset, unsigned size) {
    const std::lock_guard lock(channel_.mutex_);
    AtaDrive* drive = channel_.trap();
    if (offset == kData && (size == 2 || size == 4)) {
        std::array<uint8_t, 4> data{};
        if (drive) {
            drive->read_data(std::span(data).first(size));
        }
        return data[0] | data[1] << 8 | data[2] << 16 | uint64_t{data[3]} << 24;
    }
    return offset == kData || size != 1 ? all_ones(size)
                                        : channel_.read_register(static_cast<unsigned>(offset));
}

void IdeChannel::CommandPorts::write(uint64_t offset, unsigned size, uint64_t value) {
    const std::lock_guard lock(channel_.mutex_);
    AtaDrive* drive = channel_.trap();
    if (offset == kData && (size == 2 || size == 4)) {
        const std::array<uint8_t, 4> data = {
            static_cast<uint8_t>(value), static_cast<uint8_t>(value >> 8),
            static_cast<uint8_t>(value >> 16), static_cast<uint8_t>(value >> 24)};
        if (drive) {
            drive->write_data(std::span(data).first(size));
        }
    } else if (offset != kData && size == 1) {
        channel_.write_register(static_cast<unsigned>(offset), static_cast<uint8_t>(value));
    }
}

void IdeChannel::CommandPorts::read_string(uint64_t offset, unsigned size,
                                           std::span<uint8_t> data) {
    if (offset != kData || size == 1) {
        BusDevice::read_string(offset, size, data);
        return;
    }
    const std::lock_guard lock(channel_.mutex_);
    if (AtaDrive* drive = channel_.trap()) {
        drive->read_data(data);
    } else {
        std::ranges::fill(data, uint8_t{0});
    }
}

void IdeChannel::CommandPorts::write_string(uint64_t offset, unsigned size,
                                            std::span<const uint8_t> data) {
    if (offset != kData || size == 1) {
        BusDevice::write_string(offset, size, data);
        return;
    }
    const std::lock_guard lock(channel_.mutex_);
    if (AtaDrive* drive = channel_.trap()) {
        drive->write_data(data);
    }
}

uint64_t IdeChannel::ControlPort::read(uint64_t, unsigned size) {
    const std::lock_guard lock(channel_.mutex_);
    channel_.trap();
    return size == 1 ? channel_.status() : all_ones(size); // and the interrupt stays
}

void IdeChannel::ControlPort::write(uint64_t, unsigned size, uint64_t value) {
    const std::lock_guard lock(channel_.mutex_);
    channel_.trap();
    if (size == 1) {
        channel_.write_control(static_cast<uint8_t>(value));
    }
}

uint8_t IdeChannel::read_bus_master(unsigned offset) {
    const std::lock_guard lock(mutex_);
    trap();
    return bus_master_.read(offset);
}

void IdeChannel::write_bus_master(unsigned offset, uint8_t value) {
    const std::lock_guard lock(mutex_);
    trap();
    if (bus_master_.write(offset, value)) {
        for (const auto& place : places_) {
            if (place && place->drive->wants_dma()) {
                begin_dma(*place->drive);
            }
        }
    }
}

} // namespace vireo
