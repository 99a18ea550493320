// SPDX-License-Identifier: GPL-2.0-only
#ifndef VIREO_BLOCK_THREAD_ENGINE_H
#define VIREO_BLOCK_THREAD_ENGINE_H

#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "base/event_fd.h"
#include "block/io_engine.h"

namespace vireo {

// A list of operations, in order.
class IoList {
public:
    bool empty() const { return !first_; }
    void append(IoOperation& operation) {
        operation.next = nullptr;
        *(first_ ? &last_->next : &first_) = &operation;
        last_ = &operation;
    }
    // Move all of another list behind.
    void append(IoList& other) {
        if (!other.empty()) {
            *(first_ ? &last_->next : &first_) = other.first_;
            last_ = other.last_;
            other.first_ = nullptr;
        }
    }
    IoOperation* take_first() {
        IoOperation* first = first_;
        first_ = first->next;
        return first;
    }
    IoOperation* take_all() {
        IoOperation* first = first_;
        first_ = nullptr;
        return first;
    }

private:
    IoOperation* first_ = nullptr;
    IoOperation* last_ = nullptr;
};

// Threads that do operations with calls that block. They are started when there is work for them,
// and stay.
class ThreadEngine : public IoEngine {
public:
    static constexpr unsigned kMaxThreads = 16;

    explicit ThreadEngine(const ImageEndpoint& image) : image_(image) {}
    ~ThreadEngine() override;

    AioMode mode() const override { return AioMode::kThreads; }
    void add(IoOperation& operation) noexcept override;
    void submit() noexcept override;
    IoOperation* reap() noexcept override;
    std::vector<int> files() const override { return {ended_.get()}; }

private:
    void work();
    void start_thread() noexcept;

    const ImageEndpoint& image_;
    IoList added_; // the owner's
    unsigned added_count_ = 0;
    EventFd ended_;
    std::vector<std::thread> threads_;

    std::mutex mutex_; // of what follows
    std::condition_variable work_;
    IoList waiting_;
    unsigned waiting_count_ = 0;
    unsigned idle_ = 0;
    IoList done_;
    bool quit_ = false;
};

} // namespace vireo

#endif // VIREO_BLOCK_THREAD_ENGINE_H
