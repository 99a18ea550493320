// SPDX-License-Identifier: GPL-2.0-only
// What the options make together: who refers to whom, and names for what has none.
#include <algorithm>
#include <array>

#include "base/error.h"
#include "cli/builder.h"

namespace vireo::cli {
namespace {

// The first of kind0, kind1, ... that is not taken.
template <class Taken>
std::string free_name(std::string_view kind, Taken taken) {
    for (unsigned i = 0;; i++) {
        if (std::string name = fmt::format("{}{}", kind, i); !taken(name)) {
            return name;
        }
    }
}

template <class List>
auto* find_named(List& list, std::string_view id) {
    const auto found =
        std::ranges::find_if(list, [&](const auto& placed) { return placed.options.id == id; });
    return found == list.end() ? nullptr : &*found;
}

} // namespace

// A device without a name has that of what it stands on, else one of its kind.
std::string Builder::name_device(const std::string& wanted, std::string_view kind) {
    std::string name = wanted;
    if (name.empty() || devices_.contains(name)) {
        name = free_name(kind, [&](const std::string& id) { return devices_.contains(id); });
    }
    devices_.insert(name);
    return name;
}

void Builder::pair_old_nics() {
    for (size_t i = 0; i < std::max(old_nics_.size(), old_taps_.size()); i++) {
        if (i >= old_taps_.size()) {
            throw_usage("{}: no -net tap is left for it; add one", nics_[old_nics_[i]].where);
        }
        if (i >= old_nics_.size()) {
            throw_usage("{}: no -net nic is left for it; add one", netdevs_[old_taps_[i]].where);
        }
        pairings_.push_back({old_nics_[i], old_taps_[i]});
    }
    // Cards are numbered as they stand on the command line.
    std::ranges::sort(pairings_, {}, &Pairing::nic);
    for (const Pairing& pairing : pairings_) {
        NetdevOptions& netdev = netdevs_[pairing.netdev].options;
        netdev.id = free_name(
            "net", [&](const std::string& id) { return find_named(netdevs_, id) != nullptr; });
        nics_[pairing.nic].options.netdev = netdev.id;
    }
}

void Builder::join_nics() {
    for (auto& nic : nics_) {
        auto* netdev = find_named(netdevs_, nic.options.netdev);
        if (!netdev) {
            throw_usage("{}: there is no netdev {}; add -netdev tap,id={}", nic.where,
                        nic.options.netdev, nic.options.netdev);
        }
        if (netdev->used) {
            throw_usage("{}: another card has the netdev {}", nic.where, nic.options.netdev);
        }
        netdev->used = true;
        if (nic.options.id.empty()) {
            nic.options.id = name_device(netdev->options.id, "net");
        }
        machine_.nics.push_back(nic.options);
    }
    for (auto& netdev : netdevs_) {
        if (!netdev.used) {
            throw_usage("{}: no card has it; add -device virtio-net-pci,netdev={}", netdev.where,
                        netdev.options.id);
        }
        check_iothread(netdev.options.iothread, netdev.where);
        machine_.netdevs.push_back(netdev.options);
    }
}

void Builder::join_disks() {
    for (auto& disk : disks_) {
        DriveOptions options = disk.options;
        if (!disk.refers
                 .empty()) { // its own options are the device's; the image's come from -drive
            auto* drive = find_named(drives_, disk.refers);
            if (!drive) {
                throw_usage("{}: there is no drive {}; add -drive if=none,id={},file=", disk.where,
                            disk.refers, disk.refers);
            }
            if (drive->options.interface != "none") {
                throw_usage("{}: the drive {} is a disk by itself; add if=none to its -drive",
                            disk.where, disk.refers);
            }
            if (drive->used) {
                throw_usage("{}: another disk has the drive {}", disk.where, disk.refers);
            }
            drive->used = true;
            options = drive->options;
            options.interface = "virtio";
            options.id = disk.options.id;
            if (options.id.empty()) {
                options.id = name_device(drive->options.id, "disk");
            }
            if (!disk.options.serial.empty()) {
                options.serial = disk.options.serial;
            }
            options.queues = disk.options.queues;
            options.queue_size = disk.options.queue_size;
            options.logical_block_size = disk.options.logical_block_size;
            options.iothread = disk.options.iothread;
            options.virtio = disk.options.virtio;
        } else if (options.id.empty()) {
            options.id = name_device({}, options.cdrom ? "cdrom" : "disk");
        }
        check_iothread(options.iothread, disk.where);
        machine_.drives.push_back(std::move(options));
    }
    for (const auto& drive : drives_) {
        if (drive.options.interface == "none" && !drive.used) {
            throw_usage("{}: no disk has it; add -device virtio-blk-pci,drive={}", drive.where,
                        drive.options.id);
        }
    }
}

// Each has a place of its own among the four: those that say where, and then the others in turn.
void Builder::place_ide_drives() {
    constexpr unsigned kPlaces = 4;
    std::array<std::string, kPlaces> taken;
    for (const auto& drive : machine_.drives) {
        if (drive.index) {
            std::string& other = taken.at(*drive.index);
            if (!other.empty()) {
                throw_usage("-drive file={}: index={} is taken by {}", drive.file, *drive.index,
                            other);
            }
            other = drive.file;
        }
    }
    for (auto& drive : machine_.drives) {
        if (drive.interface == "ide" && !drive.index) {
            const auto place = std::ranges::find(taken, std::string());
            if (place == taken.end()) {
                throw_usage("-drive file={}: there are {} IDE drives already", drive.file, kPlaces);
            }
            *place = drive.file;
            drive.index = static_cast<unsigned>(place - taken.begin());
        }
    }
}

Builder::Placed<ChardevOptions>& Builder::take_chardev(const std::string& id,
                                                       const std::string& where) {
    auto* chardev = find_named(chardevs_, id);
    if (!chardev) {
        throw_usage("{}: there is no chardev {}; add -chardev stdio,id={}", where, id, id);
    }
    if (chardev->used) {
        throw_usage("{}: something else has the chardev {}", where, id);
    }
    chardev->used = true;
    return *chardev;
}

void Builder::join_consoles() {
    constexpr size_t kMaxPorts = 31;
    for (const auto& port : ports_) {
        if (consoles_.empty()) {
            throw_usage("{}: it belongs to a virtio-serial-pci; add -device virtio-serial-pci",
                        port.where);
        }
        auto* console =
            port.refers.empty() ? &consoles_.front() : find_named(consoles_, port.refers);
        if (!console) {
            throw_usage("{}: there is no virtio-serial-pci {}", port.where, port.refers);
        }
        if (console->options.ports.size() == kMaxPorts) {
            throw_usage("{}: its virtio-serial-pci has {} ports already", port.where, kMaxPorts);
        }
        take_chardev(port.options.chardev, port.where);
        console->options.ports.push_back(port.options);
    }
    for (auto& console : consoles_) {
        if (console.options.id.empty()) {
            console.options.id = name_device({}, "console");
        }
        machine_.consoles.push_back(console.options);
    }
}

void Builder::join_rngs() {
    for (auto& rng : rngs_) {
        if (!rng.refers.empty()) {
            auto* source = find_named(rng_sources_, rng.refers);
            if (!source) {
                throw_usage("{}: there is no source of randomness {}; add -object rng-random,id={}",
                            rng.where, rng.refers, rng.refers);
            }
            rng.options.file = source->options.file;
        }
        if (rng.options.id.empty()) {
            rng.options.id = name_device(rng.refers, "rng");
        }
        machine_.rngs.push_back(rng.options);
    }
}

// Without a word about serial ports the first is on stdio, if nothing else is there.
void Builder::add_default_serial() {
    const bool stdio_is_taken = std::ranges::any_of(chardevs_, [](const auto& chardev) {
        return chardev.options.kind == ChardevOptions::Kind::kStdio;
    });
    if (serials_.empty() && !stdio_is_taken && (default_serial_ || want_serial_)) {
        ChardevOptions stdio;
        stdio.mux = true;
        serials_.push_back({.own = stdio, .refers = {}, .where = "-nographic"});
    }
}

std::string Builder::join_port(Serial& port, std::string_view kind) {
    if (port.own) {
        port.own->id = free_name(
            kind, [&](const std::string& id) { return find_named(chardevs_, id) != nullptr; });
        chardevs_.push_back({*port.own, port.where, {}, true});
        return port.own->id;
    }
    if (!port.refers.empty()) {
        take_chardev(port.refers, port.where);
    }
    return port.refers;
}

void Builder::join_serials() {
    for (Serial& serial : serials_) {
        machine_.serials.push_back(join_port(serial, "serial"));
    }
    if (debugcon_) {
        machine_.debugcon = join_port(*debugcon_, "debugcon");
    }
}

// A monitor has its socket for itself: it is no chardev of the machine's.
void Builder::join_monitors() {
    for (const auto& [id, where] : mons_) {
        const ChardevOptions socket = take_chardev(id, where).options;
        if (socket.kind != ChardevOptions::Kind::kSocket) {
            throw_usage("{}: the chardev {} is no socket", where, id);
        }
        machine_.monitors.push_back({socket.path, socket.fd, socket.server, socket.wait});
        std::erase_if(chardevs_, [&](const auto& chardev) { return chardev.options.id == id; });
    }
}

void Builder::check_chardevs() const {
    const Placed<ChardevOptions>* stdio = nullptr;
    for (const auto& chardev : chardevs_) {
        if (!chardev.used) {
            throw_usage("{}: nothing uses it; add chardev={} to a port, or -serial chardev:{}",
                        chardev.where, chardev.options.id, chardev.options.id);
        }
        if (chardev.options.kind == ChardevOptions::Kind::kStdio) {
            if (stdio) {
                throw_usage("{}: stdio is taken by {}", chardev.where, stdio->where);
            }
            stdio = &chardev;
        }
    }
}

void Builder::check_iothread(const std::string& id, const std::string& where) const {
    if (!id.empty() && std::ranges::find(machine_.iothreads, id) == machine_.iothreads.end()) {
        throw_usage("{}: there is no iothread {}; add -object iothread,id={}", where, id, id);
    }
}

void Builder::check_boot() const {
    if (!machine_.kernel.empty()) {
        if (!machine_.bios.empty()) {
            throw_usage("-bios {}: with -kernel no firmware runs; give one of them", machine_.bios);
        }
        return;
    }
    if (!machine_.initrd.empty()) {
        throw_usage("-initrd {}: it belongs to a kernel; add -kernel FILE", machine_.initrd);
    }
    if (!machine_.append.empty()) {
        throw_usage("-append {}: it belongs to a kernel; add -kernel FILE", machine_.append);
    }
    if (machine_.drives.empty() && machine_.bios.empty()) {
        throw_usage(
            "there is nothing to boot; add -drive file=FILE, a disk, or -kernel FILE, a Linux "
            "kernel (vireo -help)");
    }
}

MachineOptions Builder::finish() {
    pair_old_nics();
    join_nics();
    join_disks();
    place_ide_drives();
    join_consoles();
    join_rngs();
    add_default_serial();
    join_serials();
    join_monitors();
    check_chardevs();
    check_boot();
    for (const auto& chardev : chardevs_) {
        machine_.chardevs.push_back(chardev.options);
    }
    return std::move(machine_);
}

} // namespace vireo::cli
