// SPDX-License-Identifier: GPL-2.0-only
#include "base/event_loop.h"

#include <pthread.h>

#include <array>
#include <exception>
#include <future>
#include <memory>

#include "base/error.h"

namespace vireo {

namespace {

// epoll's word for a watch: the file and its generation, since events at hand may be of a file that
// is gone.
constexpr uint64_t kWake = ~uint64_t{0};

uint64_t key_of(int fd, uint64_t generation) {
    return generation << 32 | static_cast<uint32_t>(fd);
}

} // namespace

EventLoop::EventLoop() : epoll_(epoll_create1(EPOLL_CLOEXEC)) {
    if (!epoll_) {
        throw_errno("create an epoll instance");
    }
    epoll_event event = {.events = EPOLLIN, .data = {.u64 = kWake}};
    if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, wake_.get(), &event) < 0) {
        throw_errno("watch an eventfd");
    }
}

void EventLoop::add(int fd, uint32_t events, Handler handler) {
    generation_ = (generation_ + 1) & 0x7fffffff;
    epoll_event event = {.events = events, .data = {.u64 = key_of(fd, generation_)}};
    if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) < 0) {
        throw_errno("watch file descriptor {}", fd);
    }
    watches_.insert_or_assign(
        fd, Watch{generation_, std::make_shared<const Handler>(std::move(handler))});
}

void EventLoop::modify(int fd, uint32_t events) {
    epoll_event event = {.events = events, .data = {.u64 = key_of(fd, watches_.at(fd).generation)}};
    if (epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event) < 0) {
        throw_errno("watch file descriptor {}", fd);
    }
}

void EventLoop::remove(int fd) noexcept {
    if (watches_.erase(fd)) {
        epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
    }
}

void EventLoop::post(Task task) {
    {
        const std::lock_guard lock(mutex_);
        tasks_.push_back(std::move(task));
    }
    wake_.signal();
}

void EventLoop::call(const Task& task) {
    std::promise<void> done;
    std::unique_lock lock(mutex_);
    if (!running_ || thread_ == std::this_thread::get_id()) {
        lock.unlock();
        task();
        return;
    }
    tasks_.emplace_back([&] {
        try {
            task();
            done.set_value();
        } catch (...) {
            done.set_exception(std::current_exception());
        }
    });
    lock.unlock();
    wake_.signal();
    done.get_future().get();
}

void EventLoop::run_tasks() {
    std::vector<Task> tasks;
    {
        const std::lock_guard lock(mutex_);
        tasks.swap(tasks_);
    }
    for (const Task& task : tasks) {
        task();
    }
}

void EventLoop::run() {
    {
        const std::lock_guard lock(mutex_);
        running_ = true;
        thread_ = std::this_thread::get_id();
    }
    while (!quit_.exchange(false)) {
        std::array<epoll_event, 32> events;
        const int n = epoll_wait(epoll_.get(), events.data(), events.size(), -1);
        if (n < 0 && errno != EINTR) {
            throw_errno("wait for events");
        }
        for (int i = 0; i < n; i++) {
            const uint64_t key = events[i].data.u64;
            if (key == kWake) {
                wake_.take();
                run_tasks();
                continue;
            }
            const int fd = static_cast<int>(key);
            const auto watch = watches_.find(fd);
            if (watch != watches_.end() && key_of(fd, watch->second.generation) == key) {
                // Held: the handler may remove its own watch.
                const std::shared_ptr<const Handler> handler = watch->second.handler;
                (*handler)(events[i].events);
            }
        }
    }
    // Whoever waits in call() came before this, or does the task itself.
    std::unique_lock lock(mutex_);
    while (!tasks_.empty()) {
        lock.unlock();
        run_tasks();
        lock.lock();
    }
    running_ = false;
}

void EventLoop::quit() {
    quit_ = true;
    wake_.signal();
}

LoopThread::LoopThread(const std::string& name) : name_(name) {
    thread_ = std::thread([this] { loop_.run(); });
    pthread_setname_np(thread_.native_handle(), name_.substr(0, 15).c_str());
    // call() works on this thread from now on, and on no other.
    std::promise<void> running;
    loop_.post([&] { running.set_value(); });
    running.get_future().wait();
}

LoopThread::~LoopThread() {
    loop_.quit();
    thread_.join();
}

} // namespace vireo
