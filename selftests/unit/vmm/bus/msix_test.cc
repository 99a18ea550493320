// SPDX-License-Identifier: GPL-2.0-only
// MSI-X: no interrupt is lost, whenever it comes and whatever is masked.
#include "bus/msix.h"

#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <thread>

#include "base/event_fd.h"
#include "fake_platform.h"

namespace vireo {
namespace {

struct MsixTest : testing::Test {
    FakePlatform platform;
    EventFd call;
    Msix msix{platform, 3};
    const unsigned source = msix.add_source(call.get());

    void set_vector(unsigned vector, uint32_t data, bool masked) {
        msix.write_table(vector * 16, 8, 0x1'fee0'1000);
        msix.write_table(vector * 16 + 8, 4, data);
        msix.write_table(vector * 16 + 12, 4, masked);
    }
};

TEST_F(MsixTest, TheTableIsReadAsItWasWritten) {
    EXPECT_EQ(msix.read_table(12, 4), 1u) << "masked after a reset";
    set_vector(1, 0x33, false);
    EXPECT_EQ(msix.read_table(16, 8), 0x1'fee0'1000u);
    EXPECT_EQ(msix.read_table(20, 4), 1u);
    EXPECT_EQ(msix.read_table(24, 8), 0x33u);
    msix.write_table(28, 4, ~0u);
    EXPECT_EQ(msix.read_table(28, 4), 1u) << "reserved bits";
    msix.write_table(17, 2, 0);
    EXPECT_EQ(msix.read_table(16, 4), 0xfee0'1000u) << "odd accesses write nothing";
    EXPECT_EQ(msix.read_table(18, 2), 0u);
}

TEST_F(MsixTest, AnEventfdIsTheHypervisorsWhileItsVectorCanBeDelivered) {
    set_vector(1, 0x33, false);
    msix.assign(source, 1);
    EXPECT_TRUE(platform.irqfds.empty()) << "MSI-X is off";
    msix.set_control(true, false);
    ASSERT_EQ(platform.irqfds.count(call.get()), 1u);
    EXPECT_EQ(platform.routes[platform.irqfds[call.get()]].data, 0x33u);
    set_vector(1, 0x44, false);
    EXPECT_EQ(platform.routes[platform.irqfds[call.get()]].data, 0x44u);
    msix.set_control(true, true);
    EXPECT_TRUE(platform.irqfds.empty());
    msix.set_control(true, false);
    EXPECT_EQ(platform.irqfds.size(), 1u);
    msix.assign(source, Msix::kNoVector);
    EXPECT_TRUE(platform.irqfds.empty());
    msix.assign(source, 3);
    EXPECT_TRUE(platform.irqfds.empty()) << "no such vector";
}

TEST_F(MsixTest, WhatComesWhileMaskedIsPendingAndSentOnce) {
    set_vector(2, 0x55, true);
    msix.assign(source, 2);
    msix.set_control(true, false);
    EXPECT_EQ(msix.read_pending(0, 8), 0u);
    call.signal();
    call.signal();
    EXPECT_EQ(msix.read_pending(0, 8), 4u);
    EXPECT_TRUE(platform.sent.empty());
    set_vector(2, 0x56, false);
    ASSERT_EQ(platform.sent.size(), 1u);
    EXPECT_EQ(platform.sent[0].data, 0x56u);
    EXPECT_EQ(platform.sent[0].address, 0x1'fee0'1000u);
    EXPECT_EQ(msix.read_pending(0, 8), 0u);
}

TEST_F(MsixTest, NotifyWithoutAnEventfd) {
    set_vector(0, 7, false);
    msix.notify(0);
    EXPECT_TRUE(platform.sent.empty()) << "off: nothing is sent, and nothing pends";
    msix.set_control(true, true);
    msix.notify(0);
    msix.notify(3);
    msix.notify(Msix::kNoVector);
    EXPECT_EQ(msix.read_pending(0, 4), 1u);
    msix.set_control(true, false);
    ASSERT_EQ(platform.sent.size(), 1u);
    msix.notify(0);
    EXPECT_EQ(platform.sent.size(), 2u);
}

TEST_F(MsixTest, ResetForgets) {
    set_vector(0, 7, false);
    msix.assign(source, 0);
    msix.set_control(true, false);
    msix.reset();
    EXPECT_FALSE(msix.enabled());
    EXPECT_TRUE(platform.irqfds.empty());
    EXPECT_EQ(msix.read_table(12, 4), 1u);
}

// A hypervisor that runs: it looks at an eventfd when it gets it, and takes signals as they come.
class RunningPlatform final : public Platform {
public:
    void send_msi(const Msi&) noexcept override { interrupts++; }
    unsigned add_msi_route() override { return 0; }
    void remove_msi_route(unsigned) noexcept override {}
    void set_msi_route(unsigned, const Msi&) override {}
    void attach_irqfd(unsigned, int eventfd) override {
        const std::lock_guard lock(mutex_);
        attached_ = eventfd;
    }
    void detach_irqfd(unsigned, int) noexcept override {
        const std::lock_guard lock(mutex_);
        take();
        attached_ = -1;
    }
    void set_line(unsigned, bool) noexcept override {}
    void add_doorbell(const Doorbell&) override {}
    void remove_doorbell(const Doorbell&) noexcept override {}

    void poll() {
        const std::lock_guard lock(mutex_);
        take();
    }
    std::atomic<unsigned> interrupts = 0;

private:
    void take() {
        if (attached_ >= 0 && take_event(attached_)) {
            interrupts++;
        }
    }
    std::mutex mutex_;
    int attached_ = -1;
};

TEST(MsixRaces, EverySignalIsFollowedByAnInterrupt) {
    RunningPlatform platform;
    EventFd call;
    Msix msix(platform, 1);
    msix.assign(msix.add_source(call.get()), 0);
    msix.set_control(true, false);

    std::atomic<bool> done = false;
    std::thread guest([&] {
        for (unsigned i = 0; !done; i++) {
            msix.write_table(12, 4, i & 1);
            msix.read_pending(0, 8);
            std::this_thread::yield();
        }
        msix.write_table(12, 4, 0);
    });
    std::thread hypervisor([&] {
        while (!done) {
            platform.poll();
            std::this_thread::yield();
        }
    });
    for (int i = 0; i < 200; i++) {
        const unsigned before = platform.interrupts;
        call.signal();
        while (platform.interrupts == before) {
            std::this_thread::yield();
        }
    }
    done = true;
    guest.join();
    hypervisor.join();
}

} // namespace
} // namespace vireo
