// SPDX-License-Identifier: GPL-2.0-only
#include "monitor/commands.h"

#include <fmt/core.h>

#include <algorithm>
#include <span>
#include <string_view>

#include "base/version.h"

namespace vireo::monitor {
namespace {

using nlohmann::json;

enum class ArgumentType { kString, kBoolean };

struct Argument {
    std::string_view name;
    ArgumentType type;
    bool required;
};

struct Command {
    std::string_view name;
    std::span<const Argument> arguments;
    json (*run)(MachineControl&, const json& arguments);
};

template <class... Args>
[[noreturn]] void refuse(fmt::format_string<Args...> format, Args&&... args) {
    throw QmpError{"GenericError", fmt::format(format, std::forward<Args>(args)...)};
}

// A device by the name in an argument.
const std::string& device_named(MachineControl& machine, const json& name) {
    const auto& id = name.get_ref<const std::string&>();
    const auto devices = machine.devices();
    if (std::ranges::find(devices, id, &MachineControl::Device::id) == devices.end()) {
        throw QmpError{"DeviceNotFound", fmt::format("Device '{}' not found", id)};
    }
    return id;
}

json query_status(MachineControl& machine, const json&) {
    const auto state = machine.state();
    const auto word = [&] {
        switch (state) {
            case MachineControl::State::kPrelaunch:
                return "prelaunch";
            case MachineControl::State::kRunning:
                return "running";
            case MachineControl::State::kPaused:
                return "paused";
            case MachineControl::State::kShutdown:
                return "shutdown";
            case MachineControl::State::kFailed:
                break;
        }
        return "internal-error";
    };
    return {{"running", state == MachineControl::State::kRunning},
            {"singlestep", false},
            {"status", word()}};
}

json query_version(MachineControl&, const json&) {
    return version();
}

json query_cpus(MachineControl& machine, const json&) {
    json all = json::array();
    for (const auto& cpu : machine.cpus()) {
        all.push_back({{"cpu-index", cpu.index},
                       {"qom-path", fmt::format("/machine/cpu[{}]", cpu.index)},
                       {"thread-id", cpu.thread},
                       {"target", "x86_64"}});
    }
    return all;
}

json stop(MachineControl& machine, const json&) {
    machine.stop();
    return json::object();
}

json cont(MachineControl& machine, const json&) {
    machine.cont();
    return json::object();
}

json quit(MachineControl& machine, const json&) {
    machine.quit();
    return json::object();
}

json system_reset(MachineControl& machine, const json&) {
    machine.reset();
    return json::object();
}

json system_powerdown(MachineControl& machine, const json&) {
    machine.power_down();
    return json::object();
}

json set_link(MachineControl& machine, const json& arguments) {
    machine.set_link(device_named(machine, arguments["name"]), arguments["up"].get<bool>());
    return json::object();
}

json set_path(MachineControl& machine, const json& arguments) {
    const auto& path = arguments["path"].get_ref<const std::string&>();
    if (path != "user" && path != "vhost") {
        refuse("Parameter 'path' is 'user' or 'vhost', not '{}'", path);
    }
    machine.set_path(device_named(machine, arguments["device"]), path);
    return json::object();
}

json counters(MachineControl& machine, const json& arguments) {
    const std::string wanted =
        arguments.contains("device") ? device_named(machine, arguments["device"]) : "";
    json devices = json::array();
    for (const auto& device : machine.devices()) {
        if (!wanted.empty() && device.id != wanted) {
            continue;
        }
        json queues = json::array();
        for (const auto& queue : device.queues) {
            json values = json::object();
            for (const auto& counter : queue.counters) {
                values[counter.name] = counter.value;
            }
            queues.push_back(
                {{"index", queue.index}, {"path", queue.path}, {"counters", std::move(values)}});
        }
        devices.push_back({{"device", device.id},
                           {"model", device.model},
                           {"features", device.features},
                           {"queues", std::move(queues)}});
        for (const auto& counter : device.counters) {
            devices.back()["counters"][counter.name] = counter.value;
        }
    }
    return devices;
}

json query_commands(MachineControl&, const json&);

constexpr Argument kLinkArguments[] = {{"name", ArgumentType::kString, true},
                                       {"up", ArgumentType::kBoolean, true}};
constexpr Argument kPathArguments[] = {{"device", ArgumentType::kString, true},
                                       {"path", ArgumentType::kString, true}};
constexpr Argument kCounterArguments[] = {{"device", ArgumentType::kString, false}};

constexpr Command kCommands[] = {
    {"query-status", {}, query_status},
    {"query-version", {}, query_version},
    {"query-commands", {}, query_commands},
    {"query-cpus-fast", {}, query_cpus},
    {"stop", {}, stop},
    {"cont", {}, cont},
    {"quit", {}, quit},
    {"system_reset", {}, system_reset},
    {"system_powerdown", {}, system_powerdown},
    {"set_link", kLinkArguments, set_link},
    {"x-vireo-counters", kCounterArguments, counters},
    {"x-vireo-path", kPathArguments, set_path},
};

json query_commands(MachineControl&, const json&) {
    json all = json::array();
    all.push_back({{"name", "qmp_capabilities"}}); // which the session answers itself
    for (const Command& command : kCommands) {
        all.push_back({{"name", command.name}});
    }
    return all;
}

void check_arguments(const Command& command, const json& arguments) {
    for (const auto& [name, value] : arguments.items()) {
        const auto known = std::ranges::find(command.arguments, name, &Argument::name);
        if (known == command.arguments.end()) {
            refuse("Parameter '{}' is unexpected", name);
        }
        const bool string = known->type == ArgumentType::kString;
        if (string ? !value.is_string() : !value.is_boolean()) {
            refuse("Invalid parameter type for '{}', expected: {}", name,
                   string ? "string" : "boolean");
        }
    }
    for (const Argument& argument : command.arguments) {
        if (argument.required && !arguments.contains(argument.name)) {
            refuse("Parameter '{}' is missing", argument.name);
        }
    }
}

} // namespace

json run_command(MachineControl& machine, const std::string& name, const json& arguments) {
    const auto command = std::ranges::find(kCommands, std::string_view(name), &Command::name);
    if (command == std::end(kCommands)) {
        throw QmpError{"CommandNotFound", fmt::format("The command {} has not been found", name)};
    }
    check_arguments(*command, arguments);
    return command->run(machine, arguments);
}

json version() {
    return {
        {"qemu", {{"major", kVersion.major}, {"minor", kVersion.minor}, {"micro", kVersion.micro}}},
        {"package", fmt::format("vireo {}.{}.{}", kVersion.major, kVersion.minor, kVersion.micro)}};
}

} // namespace vireo::monitor
