// SPDX-License-Identifier: GPL-2.0-only
#include "block/thread_engine.h"

#include <pthread.h>

#include <algorithm>
#include <csignal>
#include <system_error>

#include "block/blocking_io.h"

namespace vireo {

ThreadEngine::~ThreadEngine() {
    {
        const std::lock_guard lock(mutex_);
        quit_ = true;
    }
    work_.notify_all();
    for (std::thread& thread : threads_) {
        thread.join();
    }
}

void ThreadEngine::add(IoOperation& operation) noexcept {
    added_.append(operation);
    added_count_++;
}

void ThreadEngine::submit() noexcept {
    if (added_.empty()) {
        return;
    }
    unsigned wake = 0, start = 0;
    {
        const std::lock_guard lock(mutex_);
        waiting_.append(added_);
        waiting_count_ += added_count_;
        wake = std::min(waiting_count_, idle_);
        const unsigned room = kMaxThreads - static_cast<unsigned>(threads_.size());
        start = std::min(waiting_count_ - wake, room);
    }
    added_count_ = 0;
    for (; wake; wake--) {
        work_.notify_one();
    }
    for (; start; start--) {
        start_thread();
    }
}

void ThreadEngine::start_thread() noexcept {
    // The thread has none of the process's signals to deal with.
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool none = false;
    try {
        threads_.emplace_back([this] { work(); });
        pthread_setname_np(threads_.back().native_handle(), "blk-io");
    } catch (const std::exception&) {
        none = threads_.empty(); // no more threads or memory: with fewer it takes longer
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    if (none) {
        // With none it is done here.
        std::unique_lock lock(mutex_);
        while (!waiting_.empty()) {
            IoOperation& operation = *waiting_.take_first();
            waiting_count_--;
            lock.unlock();
            perform_io(image_, operation);
            lock.lock();
            done_.append(operation);
        }
        ended_.signal();
    }
}

void ThreadEngine::work() {
    std::unique_lock lock(mutex_);
    for (;;) {
        while (waiting_.empty() && !quit_) {
            idle_++;
            work_.wait(lock);
            idle_--;
        }
        if (waiting_.empty()) {
            return;
        }
        IoOperation& operation = *waiting_.take_first();
        waiting_count_--;
        lock.unlock();
        perform_io(image_, operation);
        lock.lock();
        const bool first = done_.empty();
        done_.append(operation);
        if (first) {
            ended_.signal();
        }
    }
}

IoOperation* ThreadEngine::reap() noexcept {
    // Before the list is looked at: what ends afterwards signals again.
    ended_.take();
    const std::lock_guard lock(mutex_);
    return done_.take_all();
}

} // namespace vireo
