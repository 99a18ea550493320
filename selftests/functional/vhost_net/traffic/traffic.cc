// SPDX-License-Identifier: GPL-2.0-only
// Traffic that both ends verify byte by byte: one program for the guest and for its host.
//
//   traffic serve PORT                                        TCP and UDP, in the background, once
//   it is ready traffic tcp ADDRESS PORT up=BYTES down=BYTES              one connection, both ways
//   at once traffic udp ADDRESS PORT count=N window=N|rate=N min=BYTES max=BYTES
//
// BYTES and N of "up", "down" and "count" may be "on": until SIGTERM. seed=N chooses the content,
// progress=FILE names a file that says how far it is: sent, received, received by the peer. A
// client prints one line of JSON. It ends with status 0 if it came to an end, whatever it saw; with
// 1, and a sentence, if it could not.
#include <arpa/inet.h>
#include <fcntl.h>

#include <charconv>
#include <csignal>
#include <cstdio>
#include <map>
#include <span>
#include <string_view>

#include "traffic.h"

std::atomic<bool> stopped = false;

Progress::Progress(const std::optional<std::string>& path)
    : fd_(path ? check(open(path->c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644), "open progress")
               : -1) {}

void Progress::say(uint64_t sent, uint64_t received, uint64_t peer_received) {
    if (fd_.get() < 0)
        return;
    // Of one length, so that a line is never seen with another's end.
    char line[64];
    const int length = std::snprintf(
        line, sizeof line, "%20llu %20llu %20llu\n", static_cast<unsigned long long>(sent),
        static_cast<unsigned long long>(received), static_cast<unsigned long long>(peer_received));
    check(pwrite(fd_.get(), line, static_cast<size_t>(length), 0), "write progress");
}

namespace {

uint64_t number(std::string_view text) {
    uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size())
        throw std::runtime_error("\"" + std::string(text) + "\" is no number");
    return value;
}

class Options {
public:
    explicit Options(std::span<char*> words) {
        for (const std::string_view word : words) {
            const size_t equals = word.find('=');
            if (equals == std::string_view::npos)
                throw std::runtime_error("\"" + std::string(word) + "\" is no NAME=VALUE");
            values_.emplace(word.substr(0, equals), word.substr(equals + 1));
        }
    }

    uint64_t get(const char* name, uint64_t otherwise) const {
        const auto found = values_.find(name);
        if (found == values_.end())
            return otherwise;
        return found->second == "on" ? kUntilStopped : number(found->second);
    }

    std::optional<std::string> text(const char* name) const {
        const auto found = values_.find(name);
        return found == values_.end() ? std::nullopt : std::optional(found->second);
    }

private:
    std::map<std::string, std::string, std::less<>> values_;
};

sockaddr_in address(const char* host, const char* port) {
    sockaddr_in result = {};
    result.sin_family = AF_INET;
    result.sin_port = htons(static_cast<uint16_t>(number(port)));
    if (inet_pton(AF_INET, host, &result.sin_addr) != 1)
        throw std::runtime_error("\"" + std::string(host) + "\" is no IPv4 address");
    return result;
}

void run(std::span<char*> words) {
    const std::string_view what = words.size() > 1 ? words[1] : "";
    if (what == "serve" && words.size() == 3) {
        const sockaddr_in any = address("0.0.0.0", words[2]);
        const Fd streams = bind_stream(any);
        const Fd datagrams = bind_datagram(any);
        check(daemon(0, 0), "daemon");
        if (check(fork(), "fork") == 0)
            serve_datagrams(datagrams);
        serve_streams(streams);
    }
    if (words.size() < 4 || (what != "tcp" && what != "udp"))
        throw std::runtime_error("usage: serve PORT | tcp|udp ADDRESS PORT NAME=VALUE...");
    const Options options(words.subspan(4));
    const sockaddr_in peer = address(words[2], words[3]);
    if (what == "tcp")
        run_stream({.peer = peer,
                    .seed = options.get("seed", 1),
                    .up = options.get("up", 0),
                    .down = options.get("down", 0),
                    .rate = options.get("rate", 0),
                    .progress = options.text("progress")});
    else
        run_datagrams({.peer = peer,
                       .seed = options.get("seed", 1),
                       .count = options.get("count", 1),
                       .window = options.get("window", 0),
                       .rate = options.get("rate", 100),
                       .min = options.get("min", 64),
                       .max = options.get("max", 1400),
                       .progress = options.text("progress")});
}

} // namespace

int main(int argc, char** argv) {
    // Without SA_RESTART, so that a wait ends.
    struct sigaction action = {};
    action.sa_handler = [](int) { stopped = true; };
    sigaction(SIGTERM, &action, nullptr);
    try {
        run(std::span(argv, static_cast<size_t>(argc)));
        return 0;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "traffic: %s\n", error.what());
        return 1;
    }
}
