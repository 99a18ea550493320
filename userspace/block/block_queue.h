// SPDX-License-Identifier: GPL-2.0-only
#ifndef VIREO_BLOCK_BLOCK_QUEUE_H
#define VIREO_BLOCK_BLOCK_QUEUE_H

#include <future>
#include <memory>
#include <vector>

#include "block/bounce.h"
#include "block/io_engine.h"
#include "block/request.h"
#include "virtio/user_queue.h"

namespace vireo {

// The requests of a queue, as many as may be in flight. Those that no load has needed yet are not
// made, and their memory is not touched. The queue's thread.
class BlkRequestPool {
public:
    explicit BlkRequestPool(unsigned size);
    ~BlkRequestPool();

    BlkRequestPool(const BlkRequestPool&) = delete;
    BlkRequestPool& operator=(const BlkRequestPool&) = delete;

    unsigned free() const noexcept { return size_ - taken_; }
    unsigned taken() const noexcept { return taken_; }
    BlkRequest& take() noexcept; // some are free
    void give(BlkRequest& request) noexcept;

private:
    struct alignas(BlkRequest) Place {
        std::byte bytes[sizeof(BlkRequest)];
    };

    BlkRequest& at(unsigned i) noexcept;

    const unsigned size_;
    unsigned made_ = 0;
    unsigned taken_ = 0;
    BlkRequest* returned_ = nullptr; // the last one first: its memory is warm
    std::unique_ptr<Place[]> places_;
    std::unique_ptr<iovec[]> pieces_;
};

// Serves one queue of a disk on an event loop: requests from chains to the engine, and what has
// ended back to the driver, all that ended together at once. start() and stop() are the control
// side's, all else happens on the loop's thread.
class BlkQueue {
public:
    // Greatest number of requests in flight; a ring that holds more waits.
    static constexpr unsigned kMaxRequests = 1024;

    BlkQueue(const GuestMemory& memory, EventLoop& loop, unsigned index, const BlkRules& rules,
             AioMode aio, const BrokenQueue& broken, unsigned max_requests = kMaxRequests);

    // Throws std::system_error, and then nothing is started.
    void start(uint64_t features, const QueueSetup& setup);
    // Returns when all requests in flight are answered: where the ring stands.
    uint32_t stop();

    bool started() const { return queue_.started(); }
    const QueueCounters& ring_counters() const { return queue_.counters(); }
    const BlkCounters& counters() const { return counters_; }
    AioMode aio() const { return aio_; } // what is used, once started; control side

private:
    // What there is while the queue is served.
    struct Running {
        std::unique_ptr<IoEngine> engine;
        BlkRules rules;
        BlkRequestPool pool;
        BouncePool bounces;
        BlkRequest* first_waiting = nullptr; // for a bounce buffer
        BlkRequest** last_waiting = &first_waiting;
        bool starved = false; // the queue waits for a request to be free

        Running(std::unique_ptr<IoEngine> e, const BlkRules& r, unsigned size)
            : engine(std::move(e)), rules(r), pool(size) {}
    };

    void run_engine(uint64_t features, unsigned requests);
    void end_engine() noexcept;
    UserQueue::Turn serve(Virtqueue& queue, unsigned budget) noexcept;
    void completed() noexcept;
    void harvest() noexcept;
    void go_on(BlkRequest& request, BlkRequest::Step step) noexcept;
    void answer(BlkRequest& request) noexcept;

    EventLoop& loop_;
    const BlkRules& rules_;
    AioMode aio_;
    const unsigned max_requests_;
    BlkCounters counters_;
    UserQueue queue_;
    std::unique_ptr<Running> running_;
    std::promise<void>* drained_ = nullptr; // of stop()
};

} // namespace vireo

#endif // VIREO_BLOCK_BLOCK_QUEUE_H
