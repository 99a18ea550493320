// SPDX-License-Identifier: GPL-2.0-only
#include "console/chardev.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <pty.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <termios.h>

#include <chrono>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <system_error>
#include <thread>

#include "console/terminal.h"

namespace vireo {
namespace {

struct Frontend : CharFrontend {
    size_t char_room() override { return room; }
    void char_input(std::span<const uint8_t> bytes) override {
        ASSERT_LE(bytes.size(), room);
        input.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
        room -= bytes.size();
    }
    void char_drained() override { drained++; }
    void char_opened() override { opened++; }
    void char_closed() override { closed++; }
    size_t room = 1 << 20;
    std::string input;
    int drained = 0, opened = 0, closed = 0;
};

struct ChardevTest : testing::Test {
    ChardevTest() { mkdtemp(directory.data()); }
    ~ChardevTest() override { std::filesystem::remove_all(directory); }

    bool until(const std::function<bool()>& so) {
        const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
        while (!so()) {
            if (std::chrono::steady_clock::now() > end) {
                return false;
            }
            loop.post([this] { loop.quit(); });
            loop.run();
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
        }
        return true;
    }
    static size_t write(CharBackend& to, const std::string& text) {
        return to.write({reinterpret_cast<const uint8_t*>(text.data()), text.size()});
    }
    Fd dial() const {
        sockaddr_un address = {};
        address.sun_family = AF_UNIX;
        strcpy(address.sun_path, path.c_str());
        Fd peer(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
        EXPECT_EQ(connect(peer.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
        return peer;
    }
    static std::string receive(const Fd& from, size_t bytes) {
        std::string text(bytes, 0);
        size_t done = 0;
        while (done < bytes) {
            pollfd file = {.fd = from.get(), .events = POLLIN, .revents = 0};
            if (poll(&file, 1, 60'000) != 1) {
                break;
            }
            const ssize_t n = read(from.get(), text.data() + done, bytes - done);
            if (n <= 0) {
                break;
            }
            done += static_cast<size_t>(n);
        }
        return text.substr(0, done);
    }

    std::string directory = "/tmp/vireo-chardev-XXXXXX";
    EventLoop loop;
    Frontend frontend;
    std::string path = "";
    ChardevOptions options;
    void SetUp() override {
        path = directory + "/it";
        options.id = "c0";
        options.path = path;
    }
};

TEST_F(ChardevTest, ASocketServesOneClientAfterTheOther) {
    options.kind = ChardevOptions::Kind::kSocket;
    options.server = true;
    options.wait = false;
    auto chardev = make_chardev(options, loop);
    chardev->connect(&frontend);
    EXPECT_FALSE(chardev->open());
    EXPECT_EQ(write(*chardev, "lost"), 4u);
    for (int i = 1; i <= 3; i++) {
        frontend.input.clear();
        Fd peer = dial();
        ASSERT_TRUE(until([&] { return chardev->open(); }));
        EXPECT_EQ(frontend.opened, i);
        EXPECT_EQ(write(*chardev, "out"), 3u);
        EXPECT_EQ(receive(peer, 3), "out");
        ASSERT_EQ(::write(peer.get(), "in", 2), 2);
        ASSERT_TRUE(until([&] { return frontend.input == "in"; }));
        peer.reset();
        ASSERT_TRUE(until([&] { return frontend.closed == i; }));
    }
    chardev.reset();
    EXPECT_FALSE(std::filesystem::exists(path));
}

TEST_F(ChardevTest, AFileThatIsNoSocketIsLeftAlone) {
    std::ofstream(path) << "dear";
    options.kind = ChardevOptions::Kind::kSocket;
    options.server = true;
    EXPECT_THROW(make_chardev(options, loop), std::system_error);
    EXPECT_EQ(std::filesystem::file_size(path), 4u);
}

TEST_F(ChardevTest, ASocketIsTheUsersAlone) {
    options.kind = ChardevOptions::Kind::kSocket;
    options.server = true;
    options.wait = false;
    const auto chardev = make_chardev(options, loop);
    EXPECT_EQ(std::filesystem::status(path).permissions(),
              std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
}

TEST_F(ChardevTest, AFullSocketSaysWhenItHasRoom) {
    options.kind = ChardevOptions::Kind::kSocket;
    options.server = true;
    auto chardev = make_chardev(options, loop);
    chardev->connect(&frontend);
    const Fd peer = dial();
    chardev->wait_for_peer();
    ASSERT_TRUE(chardev->open());
    const std::string much(8 << 20, 'x');
    const size_t taken = write(*chardev, much);
    ASSERT_LT(taken, much.size());
    EXPECT_EQ(write(*chardev, "y"), 0u);
    EXPECT_EQ(receive(peer, taken).size(), taken);
    ASSERT_TRUE(until([&] { return frontend.drained == 1; }));
    EXPECT_EQ(write(*chardev, "y"), 1u);
    EXPECT_EQ(receive(peer, 1), "y");
}

TEST_F(ChardevTest, InputStopsWithoutRoom) {
    options.kind = ChardevOptions::Kind::kSocket;
    options.server = true;
    auto chardev = make_chardev(options, loop);
    frontend.room = 3;
    chardev->connect(&frontend);
    const Fd peer = dial();
    ASSERT_EQ(::write(peer.get(), "abcdef", 6), 6);
    ASSERT_TRUE(until([&] { return frontend.input == "abc"; }));
    frontend.room = 10;
    chardev->accept_input();
    ASSERT_TRUE(until([&] { return frontend.input == "abcdef"; }));
}

TEST_F(ChardevTest, AStaleSocketIsReplacedAndALiveOneIsNot) {
    options.kind = ChardevOptions::Kind::kSocket;
    options.server = true;
    auto chardev = make_chardev(options, loop);
    EXPECT_THROW(make_chardev(options, loop), std::system_error);
    ChardevOptions client = options;
    client.server = false;
    auto other = make_chardev(client, loop);
    EXPECT_TRUE(other->open());
}

TEST_F(ChardevTest, APseudoTerminalKnowsWhetherAnybodyIsThere) {
    options.kind = ChardevOptions::Kind::kPty;
    auto chardev = make_chardev(options, loop);
    chardev->connect(&frontend);
    EXPECT_FALSE(chardev->open());
    EXPECT_EQ(write(*chardev, std::string(1 << 16, 'x')), size_t{1} << 16) << "nobody: lost";
    EXPECT_EQ(std::filesystem::read_symlink(path), chardev->describe());
    for (int i = 1; i <= 3; i++) {
        frontend.input.clear();
        Fd peer(open(path.c_str(), O_RDWR | O_NOCTTY | O_CLOEXEC));
        ASSERT_TRUE(until([&] { return chardev->open(); }));
        EXPECT_EQ(write(*chardev, "out"), 3u);
        EXPECT_EQ(receive(peer, 3), "out");
        ASSERT_EQ(::write(peer.get(), "in\r\x03", 4), 4);
        ASSERT_TRUE(until([&] { return frontend.input == "in\r\x03"; }));
        peer.reset();
        ASSERT_TRUE(until([&] { return frontend.closed == i; }));
    }
}

TEST_F(ChardevTest, FilesAndNothing) {
    options.kind = ChardevOptions::Kind::kFile;
    auto chardev = make_chardev(options, loop);
    EXPECT_EQ(write(*chardev, "text"), 4u);
    std::string text;
    std::ifstream(path) >> text;
    EXPECT_EQ(text, "text");
    options.path = directory + "/no/such";
    EXPECT_THROW(make_chardev(options, loop), std::system_error);
    options.kind = ChardevOptions::Kind::kNull;
    EXPECT_EQ(write(*make_chardev(options, loop), "text"), 4u);
}

// A child with a terminal for its standard streams.
struct OnATerminal {
    explicit OnATerminal(const std::function<void()>& child) {
        int both[2];
        openpty(&both[0], &both[1], nullptr, nullptr, nullptr);
        master = Fd(both[0]);
        slave = Fd(both[1]);
        pid = fork();
        if (pid == 0) {
            setsid();
            for (int fd = 0; fd < 2; fd++) {
                dup2(slave.get(), fd);
            }
            for (const int signal : {SIGTERM, SIGSEGV, SIGABRT, SIGHUP}) {
                std::signal(signal, SIG_DFL); // also where a sanitizer has its own
            }
            child();
            _exit(99);
        }
    }
    ~OnATerminal() {
        if (pid > 0) {
            kill(pid, SIGKILL);
            waitpid(pid, nullptr, 0);
        }
    }
    bool raw() const {
        termios mode;
        tcgetattr(slave.get(), &mode);
        return !(mode.c_lflag & ICANON) && !(mode.c_lflag & ECHO);
    }
    int end() {
        int status = 0;
        waitpid(std::exchange(pid, -1), &status, 0);
        return status;
    }
    Fd master, slave;
    pid_t pid;
};

TEST(RawTerminalTest, IsPutBackOnEveryWayOut) {
    for (const int signal : {SIGTERM, SIGSEGV, SIGABRT, SIGHUP, 0}) {
        OnATerminal child([&] {
            const RawTerminal terminal(false);
            char go;
            if (read(STDIN_FILENO, &go, 1) == 1) {
                signal ? raise(signal) : (exit(3), 0);
            }
        });
        const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
        while (!child.raw() && std::chrono::steady_clock::now() < end) {
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
        }
        ASSERT_TRUE(child.raw());
        ASSERT_EQ(write(child.master.get(), "g", 1), 1);
        const int status = child.end();
        if (signal) {
            EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == signal) << status;
        } else {
            EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 3) << status;
        }
        EXPECT_FALSE(child.raw()) << "after signal " << signal;
    }
}

TEST(StdioTest, CtrlAIsTheEscape) {
    OnATerminal child([] {
        EventLoop loop;
        Frontend frontend;
        ChardevOptions options;
        options.mux = true;
        const auto chardev = make_chardev(options, loop, [&] { loop.quit(); });
        chardev->connect(&frontend);
        loop.run();
        const std::string all = "<" + frontend.input + ">";
        chardev->write({reinterpret_cast<const uint8_t*>(all.data()), all.size()});
    });
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (!child.raw() && std::chrono::steady_clock::now() < end) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    ASSERT_EQ(write(child.master.get(), "a\x01\x01\x03\x01zb\x01x", 9), 9);
    EXPECT_EQ(ChardevTest::receive(child.master, 6),
              "<a\x01\x03"
              "b>");
    child.end();
    EXPECT_FALSE(child.raw());
}

} // namespace
} // namespace vireo
