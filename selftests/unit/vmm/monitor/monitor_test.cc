// SPDX-License-Identifier: GPL-2.0-only
// The server over real sockets: clients that come, go, talk at once, do not read, or mean harm.
#include "monitor/monitor.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <filesystem>
#include <thread>

#include "fake_machine.h"
#include "monitor/framer.h"

namespace vireo::monitor {
namespace {

constexpr int kPatience = 300'000; // ms, for what comes at once

// The other end of a socket.
class Peer {
public:
    explicit Peer(Fd fd) : fd_(std::move(fd)) {}

    void say(std::string_view text) {
        while (!text.empty()) {
            const ssize_t n = send(fd_.get(), text.data(), text.size(), MSG_NOSIGNAL);
            if (n < 0 && errno == EAGAIN) {
                wait(POLLOUT);
            } else {
                ASSERT_GT(n, 0);
                text.remove_prefix(static_cast<size_t>(n));
            }
        }
    }

    // The next line, without its end; empty: there will be none.
    std::string line() {
        size_t end;
        while ((end = in_.find("\r\n")) == std::string::npos) {
            char bytes[512];
            wait(POLLIN);
            const ssize_t n = recv(fd_.get(), bytes, sizeof(bytes), 0);
            if (n <= 0) {
                return {};
            }
            in_.append(bytes, static_cast<size_t>(n));
        }
        std::string first = in_.substr(0, end);
        in_.erase(0, end + 2);
        return first;
    }

    // A request and its answer; events that come before it are passed over.
    std::string ask(const std::string& command) {
        say("{\"execute\":\"" + command + "\"}\n");
        std::string answer;
        do {
            answer = line();
        } while (answer.find("\"event\"") != std::string::npos);
        return answer;
    }

    void greet() {
        EXPECT_NE(line().find("\"QMP\""), std::string::npos);
        EXPECT_EQ(ask("qmp_capabilities"), "{\"return\":{}}");
    }

    int get() const { return fd_.get(); }
    void hang_up() { fd_.reset(); }

private:
    void wait(short events) const {
        pollfd ready = {.fd = fd_.get(), .events = events, .revents = 0};
        ASSERT_EQ(poll(&ready, 1, kPatience), 1);
    }

    Fd fd_;
    std::string in_;
};

class Server : public testing::Test {
protected:
    ~Server() override {
        finish();
        std::filesystem::remove_all(folder);
    }

    void SetUp() override {
        char name[] = "/tmp/vireo-qmp-XXXXXX";
        ASSERT_NE(mkdtemp(name), nullptr);
        folder = name;
        path = folder + "/qmp";
    }

    // The main thread of this program is the clients'; the machine's is another.
    void run() {
        thread = std::thread([this] { loop.run(); });
    }

    void finish() {
        if (thread.joinable()) {
            loop.quit();
            thread.join();
        }
        monitor.reset();
    }

    Peer pair() {
        int fds[2];
        EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
        loop.call([&] { monitor->add_client(Fd(fds[0])); });
        return Peer(Fd(fds[1]));
    }

    void tell(MachineEvent::Kind kind) {
        loop.call([&] { machine.tell({.kind = kind, .device = {}, .reason = {}}); });
    }

    std::string folder, path;
    FakeMachine machine;
    EventLoop loop;
    std::unique_ptr<Monitor> monitor = std::make_unique<Monitor>(loop, machine);
    std::thread thread;
};

TEST_F(Server, ServesAClient) {
    run();
    Peer client = pair();
    client.greet();
    EXPECT_EQ(client.ask("query-status"),
              "{\"return\":{\"running\":false,\"singlestep\":false,\"status\":\"prelaunch\"}}");
}

TEST_F(Server, SocketIsTheUsersAlone) {
    monitor->open({.path = path, .fd = -1, .server = true, .wait = false});
    struct stat status = {};
    ASSERT_EQ(stat(path.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0600u);
    run();
    Peer client(connect_unix(path));
    client.greet();
    finish();
    EXPECT_NE(stat(path.c_str(), &status), 0); // gone with the server
    EXPECT_FALSE(machine.is_heard());
}

TEST_F(Server, TakesTheSocketOfOneThatDied) {
    const pid_t child = fork();
    if (child == 0) {
        new UnixListener(path);
        _exit(0); // without its destructor: the file stays
    }
    int status;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(std::filesystem::exists(path));
    monitor->open({.path = path, .fd = -1, .server = true, .wait = false});
    run();
    Peer client(connect_unix(path));
    client.greet();
}

TEST_F(Server, LeavesALivingOneAlone) {
    monitor->open({.path = path, .fd = -1, .server = true, .wait = false});
    Monitor second(loop, machine);
    try {
        second.open({.path = path, .fd = -1, .server = true, .wait = false});
        FAIL() << "two servers at one socket";
    } catch (const std::system_error& error) {
        EXPECT_EQ(std::string(error.what()), "listen at " + path + ": Address already in use");
    }
    EXPECT_THROW(second.open({.path = folder, .fd = -1, .server = true, .wait = false}),
                 std::system_error);
    EXPECT_THROW(
        second.open({.path = std::string(200, 'x'), .fd = -1, .server = true, .wait = false}),
        std::system_error);
}

TEST_F(Server, WaitsForAClient) {
    std::thread client_thread([&] {
        while (!std::filesystem::exists(path)) {
            std::this_thread::yield();
        }
        // The file is there a moment before somebody listens.
        for (Fd fd; !fd;) {
            try {
                fd = connect_unix(path);
            } catch (const std::system_error&) {
                continue;
            }
            Peer(std::move(fd)).greet();
            return;
        }
    });
    monitor->open({.path = path, .fd = -1, .server = true, .wait = true});
    run();
    client_thread.join();
}

TEST_F(Server, Connects) {
    UnixListener listener(path);
    monitor->open({.path = path, .fd = -1, .server = false, .wait = false});
    run();
    Peer(listener.wait()).greet();
    EXPECT_THROW(
        monitor->open({.path = folder + "/nobody", .fd = -1, .server = false, .wait = false}),
        std::system_error);
}

TEST_F(Server, ServesSeveralAndTellsAll) {
    run();
    Peer a = pair();
    Peer b = pair();
    Peer silent = pair(); // has not negotiated
    a.greet();
    b.greet();
    a.say("{\"execute\":\"stop\"}");
    EXPECT_NE(a.line().find("\"STOP\""), std::string::npos);
    EXPECT_EQ(a.line(), "{\"return\":{}}");
    EXPECT_NE(b.line().find("\"STOP\""), std::string::npos);
    EXPECT_NE(silent.line().find("\"QMP\""), std::string::npos);
    EXPECT_EQ(silent.ask("qmp_capabilities"), "{\"return\":{}}");
    b.hang_up();
    EXPECT_EQ(a.ask("cont"), "{\"return\":{}}");
    EXPECT_EQ(silent.ask("stop"), "{\"return\":{}}");
}

TEST_F(Server, MoreThanThereIsRoomForWait) {
    monitor->open({.path = path, .fd = -1, .server = true, .wait = false});
    run();
    std::vector<Peer> clients;
    for (size_t i = 0; i < Monitor::kMaxClients; i++) {
        clients.emplace_back(connect_unix(path));
        clients.back().greet();
    }
    Peer late(connect_unix(path));
    EXPECT_EQ(clients.front().ask("stop"), "{\"return\":{}}");
    char byte;
    EXPECT_EQ(recv(late.get(), &byte, 1, MSG_DONTWAIT), -1);
    clients.back().hang_up();
    late.greet();
}

TEST_F(Server, AnswersInOrderHoweverRequestsArrive) {
    run();
    Peer client = pair();
    client.greet();
    std::string requests;
    for (int i = 0; i < 500; i++) {
        requests += fmt::format("{{\"execute\":\"query-version\",\"id\":{}}}", i);
    }
    client.say(requests);
    for (int i = 0; i < 500; i++) {
        EXPECT_EQ(client.line().find(fmt::format("{{\"id\":{},", i)), 0u);
    }
}

TEST_F(Server, CutsOffWhoSendsTooMuch) {
    run();
    Peer client = pair();
    client.greet();
    client.say(std::string(Framer::kMaxDepth + 1, '{'));
    EXPECT_NE(client.line().find("at most"), std::string::npos);
    EXPECT_EQ(client.line(), "");
}

// It asks, and never reads: it is not listened to, and costs no more than what was answered then.
TEST_F(Server, DoesNotListenToWhoDoesNotRead) {
    run();
    Peer client = pair();
    client.greet();
    const std::string request = "{\"execute\":\"query-commands\"}";
    size_t sent = 0;
    // Until the socket is full, and stays so however often the server looks at its clients.
    Peer other = pair();
    other.greet();
    for (int full = 0; full < 50;) {
        const ssize_t n = send(client.get(), request.data(), request.size(), MSG_DONTWAIT);
        if (n < 0) {
            ASSERT_EQ(errno, EAGAIN);
            full++;
            EXPECT_NE(other.ask("query-status"), "");
        } else {
            full = 0;
            sent += static_cast<size_t>(n);
            ASSERT_LT(sent, 4u << 20);
        }
    }
    // What was asked is answered all the same, once it is read.
    EXPECT_NE(client.line().find("\"return\""), std::string::npos);
}

TEST_F(Server, CutsOffWhoReadsNoEvents) {
    run();
    Peer deaf = pair();
    Peer other = pair();
    deaf.greet();
    other.greet();
    bool gone = false;
    for (int i = 0; i < 20'000 && !gone; i++) {
        tell(MachineEvent::Kind::kStop);
        EXPECT_NE(other.line().find("\"STOP\""), std::string::npos);
        pollfd state = {.fd = deaf.get(), .events = 0, .revents = 0};
        gone = poll(&state, 1, 0) == 1 && (state.revents & POLLHUP);
    }
    EXPECT_TRUE(gone);
    EXPECT_EQ(other.ask("cont"), "{\"return\":{}}");
}

TEST_F(Server, SurvivesWhoLeavesAtOnce) {
    run();
    for (int i = 0; i < 50; i++) {
        Peer client = pair();
        client.say("{\"execute\":\"qmp_capabilities\"}{\"execute\":\"stop\"}");
        client.hang_up();
    }
    Peer other = pair();
    other.greet();
}

TEST_F(Server, TellsTheEnd) {
    run();
    Peer client = pair();
    client.greet();
    tell(MachineEvent::Kind::kShutdown);
    finish();
    EXPECT_NE(client.line().find("\"SHUTDOWN\""), std::string::npos);
    EXPECT_EQ(client.line(), "");
}

} // namespace
} // namespace vireo::monitor
