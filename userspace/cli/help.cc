// SPDX-License-Identifier: GPL-2.0-only
#include "cli/help.h"

#include <fmt/core.h>

#include <iterator>

#include "base/version.h"

namespace vireo::cli {
namespace {

// "  name   what it is", with the text in a column of its own where there is room.
void add_line(std::string& text, std::string_view name, std::string_view what, size_t column) {
    if (name.size() + 2 < column) {
        fmt::format_to(std::back_inserter(text), "  {:{}}{}\n", name, column - 2, what);
    } else {
        fmt::format_to(std::back_inserter(text), "  {}\n{:{}}{}\n", name, "", column, what);
    }
}

// What stands behind a key's '='.
std::string value_hint(const Type& type) {
    using enum Type::Kind;
    switch (type.kind) {
        case kFlag:
            return "on|off";
        case kNumber:
            return "N";
        case kSize:
            return "SIZE";
        case kWord:
            return std::string(type.words);
        case kText:
            return "TEXT";
        case kFile:
            return "FILE";
        case kId:
            return "ID";
        case kMac:
            return "MAC";
        case kFds:
            return "FD";
    }
    return {};
}

constexpr std::string_view kIntroduction =
    "usage: vireo [OPTION]...\n"
    "\n"
    "Runs a virtual machine under KVM. Options are spelled as QEMU spells them, with one dash or\n"
    "two; (in brackets) is what holds without the option.\n";

constexpr std::string_view kExample =
    "\n"
    "Example: a guest with two CPUs, a disk, and a network card whose packets the kernel moves\n"
    "  vireo -smp 2 -m 1G -kernel vmlinuz -initrd initrd.img \\\n"
    "        -append 'console=ttyS0 root=/dev/vda1' -drive file=disk.img,if=virtio \\\n"
    "        -netdev tap,id=net0,ifname=vt0,vhost=on -device virtio-net-pci,netdev=net0\n"
    "\n"
    "'help' in place of an argument, or as its last word, lists what can stand there:\n"
    "  vireo -device help; vireo -device virtio-net-pci,help; vireo -net nic,model=?\n"
    "See also vireo(1).\n";

} // namespace

std::string usage_help() {
    std::string text(kIntroduction);
    const Option* before = nullptr;
    for (const Option* option : all_options()) {
        if (!before || before->group != option->group) {
            fmt::format_to(std::back_inserter(text), "\n{}\n", title(option->group));
        }
        before = option;
        const char* space = option->argument.empty() ? "" : " ";
        add_line(text, fmt::format("-{}{}{}", option->name, space, option->argument), option->help,
                 34);
    }
    text += kExample;
    return text;
}

std::string option_help(const Option& option) {
    std::string text = fmt::format("-{} {}\n", option.name, option.argument);
    for (const Form* form : option.forms) {
        add_line(text, form->name, form->help, 22);
    }
    return text;
}

std::string form_help(const Form& form) {
    std::string text = form.name.empty() ? "" : fmt::format("{}: {}\n", form.name, form.help);
    for (const auto part : {form.keys, form.more}) {
        for (const Key& key : part) {
            add_line(text, fmt::format("{}={}", key.name, value_hint(key.type)), key.help, 36);
        }
    }
    return text;
}

std::string words_help(const Key& key) {
    std::string text = fmt::format("{} is one of\n", key.name);
    for (const auto word : split_words(key.type.words)) {
        fmt::format_to(std::back_inserter(text), "  {}\n", word);
    }
    return text;
}

std::string version_text() {
    return fmt::format("vireo {}.{}.{}\n", kVersion.major, kVersion.minor, kVersion.micro);
}

} // namespace vireo::cli
