// SPDX-License-Identifier: GPL-2.0-only
// The one table of options. The parser, --help, the shell completion and the tests of the manual
// page all read it.
#ifndef VIREO_CLI_TABLE_H
#define VIREO_CLI_TABLE_H

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cli/value.h"
#include "machine/options.h"

namespace vireo::cli {

class Builder;

// What one occurrence of an option on the command line says, until it is whole and goes to the
// builder.
struct Draft {
    Builder& builder;
    MachineOptions& machine; // for what belongs to the machine itself
    std::string where;       // the option as it was given, for messages

    NetdevOptions netdev = {};
    NicOptions nic = {};
    DriveOptions drive = {};
    ChardevOptions chardev = {};
    ConsoleOptions console = {};
    ConsolePortOptions port = {};
    RngOptions rng = {};
    MonitorOptions monitor = {};
    VirtioOptions virtio = {};  // of whichever virtio device it is
    std::string id = {};        // of an object or device that has no options of its own
    bool port_has_name = false; // it is a virtserialport
    bool mode_is_control = false;
    std::string refers = {}; // the id of what it belongs to: drive=, rng=, bus=
};

using Setter = void (*)(Draft&, const Value&);

// Sets one member of one part of a draft.
template <auto Part, auto Member>
void set(Draft& draft, const Value& value) {
    value.to(draft.*Part.*Member);
}
template <auto Member>
void set(Draft& draft, const Value& value) {
    value.to(draft.*Member);
}
// For a property that QEMU has, and that makes no difference here.
inline void ignore(Draft&, const Value&) {}

struct Key {
    std::string_view name;
    Type type;
    std::string_view help;
    Setter set;
};

// What an option's argument may be: "tap,id=n0,...". The word at its beginning chooses the form;
// an option with one form has none.
struct Form {
    std::string_view name = {};
    std::string_view help = {};
    std::span<const Key> keys = {};
    std::span<const Key> more = {}; // those shared with other forms
    // Its last word: checks what the keys make together, and hands it to the builder.
    void (*done)(Draft&) = nullptr;
    std::string_view implied = {}; // key of a bare word at the beginning, behind the form's name

    const Key* find(std::string_view key) const;
    std::vector<std::string_view> names() const;
};

enum class Group { kMachine, kBoot, kNetwork, kDisk, kConsole, kObject, kControl, kHelp };
std::string_view title(Group group);

struct Option {
    enum class Style {
        kAlone, // no argument
        kWhole, // one value, commas and all
        kPairs, // key=value,...
    };

    std::string_view name; // without the dash
    Group group;
    Style style;
    std::string_view argument = {}; // as help shows it
    std::string_view help;
    Type type = {};       // kWhole
    Setter set = nullptr; // kAlone, kWhole
    std::span<const Form* const> forms = {};
    std::string_view chooser = {}; // the key that chooses the form: driver= of -device

    const Form* find(std::string_view form) const;
    std::vector<std::string_view> names() const; // of its forms
};

// All of them, in the order of --help.
std::vector<const Option*> all_options();
const Option* find_option(std::string_view name);

// The table's parts, one a file.
std::span<const Option> machine_options();
std::span<const Option> net_options();
std::span<const Option> disk_options();
std::span<const Option> console_options();
std::span<const Option> device_options();
std::span<const Option> control_options();

// Forms of -device, each in the part of its subject.
extern const Form kNicForm, kE1000Form, kRtl8139Form, kRtl8139CForm, kDiskForm, kRngForm,
    kSerialBusForm, kConsoleForm, kPortForm;

// Properties of every virtio device.
inline constexpr Key kVirtioKeys[] = {
    {"packed", flag(), "offer packed rings (off)", set<&Draft::virtio, &VirtioOptions::packed>},
    {"event_idx", flag(), "offer notification by event index (on)",
     set<&Draft::virtio, &VirtioOptions::event_idx>},
    {"indirect_desc", flag(), "offer indirect descriptors (on)",
     set<&Draft::virtio, &VirtioOptions::indirect_desc>},
    {"disable-legacy", flag(), "modern only: no driver of virtio 0.9 (off)",
     set<&Draft::virtio, &VirtioOptions::disable_legacy>},
    {"disable-modern", flag(), "legacy only: no driver of virtio 1 (off)",
     set<&Draft::virtio, &VirtioOptions::disable_modern>},
    {"vectors", number(0, 2048), "accepted; there is one for each queue, and one more", ignore},
};

} // namespace vireo::cli

#endif // VIREO_CLI_TABLE_H
