// SPDX-License-Identifier: GPL-2.0-only
#include "vhost/vhost_queues.h"

#include <system_error>
#include <utility>

#include "base/log.h"

namespace vireo {

VhostQueues::VhostQueues(const GuestMemory& memory, EventLoop& main, VhostDevice device,
                         unsigned first, unsigned count, SetLive set_live, BrokenQueue broken)
    : memory_(memory),
      main_(main),
      device_(std::move(device)),
      first_(first),
      set_live_(std::move(set_live)),
      broken_(std::move(broken)),
      errors_(std::make_unique<EventFd[]>(count)),
      count_(count) {
    for (unsigned queue = 0; queue < count_; queue++) {
        main_.add(errors_[queue].get(), EPOLLIN,
                  [this, queue](uint32_t) { stopped_on_its_own(queue); });
    }
}

VhostQueues::~VhostQueues() {
    halt();
    for (unsigned queue = 0; queue < count_; queue++) {
        main_.remove(errors_[queue].get());
    }
}

void VhostQueues::start(uint64_t features, uint64_t kernel, std::span<const QueueSetup> queues) {
    device_.set_features(kernel);
    device_.set_memory(memory_);
    try {
        for (const QueueSetup& setup : queues) {
            const unsigned queue = setup.index - first_;
            errors_[queue].take(); // of the time before
            started_.push_back(queue);
            device_.set_queue(queue, features, memory_, setup, errors_[queue].get());
            set_live_(device_, queue, true);
        }
    } catch (...) {
        halt();
        throw;
    }
}

void VhostQueues::halt() noexcept {
    for (const unsigned queue : started_) {
        try {
            set_live_(device_, queue, false);
        } catch (const std::system_error& error) {
            say("{}", error.what());
        }
        device_.release_queue(queue);
    }
    started_.clear();
}

std::vector<uint32_t> VhostQueues::stop() {
    std::vector<uint32_t> states;
    // All at first: another queue may be the one that is busy.
    for (const unsigned queue : started_) {
        set_live_(device_, queue, false);
    }
    for (const unsigned queue : started_) {
        states.push_back(device_.queue_state(queue));
        device_.release_queue(queue);
    }
    started_.clear();
    return states;
}

// On the main thread. The queue was perhaps stopped and started since; then start() has taken the
// signal away.
void VhostQueues::stopped_on_its_own(unsigned queue) {
    if (!errors_[queue].take()) {
        return;
    }
    const auto stats = device_.stats(queue);
    broken_(first_ + queue, stats ? vhost_error_text(stats->last_error)
                                  : std::string("the kernel stopped it, and does not say why"));
}

} // namespace vireo
