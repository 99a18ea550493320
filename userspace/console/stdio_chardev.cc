// SPDX-License-Identifier: GPL-2.0-only
// The standard streams as a chardev.
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <optional>

#include "base/error.h"
#include "base/signal_watch.h"
#include "console/chardevs.h"
#include "console/fd_chardev.h"
#include "console/terminal.h"

namespace vireo {

namespace {

constexpr uint8_t kEscape = 0x01; // Ctrl-a

// The same file, that we may wait for without those who share it with us (a shell) coming to see
// O_NONBLOCK. What cannot be opened anew is taken as it is: a regular file, which never blocks and
// has its position; a socket.
Fd own(int fd, int mode) {
    struct stat about = {};
    if (fstat(fd, &about) == 0 && (S_ISCHR(about.st_mode) || S_ISFIFO(about.st_mode))) {
        Fd file(open(fmt::format("/proc/self/fd/{}", fd).c_str(),
                     mode | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
        if (file) {
            return file;
        }
    }
    Fd file(fcntl(fd, F_DUPFD_CLOEXEC, 3));
    if (!file) {
        throw_errno("use standard {}", mode == O_RDONLY ? "input" : "output");
    }
    if (S_ISSOCK(about.st_mode)) {
        fcntl(file.get(), F_SETFL, fcntl(file.get(), F_GETFL) | O_NONBLOCK);
    }
    return file;
}

class StdioChardev final : public FdChardev {
public:
    StdioChardev(EventLoop& loop, bool mux, std::function<void()> quit)
        : FdChardev(loop), mux_(mux), quit_(std::move(quit)), raw_(!mux) {
        if (isatty(STDOUT_FILENO)) {
            resized_.emplace(loop, std::initializer_list<int>{SIGWINCH},
                             "hear of the terminal's size", [this](int) {
                                 if (frontend_) {
                                     frontend_->char_resized();
                                 }
                             });
        }
        // Whoever reads our output may go before us.
        signal(SIGPIPE, SIG_IGN);
        attach(own(STDIN_FILENO, O_RDONLY), own(STDOUT_FILENO, O_WRONLY));
    }

    std::optional<Size> size() const override {
        winsize window;
        if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) < 0 || !window.ws_col) {
            return {};
        }
        return Size{window.ws_col, window.ws_row};
    }

    std::string describe() const override { return "stdio"; }

private:
    void input_ended() override { end_input(); }

    size_t filter(std::span<uint8_t> bytes) override {
        if (!mux_) {
            return bytes.size();
        }
        size_t kept = 0;
        for (const uint8_t byte : bytes) {
            const bool after_escape = std::exchange(escaped_, false);
            if (!after_escape && byte == kEscape) {
                escaped_ = true;
            } else if (after_escape && byte == 'x') {
                if (quit_) {
                    quit_();
                }
            } else if (!after_escape || byte == kEscape) {
                bytes[kept++] = byte;
            }
        }
        return kept;
    }

    const bool mux_;
    const std::function<void()> quit_;
    const RawTerminal raw_;
    std::optional<SignalWatch> resized_;
    bool escaped_ = false;
};

} // namespace

std::unique_ptr<CharBackend> make_stdio_chardev(EventLoop& loop, bool mux,
                                                std::function<void()> quit) {
    return std::make_unique<StdioChardev>(loop, mux, std::move(quit));
}

} // namespace vireo
