// SPDX-License-Identifier: GPL-2.0-only
#include "console/terminal.h"

#include <termios.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdlib>

#include "base/error.h"

namespace vireo {

namespace {

// A signal's handler and exit() know no objects: what they need is here, written before they are
// set, and not changed while they are.
struct {
    termios cooked;
    termios raw;
    std::atomic<bool> is_raw = false;
} terminal;

constexpr int kEnding[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGABRT, SIGSEGV, SIGBUS,  SIGILL,
                           SIGFPE, SIGSYS, SIGTRAP, SIGXCPU, SIGXFSZ, SIGALRM, SIGUSR1, SIGUSR2};

// All that follows may be called in a signal's handler.

void set(const termios& mode) {
    // In the background this would stop us, with the terminal left as it is.
    struct sigaction ignore = {}, before;
    ignore.sa_handler = SIG_IGN;
    sigaction(SIGTTOU, &ignore, &before);
    while (tcsetattr(STDIN_FILENO, TCSANOW, &mode) < 0 && errno == EINTR) {
    }
    sigaction(SIGTTOU, &before, nullptr);
}

void put_back() {
    if (terminal.is_raw.exchange(false)) {
        set(terminal.cooked);
    }
}

void on_end(int signal) {
    put_back();
    // SA_RESETHAND: this time it does what it does to everybody.
    raise(signal);
}

// The shell has had the terminal meanwhile.
void on_continue(int) {
    const int error = errno;
    if (terminal.is_raw) {
        set(terminal.raw);
    }
    errno = error;
}

void handle(int signal, void (*handler)(int), int flags) {
    struct sigaction action = {}, before;
    sigaction(signal, nullptr, &before);
    if (before.sa_handler != SIG_DFL) {
        return;
    }
    action.sa_handler = handler;
    action.sa_flags = flags;
    sigaction(signal, &action, nullptr);
}

} // namespace

RawTerminal::RawTerminal(bool signals) {
    if (tcgetattr(STDIN_FILENO, &terminal.cooked) < 0) {
        return;
    }
    terminal.raw = terminal.cooked;
    terminal.raw.c_iflag &=
        ~tcflag_t{IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR | IGNCR | ICRNL | IXON};
    // Output is left as it is: our own messages end in a newline alone.
    terminal.raw.c_lflag &= ~tcflag_t{ECHO | ECHONL | ICANON | IEXTEN};
    if (!signals) {
        terminal.raw.c_lflag &= ~tcflag_t{ISIG};
    }
    terminal.raw.c_cc[VMIN] = 1;
    terminal.raw.c_cc[VTIME] = 0;
    for (const int signal : kEnding) {
        handle(signal, on_end, SA_RESETHAND);
    }
    handle(SIGCONT, on_continue, SA_RESTART);
    // Once for the process, whatever comes after.
    static const int at_exit = atexit(put_back);
    if (at_exit) {
        throw_error(ENOMEM, "have the terminal put back at exit");
    }
    if (tcsetattr(STDIN_FILENO, TCSANOW, &terminal.raw) < 0) {
        throw_errno("set the terminal to raw mode");
    }
    terminal.is_raw = true;
}

RawTerminal::~RawTerminal() {
    put_back();
}

} // namespace vireo
