// SPDX-License-Identifier: GPL-2.0-only
// What each option says, looked at by itself. See join.cc for the rest.
#include "cli/builder.h"

#include <algorithm>

#include "base/error.h"
#include "cli/parse.h"

namespace vireo::cli {
namespace {

void check_virtio(const Draft& draft) {
    if (draft.virtio.disable_legacy && draft.virtio.disable_modern) {
        throw_usage("{}: disable-legacy and disable-modern leave nothing", draft.where);
    }
    if (draft.virtio.packed && draft.virtio.disable_modern) {
        throw_usage("{}: packed=on needs disable-modern=off: a legacy driver has no packed rings",
                    draft.where);
    }
}

void check_netdev(Draft& draft) {
    NetdevOptions& net = draft.netdev;
    if (!net.fds.empty()) {
        if (!net.ifname.empty() || net.create || !net.bridge.empty() || !net.macvtap.empty()) {
            throw_usage(
                "{}: fd is a tap that is open already; ifname, create, br and macvtap are "
                "for others",
                draft.where);
        }
        if (net.queues != 1 && net.queues != net.fds.size()) {
            throw_usage("{}: queues is {}, and there are {} files in fds", draft.where, net.queues,
                        net.fds.size());
        }
        net.queues = static_cast<unsigned>(net.fds.size());
    }
    if (!net.macvtap.empty() && !net.bridge.empty()) {
        throw_usage("{}: a macvtap is in no bridge: macvtap or br, not both", draft.where);
    }
    if (net.vhost == VhostMode::kOff && !net.vhostfds.empty()) {
        throw_usage("{}: vhostfd is used with vhost=on or vhost=try", draft.where);
    }
    if (!net.vhostfds.empty() && net.vhostfds.size() != net.queues) {
        throw_usage(
            "{}: there are {} files in vhostfds; wanted is one for each queue pair, and "
            "queues is {}",
            draft.where, net.vhostfds.size(), net.queues);
    }
}

void check_serial_number(const Draft& draft) {
    if (draft.drive.serial.size() > 20) {
        throw_usage("{}: serial is at most 20 characters", draft.where);
    }
}

// What "unix:FILE,..." is, as a chardev.
ChardevOptions unix_socket(Draft& draft, std::string_view argument) {
    const Form& socket = *find_option("chardev")->find("socket");
    // Its first word is the path, which -chardev socket wants by name.
    if (auto help = read_keys(socket, draft, fmt::format("path={}", argument)); !help.empty()) {
        throw_usage("{}: no help here; see vireo -chardev socket,help", draft.where);
    }
    draft.chardev.kind = ChardevOptions::Kind::kSocket;
    return draft.chardev;
}

} // namespace

// Something that others refer to by its id. Among its kind, it is the only one of that name.
template <class T>
void Builder::add_named(List<T>& list, Placed<T> placed) {
    const auto same = std::find_if(list.begin(), list.end(), [&](const Placed<T>& other) {
        return !placed.options.id.empty() && other.options.id == placed.options.id;
    });
    if (same != list.end()) {
        throw_usage("{}: the id {} is taken by {}", placed.where, placed.options.id, same->where);
    }
    list.push_back(std::move(placed));
}

void Builder::add_device_id(const std::string& id, const std::string& where) {
    if (!id.empty() && !devices_.insert(id).second) {
        throw_usage("{}: another device has the id {}", where, id);
    }
}

void Builder::add_netdev(Draft& draft) {
    if (draft.netdev.id.empty()) {
        throw_usage("{}: id is missing", draft.where);
    }
    check_netdev(draft);
    add_named(netdevs_, {draft.netdev, draft.where});
}

void Builder::add_nic(Draft& draft) {
    if (draft.nic.netdev.empty()) {
        throw_usage("{}: netdev is missing; it is the id of a -netdev", draft.where);
    }
    check_virtio(draft);
    add_device_id(draft.nic.id, draft.where);
    draft.nic.virtio = draft.virtio;
    nics_.push_back({draft.nic, draft.where});
}

void Builder::add_old_nic(Draft& draft) {
    add_device_id(draft.nic.id, draft.where);
    if (draft.nic.netdev.empty()) {
        old_nics_.push_back(nics_.size());
    }
    nics_.push_back({draft.nic, draft.where});
}

void Builder::add_old_tap(Draft& draft) {
    check_netdev(draft);
    old_taps_.push_back(netdevs_.size());
    netdevs_.push_back({draft.netdev, draft.where});
}

void Builder::add_joined_nic(Draft& draft) {
    check_netdev(draft);
    add_device_id(draft.nic.id, draft.where);
    pairings_.push_back({nics_.size(), netdevs_.size()});
    nics_.push_back({draft.nic, draft.where});
    netdevs_.push_back({draft.netdev, draft.where});
}

void Builder::add_drive(Draft& draft) {
    if (draft.drive.file.empty()) {
        throw_usage("{}: file is missing", draft.where);
    }
    if (draft.drive.interface == "none" && draft.drive.id.empty()) {
        throw_usage("{}: with if=none the id is missing, for drive= of a -device", draft.where);
    }
    check_serial_number(draft);
    if (draft.drive.interface != "ide") {
        if (draft.drive.cdrom || draft.drive.index) {
            throw_usage("{}: {} belongs to if=ide", draft.where,
                        draft.drive.cdrom ? "media=cdrom" : "index");
        }
    } else if (draft.drive.vhost != VhostMode::kOff) {
        throw_usage("{}: the VMM alone serves if=ide; vhost=on needs if=virtio", draft.where);
    }
    draft.drive.readonly |= draft.drive.cdrom;
    if (draft.drive.interface != "none") {
        add_device_id(draft.drive.id, draft.where);
        disks_.push_back({draft.drive, draft.where});
    }
    add_named(drives_, {draft.drive, draft.where});
}

void Builder::add_disk(Draft& draft) {
    if (draft.refers.empty()) {
        throw_usage("{}: drive is missing; it is the id of a -drive with if=none", draft.where);
    }
    check_virtio(draft);
    check_serial_number(draft);
    add_device_id(draft.id, draft.where);
    draft.drive.id = draft.id;
    draft.drive.virtio = draft.virtio;
    disks_.push_back({draft.drive, draft.where, draft.refers});
}

void Builder::add_chardev(Draft& draft) {
    const ChardevOptions& chardev = draft.chardev;
    if (chardev.id.empty()) {
        throw_usage("{}: id is missing", draft.where);
    }
    using enum ChardevOptions::Kind;
    if (chardev.kind == kFile && chardev.path.empty()) {
        throw_usage("{}: path is missing", draft.where);
    }
    if (chardev.kind == kSocket && chardev.path.empty() == (chardev.fd < 0)) {
        throw_usage("{}: path or fd is wanted, one of them", draft.where);
    }
    add_named(chardevs_, {chardev, draft.where});
}

void Builder::add_console(Draft& draft) {
    check_virtio(draft);
    add_device_id(draft.id, draft.where);
    consoles_.push_back({{.id = draft.id, .ports = {}, .virtio = draft.virtio}, draft.where});
}

void Builder::add_port(Draft& draft) {
    if (draft.port.chardev.empty()) {
        throw_usage("{}: chardev is missing; it is the id of a -chardev", draft.where);
    }
    if (draft.port_has_name && draft.port.name.empty()) {
        throw_usage("{}: name is missing, by which the guest knows the port", draft.where);
    }
    add_device_id(draft.id, draft.where);
    ports_.push_back({draft.port, draft.where, draft.refers});
}

void Builder::add_rng_source(Draft& draft) {
    if (draft.id.empty()) {
        throw_usage("{}: id is missing", draft.where);
    }
    draft.rng.id = draft.id;
    add_named(rng_sources_, {draft.rng, draft.where});
}

void Builder::add_rng(Draft& draft) {
    check_virtio(draft);
    add_device_id(draft.id, draft.where);
    draft.rng.id = draft.id;
    draft.rng.virtio = draft.virtio;
    rngs_.push_back({draft.rng, draft.where, draft.refers});
}

void Builder::add_iothread(Draft& draft) {
    if (draft.id.empty()) {
        throw_usage("{}: id is missing", draft.where);
    }
    if (std::ranges::find(machine_.iothreads, draft.id) != machine_.iothreads.end()) {
        throw_usage("{}: another iothread has the id {}", draft.where, draft.id);
    }
    machine_.iothreads.push_back(draft.id);
}

Builder::Serial Builder::read_port(Draft& draft, std::string_view option, std::string_view text) {
    using enum ChardevOptions::Kind;
    const auto take = [&](std::string_view prefix) {
        const bool found = text.starts_with(prefix) && text.size() > prefix.size();
        text.remove_prefix(found ? prefix.size() : 0);
        return found;
    };
    Serial serial{.own = ChardevOptions{}, .refers = {}, .where = draft.where};
    if (text == "stdio" || text == "mon:stdio") {
        serial.own->mux = text != "stdio";
    } else if (text == "pty") {
        serial.own->kind = kPty;
    } else if (text == "null") {
        serial.own->kind = kNull;
    } else if (text == "none") {
        serial.own.reset();
    } else if (take("file:")) {
        serial.own->kind = kFile;
        serial.own->path = text;
    } else if (take("unix:")) {
        serial.own = unix_socket(draft, text);
    } else if (take("chardev:")) {
        serial.own.reset();
        serial.refers = text;
    } else {
        throw_usage("{}: -{} is {}", draft.where, option, accepted(find_option(option)->type));
    }
    return serial;
}

void Builder::add_serial(Draft& draft, const Value& value) {
    if (serials_.size() == 4) {
        throw_usage("{}: there are four serial ports already", draft.where);
    }
    serials_.push_back(read_port(draft, "serial", value.text));
}

void Builder::set_debugcon(Draft& draft, const Value& value) {
    if (debugcon_) {
        throw_usage("{}: there is one debug port, and {} has it", draft.where, debugcon_->where);
    }
    debugcon_ = read_port(draft, "debugcon", value.text);
}

void Builder::set_boot_order(Draft& draft, const Value& value) {
    for (const char kind : value.text) {
        if (!std::string_view("cdn").contains(kind) || std::ranges::count(value.text, kind) > 1) {
            throw_usage(
                "{}: order={}: accepted are letters of c (disks), d (CD-ROMs) and n (networks), "
                "each once",
                draft.where, value.text);
        }
    }
    machine_.boot_order = value.text;
}

void Builder::add_monitor(Draft& draft, const Value& value) {
    if (value.text == "none") {
        return;
    }
    constexpr std::string_view kUnix = "unix:";
    if (!value.text.starts_with(kUnix) || value.text.size() == kUnix.size()) {
        throw_usage("{}: -qmp is {}", draft.where, accepted(find_option("qmp")->type));
    }
    const auto socket = unix_socket(draft, std::string_view(value.text).substr(kUnix.size()));
    machine_.monitors.push_back({socket.path, -1, socket.server, socket.wait});
}

void Builder::add_mon(Draft& draft) {
    if (draft.refers.empty()) {
        throw_usage("{}: chardev is missing; it is the id of a -chardev socket", draft.where);
    }
    if (!draft.mode_is_control) {
        throw_usage("{}: mode is missing; it is control, as there is no monitor for people",
                    draft.where);
    }
    mons_.emplace_back(draft.refers, draft.where);
}

} // namespace vireo::cli
