// SPDX-License-Identifier: GPL-2.0-only
// The virtual machine monitor: a command line becomes a machine, and the machine runs until its
// guest, its user or a signal ends it.
#include <malloc.h>
#include <pthread.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <exception>
#include <initializer_list>
#include <optional>

#include "base/error.h"
#include "base/event_loop.h"
#include "base/log.h"
#include "base/signal_watch.h"
#include "cli/command_line.h"
#include "machine/machine.h"
#include "monitor/monitor.h"

namespace {

using namespace vireo;

// Signals that ask for the end: the first presses the power button, the second does not wait for
// the guest.
constexpr std::initializer_list<int> kEnd = {SIGINT, SIGTERM, SIGHUP};

class EndSignals {
public:
    EndSignals(EventLoop& loop, MachineControl& machine)
        : watch_(loop, kEnd, "wait for signals", [this, &machine](int) {
              const bool running = machine.state() == MachineControl::State::kRunning;
              if (pressed_ || !running) {
                  machine.quit();
              } else {
                  pressed_ = true;
                  machine.power_down();
              }
          }) {}

private:
    bool pressed_ = false;
    SignalWatch watch_;
};

// Holds this process's number while it runs.
class PidFile {
public:
    explicit PidFile(std::string path) : path_(std::move(path)) {
        FILE* file = fopen(path_.c_str(), "we");
        if (!file) {
            throw_errno("-pidfile {}: write the file", path_);
        }
        fprintf(file, "%d\n", getpid());
        fclose(file);
    }
    ~PidFile() { unlink(path_.c_str()); }

    PidFile(const PidFile&) = delete;
    PidFile& operator=(const PidFile&) = delete;

private:
    const std::string path_;
};

// Memory beside the guest's. A thread's stack as large as glibc makes it holds a huge page, which
// the kernel may give for the first byte of it; and each thread would have a heap of its own, where
// almost nothing is allocated once the machine runs.
void be_frugal() {
    constexpr size_t kStack = 512 << 10;
    pthread_attr_t attributes;
    if (pthread_attr_init(&attributes) == 0) {
        pthread_attr_setstacksize(&attributes, kStack);
        pthread_setattr_default_np(&attributes);
        pthread_attr_destroy(&attributes);
    }
    mallopt(M_ARENA_MAX, 1);
}

int run(const MachineOptions& options) {
    be_frugal();
    // Whoever reads what we write, to a pipe or a socket, may go before us.
    signal(SIGPIPE, SIG_IGN);
    EventLoop loop;
    // In all threads, which begin after this. SIGWINCH is a chardev's, which may belong to one that
    // comes later.
    SignalWatch::block(kEnd);
    SignalWatch::block({SIGWINCH});
    std::optional<PidFile> pid_file;
    if (!options.pidfile.empty()) {
        pid_file.emplace(options.pidfile);
    }
    Machine machine(options, loop);
    monitor::Monitor monitor(loop, machine);
    for (const MonitorOptions& m : options.monitors) {
        monitor.open(m);
    }
    const EndSignals signals(loop, machine);
    machine.start();
    loop.run();
    return machine.exit_status();
}

} // namespace

int main(int argc, char** argv) {
    try {
        const cli::CommandLine line =
            cli::read_command_line({argv + 1, static_cast<size_t>(argc > 0 ? argc - 1 : 0)});
        if (!line.print.empty()) {
            return fputs(line.print.c_str(), stdout) < 0 || fflush(stdout) != 0 ? 1 : 0;
        }
        return run(line.machine);
    } catch (const std::exception& error) {
        say("{}", error.what());
        return 1;
    }
}
