// SPDX-License-Identifier: GPL-2.0-only
// A pseudo-terminal as a chardev. The peer is whoever has the terminal open: while nobody has, its
// side reads as hung up, and inotify says when that is over.
#include <fcntl.h>
#include <poll.h>
#include <sys/inotify.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <cstdlib>

#include "base/error.h"
#include "base/log.h"
#include "console/chardevs.h"
#include "console/fd_chardev.h"

namespace vireo {

namespace {

bool hung_up(int fd) {
    pollfd file = {.fd = fd, .events = POLLOUT, .revents = 0};
    return poll(&file, 1, 0) == 1 && file.revents & POLLHUP;
}

class PtyChardev final : public FdChardev {
public:
    PtyChardev(EventLoop& loop, const std::string& link)
        : FdChardev(loop),
          master_(posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK)),
          opens_(inotify_init1(IN_CLOEXEC | IN_NONBLOCK)),
          link_(link) {
        std::array<char, 64> name;
        if (!master_ || grantpt(master_.get()) < 0 || unlockpt(master_.get()) < 0 ||
            ptsname_r(master_.get(), name.data(), name.size()) != 0) {
            throw_errno("make a pseudo-terminal");
        }
        name_ = name.data();
        set_raw();
        if (!opens_ || inotify_add_watch(opens_.get(), name_.c_str(), IN_OPEN) < 0) {
            throw_errno("watch {}", name_);
        }
        if (!link_.empty() && symlink(name_.c_str(), link_.c_str()) < 0) {
            const int error = errno;
            link_.clear();
            throw_error(error, "make {} a link to {}", link, name_);
        }
        loop_.add(opens_.get(), EPOLLIN, [this](uint32_t) { somebody_opened(); });
        say("{}: a pseudo-terminal of the guest", name_);
    }

    ~PtyChardev() override {
        loop_.remove(opens_.get());
        if (!link_.empty()) {
            unlink(link_.c_str());
        }
    }

    std::string describe() const override { return name_; }

private:
    // The bytes are the guest's terminal's to interpret. With that it has been open once, and reads
    // as hung up until it is open again.
    void set_raw() {
        const Fd terminal(open_terminal());
        termios mode;
        if (!terminal || tcgetattr(terminal.get(), &mode) < 0) {
            throw_errno("open {}", name_);
        }
        cfmakeraw(&mode);
        tcsetattr(terminal.get(), TCSANOW, &mode);
    }

    int open_terminal() const {
        return ::open(name_.c_str(), O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
    }

    void somebody_opened() {
        std::array<char, 4096> events;
        while (read(opens_.get(), events.data(), events.size()) > 0) {
        }
        if (open() || hung_up(master_.get())) {
            return;
        }
        Fd in(fcntl(master_.get(), F_DUPFD_CLOEXEC, 0));
        Fd out(fcntl(master_.get(), F_DUPFD_CLOEXEC, 0));
        if (in && out) {
            attach(std::move(in), std::move(out));
        }
    }

    void input_ended() override {
        detach();
        // Somebody may have come since, unheard, as long as the last one was there.
        somebody_opened();
    }

    bool deserted(int fd) const override { return hung_up(fd); }

    const Fd master_;
    const Fd opens_;
    std::string link_;
    std::string name_;
};

} // namespace

std::unique_ptr<CharBackend> make_pty_chardev(EventLoop& loop, const std::string& link) {
    return std::make_unique<PtyChardev>(loop, link);
}

} // namespace vireo
