// SPDX-License-Identifier: GPL-2.0-only
#include "monitor/session.h"

#include <fmt/core.h>

#include <chrono>
#include <exception>
#include <nlohmann/json.hpp>

#include "monitor/commands.h"

namespace vireo::monitor {
namespace {

using nlohmann::json;

// One line. What is no UTF-8 (a file's name in a message) is replaced, and not refused.
std::string line(const json& message) {
    return message.dump(-1, ' ', true, json::error_handler_t::replace) + "\r\n";
}

json error(const char* error_class, const std::string& description) {
    return {{"error", {{"class", error_class}, {"desc", description}}}};
}

// Of a request that has the form of one; the rest of QMP's rules are about its parts.
void check_form(const json& request) {
    if (!request.is_object()) {
        throw QmpError{"GenericError", "QMP input must be a JSON object"};
    }
    for (const auto& [key, value] : request.items()) {
        if (key != "execute" && key != "arguments" && key != "id") {
            throw QmpError{"GenericError", fmt::format("QMP input member '{}' is unexpected", key)};
        }
        if (key == "execute" && !value.is_string()) {
            throw QmpError{"GenericError", "QMP input member 'execute' must be a string"};
        }
        if (key == "arguments" && !value.is_object()) {
            throw QmpError{"GenericError", "QMP input member 'arguments' must be an object"};
        }
    }
    if (!request.contains("execute")) {
        throw QmpError{"GenericError", "QMP input lacks member 'execute'"};
    }
}

// A client may ask for capabilities; there are none beyond the protocol itself.
json negotiate(const json& arguments) {
    for (const auto& [key, value] : arguments.items()) {
        if (key != "enable") {
            throw QmpError{"GenericError", fmt::format("Parameter '{}' is unexpected", key)};
        }
        if (!value.is_array() || !value.empty()) {
            throw QmpError{"GenericError", "There are no capabilities to enable"};
        }
    }
    return json::object();
}

const char* name_of(MachineEvent::Kind kind) {
    switch (kind) {
        case MachineEvent::Kind::kStop:
            return "STOP";
        case MachineEvent::Kind::kResume:
            return "RESUME";
        case MachineEvent::Kind::kReset:
            return "RESET";
        case MachineEvent::Kind::kPowerdown:
            return "POWERDOWN";
        case MachineEvent::Kind::kShutdown:
            return "SHUTDOWN";
        case MachineEvent::Kind::kBroken:
            return "X_VIREO_BROKEN";
    }
    return "";
}

json data_of(const MachineEvent& event) {
    switch (event.kind) {
        case MachineEvent::Kind::kReset:
            return {{"guest", event.guest},
                    {"reason", event.guest ? "guest-reset" : "host-qmp-system-reset"}};
        case MachineEvent::Kind::kShutdown:
            return {{"guest", event.guest},
                    {"reason", event.guest ? "guest-shutdown" : "host-qmp-quit"}};
        case MachineEvent::Kind::kBroken:
            return {{"device", event.device}, {"reason", event.reason}};
        default:
            return nullptr;
    }
}

} // namespace

std::string Session::greeting() const {
    return line({{"QMP", {{"version", version()}, {"capabilities", json::array()}}}});
}

std::string Session::answer(std::string_view request_text) {
    const json request = json::parse(request_text, nullptr, false);
    json reply;
    try {
        if (request.is_discarded()) {
            throw QmpError{"GenericError", "JSON parse error"};
        }
        check_form(request);
        const auto& name = request["execute"].get_ref<const std::string&>();
        const json arguments = request.value("arguments", json::object());
        if ((name == "qmp_capabilities") == negotiated_) {
            // Either is an unknown command in this mode.
            if (negotiated_) {
                throw QmpError{"CommandNotFound",
                               "Capabilities negotiation is already complete, "
                               "command ignored"};
            }
            throw QmpError{"CommandNotFound",
                           "Expecting capabilities negotiation with 'qmp_capabilities'"};
        }
        reply["return"] =
            negotiated_ ? run_command(machine_, name, arguments) : negotiate(arguments);
        negotiated_ = true;
    } catch (const QmpError& refused) {
        reply = error(refused.error_class, refused.description);
    } catch (const std::exception& failed) {
        reply = error("GenericError", failed.what());
    }
    if (request.is_object() && request.contains("id")) {
        reply["id"] = request["id"];
    }
    return line(reply);
}

bool Session::receive(std::string_view bytes, std::string& out) {
    while (true) {
        switch (framer_.feed(bytes)) {
            case Framer::Result::kMore:
                return true;
            case Framer::Result::kValue:
                out += answer(framer_.value());
                break;
            case Framer::Result::kJunk:
                out += line(error("GenericError", "JSON parse error: a request is an object"));
                break;
            case Framer::Result::kTooBig:
                out +=
                    line(error("GenericError",
                               fmt::format("A request has at most {} bytes, and is nested at most "
                                           "{} deep",
                                           Framer::kMaxSize, Framer::kMaxDepth)));
                return false;
        }
    }
}

void Session::tell(const MachineEvent& event, std::string& out) const {
    if (!negotiated_) {
        return;
    }
    const auto now = std::chrono::duration_cast<std::chrono::microseconds>(
                         std::chrono::system_clock::now().time_since_epoch())
                         .count();
    json message = {
        {"event", name_of(event.kind)},
        {"timestamp", {{"seconds", now / 1'000'000}, {"microseconds", now % 1'000'000}}}};
    if (json data = data_of(event); !data.is_null()) {
        message["data"] = std::move(data);
    }
    out += line(message);
}

} // namespace vireo::monitor
