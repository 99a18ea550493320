// SPDX-License-Identifier: GPL-2.0-only
// The machine itself, and what it boots.
#include "cli/builder.h"
#include "cli/table.h"

namespace vireo::cli {
namespace {

constexpr uint64_t kMiB = 1ull << 20;
constexpr uint64_t kTiB = 1ull << 40;

constexpr Key kSmpKeys[] = {
    {"cpus", number(1, 255), "how many CPUs",
     [](Draft& draft, const Value& value) { value.to(draft.machine.cpus); }},
};
constexpr Form kSmpForm = {.keys = kSmpKeys, .implied = "cpus"};
constexpr const Form* kSmpForms[] = {&kSmpForm};

constexpr Key kMemoryKeys[] = {
    {"size", size(16 * kMiB, 4 * kTiB, kMiB), "of the guest's memory, in MiB without a suffix",
     [](Draft& draft, const Value& value) { draft.machine.memory = value.number; }},
    {"hugetlb", flag(), "take it from the host's reserved huge pages (hugetlbfs)",
     [](Draft& draft, const Value& value) { value.to(draft.machine.hugetlb); }},
};
constexpr Form kMemoryForm = {.keys = kMemoryKeys, .implied = "size"};
constexpr const Form* kMemoryForms[] = {&kMemoryForm};

constexpr Key kNameKeys[] = {
    {"guest", text("any text"), "the name",
     [](Draft& draft, const Value& value) { value.to(draft.machine.name); }},
};
constexpr Form kNameForm = {.keys = kNameKeys, .implied = "guest"};
constexpr const Form* kNameForms[] = {&kNameForm};

constexpr Key kBootKeys[] = {
    {"order", text("letters of c (disks), d (CD-ROMs) and n (networks)", "c|d|n|cd|dc|cdn"),
     "what firmware tries, in turn",
     [](Draft& draft, const Value& value) { draft.builder.set_boot_order(draft, value); }},
};
constexpr Form kBootForm = {.keys = kBootKeys, .implied = "order"};
constexpr const Form* kBootForms[] = {&kBootForm};

constexpr Option kOptions[] = {
    {.name = "smp",
     .group = Group::kMachine,
     .style = Option::Style::kPairs,
     .argument = "[cpus=]N",
     .help = "CPUs of the guest, 1 to 255 (1)",
     .forms = kSmpForms},
    {.name = "m",
     .group = Group::kMachine,
     .style = Option::Style::kPairs,
     .argument = "[size=]SIZE[,hugetlb=on]",
     .help = "memory of the guest, in MiB or with K, M, G, T (128)",
     .forms = kMemoryForms},
    {.name = "name",
     .group = Group::kMachine,
     .style = Option::Style::kPairs,
     .argument = "[guest=]NAME",
     .help = "name of the guest, for people and for ps",
     .forms = kNameForms},
    {.name = "cpu",
     .group = Group::kMachine,
     .style = Option::Style::kWhole,
     .argument = "host",
     .help = "the host's CPU, which is always what the guest gets",
     .type = word("host"),
     .set = ignore},
    {.name = "accel",
     .group = Group::kMachine,
     .style = Option::Style::kWhole,
     .argument = "kvm",
     .help = "KVM runs the guest, as always",
     .type = word("kvm"),
     .set = ignore},
    {.name = "enable-kvm",
     .group = Group::kMachine,
     .style = Option::Style::kAlone,
     .help = "the same",
     .set = ignore},
    {.name = "boot",
     .group = Group::kBoot,
     .style = Option::Style::kPairs,
     .argument = "[order=]KINDS",
     .help = "what firmware tries, in turn: c disks, d CD-ROMs, n networks (cdn)",
     .forms = kBootForms},
    {.name = "bios",
     .group = Group::kBoot,
     .style = Option::Style::kWhole,
     .argument = "FILE",
     .help = "firmware, which boots where no -kernel is given (SeaBIOS)",
     .type = file(),
     .set = [](Draft& draft, const Value& value) { value.to(draft.machine.bios); }},
    {.name = "kernel",
     .group = Group::kBoot,
     .style = Option::Style::kWhole,
     .argument = "FILE",
     .help = "Linux kernel to enter at once, without firmware (bzImage)",
     .type = file(),
     .set = [](Draft& draft, const Value& value) { value.to(draft.machine.kernel); }},
    {.name = "initrd",
     .group = Group::kBoot,
     .style = Option::Style::kWhole,
     .argument = "FILE",
     .help = "its initial RAM disk",
     .type = file(),
     .set = [](Draft& draft, const Value& value) { value.to(draft.machine.initrd); }},
    {.name = "append",
     .group = Group::kBoot,
     .style = Option::Style::kWhole,
     .argument = "TEXT",
     .help = "its command line",
     .type = text("any text"),
     .set = [](Draft& draft, const Value& value) { value.to(draft.machine.append); }},
};

} // namespace

std::span<const Option> machine_options() {
    return kOptions;
}

} // namespace vireo::cli
