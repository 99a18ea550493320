// SPDX-License-Identifier: GPL-2.0-only
// What is ordered against the driver's CPU, and by which barrier: the specification's "suitable
// memory barrier", from the device's side. Threads would notice one that is missing only on some
// machines, and some of the time.

#include <vector>

#include "combinations.h"
#include "ring_faults.h"
#include "world.h"

namespace {

class Order : public testing::TestWithParam<uint64_t> {
protected:
    [[nodiscard]] bool packed() const { return GetParam() & VQ_BIT(VQ_F_RING_PACKED); }

    // Three chains in flight, which end behind the end of the ring.
    void pop_three() {
        vq_test_queue(&t_, VQ_TEST_NUM);
        vq_test_cycle(&t_, VQ_TEST_NUM - 1);
        vq_test_offer(&t_, 3, true);
        ASSERT_EQ(vq_test_pop(&t_), 3);
    }

    vq_test t_ = world().test(GetParam());
};

// 2.7.13.3, 2.8.21.1: the driver writes descriptors, then what makes them available. So that is
// read first, and a read barrier stands before all else.
TEST_P(Order, AvailabilityIsReadBeforeDescriptors) {
    vq_test_queue(&t_, VQ_TEST_NUM);
    vq_test_cycle(&t_, VQ_TEST_NUM - 2);
    vq_test_add(&t_, 2, 1, FD_DIRECT);
    vq_test_add(&t_, 0, 1, FD_DIRECT);
    fd_show(&t_.fd);
    // Packed: each head has its own flags to be looked at, and the place behind the last one has
    // too. Length and id come with them.
    std::vector<const std::byte*> shown_by;
    for (const uint32_t slot : {VQ_TEST_NUM - 2, 1, 2})
        shown_by.push_back(static_cast<const std::byte*>(t_.vq.desc) +
                           sizeof(vq_packed_desc) * slot + 8);
    if (!packed())
        shown_by = {static_cast<const std::byte*>(t_.vq.driver) + offsetof(vq_split_avail, idx)};
    RingFaults record;
    ASSERT_EQ(vq_test_pop(&t_), 2);

    const auto& accesses = record.accesses();
    ptrdiff_t shown = -1;
    size_t heads = 0;
    for (ptrdiff_t i = 0; i < std::ssize(accesses); i++) {
        if (heads < shown_by.size() && accesses[i].ptr == shown_by[heads]) {
            shown = i;
            heads++;
        } else {
            ASSERT_GE(shown, 0);
            EXPECT_TRUE(record.ordered(VQ_READ_BARRIER, shown, i)) << "access " << i;
        }
    }
    EXPECT_EQ(heads, shown_by.size());
}

// 2.7.8.2, 2.8.10: entries, and payload, are written before what shows them to the driver.
TEST_P(Order, EntriesAreWrittenBeforeTheyAreShown) {
    pop_three();
    const vq& q = t_.vq;
    const auto* show =
        packed() ? static_cast<const std::byte*>(q.desc) + sizeof(vq_packed_desc) * q.used_pos + 8
                 : static_cast<const std::byte*>(q.device) + offsetof(vq_split_used, idx);
    RingFaults record;
    ASSERT_GE(vq_test_publish_n(&t_, 3, 1), 0);

    ptrdiff_t last = -1;
    ptrdiff_t before = -1;
    for (ptrdiff_t i = 0; i < std::ssize(record.accesses()); i++) {
        if (record.accesses()[i].write) {
            before = last;
            last = i;
        }
    }
    ASSERT_GE(last, 0);
    EXPECT_EQ(record.accesses()[last].ptr, show);
    EXPECT_TRUE(record.ordered(VQ_WRITE_BARRIER, before, last));
}

// 2.7.7.2, 2.8.22: the driver writes its wish and looks at the ring again; the device writes the
// ring and looks at the wish. Both see nothing of each other unless full barriers stand between.
TEST_P(Order, UsedIsWrittenBeforeTheWishForCallsIsRead) {
    pop_three();
    RingFaults record;
    ASSERT_GE(vq_test_publish_n(&t_, 3, 1), 0);

    ptrdiff_t last_write = -1;
    int reads = 0;
    for (ptrdiff_t i = 0; i < std::ssize(record.accesses()); i++) {
        if (record.accesses()[i].write) {
            last_write = i;
        } else {
            reads++;
            EXPECT_TRUE(record.ordered(VQ_FULL_BARRIER, last_write, i)) << "access " << i;
        }
    }
    EXPECT_GE(reads, 1);
    ASSERT_GE(last_write, 0);
    EXPECT_FALSE(record.accesses().back().write);
}

// 2.7.10, 2.8.21.3: the same with the sides exchanged.
TEST_P(Order, WishForKicksIsWrittenBeforeTheRingIsRead) {
    vq_test_queue(&t_, VQ_TEST_NUM);
    vq_test_cycle(&t_, 3);
    RingFaults record;
    ASSERT_EQ(vq_enable_kick(&t_.vq, 0), 0);

    ASSERT_EQ(record.accesses().size(), 2u);
    EXPECT_TRUE(record.accesses()[0].write);
    EXPECT_FALSE(record.accesses()[1].write);
    EXPECT_TRUE(record.ordered(VQ_FULL_BARRIER, 0, 1));
}

INSTANTIATE_TEST_SUITE_P(All, Order, every_combination(), combination_name);

} // namespace
