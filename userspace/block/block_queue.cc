// SPDX-License-Identifier: GPL-2.0-only
#include "block/block_queue.h"

#include <linux/virtio_blk.h>

#include <algorithm>
#include <memory>
#include <new>
#include <utility>

#include "virtio/features.h"

namespace vireo {

BlkRequestPool::BlkRequestPool(unsigned size)
    : size_(size),
      places_(std::make_unique_for_overwrite<Place[]>(size)),
      pieces_(std::make_unique_for_overwrite<iovec[]>(size_t{size} * Virtqueue::kMaxPieces)) {}

BlkRequestPool::~BlkRequestPool() {
    for (unsigned i = 0; i < made_; i++) {
        std::destroy_at(&at(i));
    }
}

BlkRequest& BlkRequestPool::at(unsigned i) noexcept {
    return *std::launder(reinterpret_cast<BlkRequest*>(&places_[i]));
}

BlkRequest& BlkRequestPool::take() noexcept {
    taken_++;
    if (returned_) {
        return *std::exchange(returned_, returned_->next);
    }
    const std::span<iovec> pieces(&pieces_[size_t{made_} * Virtqueue::kMaxPieces],
                                  Virtqueue::kMaxPieces);
    return *std::construct_at(&at(made_++), pieces);
}

void BlkRequestPool::give(BlkRequest& request) noexcept {
    taken_--;
    request.next = std::exchange(returned_, &request);
}

BlkQueue::BlkQueue(const GuestMemory& memory, EventLoop& loop, unsigned index,
                   const BlkRules& rules, AioMode aio, const BrokenQueue& broken,
                   unsigned max_requests)
    : loop_(loop),
      rules_(rules),
      aio_(aio),
      max_requests_(max_requests),
      queue_(
          memory, loop, index,
          [this](Virtqueue& queue, unsigned budget) { return serve(queue, budget); }, broken) {}

void BlkQueue::start(uint64_t features, const QueueSetup& setup) {
    loop_.call([&] { run_engine(features, std::min<unsigned>(setup.size, max_requests_)); });
    try {
        queue_.start(features, setup);
    } catch (...) {
        loop_.call([this] { end_engine(); });
        throw;
    }
}

uint32_t BlkQueue::stop() {
    std::promise<void> drained;
    queue_.halt();
    loop_.call([&] {
        if (running_->pool.taken()) {
            drained_ = &drained;
        } else {
            drained.set_value();
        }
    });
    drained.get_future().wait();
    const uint32_t state = queue_.stop();
    loop_.call([this] { end_engine(); });
    return state;
}

void BlkQueue::run_engine(uint64_t features, unsigned requests) {
    BlkRules rules = rules_;
    rules.discard = rules.discard && has_feature(features, VIRTIO_BLK_F_DISCARD);
    rules.write_zeroes = rules.write_zeroes && has_feature(features, VIRTIO_BLK_F_WRITE_ZEROES);
    running_ =
        std::make_unique<Running>(make_io_engine(rules.image, aio_, requests), rules, requests);
    aio_ = running_->engine->mode();
    std::vector<int> watched;
    try {
        for (const int file : running_->engine->files()) {
            loop_.add(file, EPOLLIN | EPOLLET, [this](uint32_t) { completed(); });
            watched.push_back(file);
        }
    } catch (...) {
        for (const int file : watched) {
            loop_.remove(file);
        }
        running_.reset();
        throw;
    }
}

void BlkQueue::end_engine() noexcept {
    for (const int file : running_->engine->files()) {
        loop_.remove(file);
    }
    running_.reset();
}

UserQueue::Turn BlkQueue::serve(Virtqueue& queue, unsigned budget) noexcept {
    Running& running = *running_;
    auto end = UserQueue::Turn::kMore;
    while (budget) {
        const unsigned room = std::min(budget, running.pool.free());
        if (!room) {
            // Every request is in flight, so one will end, and completed() gives the next turn.
            running.starved = true;
            end = UserQueue::Turn::kWait;
            break;
        }
        const std::span<const DescriptorChain> chains = queue.pop(room);
        if (chains.empty()) {
            end = UserQueue::Turn::kEmpty;
            break;
        }
        budget -= static_cast<unsigned>(chains.size());
        for (const DescriptorChain& chain : chains) {
            BlkRequest& request = running.pool.take();
            go_on(request, request.begin(chain, running.rules, running.bounces));
        }
        running.engine->submit();
        harvest();
    }
    queue.publish();
    return end;
}

// On the loop's thread: something in flight has ended.
void BlkQueue::completed() noexcept {
    harvest();
    queue_.queue().publish();
    if (running_->starved && running_->pool.free()) {
        running_->starved = false;
        queue_.turn();
    }
    if (drained_ && !running_->pool.taken()) {
        std::exchange(drained_, nullptr)->set_value();
    }
}

// Take what has ended, until nothing has. It comes to an end: each operation is a part of a request
// that is in flight, and none are added.
void BlkQueue::harvest() noexcept {
    Running& running = *running_;
    while (IoOperation* ended = running.engine->reap()) {
        while (ended) {
            BlkRequest& request = BlkRequest::of(*std::exchange(ended, ended->next));
            go_on(request, request.advance(running.rules, running.bounces));
        }
        while (running.first_waiting && !running.bounces.empty()) {
            BlkRequest& request = *running.first_waiting;
            running.first_waiting = request.next;
            if (!running.first_waiting) {
                running.last_waiting = &running.first_waiting;
            }
            go_on(request, request.resume(running.rules, running.bounces));
        }
        // Those that go on, with a next part.
        running.engine->submit();
    }
}

void BlkQueue::go_on(BlkRequest& request, BlkRequest::Step step) noexcept {
    Running& running = *running_;
    switch (step) {
        case BlkRequest::Step::kRun:
            running.engine->add(request.operation());
            break;
        case BlkRequest::Step::kBounce:
            request.next = nullptr;
            *running.last_waiting = &request;
            running.last_waiting = &request.next;
            break;
        case BlkRequest::Step::kDone:
            answer(request);
            break;
    }
}

void BlkQueue::answer(BlkRequest& request) noexcept {
    const uint32_t written = request.finish(counters_);
    queue_.queue().push(request.chain(), written);
    running_->pool.give(request);
}

} // namespace vireo
