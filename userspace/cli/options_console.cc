// SPDX-License-Identifier: GPL-2.0-only
// Serial ports, consoles, and what they are connected to.
#include <climits>

#include "cli/builder.h"
#include "cli/table.h"

namespace vireo::cli {
namespace {

constexpr Key kIdKey[] = {
    {"id", id(), "name, for chardev=", set<&Draft::chardev, &ChardevOptions::id>},
};
constexpr Key kStdioKeys[] = {
    {"id", id(), "name, for chardev=", set<&Draft::chardev, &ChardevOptions::id>},
    {"mux", flag(), "Ctrl-a x ends the VMM (off)", set<&Draft::chardev, &ChardevOptions::mux>},
};
constexpr Key kFileKeys[] = {
    {"id", id(), "name, for chardev=", set<&Draft::chardev, &ChardevOptions::id>},
    {"path", file(), "the file, which is made anew", set<&Draft::chardev, &ChardevOptions::path>},
};
constexpr Key kSocketKeys[] = {
    {"id", id(), "name, for chardev=", set<&Draft::chardev, &ChardevOptions::id>},
    {"fd", number(0, INT_MAX), "a socket that is connected already, instead of path",
     [](Draft& draft, const Value& value) { draft.chardev.fd = static_cast<int>(value.number); }},
    {"path", file(), "of the Unix socket", set<&Draft::chardev, &ChardevOptions::path>},
    {"server", flag(), "listen there, instead of connecting (off)",
     set<&Draft::chardev, &ChardevOptions::server>},
    {"wait", flag(), "of a server: the guest waits for the first client (on)",
     set<&Draft::chardev, &ChardevOptions::wait>},
};

template <ChardevOptions::Kind kKind>
void add_chardev(Draft& draft) {
    draft.chardev.kind = kKind;
    draft.builder.add_chardev(draft);
}

using Kind = ChardevOptions::Kind;
constexpr Form kStdioForm = {.name = "stdio",
                             .help = "standard input and output",
                             .keys = kStdioKeys,
                             .done = add_chardev<Kind::kStdio>};
constexpr Form kSocketForm = {.name = "socket",
                              .help = "a Unix socket",
                              .keys = kSocketKeys,
                              .done = add_chardev<Kind::kSocket>};
constexpr Form kPtyForm = {.name = "pty",
                           .help = "a new pseudo-terminal, whose name is printed",
                           .keys = kIdKey,
                           .done = add_chardev<Kind::kPty>};
constexpr Form kFileForm = {.name = "file",
                            .help = "output into a file, no input",
                            .keys = kFileKeys,
                            .done = add_chardev<Kind::kFile>};
constexpr Form kNullForm = {.name = "null",
                            .help = "output to nowhere, no input",
                            .keys = kIdKey,
                            .done = add_chardev<Kind::kNull>};
constexpr const Form* kChardevForms[] = {&kStdioForm, &kSocketForm, &kPtyForm, &kFileForm,
                                         &kNullForm};

constexpr Key kBusKeys[] = {
    {"id", id(), "its name, for bus= of its ports", set<&Draft::id>},
    {"max_ports", number(1, 31), "accepted; there are as many as are plugged in", ignore},
};

void set_bus(Draft& draft, const Value& value) {
    draft.refers = value.text; // QEMU's name of a device's bus is ID.0
    if (draft.refers.ends_with(".0")) {
        draft.refers.resize(draft.refers.size() - 2);
    }
}

constexpr Key kConsoleKeys[] = {
    {"id", id(), "its name", set<&Draft::id>},
    {"chardev", id(), "what it is connected to", set<&Draft::port, &ConsolePortOptions::chardev>},
    {"bus", id(), "the virtio-serial-pci that it belongs to (the first)", set_bus},
};
constexpr Key kPortKeys[] = {
    {"id", id(), "its name", set<&Draft::id>},
    {"chardev", id(), "what it is connected to", set<&Draft::port, &ConsolePortOptions::chardev>},
    {"name", text("any text"), "by which the guest knows it: /dev/virtio-ports/NAME",
     set<&Draft::port, &ConsolePortOptions::name>},
    {"bus", id(), "the virtio-serial-pci that it belongs to (the first)", set_bus},
};

constexpr std::string_view kSerialMeaning =
    "stdio, mon:stdio, pty, null, none, file:FILE, unix:FILE[,server=on][,wait=off] or chardev:ID";
constexpr std::string_view kSerialWords = "stdio|mon:stdio|pty|null|none|file:|unix:|chardev:";

constexpr Option kOptions[] = {
    {.name = "serial",
     .group = Group::kConsole,
     .style = Option::Style::kWhole,
     .argument = "stdio|mon:stdio|pty|null|none|file:FILE|unix:FILE|chardev:ID",
     .help = "the next serial port, up to four (the first is mon:stdio)",
     .type = text(kSerialMeaning, kSerialWords),
     .set = [](Draft& draft, const Value& value) { draft.builder.add_serial(draft, value); }},
    {.name = "debugcon",
     .group = Group::kConsole,
     .style = Option::Style::kWhole,
     .argument = "file:FILE|stdio|...",
     .help = "where firmware says what it does (port 0x402); as -serial",
     .type = text(kSerialMeaning, kSerialWords),
     .set = [](Draft& draft, const Value& value) { draft.builder.set_debugcon(draft, value); }},
    {.name = "chardev",
     .group = Group::kConsole,
     .style = Option::Style::kPairs,
     .argument = "stdio|socket|pty|file|null,id=ID[,path=FILE]...",
     .help = "what a console or a serial port is connected to",
     .forms = kChardevForms,
     .chooser = "backend"},
    {.name = "nographic",
     .group = Group::kConsole,
     .style = Option::Style::kAlone,
     .help = "the first serial port is mon:stdio, which Ctrl-a x leaves",
     .set = [](Draft& draft, const Value&) { draft.builder.want_serial(); }},
    {.name = "display",
     .group = Group::kConsole,
     .style = Option::Style::kWhole,
     .argument = "none",
     .help = "no window, and no serial port unless asked for",
     .type = word("none"),
     .set = [](Draft& draft, const Value&) { draft.builder.want_no_serial(); }},
    {.name = "nodefaults",
     .group = Group::kConsole,
     .style = Option::Style::kAlone,
     .help = "no serial port unless asked for",
     .set = [](Draft& draft, const Value&) { draft.builder.want_no_serial(); }},
};

} // namespace

constinit const Form kSerialBusForm = {
    .name = "virtio-serial-pci",
    .help = "consoles and ports of virtio, which come as further -device",
    .keys = kBusKeys,
    .more = kVirtioKeys,
    .done = [](Draft& draft) { draft.builder.add_console(draft); }};
constinit const Form kConsoleForm = {.name = "virtconsole",
                                     .help = "console of virtio: /dev/hvc0 and on",
                                     .keys = kConsoleKeys,
                                     .done = [](Draft& draft) { draft.builder.add_port(draft); }};
constinit const Form kPortForm = {.name = "virtserialport",
                                  .help = "port of virtio, by name",
                                  .keys = kPortKeys,
                                  .done = [](Draft& draft) {
                                      draft.port_has_name = true;
                                      draft.builder.add_port(draft);
                                  }};

std::span<const Option> console_options() {
    return kOptions;
}

} // namespace vireo::cli
