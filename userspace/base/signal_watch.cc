// SPDX-License-Identifier: GPL-2.0-only
#include "base/signal_watch.h"

#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <csignal>
#include <utility>

#include "base/error.h"

namespace vireo {

namespace {

sigset_t set_of(std::initializer_list<int> signals) {
    sigset_t set;
    sigemptyset(&set);
    for (const int signal : signals) {
        sigaddset(&set, signal);
    }
    return set;
}

} // namespace

void SignalWatch::block(std::initializer_list<int> signals) {
    const sigset_t set = set_of(signals);
    pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

SignalWatch::SignalWatch(EventLoop& loop, std::initializer_list<int> signals, const char* what,
                         std::function<void(int)> handler)
    : loop_(loop) {
    block(signals);
    const sigset_t set = set_of(signals);
    fd_ = Fd(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
    if (!fd_) {
        throw_errno("{}", what);
    }
    loop_.add(fd_.get(), EPOLLIN, [this, handler = std::move(handler)](uint32_t) {
        signalfd_siginfo info;
        if (read(fd_.get(), &info, sizeof(info)) == sizeof(info)) {
            handler(static_cast<int>(info.ssi_signo));
        }
    });
}

SignalWatch::~SignalWatch() {
    loop_.remove(fd_.get());
}

} // namespace vireo
