// SPDX-License-Identifier: GPL-2.0-only
// A client of the monitor that sends anything: whatever it is, each answer is a JSON object on a
// line of its own, and the bytes' division into pieces makes no difference to the answers.
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "../unit/vmm/monitor/fake_machine.h"
#include "monitor/session.h"

namespace {

using vireo::FakeMachine;
using vireo::monitor::Session;

// What a session answers when the bytes come in pieces of that size.
std::string answers(std::string_view bytes, size_t piece) {
    FakeMachine machine;
    Session session(machine);
    std::string out;
    while (!bytes.empty() && session.receive(bytes.substr(0, piece), out)) {
        bytes.remove_prefix(std::min(piece, bytes.size()));
    }
    return out;
}

void check_lines(std::string_view out) {
    while (!out.empty()) {
        const size_t end = out.find("\r\n");
        if (end == std::string_view::npos ||
            !nlohmann::json::parse(out.substr(0, end), nullptr, false).is_object()) {
            abort();
        }
        out.remove_prefix(end + 2);
    }
}

} // namespace

// The first byte says how the rest is divided.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    if (size == 0) {
        return 0;
    }
    const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
    const std::string out = answers(bytes, bytes.size());
    check_lines(out);
    if (answers(bytes, 1 + data[0] % 16) != out) {
        abort();
    }
    return 0;
}
