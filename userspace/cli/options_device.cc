// SPDX-License-Identifier: GPL-2.0-only
// -device, whose forms come from all subjects, and -object.
#include "cli/builder.h"
#include "cli/table.h"

namespace vireo::cli {
namespace {

constexpr Key kRngKeys[] = {
    {"id", id(), "its name", set<&Draft::id>},
    {"rng", id(), "the -object rng-random that it gives (/dev/urandom)", set<&Draft::refers>},
};
constexpr Key kRngObjectKeys[] = {
    {"id", id(), "name, for rng=", set<&Draft::id>},
    {"filename", file(), "where it comes from (/dev/urandom)", set<&Draft::rng, &RngOptions::file>},
};
constexpr Key kIoThreadKeys[] = {
    {"id", id(), "name, for iothread=", set<&Draft::id>},
};

constexpr Form kRngObjectForm = {.name = "rng-random",
                                 .help = "randomness from a file",
                                 .keys = kRngObjectKeys,
                                 .done = [](Draft& draft) { draft.builder.add_rng_source(draft); }};
constexpr Form kIoThreadForm = {.name = "iothread",
                                .help = "a thread that devices share",
                                .keys = kIoThreadKeys,
                                .done = [](Draft& draft) { draft.builder.add_iothread(draft); }};

constexpr const Form* kDeviceForms[] = {&kNicForm,       &kE1000Form,   &kRtl8139Form,
                                        &kRtl8139CForm,  &kDiskForm,    &kRngForm,
                                        &kSerialBusForm, &kConsoleForm, &kPortForm};
constexpr const Form* kObjectForms[] = {&kRngObjectForm, &kIoThreadForm};

constexpr Option kOptions[] = {
    {.name = "device",
     .group = Group::kObject,
     .style = Option::Style::kPairs,
     .argument = "NAME[,property=VALUE]...",
     .help = "a device; -device help lists them, -device NAME,help its properties",
     .forms = kDeviceForms,
     .chooser = "driver"},
    {.name = "object",
     .group = Group::kObject,
     .style = Option::Style::kPairs,
     .argument = "iothread,id=ID | rng-random,id=ID[,filename=FILE]",
     .help = "what devices refer to",
     .forms = kObjectForms,
     .chooser = "qom-type"},
};

} // namespace

constinit const Form kRngForm = {.name = "virtio-rng-pci",
                                 .help = "source of randomness",
                                 .keys = kRngKeys,
                                 .more = kVirtioKeys,
                                 .done = [](Draft& draft) { draft.builder.add_rng(draft); }};

std::span<const Option> device_options() {
    return kOptions;
}

} // namespace vireo::cli
