// SPDX-License-Identifier: GPL-2.0-only
// The network card's control queue: on the main loop, under the control lock. Threads that hold the
// lock never wait for the main loop, which may wait for the lock: what has to be done there is
// posted.
#include <cstring>

#include "net/net_device.h"

namespace vireo {

namespace {

// Commands in a turn: the main loop has other things to do.
constexpr unsigned kBudget = 64;

} // namespace

void NetDevice::start_control(const QueueSetup& setup) {
    control_.reset();
    control_.emplace(memory_, features_, setup, control_counters_);
    main_.post([alive = std::weak_ptr(alive_), kick = setup.kick] {
        if (const auto device = alive.lock()) {
            (*device)->watch_control(kick);
        }
    });
}

// The watch stays: a kick finds no queue.
void NetDevice::stop_control() {
    control_.reset();
}

// On the main thread.
void NetDevice::watch_control(int kick) {
    // The number may be that of a file which is no more.
    if (watched_kick_ >= 0) {
        main_.remove(watched_kick_);
    }
    watched_kick_ = kick;
    main_.add(kick, EPOLLIN, [this](uint32_t) { control_kicked(); });
    // What was made available before is found without a kick.
    const std::lock_guard held(lock());
    serve_control();
}

void NetDevice::control_kicked() {
    const std::lock_guard held(lock());
    if (take_event(watched_kick_)) {
        count(control_counters_.kicks);
    }
    serve_control();
}

void NetDevice::serve_control() {
    if (!control_ || control_->error()) {
        return;
    }
    Virtqueue& queue = *control_;
    queue.disable_kick();
    unsigned done = 0;
    do {
        while (done < kBudget) {
            const auto chains = queue.pop(1);
            if (chains.empty()) {
                break;
            }
            const DescriptorChain& chain = chains.front();
            if (chain.in.empty()) {
                queue.fail("a command without room for the answer");
                queue.unpop(1);
                break;
            }
            const uint8_t answer = net_control(*this, chain.out);
            memcpy(chain.in.front().iov_base, &answer, sizeof(answer));
            queue.push(chain, sizeof(answer));
            queue.publish();
            done++;
        }
        if (done == kBudget) {
            signal_event(watched_kick_); // the rest in the next turn
            return;
        }
    } while (!queue.error() && queue.enable_kick());
    if (const char* error = queue.error()) {
        broken_(queue.setup().index, error);
    }
}

} // namespace vireo
