// SPDX-License-Identifier: GPL-2.0-only
#include "cli/table.h"

namespace vireo::cli {

const Key* Form::find(std::string_view key) const {
    for (const auto part : {keys, more}) {
        for (const Key& known : part) {
            if (known.name == key) {
                return &known;
            }
        }
    }
    return nullptr;
}

std::vector<std::string_view> Form::names() const {
    std::vector<std::string_view> all;
    for (const auto part : {keys, more}) {
        for (const Key& key : part) {
            all.push_back(key.name);
        }
    }
    return all;
}

const Form* Option::find(std::string_view form) const {
    for (const Form* known : forms) {
        if (known->name == form) {
            return known;
        }
    }
    return nullptr;
}

std::vector<std::string_view> Option::names() const {
    std::vector<std::string_view> all;
    for (const Form* form : forms) {
        all.push_back(form->name);
    }
    return all;
}

std::string_view title(Group group) {
    switch (group) {
        case Group::kMachine:
            return "Machine";
        case Group::kBoot:
            return "What it boots";
        case Group::kNetwork:
            return "Network";
        case Group::kDisk:
            return "Disks";
        case Group::kConsole:
            return "Consoles";
        case Group::kObject:
            return "Devices";
        case Group::kControl:
            return "Control";
        case Group::kHelp:
            return "Help";
    }
    return {};
}

std::vector<const Option*> all_options() {
    std::vector<const Option*> all;
    for (const auto part : {machine_options(), net_options(), disk_options(), device_options(),
                            console_options(), control_options()}) {
        for (const Option& option : part) {
            all.push_back(&option);
        }
    }
    return all;
}

const Option* find_option(std::string_view name) {
    if (name == "h") {
        name = "help";
    }
    for (const Option* option : all_options()) {
        if (option->name == name) {
            return option;
        }
    }
    return nullptr;
}

} // namespace vireo::cli
