// SPDX-License-Identifier: GPL-2.0-only
// Driver and device on two threads, for ThreadSanitizer: payload is read and written without any
// synchronisation but the ring's own, so that a chain which is seen too early is a data race.
// What notifications are worth is the business of the stress program; here both sides poll.

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <thread>

#include "combinations.h"
#include "world.h"

namespace {

constexpr uint32_t kNum = VQ_TEST_NUM;
constexpr uint32_t kChains = 2'000;   // a busy machine may need a time slice for each handful
constexpr uint32_t kSlots = 4 * kNum; // payload places, more than can be under way
// The longest that one side waits for the other; far beyond what a busy machine makes of it.
constexpr auto kPatience = std::chrono::seconds(60);

// What a chain refers to: a request that the driver writes, an answer that the device writes.
struct Payload {
    uint32_t request;
    uint32_t answer;
};

uint32_t answer_to(uint32_t request) {
    return request * 2654435761u + 1;
}

// Ends both sides when either has nothing to wait for any more.
class Patience {
public:
    // False when it is time to give up.
    bool wait() {
        if (failed || std::chrono::steady_clock::now() > until_)
            failed = true;
        else if (++looks_ % kLooks == 0)
            std::this_thread::sleep_for(std::chrono::microseconds(20));
        return !failed;
    }
    void progress() {
        until_ = std::chrono::steady_clock::now() + kPatience;
        looks_ = 0;
    }

    static std::atomic<bool> failed;

private:
    static constexpr uint32_t kLooks = 200; // before the other side may have this side's processor
    uint32_t looks_ = 0;
    std::chrono::steady_clock::time_point until_ = std::chrono::steady_clock::now() + kPatience;
};
std::atomic<bool> Patience::failed;

class Threads : public testing::TestWithParam<uint64_t> {
protected:
    void drive();
    void serve();

    // Guest addresses of payload are its places, times the size of a page.
    [[nodiscard]] Payload& payload(uint64_t addr) { return payload_.at(addr / 4096 - 1); }
    [[nodiscard]] fd_shape shape(uint32_t chain) const {
        return GetParam() & VQ_BIT(VQ_F_INDIRECT_DESC) && chain % 3 == 0 ? FD_INDIRECT : FD_DIRECT;
    }
    [[nodiscard]] bool answered(const vq_seg* segs, uint32_t nout, uint32_t nin);

    vq_test t_ = world().test(GetParam());
    std::array<Payload, kSlots> payload_{};
};

// One half of the chains asks for an answer, the other only tells.
void Threads::drive() {
    std::array<uint32_t, kSlots> chain_at{};
    uint32_t sent = 0;
    uint32_t back = 0;
    Patience patience;
    while (back < kChains) {
        bool moved = false;
        while (sent < kChains && sent - back < kSlots) {
            const uint32_t place = sent % kSlots;
            const uint64_t addr = 4096 * (uint64_t{place} + 1);
            const std::array<vq_seg, 2> segs{{{addr, 4}, {addr + 4, 4}}};
            // The driver has this place back, so it may be written before it is offered again.
            payload_[place] = {sent, 0};
            chain_at[place] = sent;
            const int id = fd_add(&t_.fd, segs.data(), 1, sent % 2,
                                  sent % 2 ? shape(sent) : FD_DIRECT, &payload_[place]);
            if (id == -ENOSPC)
                break;
            EXPECT_GE(id, 0);
            sent++;
            moved = true;
        }
        fd_show(&t_.fd);

        fd_used used;
        int ret = 0;
        while ((ret = fd_reap(&t_.fd, &used)) == 1) {
            const auto* place = static_cast<Payload*>(used.token);
            const uint32_t chain = chain_at[place - payload_.data()];
            EXPECT_EQ(chain, back);
            if (chain % 2) {
                EXPECT_EQ(used.len, 4u);
                EXPECT_EQ(place->answer, answer_to(chain));
            }
            back++;
            moved = true;
        }
        if (ret < 0) {
            ADD_FAILURE() << t_.fd.error;
            Patience::failed = true;
            break;
        }
        if (moved)
            patience.progress();
        else if (!patience.wait())
            break;
    }
    EXPECT_EQ(back, kChains);
}

bool Threads::answered(const vq_seg* segs, uint32_t nout, uint32_t nin) {
    EXPECT_EQ(nout, 1u);
    Payload& at = payload(segs[0].addr);
    EXPECT_EQ(nin, at.request % 2);
    if (nin)
        at.answer = answer_to(at.request);
    return nin;
}

void Threads::serve() {
    uint32_t served = 0;
    Patience patience;
    t_.batch.max_chains = 5;
    while (served < kChains) {
        const int n = vq_test_pop(&t_);
        if (n < 0) {
            ADD_FAILURE() << vq_strerror(t_.vq.error);
            Patience::failed = true;
            break;
        }
        if (n == 0) {
            if (!patience.wait())
                break;
            continue;
        }
        std::array<vq_used, 5> used{};
        for (int i = 0; i < n; i++) {
            vq_chain& chain = t_.chains[i];
            const vq_seg* segs = t_.segs + chain.first;
            if (chain.table_len) {
                EXPECT_EQ(vq_test_expand(&t_, i, VQ_TEST_SEGS), 0);
                segs = t_.expanded;
            }
            vq_stage(&used[i], &chain, answered(segs, chain.nout, chain.nin) ? 4 : 0);
        }
        EXPECT_GE(vq_publish(&t_.vq, used.data(), n), 0);
        served += n;
        patience.progress();
    }
}

TEST_P(Threads, PayloadIsOrderedByTheRingAlone) {
    t_.features = GetParam();
    vq_test_queue(&t_, kNum);
    Patience::failed = false;
    std::thread device([this] { serve(); });
    drive();
    device.join();
    EXPECT_EQ(t_.vq.inflight, 0);
}

INSTANTIATE_TEST_SUITE_P(All, Threads, every_combination(), combination_name);

} // namespace
