// SPDX-License-Identifier: GPL-2.0-only
#ifndef VIREO_BASE_EVENT_LOOP_H
#define VIREO_BASE_EVENT_LOOP_H

#include <sys/epoll.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "base/event_fd.h"
#include "base/fd.h"

namespace vireo {

// Waits for files and runs their handlers, one at a time, on the thread that is in run(). The main
// thread has one, and each I/O thread. Handlers are called level-triggered, and do a bounded amount
// of work.
class EventLoop {
public:
    using Handler = std::function<void(uint32_t events)>; // EPOLL bits that are ready
    using Task = std::function<void()>;

    EventLoop(); // throws std::system_error

    EventLoop(const EventLoop&) = delete;
    EventLoop& operator=(const EventLoop&) = delete;

    // Watch a file, which stays its owner's. On the loop's thread, or while nobody is in run().
    // Throws std::system_error (EPERM: a regular file cannot be waited for).
    void add(int fd, uint32_t events, Handler handler);
    // Wait for other events of a watched file; 0: none, but errors and hang-ups.
    void modify(int fd, uint32_t events);
    // Its handler is not called again, also if it was about to be. Before the file is closed.
    void remove(int fd) noexcept;

    // Run a task on the loop's thread, soon. Any thread.
    void post(Task task);
    // The same, and wait until it is done; at once when called on the loop's thread, or while
    // nobody is in run(). What it throws is thrown here. Any thread; the caller holds no lock that
    // a handler takes.
    void call(const Task& task);

    void run();
    // run() returns when the handlers at hand are done. Any thread.
    void quit();

private:
    struct Watch {
        uint64_t generation; // tells a file from an earlier one of the same number
        std::shared_ptr<const Handler> handler;
    };

    void run_tasks();

    Fd epoll_;
    EventFd wake_;
    std::unordered_map<int, Watch> watches_;
    uint64_t generation_ = 0;
    std::mutex mutex_; // of what follows
    std::vector<Task> tasks_;
    bool running_ = false;
    std::thread::id thread_;
    std::atomic<bool> quit_ = false;
};

// An event loop and the thread that runs it, until it is destroyed.
class LoopThread {
public:
    explicit LoopThread(const std::string& name); // at most 15 characters are seen in ps
    ~LoopThread();

    LoopThread(const LoopThread&) = delete;
    LoopThread& operator=(const LoopThread&) = delete;

    EventLoop& loop() { return loop_; }
    const std::string& name() const { return name_; }

private:
    std::string name_;
    EventLoop loop_;
    std::thread thread_;
};

} // namespace vireo

#endif // VIREO_BASE_EVENT_LOOP_H
