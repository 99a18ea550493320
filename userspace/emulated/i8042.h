// SPDX-License-Identifier: GPL-2.0-only
#ifndef VIREO_EMULATED_I8042_H
#define VIREO_EMULATED_I8042_H

#include <array>
#include <cstdint>
#include <functional>
#include <mutex>

#include "bus/bus.h"

namespace vireo {

// The keyboard controller of a PC (Intel 8042, and IBM's PC/AT technical reference for what is
// programmed into it), ports 0x60 to 0x64, with nothing plugged in:
//
//   0  data: a command's parameter, or answer     4  command (write), status (read)
//
// Of its output port, line 0 is the CPUs' reset, line 1 the gate of address line 20, which is
// always open here. On vCPU threads.
class I8042 final : public BusDevice {
public:
    struct State {
        uint8_t output = 0; // the answer
        bool output_full = false;
        bool command_last = false; // of the two registers written: which
        bool awaits_data = false;  // of `command`
        uint8_t command = 0;
        std::array<uint8_t, 32> memory{}; // its first byte is the mode
    };

    explicit I8042(std::function<void()> reset);

    uint64_t read(uint64_t offset, unsigned size) override;
    void write(uint64_t offset, unsigned size, uint64_t value) override;
    void reset();

private:
    bool take_command(uint8_t command); // true: reset the CPUs, as is of the next one
    bool take_data(uint8_t data);
    void answer(uint8_t value);

    const std::function<void()> reset_;
    std::mutex mutex_; // of what follows
    State state_;
};

} // namespace vireo

#endif // VIREO_EMULATED_I8042_H
