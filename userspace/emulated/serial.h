// SPDX-License-Identifier: GPL-2.0-only
#ifndef VIREO_EMULATED_SERIAL_H
#define VIREO_EMULATED_SERIAL_H

#include <array>
#include <cstdint>
#include <mutex>

#include "base/event_loop.h"
#include "bus/bus.h"
#include "bus/pci_device.h"
#include "console/chardev.h"

namespace vireo {

// A 16550A serial port (National Semiconductor PC16550D data sheet), eight registers:
//
//   0  RBR (read), THR (write); with DLAB: divisor, low byte
//   1  IER: interrupts enabled; with DLAB: divisor, high byte
//   2  IIR (read): which interrupt; FCR (write): FIFOs
//   3  LCR: line; bit 7: DLAB     4  MCR: modem      5  LSR: line status
//   6  MSR: modem status          7  SCR: nothing, a byte to keep
//
// The line has no speed: what the chardev takes is sent. Registers are accessed on vCPU threads,
// input comes on the chardev's loop.
class Serial final : public BusDevice, private CharFrontend {
public:
    static constexpr unsigned kFifo = 16;

    // What a guest has set, to be saved and loaded.
    struct State {
        uint8_t interrupts = 0, line = 0, modem = 0, scratch = 0;
        uint8_t errors = 0;       // of LSR, till they are read
        uint8_t modem_deltas = 0; // of MSR, till they are read
        uint16_t divisor = 12;
        bool fifo = false;
        uint8_t trigger = 1; // bytes
        bool transmitter_interrupt = false;
        uint8_t received = 0, sending = 0;
        std::array<uint8_t, kFifo> receiver{}, transmitter{};
    };

    // The chardev's loop is `loop`. Chardev and line outlive it.
    Serial(CharBackend& chardev, EventLoop& loop, InterruptLine& interrupt);
    ~Serial() override;

    uint64_t read(uint64_t offset, unsigned size) override;
    void write(uint64_t offset, unsigned size, uint64_t value) override;
    void reset();

private:
    size_t char_room() override;
    void char_input(std::span<const uint8_t> bytes) override;
    void char_drained() override;

    // What follows has the mutex held.
    uint8_t read_register(unsigned offset);
    void write_register(unsigned offset, uint8_t value);
    uint8_t take_received();
    void send(uint8_t byte);
    void drain();
    void receive(uint8_t byte);
    uint8_t interrupt_cause() const;
    uint8_t line_status() const;
    uint8_t modem_status() const;
    void set_modem(uint8_t value);
    void set_fifo(uint8_t value);
    unsigned capacity() const { return state_.fifo ? kFifo : 1; }
    void update_interrupt();

    CharBackend& chardev_;
    EventLoop& loop_;
    InterruptLine& interrupt_;
    std::mutex mutex_; // of what follows
    State state_;
    bool raised_ = false;
    bool starving_ = false; // the chardev holds input back
};

} // namespace vireo

#endif // VIREO_EMULATED_SERIAL_H
