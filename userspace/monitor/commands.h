// SPDX-License-Identifier: GPL-2.0-only
#ifndef VIREO_MONITOR_COMMANDS_H
#define VIREO_MONITOR_COMMANDS_H

#include <nlohmann/json.hpp>
#include <string>

#include "machine/control.h"

namespace vireo::monitor {

// A command that was refused, in the words of QMP.
struct QmpError {
    const char* error_class; // "GenericError", "CommandNotFound", "DeviceNotFound"
    std::string description;
};

// Carry out a command, and return its answer. Throws QmpError, or what MachineControl throws. On
// the main thread.
nlohmann::json run_command(MachineControl& machine, const std::string& name,
                           const nlohmann::json& arguments);

// {"qemu": {...}, "package": ...}, of the greeting and of query-version.
nlohmann::json version();

} // namespace vireo::monitor

#endif // VIREO_MONITOR_COMMANDS_H
