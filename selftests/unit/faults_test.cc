// SPDX-License-Identifier: GPL-2.0-only
// Ring memory that cannot be reached, at every single access of every call: the call says so, the
// queue stays where it was, and the same call made again does what it would have done.

#include <algorithm>
#include <array>
#include <functional>
#include <string>
#include <vector>

#include "combinations.h"
#include "ring_faults.h"
#include "world.h"

namespace {

// A way to a call, the call, and which of the features it is about.
struct Scenario {
    const char* name;
    std::function<void(vq_test*)> prepare;
    std::function<int(vq_test*)> call;
    uint64_t with = 0;
    uint64_t without = 0;

    [[nodiscard]] bool applies(uint64_t features) const {
        return (features & with) == with && (features & without) == 0;
    }
};

constexpr uint64_t kPacked = VQ_BIT(VQ_F_RING_PACKED);
constexpr uint64_t kIndirect = VQ_BIT(VQ_F_INDIRECT_DESC);

void offer_chains(vq_test* t) {
    vq_test_queue(t, VQ_TEST_NUM);
    vq_test_cycle(t, VQ_TEST_NUM - 2);
    vq_test_add(t, 2, 1, FD_DIRECT);
    vq_test_add(t, 0, 1, FD_DIRECT);
    fd_show(&t->fd);
}

void pop_three(vq_test* t) {
    vq_test_queue(t, VQ_TEST_NUM);
    vq_test_cycle(t, VQ_TEST_NUM - 1);
    vq_test_offer(t, 3, false);
    EXPECT_EQ(vq_test_pop(t), 3);
}

void pop_table(vq_test* t) {
    vq_test_queue(t, VQ_TEST_NUM);
    vq_test_add(t, 2, 2, FD_INDIRECT);
    fd_show(&t->fd);
    EXPECT_EQ(vq_test_pop(t), 1);
}

int expand_from(vq_test* t, const vq_piece* pieces, uint32_t n) {
    return vq_expand(&t->vq, &t->batch, &t->chains[0], pieces, n, t->expanded, VQ_TEST_SEGS);
}

const std::byte* table_of(const vq_test* t) {
    const vq_chain& chain = t->chains[0];
    return static_cast<const std::byte*>(fd_translate(&t->fd, chain.table, chain.table_len));
}

int expand(vq_test* t) {
    const vq_piece piece = {table_of(t), t->chains[0].table_len};
    return expand_from(t, &piece, 1);
}

// The table's second descriptor straddles two pieces.
int expand_in_pieces(vq_test* t) {
    const vq_piece pieces[] = {{table_of(t), 20}, {table_of(t) + 20, t->chains[0].table_len - 20}};
    return expand_from(t, pieces, 2);
}

void legacy_on_empty(vq_test* t) {
    t->features |= VQ_BIT(VQ_F_NOTIFY_ON_EMPTY);
    pop_three(t);
}

void empty_queue(vq_test* t) {
    vq_test_queue(t, VQ_TEST_NUM);
    vq_test_cycle(t, 3);
}

const Scenario kScenarios[] = {
    {"Start", [](vq_test* t) { vq_test_queue(t, VQ_TEST_NUM); },
     [](vq_test* t) { return vq_start(&t->vq); }},
    {"Pop", offer_chains, vq_test_pop},
    {"PopNothing", empty_queue, vq_test_pop},
    {"Expand", pop_table, expand, kIndirect},
    {"ExpandPieces", pop_table, expand_in_pieces, kIndirect},
    {"Publish", pop_three, [](vq_test* t) { return vq_test_publish_n(t, 3, 1); }},
    {"PublishNotifyOnEmpty", legacy_on_empty, [](vq_test* t) { return vq_test_publish_n(t, 3, 1); },
     0, kPacked},
    {"HasAvail", offer_chains, [](vq_test* t) { return vq_has_avail(&t->vq, 0); }},
    {"EnableKick", empty_queue, [](vq_test* t) { return vq_enable_kick(&t->vq, 0); }},
    {"DisableKick", empty_queue, [](vq_test* t) { return vq_disable_kick(&t->vq); }},
};

class Faults : public testing::TestWithParam<uint64_t> {};

TEST_P(Faults, AnyAccessMayFault) {
    for (const Scenario& s : kScenarios) {
        if (!s.applies(GetParam()))
            continue;
        vq_test t = world().test(GetParam());
        s.prepare(&t);
        const int good = s.call(&t);
        ASSERT_GE(good, 0) << s.name;

        for (uint64_t n = 1;; n++) {
            SCOPED_TRACE(std::string(s.name) + ", fault at step " + std::to_string(n));
            ASSERT_LT(n, 1000);
            t = world().test(GetParam());
            s.prepare(&t);
            const vq before = t.vq;
            RingFaults faults(n);
            const int result = s.call(&t);
            if (!faults.fired()) {
                EXPECT_EQ(result, good);
                break;
            }
            // Published, and the driver's wish unknown: it is called.
            if (t.vq.used_pos != before.used_pos) {
                EXPECT_EQ(result, 1);
                continue;
            }
            // Good chains in front of the one that faults come first.
            if (result > 0) {
                EXPECT_EQ(s.call(&t), good - result);
                continue;
            }
            EXPECT_EQ(result, -EFAULT);
            EXPECT_EQ(t.vq.error, VQ_ERR_FAULT);
            EXPECT_TRUE(vq_test_same_state(&t.vq, &before));
            EXPECT_EQ(t.vq.kick_off, before.kick_off);
            EXPECT_EQ(s.call(&t), good);
        }
    }
}

// Publishes the first `n` chains of pop_mixed().
int publish_mixed(vq_test* t, uint32_t n) {
    std::array<vq_used, 4> used;
    for (uint32_t i = 0; i < n; i++)
        vq_stage(&used[i], &t->chains[i], t->chains[i].nin);
    return vq_publish(&t->vq, used.data(), n);
}

// Buffers that an in-order device may leave out, and some that it may not, round the ring's end.
void pop_mixed(vq_test* t) {
    vq_test_queue(t, VQ_TEST_NUM);
    vq_test_cycle(t, VQ_TEST_NUM - 2);
    for (const uint32_t nin : {0U, 0U, 1U, 0U})
        vq_test_add(t, 1, nin, FD_DIRECT);
    fd_show(&t->fd);
    EXPECT_EQ(vq_test_pop(t), 4);
}

// A batch that could not be published, and is tried again, alone or with more behind it: before,
// the driver sees nothing, and then just that, although some of it may have been written at once.
TEST_P(Faults, PublishIsTriedAgain) {
    for (uint32_t first = 1; first <= 4; first++) {
        for (uint32_t second = first; second <= 4; second++) {
            bool fired = true;
            for (uint64_t n = 1; fired; n++) {
                SCOPED_TRACE(std::to_string(first) + " and then " + std::to_string(second) +
                             ", fault at step " + std::to_string(n));
                vq_test t = world().test(GetParam());
                pop_mixed(&t);
                fd_used used;
                {
                    RingFaults faults(n);
                    fired = publish_mixed(&t, first) == -EFAULT;
                }
                if (!fired)
                    continue;
                ASSERT_EQ(fd_reap(&t.fd, &used), 0);
                ASSERT_GE(publish_mixed(&t, second), 0);
                for (uint32_t i = 0; i < second; i++)
                    vq_test_expect_reaped(&t, VQ_TEST_NUM - 2 + i, t.chains[i].nin);
                ASSERT_EQ(fd_reap(&t.fd, &used), 0);
            }
        }
    }
}

// The driver adds a buffer at the last moment at which its kick is not sure to come.
TEST_P(Faults, EnableKickSeesWhatComesInBetween) {
    vq_test t = world().test(GetParam());
    vq_test_queue(&t, VQ_TEST_NUM);
    vq_test_cycle(&t, 3);
    RingFaults faults;
    bool added = false;
    faults.before = [&](const RingFaults::Access& access) {
        if (access.write || added)
            return;
        added = true;
        vq_test_offer(&t, 1, true);
    };
    EXPECT_EQ(vq_enable_kick(&t.vq, 0), 1);
    EXPECT_TRUE(added);
}

// What was checked is what is used: no byte of ring memory is read twice in one call.
TEST_P(Faults, FieldsAreReadOnce) {
    for (const Scenario& s : kScenarios) {
        if (!s.applies(GetParam()))
            continue;
        SCOPED_TRACE(s.name);
        vq_test t = world().test(GetParam());
        s.prepare(&t);
        RingFaults record;
        ASSERT_GE(s.call(&t), 0);
        std::vector<const std::byte*> bytes;
        for (const auto& access : record.accesses())
            for (size_t i = 0; i < access.size && !access.write; i++)
                bytes.push_back(access.ptr + i);
        std::ranges::sort(bytes);
        EXPECT_EQ(std::ranges::adjacent_find(bytes), bytes.end());
    }
}

// With the kick off already, and with nothing to write, memory is not touched.
TEST_P(Faults, DisabledKickTouchesNothing) {
    vq_test t = world().test(GetParam());
    vq_test_queue(&t, VQ_TEST_NUM);
    EXPECT_EQ(vq_disable_kick(&t.vq), 0);
    RingFaults faults;
    EXPECT_EQ(vq_disable_kick(&t.vq), 0);
    EXPECT_TRUE(faults.accesses().empty());
}

INSTANTIATE_TEST_SUITE_P(All, Faults, every_combination(), combination_name);

} // namespace
