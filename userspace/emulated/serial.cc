// SPDX-License-Identifier: GPL-2.0-only
#include "emulated/serial.h"

#include <linux/serial_reg.h>

#include <algorithm>

namespace vireo {

namespace {

constexpr uint8_t kInterruptsMask = 0x0f;
constexpr uint8_t kModemMask = 0x1f;
constexpr uint8_t kFifosOn = 0xc0; // in IIR
constexpr uint8_t kTimeout = 0x0c; // in IIR: fewer bytes than the trigger, for a while

} // namespace

Serial::Serial(CharBackend& chardev, EventLoop& loop, InterruptLine& interrupt)
    : chardev_(chardev), loop_(loop), interrupt_(interrupt) {
    chardev_.connect(this);
}

Serial::~Serial() {
    chardev_.connect(nullptr);
    if (raised_) {
        interrupt_.lower();
    }
}

void Serial::reset() {
    const std::lock_guard lock(mutex_);
    // The scratch register has no reset; bytes under way on the line are not the chip's.
    state_ = {.scratch = state_.scratch};
    update_interrupt();
}

uint64_t Serial::read(uint64_t offset, unsigned size) {
    bool hungry = false;
    uint64_t value = 0;
    {
        const std::lock_guard lock(mutex_);
        // ISA makes wide accesses of narrow ones.
        for (unsigned i = 0; i < size; i++) {
            value |= uint64_t{read_register(static_cast<unsigned>(offset) + i)} << (8 * i);
        }
        if (starving_ && state_.received == 0) {
            starving_ = false;
            hungry = true;
        }
    }
    if (hungry) {
        loop_.post([this] { chardev_.accept_input(); });
    }
    return value;
}

void Serial::write(uint64_t offset, unsigned size, uint64_t value) {
    const std::lock_guard lock(mutex_);
    for (unsigned i = 0; i < size; i++) {
        write_register(static_cast<unsigned>(offset) + i, static_cast<uint8_t>(value >> (8 * i)));
    }
}

uint8_t Serial::read_register(unsigned offset) {
    const bool divisor = state_.line & UART_LCR_DLAB;
    switch (offset) {
        case UART_RX:
            return divisor ? static_cast<uint8_t>(state_.divisor) : take_received();
        case UART_IER:
            return divisor ? static_cast<uint8_t>(state_.divisor >> 8) : state_.interrupts;
        case UART_IIR: {
            const uint8_t cause = interrupt_cause();
            if (cause == UART_IIR_THRI) {
                state_.transmitter_interrupt = false;
                update_interrupt();
            }
            return cause | (state_.fifo ? kFifosOn : 0);
        }
        case UART_LCR:
            return state_.line;
        case UART_MCR:
            return state_.modem;
        case UART_LSR: {
            const uint8_t status = line_status();
            state_.errors = 0;
            update_interrupt();
            return status;
        }
        case UART_MSR: {
            const uint8_t status = modem_status() | state_.modem_deltas;
            state_.modem_deltas = 0;
            update_interrupt();
            return status;
        }
        case UART_SCR:
            return state_.scratch;
        default:
            return 0xff;
    }
}

void Serial::write_register(unsigned offset, uint8_t value) {
    const bool divisor = state_.line & UART_LCR_DLAB;
    switch (offset) {
        case UART_TX:
            if (divisor) {
                state_.divisor = static_cast<uint16_t>((state_.divisor & 0xff00) | value);
            } else {
                send(value);
            }
            break;
        case UART_IER:
            if (divisor) {
                state_.divisor = static_cast<uint16_t>((state_.divisor & 0xff) | value << 8);
                break;
            }
            // Enabled while the transmitter is empty, its interrupt comes at once.
            if (~state_.interrupts & value & UART_IER_THRI) {
                state_.transmitter_interrupt = state_.sending == 0;
            }
            state_.interrupts = value & kInterruptsMask;
            break;
        case UART_FCR:
            set_fifo(value);
            break;
        case UART_LCR:
            state_.line = value;
            break;
        case UART_MCR:
            set_modem(value & kModemMask);
            break;
        case UART_SCR:
            state_.scratch = value;
            break;
    }
    update_interrupt();
}

// --- the receiver ---

uint8_t Serial::take_received() {
    if (state_.received == 0) {
        return 0;
    }
    const uint8_t byte = state_.receiver[0];
    std::copy(state_.receiver.begin() + 1, state_.receiver.end(), state_.receiver.begin());
    state_.received--;
    update_interrupt();
    return byte;
}

void Serial::receive(uint8_t byte) {
    if (state_.received >= capacity()) {
        state_.errors |= UART_LSR_OE;
        return;
    }
    state_.receiver[state_.received++] = byte;
}

size_t Serial::char_room() {
    const std::lock_guard lock(mutex_);
    const size_t room = state_.modem & UART_MCR_LOOP ? 0 : capacity() - state_.received;
    starving_ = room == 0;
    return room;
}

void Serial::char_input(std::span<const uint8_t> bytes) {
    const std::lock_guard lock(mutex_);
    for (const uint8_t byte : bytes) {
        receive(byte);
    }
    update_interrupt();
}

// --- the transmitter ---

void Serial::send(uint8_t byte) {
    state_.transmitter_interrupt = false;
    if (state_.modem & UART_MCR_LOOP) {
        receive(byte);
        state_.transmitter_interrupt = true;
        return;
    }
    // With a driver that does not look whether there is room, the byte is lost.
    if (state_.sending < capacity()) {
        state_.transmitter[state_.sending++] = byte;
    }
    drain();
}

void Serial::drain() {
    if (state_.sending == 0) {
        return;
    }
    const size_t taken =
        chardev_.write(std::span<const uint8_t>(state_.transmitter).first(state_.sending));
    std::copy(state_.transmitter.begin() + static_cast<ptrdiff_t>(taken), state_.transmitter.end(),
              state_.transmitter.begin());
    state_.sending = static_cast<uint8_t>(state_.sending - taken);
    if (state_.sending == 0) {
        state_.transmitter_interrupt = true;
    }
}

void Serial::char_drained() {
    const std::lock_guard lock(mutex_);
    drain();
    update_interrupt();
}

// --- status and interrupts ---

uint8_t Serial::line_status() const {
    uint8_t status = state_.errors;
    if (state_.received) {
        status |= UART_LSR_DR;
    }
    if (state_.sending == 0) {
        status |= UART_LSR_THRE | UART_LSR_TEMT;
    }
    return status;
}

// In the loop, the outputs are the inputs; else the other side is there and ready.
uint8_t Serial::modem_status() const {
    if (!(state_.modem & UART_MCR_LOOP)) {
        return UART_MSR_DCD | UART_MSR_DSR | UART_MSR_CTS;
    }
    uint8_t status = 0;
    status |= state_.modem & UART_MCR_DTR ? UART_MSR_DSR : 0;
    status |= state_.modem & UART_MCR_RTS ? UART_MSR_CTS : 0;
    status |= state_.modem & UART_MCR_OUT1 ? UART_MSR_RI : 0;
    status |= state_.modem & UART_MCR_OUT2 ? UART_MSR_DCD : 0;
    return status;
}

void Serial::set_modem(uint8_t value) {
    const uint8_t before = modem_status();
    state_.modem = value;
    const uint8_t after = modem_status();
    // The deltas are the changes, four bits lower; of the ring's, the end.
    uint8_t deltas = (before ^ after) >> 4;
    if (!(before & UART_MSR_RI) || (after & UART_MSR_RI)) {
        deltas &= static_cast<uint8_t>(~UART_MSR_TERI);
    }
    state_.modem_deltas |= deltas;
}

void Serial::set_fifo(uint8_t value) {
    const bool on = value & UART_FCR_ENABLE_FIFO;
    if (on != state_.fifo || (value & UART_FCR_CLEAR_RCVR)) {
        state_.received = 0;
    }
    if (on != state_.fifo || (value & UART_FCR_CLEAR_XMIT)) {
        state_.transmitter_interrupt |= state_.sending != 0;
        state_.sending = 0;
    }
    constexpr uint8_t kTriggers[] = {1, 4, 8, 14};
    state_.fifo = on;
    state_.trigger = on ? kTriggers[value >> 6] : 1;
}

// The most urgent one that is enabled (data sheet, table IV).
uint8_t Serial::interrupt_cause() const {
    if ((state_.interrupts & UART_IER_RLSI) && state_.errors) {
        return UART_IIR_RLSI;
    }
    if ((state_.interrupts & UART_IER_RDI) && state_.received) {
        return state_.received >= state_.trigger ? uint8_t{UART_IIR_RDI} : kTimeout;
    }
    if ((state_.interrupts & UART_IER_THRI) && state_.transmitter_interrupt) {
        return UART_IIR_THRI;
    }
    if ((state_.interrupts & UART_IER_MSI) && state_.modem_deltas) {
        return UART_IIR_MSI;
    }
    return UART_IIR_NO_INT;
}

// On a PC, OUT2 lets the interrupt through, but in the loop it is not an output.
void Serial::update_interrupt() {
    const bool through = (state_.modem & (UART_MCR_OUT2 | UART_MCR_LOOP)) == UART_MCR_OUT2;
    const bool wanted = through && interrupt_cause() != UART_IIR_NO_INT;
    if (wanted != raised_) {
        raised_ = wanted;
        wanted ? interrupt_.raise() : interrupt_.lower();
    }
}

} // namespace vireo
