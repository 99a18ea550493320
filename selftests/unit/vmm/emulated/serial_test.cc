// SPDX-License-Identifier: GPL-2.0-only
#include "emulated/serial.h"

#include <gtest/gtest.h>
#include <linux/serial_reg.h>

#include <algorithm>
#include <string>

#include "fake_platform.h"

namespace vireo {
namespace {

constexpr unsigned kLine = 4;

// Takes up to `room` bytes.
class FakeChardev final : public CharBackend {
public:
    void connect(CharFrontend* f) override { frontend = f; }
    size_t write(std::span<const uint8_t> bytes) override {
        const size_t n = std::min(room, bytes.size());
        room -= n;
        sent.append(bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(n));
        return n;
    }
    void accept_input() override { wanted++; }
    bool open() const override { return true; }
    std::string describe() const override { return "fake"; }

    void type(const std::string& text) {
        ASSERT_GE(frontend->char_room(), text.size());
        frontend->char_input({reinterpret_cast<const uint8_t*>(text.data()), text.size()});
    }

    CharFrontend* frontend = nullptr;
    size_t room = 1000;
    std::string sent;
    unsigned wanted = 0;
};

class SerialTest : public testing::Test {
protected:
    uint8_t in(unsigned offset) { return static_cast<uint8_t>(serial.read(offset, 1)); }
    void out(unsigned offset, uint8_t value) { serial.write(offset, 1, value); }
    void enable(uint8_t interrupts) {
        out(UART_MCR, UART_MCR_OUT2);
        out(UART_IER, interrupts);
    }
    bool interrupt() { return platform.lines[kLine]; }

    FakePlatform platform;
    InterruptLine line{platform, kLine};
    EventLoop loop;
    FakeChardev chardev;
    Serial serial{chardev, loop, line};
};

TEST_F(SerialTest, SendsWhatIsWritten) {
    for (const char c : std::string("hello")) {
        EXPECT_EQ(in(UART_LSR), UART_LSR_THRE | UART_LSR_TEMT);
        out(UART_TX, static_cast<uint8_t>(c));
    }
    EXPECT_EQ(chardev.sent, "hello");
}

TEST_F(SerialTest, ReceivesInOrder) {
    out(UART_FCR, UART_FCR_ENABLE_FIFO);
    chardev.type("abc");
    EXPECT_EQ(in(UART_LSR)&UART_LSR_DR, UART_LSR_DR);
    EXPECT_EQ(in(UART_RX), 'a');
    EXPECT_EQ(in(UART_RX), 'b');
    EXPECT_EQ(in(UART_RX), 'c');
    EXPECT_EQ(in(UART_LSR)&UART_LSR_DR, 0);
    EXPECT_EQ(in(UART_RX), 0);
}

TEST_F(SerialTest, HoldsInputBackWhenItIsFull) {
    EXPECT_EQ(chardev.frontend->char_room(), 1u) << "without FIFO";
    out(UART_FCR, UART_FCR_ENABLE_FIFO);
    chardev.type(std::string(Serial::kFifo, 'x'));
    EXPECT_EQ(chardev.frontend->char_room(), 0u);
    for (unsigned i = 0; i < Serial::kFifo; i++) {
        EXPECT_EQ(chardev.wanted, 0u);
        in(UART_RX);
    }
    // The loop asks for more, once.
    loop.post([this] { loop.quit(); });
    loop.run();
    EXPECT_EQ(chardev.wanted, 1u);
    EXPECT_EQ(chardev.frontend->char_room(), Serial::kFifo);
}

TEST_F(SerialTest, ASlowChardevMakesTheTransmitterBusy) {
    out(UART_FCR, UART_FCR_ENABLE_FIFO);
    enable(UART_IER_THRI);
    EXPECT_TRUE(interrupt()) << "empty when enabled";
    EXPECT_EQ(in(UART_IIR) & 0xf, UART_IIR_THRI);
    EXPECT_FALSE(interrupt()) << "reading IIR clears it";
    chardev.room = 2;
    for (const char c : std::string("abcd")) {
        out(UART_TX, static_cast<uint8_t>(c));
    }
    EXPECT_EQ(chardev.sent, "ab");
    EXPECT_EQ(in(UART_LSR)&UART_LSR_THRE, 0);
    EXPECT_FALSE(interrupt());
    chardev.room = 10;
    chardev.frontend->char_drained();
    EXPECT_EQ(chardev.sent, "abcd");
    EXPECT_EQ(in(UART_LSR)&UART_LSR_THRE, UART_LSR_THRE);
    EXPECT_TRUE(interrupt());
}

TEST_F(SerialTest, InterruptsByUrgency) {
    out(UART_FCR, UART_FCR_ENABLE_FIFO | UART_FCR_TRIGGER_4);
    enable(UART_IER_RDI | UART_IER_THRI);
    chardev.type("ab");
    EXPECT_EQ(in(UART_IIR), 0xc0 | 0x0c) << "below the trigger";
    chardev.type("cd");
    EXPECT_EQ(in(UART_IIR), 0xc0 | UART_IIR_RDI);
    for (unsigned i = 0; i < 4; i++) {
        in(UART_RX);
    }
    EXPECT_EQ(in(UART_IIR), 0xc0 | UART_IIR_THRI);
    EXPECT_EQ(in(UART_IIR), 0xc0 | UART_IIR_NO_INT);
    EXPECT_FALSE(interrupt());
}

TEST_F(SerialTest, Out2LetsInterruptsThrough) {
    out(UART_IER, UART_IER_RDI);
    chardev.type("a");
    EXPECT_FALSE(interrupt());
    out(UART_MCR, UART_MCR_OUT2);
    EXPECT_TRUE(interrupt());
    out(UART_MCR, UART_MCR_OUT2 | UART_MCR_LOOP);
    EXPECT_FALSE(interrupt());
}

TEST_F(SerialTest, TheLoopReturnsBytesAndModemLines) {
    out(UART_MCR, UART_MCR_LOOP | UART_MCR_OUT2 | UART_MCR_RTS);
    EXPECT_EQ(in(UART_MSR) & 0xf0, UART_MSR_DCD | UART_MSR_CTS) << "as Linux looks for a 8250";
    out(UART_TX, 'x');
    EXPECT_EQ(chardev.sent, "");
    EXPECT_EQ(in(UART_RX), 'x');
    out(UART_MCR, 0);
    EXPECT_EQ(in(UART_MSR) & 0xf0, UART_MSR_DCD | UART_MSR_DSR | UART_MSR_CTS);
    EXPECT_EQ(in(UART_MSR) & 0x0f, 0) << "deltas go when they are read";
}

TEST_F(SerialTest, AnOverrunIsTold) {
    out(UART_MCR, UART_MCR_LOOP);
    out(UART_TX, 'a');
    out(UART_TX, 'b');
    EXPECT_EQ(in(UART_LSR)&UART_LSR_OE, UART_LSR_OE);
    EXPECT_EQ(in(UART_LSR)&UART_LSR_OE, 0);
    EXPECT_EQ(in(UART_RX), 'a');
}

TEST_F(SerialTest, RegistersKeepWhatTheyHave) {
    out(UART_SCR, 0x5a);
    EXPECT_EQ(in(UART_SCR), 0x5a);
    out(UART_IER, 0xff);
    EXPECT_EQ(in(UART_IER), 0x0f) << "an 8250 has four";
    out(UART_LCR, UART_LCR_DLAB | UART_LCR_WLEN8);
    out(UART_DLL, 0x34);
    out(UART_DLM, 0x12);
    EXPECT_EQ(in(UART_DLL), 0x34);
    EXPECT_EQ(in(UART_DLM), 0x12);
    EXPECT_EQ(serial.read(UART_DLL, 2), 0x1234u);
    out(UART_LCR, UART_LCR_WLEN8);
    EXPECT_EQ(in(UART_IER), 0x0f);
    serial.reset();
    EXPECT_EQ(in(UART_IER), 0);
    EXPECT_EQ(in(UART_LCR), 0);
    EXPECT_EQ(in(UART_SCR), 0x5a);
}

TEST_F(SerialTest, ResetLowersTheLine) {
    enable(UART_IER_THRI);
    EXPECT_TRUE(interrupt());
    serial.reset();
    EXPECT_FALSE(interrupt());
}

} // namespace
} // namespace vireo
