// SPDX-License-Identifier: GPL-2.0-only
// How the machine is controlled, how it ends, and help.
#include "cli/builder.h"
#include "cli/table.h"

namespace vireo::cli {
namespace {

constexpr Key kMonKeys[] = {
    {"chardev", id(), "the socket", set<&Draft::refers>},
    {"mode", word("control"), "a monitor for programs: QMP",
     [](Draft& draft, const Value&) { draft.mode_is_control = true; }},
};
constexpr Form kMonForm = {.keys = kMonKeys,
                           .done = [](Draft& draft) { draft.builder.add_mon(draft); },
                           .implied = "chardev"};
constexpr const Form* kMonForms[] = {&kMonForm};

constexpr Option kOptions[] = {
    {.name = "qmp",
     .group = Group::kControl,
     .style = Option::Style::kWhole,
     .argument = "unix:FILE[,server=on][,wait=off]",
     .help = "a monitor of QEMU's machine protocol; it may be given again",
     .type = text("unix:FILE[,server=on][,wait=off] or none", "unix:|none"),
     .set = [](Draft& draft, const Value& value) { draft.builder.add_monitor(draft, value); }},
    {.name = "mon",
     .group = Group::kControl,
     .style = Option::Style::kPairs,
     .argument = "[chardev=]ID,mode=control",
     .help = "the same on a -chardev socket",
     .forms = kMonForms},
    {.name = "monitor",
     .group = Group::kControl,
     .style = Option::Style::kWhole,
     .argument = "none",
     .help = "no monitor for people, as there is none; see -qmp",
     .type = word("none"),
     .set = ignore},
    {.name = "S",
     .group = Group::kControl,
     .style = Option::Style::kAlone,
     .help = "do not start before the monitor's cont",
     .set = [](Draft& draft, const Value&) { draft.machine.paused = true; }},
    {.name = "no-reboot",
     .group = Group::kControl,
     .style = Option::Style::kAlone,
     .help = "a reset by the guest ends the VMM",
     .set = [](Draft& draft, const Value&) { draft.machine.no_reboot = true; }},
    {.name = "no-shutdown",
     .group = Group::kControl,
     .style = Option::Style::kAlone,
     .help = "a power-off by the guest stops it, and the VMM stays",
     .set = [](Draft& draft, const Value&) { draft.machine.no_shutdown = true; }},
    {.name = "pidfile",
     .group = Group::kControl,
     .style = Option::Style::kWhole,
     .argument = "FILE",
     .help = "write the process's number there",
     .type = file(),
     .set = [](Draft& draft, const Value& value) { value.to(draft.machine.pidfile); }},
    {.name = "help",
     .group = Group::kHelp,
     .style = Option::Style::kAlone,
     .help = "this text; also -h",
     .set = ignore},
    {.name = "version",
     .group = Group::kHelp,
     .style = Option::Style::kAlone,
     .help = "the version",
     .set = ignore},
    {.name = "completion",
     .group = Group::kHelp,
     .style = Option::Style::kWhole,
     .argument = "bash",
     .help = "a script that completes this command line in a shell",
     .type = word("bash"),
     .set = ignore},
};

} // namespace

std::span<const Option> control_options() {
    return kOptions;
}

} // namespace vireo::cli
