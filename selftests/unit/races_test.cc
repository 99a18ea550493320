// SPDX-License-Identifier: GPL-2.0-only
// The driver acts between two accesses of the engine: at every place where it can. Neither side
// sees half of what the other does, and no notification is lost.

#include <algorithm>
#include <vector>

#include "combinations.h"
#include "ring_faults.h"
#include "world.h"

namespace {

class Races : public testing::TestWithParam<uint64_t> {
protected:
    // Calls off, the first call behind it, and `n` chains in flight across the end of the ring.
    void pop_some(uint32_t n) {
        t_ = world().test(GetParam());
        vq_test_queue(&t_, VQ_TEST_NUM);
        vq_test_cycle(&t_, VQ_TEST_NUM - 1);
        fd_disable_call(&t_.fd);
        vq_test_offer(&t_, n, true);
        ASSERT_EQ(vq_test_pop(&t_), static_cast<int>(n));
    }

    // How many buffers a driver that looked now would get back; it does not look in earnest.
    [[nodiscard]] uint32_t visible() const {
        std::vector<fd_buf> bufs(t_.bufs, t_.bufs + VQ_TEST_NUM);
        fake_driver onlooker = t_.fd;
        onlooker.setup.bufs = bufs.data();
        fd_used used;
        uint32_t n = 0;
        while (fd_reap(&onlooker, &used) == 1)
            n++;
        EXPECT_EQ(onlooker.error, nullptr);
        return n;
    }

    vq_test t_{};
};

TEST_P(Races, UsedBuffersShowAllAtOnce) {
    for (uint32_t n = 1; n <= 4; n++) {
        pop_some(n);
        RingFaults record;
        bool shown = false;
        record.before = [&](const RingFaults::Access&) {
            const uint32_t seen = visible();
            EXPECT_TRUE(seen == 0 || seen == n) << seen << " of " << n;
            EXPECT_TRUE(seen == n || !shown);
            shown = seen == n;
        };
        ASSERT_GE(vq_test_publish_n(&t_, n, 1), 0);
        EXPECT_EQ(visible(), n);
    }
}

// A driver that asks for a call and then sleeps is called, unless it saw the buffers itself.
TEST_P(Races, PublishLosesNoCall) {
    for (uint32_t n = 1; n <= 3; n++) {
        for (uint32_t at = 0;; at++) {
            pop_some(n);
            RingFaults record;
            uint32_t access = 0;
            bool asked = false;
            bool saw = false;
            record.before = [&](const RingFaults::Access&) {
                if (access++ != at)
                    return;
                asked = true;
                saw = fd_enable_call(&t_.fd);
            };
            const int call = vq_test_publish_n(&t_, n, 1);
            if (!asked)
                break;
            EXPECT_TRUE(call == 1 || saw) << n << " buffers, asked before access " << at;
        }
    }
}

// A device that asks for a kick and then sleeps is kicked, unless it saw the buffer itself.
TEST_P(Races, EnableKickLosesNoKick) {
    for (uint32_t start = 0; start < 2 * VQ_TEST_NUM; start++) {
        for (uint32_t at = 0;; at++) {
            t_ = world().test(GetParam());
            vq_test_queue(&t_, VQ_TEST_NUM);
            vq_test_cycle(&t_, start);
            ASSERT_EQ(vq_disable_kick(&t_.vq), 0);
            RingFaults record;
            uint32_t access = 0;
            bool added = false;
            bool kicked = false;
            record.before = [&](const RingFaults::Access&) {
                if (access++ != at)
                    return;
                added = true;
                vq_test_add(&t_, 1, 1, FD_DIRECT);
                kicked = fd_show(&t_.fd);
            };
            const int seen = vq_enable_kick(&t_.vq, 0);
            if (!added)
                break;
            EXPECT_TRUE(seen == 1 || kicked) << "at " << start << ", before access " << at;
        }
    }
}

// Chains that come while a batch is being popped are taken whole, now or with the next batch.
TEST_P(Races, PopSeesWholeChains) {
    for (uint32_t at = 0;; at++) {
        t_ = world().test(GetParam());
        vq_test_queue(&t_, VQ_TEST_NUM);
        vq_test_cycle(&t_, VQ_TEST_NUM - 3);
        vq_test_add(&t_, 1, 1, FD_DIRECT);
        fd_show(&t_.fd);
        uint32_t buffer = t_.added - 1;
        bool added = false;
        int n = 0;
        {
            RingFaults record;
            uint32_t access = 0;
            record.before = [&](const RingFaults::Access&) {
                if (access++ != at)
                    return;
                added = true;
                vq_test_add(&t_, 1, 2, FD_DIRECT);
                fd_show(&t_.fd);
            };
            n = vq_test_pop(&t_);
        }
        ASSERT_GE(n, 1);
        for (uint32_t taken = 0; taken < (added ? 2 : 1); n = vq_test_pop(&t_)) {
            ASSERT_GE(n, 1);
            for (int i = 0; i < n; i++, taken++, buffer++) {
                const vq_chain& chain = t_.chains[i];
                EXPECT_EQ(chain.nout, 1);
                EXPECT_EQ(chain.nin, taken + 1);
                vq_test_expect_segs(&t_, t_.segs + chain.first, chain.nout + chain.nin, buffer);
            }
        }
        EXPECT_EQ(n, 0);
        if (!added)
            break;
    }
}

INSTANTIATE_TEST_SUITE_P(All, Races, every_combination(), combination_name);

} // namespace
