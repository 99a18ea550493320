// SPDX-License-Identifier: GPL-2.0-only
#include "machine/devices.h"

#include <algorithm>
#include <array>

#include "base/error.h"
#include "block/block_device.h"
#include "console/console_device.h"
#include "emulated/nic/models.h"
#include "net/net_card.h"
#include "net/tap.h"
#include "rng/rng_device.h"

namespace vireo {

namespace {

constexpr std::string_view kVirtioNic = "virtio-net-pci";

// As those of a virtio card: queue 0 receives, queue 1 transmits.
MachineControl::Queue describe(unsigned index, const NetCounters& counters) {
    return {.index = index,
            .path = "emulated",
            .counters = {{"packets", counters.packets},
                         {"bytes", counters.bytes},
                         {"drops", counters.drops},
                         {"filtered", counters.filtered},
                         {"stalls", counters.stalls},
                         {"errors", counters.errors}}};
}

MachineControl::Device describe(const std::string& id, const std::string& model,
                                const EmulatedNic& card) {
    MachineControl::Device device = {
        .id = id,
        .model = model,
        .features = 0,
        .queues = {describe(0, card.received()), describe(1, card.sent())},
    };
    for (const EmulatedNic::Counter& counter : card.counters()) {
        device.counters.push_back({counter.name, counter.value});
    }
    return device;
}

std::vector<MachineControl::Counter> counters_of(const AtaDrive::Counters& counters) {
    const auto value = [](const std::atomic<uint64_t>& counter) {
        return counter.load(std::memory_order_relaxed);
    };
    return {{"traps", value(counters.traps)},
            {"interrupts", value(counters.interrupts)},
            {"reads", value(counters.reads)},
            {"writes", value(counters.writes)},
            {"flushes", value(counters.flushes)},
            {"bytes-read", value(counters.bytes_read)},
            {"bytes-written", value(counters.bytes_written)},
            {"pio-bytes", value(counters.pio_bytes)},
            {"dma-bytes", value(counters.dma_bytes)},
            {"errors", value(counters.errors)}};
}

} // namespace

Devices::Devices(const MachineOptions& options, const GuestMemory& memory, EventLoop& main,
                 Board& board, Reports reports)
    : Devices(memory, main, board, std::move(reports)) {
    add_chardevs(options); // first: the terminal's signals are set before there are threads
    for (const std::string& id : options.iothreads) {
        iothreads_.emplace(id, std::make_unique<LoopThread>(id));
    }
    add_cards(options);
    add_disks(options);
    add_ide(options);
    add_consoles(options);
    add_rngs(options);
}

Devices::~Devices() {
    // Who runs queues lets go of them before anything that they use goes.
    pause();
    for (Entry& entry : entries_) {
        board_.pci().remove(*entry.transport);
        entry.transport.reset();
        entry.device.reset();
    }
    for (Nic& nic : nics_) {
        board_.pci().remove(*nic.card);
        nic.card.reset();
    }
    if (ide_) {
        board_.pci().remove(*ide_);
        ide_.reset();
    }
    board_.remove_chardevs();
    for (auto& [id, chardev] : chardevs_) {
        chardev.loop->call([&] { chardev.backend.reset(); });
    }
}

EventLoop& Devices::slow_loop() {
    if (!slow_) {
        slow_ = std::make_unique<LoopThread>("slow");
    }
    return slow_->loop();
}

EventLoop& Devices::loop_for(const std::string& iothread, const std::string& name) {
    if (!iothread.empty()) {
        return iothreads_.at(iothread)->loop();
    }
    loops_.push_back(std::make_unique<LoopThread>(name));
    return loops_.back()->loop();
}

void Devices::add(const std::string& id, const std::string& model,
                  std::unique_ptr<VirtioDevice> device, NetDevice* card,
                  const VirtioOptions& options) {
    auto transport = std::make_unique<VirtioPci>(
        board_.pci().take_slot(), main_, *device, options, id,
        [this, id](const std::string& why) { reports_.broken(id, why); });
    board_.pci().add(*transport);
    entries_.push_back({id, model, std::move(device), card, std::move(transport)});
}

// Each belongs to the loop of what is in front of it: a serial port's to the main loop.
void Devices::add_chardevs(const MachineOptions& options) {
    for (const ChardevOptions& chardev : options.chardevs) {
        EventLoop* loop = &main_;
        for (const ConsoleOptions& console : options.consoles) {
            if (std::ranges::find(console.ports, chardev.id, &ConsolePortOptions::chardev) !=
                console.ports.end()) {
                loop = &slow_loop();
            }
        }
        std::unique_ptr<CharBackend> backend;
        loop->call(
            [&] { backend = make_chardev(chardev, *loop, [this] { main_.post(reports_.quit); }); });
        chardevs_.emplace(chardev.id, Chardev{std::move(backend), loop});
    }
    if (!options.debugcon.empty()) {
        board_.add_debug_port(*chardevs_.at(options.debugcon).backend);
    }
    for (unsigned i = 0; i < options.serials.size(); i++) {
        if (!options.serials[i].empty()) {
            board_.add_serial(i, *chardevs_.at(options.serials[i]).backend, main_);
        }
    }
}

void Devices::add_cards(const MachineOptions& options) {
    unsigned number = 0;
    for (const NicOptions& nic : options.nics) {
        const auto netdev = std::ranges::find(options.netdevs, nic.netdev, &NetdevOptions::id);
        if (nic.model != kVirtioNic) {
            add_emulated(nic, *netdev, number++);
            continue;
        }
        std::vector<EventLoop*> loops;
        const unsigned threads = netdev->iothread.empty() ? netdev->queues : 1;
        loops.reserve(threads);
        for (unsigned pair = 0; pair < threads; pair++) {
            loops.push_back(
                &loop_for(netdev->iothread, pair ? fmt::format("{}.{}", nic.id, pair) : nic.id));
        }
        auto device = make_net_card(memory_, main_, loops, nic, *netdev, number++);
        NetDevice* card = device.get();
        add(nic.id, nic.model, std::move(device), card, nic.virtio);
    }
}

// One queue pair of the host's is all that these have.
void Devices::add_emulated(const NicOptions& nic, const NetdevOptions& netdev, unsigned number) {
    if (netdev.vhost == VhostMode::kOn) {
        throw_usage(
            "-netdev tap,id={},vhost=on: the kernel runs virtio cards, and {} is none; use "
            "vhost=off, or model virtio-net-pci",
            netdev.id, nic.model);
    }
    auto endpoint = std::make_unique<TapEndpoint>(netdev);
    const MacAddress mac = choose_mac(nic, *endpoint, number);
    auto card = make_emulated_nic(nic.model, {.slot = board_.pci().take_slot(),
                                              .memory = memory_,
                                              .main = main_,
                                              .loop = loop_for(netdev.iothread, nic.id),
                                              .endpoint = std::move(endpoint),
                                              .mac = mac});
    if (!card) {
        throw_usage("-device {}: there is no such network card", nic.model);
    }
    board_.pci().add(*card);
    card->resume();
    nics_.push_back({nic.id, nic.model, std::move(card)});
}

void Devices::add_disks(const MachineOptions& options) {
    for (const DriveOptions& drive : options.drives) {
        if (drive.interface == "ide") {
            continue;
        }
        EventLoop* const loops[] = {&loop_for(drive.iothread, drive.id)};
        add(drive.id, "virtio-blk-pci", std::make_unique<BlockDevice>(memory_, main_, loops, drive),
            nullptr, drive.virtio);
    }
}

// Drives of a channel share its thread.
void Devices::add_ide(const MachineOptions& options) {
    for (const DriveOptions& drive : options.drives) {
        if (drive.interface != "ide") {
            continue;
        }
        if (!ide_) {
            const std::array<EventLoop*, IdeController::kChannels> loops = {&loop_for({}, "ide.0"),
                                                                            &loop_for({}, "ide.1")};
            ide_ = std::make_unique<IdeController>(board_.pci().take_slot(), memory_, loops);
            board_.pci().add(*ide_);
        }
        ide_->add(*drive.index, drive);
    }
}

void Devices::add_consoles(const MachineOptions& options) {
    for (const ConsoleOptions& console : options.consoles) {
        std::vector<CharBackend*> chardevs;
        chardevs.reserve(console.ports.size());
        for (const ConsolePortOptions& port : console.ports) {
            chardevs.push_back(chardevs_.at(port.chardev).backend.get());
        }
        add(console.id, "virtio-serial-pci",
            std::make_unique<ConsoleDevice>(memory_, main_, slow_loop(), console, chardevs),
            nullptr, console.virtio);
    }
}

void Devices::add_rngs(const MachineOptions& options) {
    for (const RngOptions& rng : options.rngs) {
        add(rng.id, "virtio-rng-pci", std::make_unique<RngDevice>(memory_, main_, slow_loop(), rng),
            nullptr, rng.virtio);
    }
}

void Devices::wait_for_peers() {
    for (const auto& [id, chardev] : chardevs_) {
        chardev.loop->call([&] { chardev.backend->wait_for_peer(); });
    }
}

void Devices::pause() {
    for (const Entry& entry : entries_) {
        entry.transport->pause();
    }
    for (const Nic& nic : nics_) {
        nic.card->pause();
    }
    if (ide_) {
        ide_->pause();
    }
}

void Devices::resume() {
    for (const Entry& entry : entries_) {
        entry.transport->resume();
    }
    for (const Nic& nic : nics_) {
        nic.card->resume();
    }
}

std::vector<std::string> Devices::boot_order(const std::string& kinds) const {
    std::vector<std::string> paths;
    for (const char kind : kinds) {
        for (const Entry& entry : entries_) {
            const unsigned slot = entry.transport->slot();
            if (kind == 'c' && entry.model == "virtio-blk-pci") {
                paths.push_back(fmt::format("/pci@i0cf8/scsi@{:x}/disk@0,0", slot));
            } else if (kind == 'n' && entry.card) {
                paths.push_back(fmt::format("/pci@i0cf8/ethernet@{:x}", slot));
            }
        }
        for (const Nic& nic : nics_) {
            if (kind == 'n') {
                paths.push_back(fmt::format("/pci@i0cf8/ethernet@{:x}", nic.card->slot()));
            }
        }
        for (unsigned i = 0; ide_ && i < IdeController::kDrives; i++) {
            const auto drive = ide_->drive(i);
            if (drive && drive->cdrom == (kind == 'd') && kind != 'n') {
                paths.push_back(fmt::format("/pci@i0cf8/ide@{:x}/drive@{:x}/disk@{:x}",
                                            ide_->slot(), i / 2, i % 2));
            }
        }
    }
    return paths;
}

std::vector<MachineControl::Device> Devices::list() const {
    std::vector<MachineControl::Device> devices;
    for (const Entry& entry : entries_) {
        const std::lock_guard lock(entry.device->lock());
        MachineControl::Device device = {
            .id = entry.id,
            .model = entry.model,
            .features = entry.transport->features(),
            .queues = {},
        };
        const auto queues = static_cast<unsigned>(entry.device->shape().queues.size());
        for (unsigned i = 0; i < queues; i++) {
            MachineControl::Queue queue = {
                .index = i, .path = entry.device->path(i), .counters = {}};
            for (const VirtioDevice::Counter& counter : entry.device->counters(i)) {
                queue.counters.push_back({counter.name, counter.value});
            }
            device.queues.push_back(std::move(queue));
        }
        devices.push_back(std::move(device));
    }
    for (const Nic& nic : nics_) {
        devices.push_back(describe(nic.id, nic.model, *nic.card));
    }
    for (unsigned i = 0; ide_ && i < IdeController::kDrives; i++) {
        if (const auto drive = ide_->drive(i)) {
            devices.push_back({.id = drive->id,
                               .model = drive->model,
                               .features = 0,
                               .queues = {{.index = 0, .path = "emulated", .counters = {}}},
                               .counters = counters_of(drive->counters)});
        }
    }
    return devices;
}

Devices::Nic* Devices::emulated(const std::string& id) {
    const auto nic = std::ranges::find(nics_, id, &Nic::id);
    return nic == nics_.end() ? nullptr : &*nic;
}

const Devices::Entry& Devices::find(const std::string& id) const {
    const auto entry = std::ranges::find(entries_, id, &Entry::id);
    if (entry == entries_.end()) {
        throw_usage("there is no device \"{}\"", id);
    }
    return *entry;
}

void Devices::set_link(const std::string& id, bool up) {
    if (const Nic* nic = emulated(id)) {
        nic->card->set_link(up);
        return;
    }
    NetDevice* const card = find(id).card;
    if (!card) {
        throw_usage("\"{}\" is no network card", id);
    }
    const std::lock_guard lock(card->lock());
    card->set_link(up);
}

void Devices::set_path(const std::string& id, const std::string& path) {
    if (const Nic* nic = emulated(id)) {
        throw_usage("\"{}\" is an {}, which is emulated and has no other path", id, nic->model);
    }
    VirtioDevice& device = *find(id).device;
    if (path != "user" && path != "vhost") {
        throw_usage("path \"{}\": \"user\" or \"vhost\" are known", path);
    }
    const std::lock_guard lock(device.lock());
    device.set_path(path == "user" ? VirtioDevice::Path::kUser : VirtioDevice::Path::kVhost);
}

} // namespace vireo
