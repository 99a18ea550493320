// SPDX-License-Identifier: GPL-2.0-only
// QMP's words: what a client says, and every word of the answer.
#include "monitor/session.h"

#include <gtest/gtest.h>

#include <regex>

#include "fake_machine.h"

namespace vireo::monitor {
namespace {

class Qmp : public testing::Test {
protected:
    Qmp() {
        machine.on_event([this](const MachineEvent& event) { session.tell(event, out); });
    }

    // The answer to a request, and what was told before it; an event's time is made 0.
    std::string ask(std::string_view request) {
        out.clear();
        EXPECT_TRUE(session.receive(request, out));
        static const std::regex kTime(R"("timestamp":\{[^}]*\})");
        return std::regex_replace(out, kTime, R"("timestamp":0)");
    }

    void negotiate() { ASSERT_EQ(ask(R"({"execute":"qmp_capabilities"})"), "{\"return\":{}}\r\n"); }

    static std::string refused(const std::string& error_class, const std::string& description) {
        return fmt::format("{{\"error\":{{\"class\":\"{}\",\"desc\":\"{}\"}}}}\r\n", error_class,
                           description);
    }

    FakeMachine machine;
    Session session{machine};
    std::string out;
};

TEST_F(Qmp, Greets) {
    EXPECT_EQ(session.greeting(),
              "{\"QMP\":{\"capabilities\":[],\"version\":{\"package\":\"vireo 0.1.0\","
              "\"qemu\":{\"major\":0,\"micro\":0,\"minor\":1}}}}\r\n");
}

TEST_F(Qmp, WantsCapabilitiesFirstAndOnce) {
    EXPECT_EQ(
        ask(R"({"execute":"stop"})"),
        refused("CommandNotFound", "Expecting capabilities negotiation with 'qmp_capabilities'"));
    EXPECT_EQ(machine.state(), MachineControl::State::kPrelaunch);
    EXPECT_EQ(ask(R"({"execute":"qmp_capabilities","arguments":{"enable":["oob"]}})"),
              refused("GenericError", "There are no capabilities to enable"));
    EXPECT_EQ(ask(R"({"execute":"qmp_capabilities","arguments":{"disable":[]}})"),
              refused("GenericError", "Parameter 'disable' is unexpected"));
    EXPECT_EQ(ask(R"({"execute":"qmp_capabilities","arguments":{"enable":[]}})"),
              "{\"return\":{}}\r\n");
    EXPECT_EQ(ask(R"({"execute":"qmp_capabilities"})"),
              refused("CommandNotFound",
                      "Capabilities negotiation is already complete, command ignored"));
}

TEST_F(Qmp, TellsNothingBeforeCapabilities) {
    out.clear();
    machine.stop();
    EXPECT_EQ(out, "");
    negotiate();
    machine.stop();
    EXPECT_NE(out.find("STOP"), std::string::npos);
}

TEST_F(Qmp, GivesTheIdBack) {
    negotiate();
    EXPECT_EQ(ask(R"({"execute":"query-version","id":[1,{"a":null}]})"),
              "{\"id\":[1,{\"a\":null}],\"return\":{\"package\":\"vireo 0.1.0\","
              "\"qemu\":{\"major\":0,\"micro\":0,\"minor\":1}}}\r\n");
    EXPECT_EQ(ask(R"({"id":"x","execute":"nonsense"})"),
              "{\"error\":{\"class\":\"CommandNotFound\",\"desc\":\"The command nonsense has not "
              "been found\"},\"id\":\"x\"}\r\n");
}

TEST_F(Qmp, RefusesWhatIsNoRequest) {
    negotiate();
    EXPECT_EQ(ask("{\"execute\":}"), refused("GenericError", "JSON parse error"));
    EXPECT_EQ(ask("{\"execute\":\"\xff\"}"), refused("GenericError", "JSON parse error"));
    EXPECT_EQ(ask("[1]"), refused("GenericError", "QMP input must be a JSON object"));
    EXPECT_EQ(ask("{}"), refused("GenericError", "QMP input lacks member 'execute'"));
    EXPECT_EQ(ask("{\"execute\":1}"),
              refused("GenericError", "QMP input member 'execute' must be a string"));
    EXPECT_EQ(ask("{\"execute\":\"stop\",\"arguments\":[]}"),
              refused("GenericError", "QMP input member 'arguments' must be an object"));
    EXPECT_EQ(ask("{\"execute\":\"stop\",\"argument\":{}}"),
              refused("GenericError", "QMP input member 'argument' is unexpected"));
    EXPECT_EQ(ask("stop\n"), refused("GenericError", "JSON parse error: a request is an object"));
    EXPECT_EQ(machine.state(), MachineControl::State::kPrelaunch);
}

TEST_F(Qmp, ChecksArguments) {
    negotiate();
    EXPECT_EQ(ask(R"({"execute":"stop","arguments":{"x":1}})"),
              refused("GenericError", "Parameter 'x' is unexpected"));
    EXPECT_EQ(ask(R"({"execute":"set_link","arguments":{"name":"net0"}})"),
              refused("GenericError", "Parameter 'up' is missing"));
    EXPECT_EQ(ask(R"({"execute":"set_link","arguments":{"name":"net0","up":"on"}})"),
              refused("GenericError", "Invalid parameter type for 'up', expected: boolean"));
    EXPECT_EQ(ask(R"({"execute":"set_link","arguments":{"name":0,"up":true}})"),
              refused("GenericError", "Invalid parameter type for 'name', expected: string"));
    EXPECT_EQ(ask(R"({"execute":"set_link","arguments":{"name":"net9","up":true}})"),
              refused("DeviceNotFound", "Device 'net9' not found"));
    EXPECT_TRUE(machine.asked.empty());
}

TEST_F(Qmp, StopsAndContinues) {
    negotiate();
    EXPECT_EQ(ask(R"({"execute":"query-status"})"),
              "{\"return\":{\"running\":false,\"singlestep\":false,\"status\":\"prelaunch\"}}\r\n");
    EXPECT_EQ(ask(R"({"execute":"cont"})"),
              "{\"event\":\"RESUME\",\"timestamp\":0}\r\n{\"return\":{}}\r\n");
    EXPECT_EQ(ask(R"({"execute":"query-status"})"),
              "{\"return\":{\"running\":true,\"singlestep\":false,\"status\":\"running\"}}\r\n");
    EXPECT_EQ(ask(R"({"execute":"stop"})"),
              "{\"event\":\"STOP\",\"timestamp\":0}\r\n{\"return\":{}}\r\n");
    EXPECT_EQ(ask(R"({"execute":"query-status"})"),
              "{\"return\":{\"running\":false,\"singlestep\":false,\"status\":\"paused\"}}\r\n");
}

TEST_F(Qmp, ResetsAndEnds) {
    negotiate();
    EXPECT_EQ(ask(R"({"execute":"system_reset"})"),
              "{\"data\":{\"guest\":false,\"reason\":\"host-qmp-system-reset\"},\"event\":"
              "\"RESET\",\"timestamp\":0}\r\n{\"return\":{}}\r\n");
    EXPECT_EQ(ask(R"({"execute":"system_powerdown"})"),
              "{\"event\":\"POWERDOWN\",\"timestamp\":0}\r\n{\"return\":{}}\r\n");
    EXPECT_EQ(ask(R"({"execute":"quit"})"),
              "{\"data\":{\"guest\":false,\"reason\":\"host-qmp-quit\"},\"event\":\"SHUTDOWN\","
              "\"timestamp\":0}\r\n{\"return\":{}}\r\n");
    EXPECT_EQ(machine.asked, std::vector<std::string>({"quit"}));
}

TEST_F(Qmp, ListsCpusAndCommands) {
    negotiate();
    EXPECT_EQ(ask(R"({"execute":"query-cpus-fast"})"),
              "{\"return\":[{\"cpu-index\":0,\"qom-path\":\"/machine/cpu[0]\",\"target\":"
              "\"x86_64\",\"thread-id\":4711},{\"cpu-index\":1,\"qom-path\":\"/machine/cpu[1]\","
              "\"target\":\"x86_64\",\"thread-id\":4712}]}\r\n");
    const auto all = ask(R"({"execute":"query-commands"})");
    for (const auto* name : {"qmp_capabilities", "query-commands", "quit", "x-vireo-path"}) {
        EXPECT_NE(all.find(fmt::format("{{\"name\":\"{}\"}}", name)), std::string::npos) << name;
    }
}

TEST_F(Qmp, PullsACable) {
    negotiate();
    EXPECT_EQ(ask(R"({"execute":"set_link","arguments":{"name":"net0","up":false}})"),
              "{\"return\":{}}\r\n");
    EXPECT_EQ(machine.asked, std::vector<std::string>({"link net0 false"}));
    EXPECT_EQ(ask(R"({"execute":"set_link","arguments":{"name":"rng0","up":true}})"),
              refused("GenericError", "rng0 has no link"));
}

TEST_F(Qmp, SwitchesPaths) {
    negotiate();
    EXPECT_EQ(ask(R"({"execute":"x-vireo-path","arguments":{"device":"net0","path":"user"}})"),
              "{\"return\":{}}\r\n");
    EXPECT_EQ(machine.asked, std::vector<std::string>({"path net0 user"}));
    EXPECT_EQ(ask(R"({"execute":"x-vireo-path","arguments":{"device":"net0","path":"fast"}})"),
              refused("GenericError", "Parameter 'path' is 'user' or 'vhost', not 'fast'"));
    EXPECT_EQ(ask(R"({"execute":"x-vireo-path","arguments":{"device":"net0","path":"vhost"}})"),
              refused("GenericError", "open /dev/vireo-net: No such file or directory"));
    EXPECT_EQ(ask(R"({"execute":"x-vireo-path","arguments":{"device":"","path":"user"}})"),
              refused("DeviceNotFound", "Device '' not found"));
}

TEST_F(Qmp, Counts) {
    negotiate();
    const std::string net =
        "{\"device\":\"net0\",\"features\":4294967296,\"model\":\"virtio-net-pci\",\"queues\":["
        "{\"counters\":{\"chains\":1099511627776,\"kicks\":3},\"index\":0,\"path\":\"vhost\"},"
        "{\"counters\":{},\"index\":1,\"path\":\"vhost\"}]}";
    const std::string rng =
        "{\"device\":\"rng0\",\"features\":0,\"model\":\"virtio-rng-pci\",\"queues\":["
        "{\"counters\":{},\"index\":0,\"path\":\"\"}]}";
    const std::string nic =
        "{\"counters\":{\"interrupts\":2,\"traps\":5},\"device\":\"nic0\",\"features\":0,"
        "\"model\":\"e1000\",\"queues\":[{\"counters\":{},\"index\":0,\"path\":\"emulated\"}]}";
    EXPECT_EQ(ask(R"({"execute":"x-vireo-counters"})"),
              "{\"return\":[" + net + "," + rng + "," + nic + "]}\r\n");
    EXPECT_EQ(ask(R"({"execute":"x-vireo-counters","arguments":{"device":"rng0"}})"),
              "{\"return\":[" + rng + "]}\r\n");
    EXPECT_EQ(ask(R"({"execute":"x-vireo-counters","arguments":{"device":"disk0"}})"),
              refused("DeviceNotFound", "Device 'disk0' not found"));
}

TEST_F(Qmp, TellsWhatTheGuestDid) {
    negotiate();
    out.clear();
    using Kind = MachineEvent::Kind;
    machine.tell({.kind = Kind::kShutdown, .guest = true, .device = {}, .reason = {}});
    EXPECT_NE(out.find(R"("data":{"guest":true,"reason":"guest-shutdown"})"), std::string::npos);
    out.clear();
    machine.tell({.kind = Kind::kReset, .guest = true, .device = {}, .reason = {}});
    EXPECT_NE(out.find(R"("data":{"guest":true,"reason":"guest-reset"})"), std::string::npos);
    out.clear();
    machine.tell({.kind = Kind::kBroken, .device = "net0", .reason = "queue 1: a \xff loop"});
    EXPECT_NE(out.find(R"("data":{"device":"net0","reason":"queue 1: a \ufffd loop"})"),
              std::string::npos);
    EXPECT_NE(out.find(R"("event":"X_VIREO_BROKEN")"), std::string::npos);
}

TEST_F(Qmp, IsDoneWithAClientThatIsTooMuch) {
    negotiate();
    out.clear();
    EXPECT_FALSE(session.receive(std::string(1000, '['), out));
    EXPECT_EQ(out, refused("GenericError",
                           "A request has at most 65536 bytes, and is nested at most 32 deep"));
}

} // namespace
} // namespace vireo::monitor
