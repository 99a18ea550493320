// SPDX-License-Identifier: GPL-2.0-only
#ifndef VIREO_EMULATED_CMOS_H
#define VIREO_EMULATED_CMOS_H

#include <array>
#include <cstdint>
#include <ctime>
#include <functional>
#include <mutex>

#include "bus/bus.h"

namespace vireo {

// The clock of a PC and its memory (Motorola MC146818A data sheet), at two ports: the number of a
// register, and the register.
//
//   0x00 to 0x09  seconds, alarm, minutes, alarm, hours, alarm, weekday, day, month, year
//   0x0a to 0x0d  control and status A to D         0x0e to 0x7f  memory
//
// Time is the host's, in UTC, plus what the guest has set it off by. It is read, and set; it does
// not interrupt. On vCPU threads.
class Cmos final : public BusDevice {
public:
    struct State {
        uint8_t index = 0;
        int64_t offset = 0; // seconds ahead of the host
        std::array<uint8_t, 128> registers{};
    };

    // `now`: seconds since 1970, for tests.
    explicit Cmos(std::function<time_t()> now = [] { return time(nullptr); });

    uint64_t read(uint64_t offset, unsigned size) override;
    void write(uint64_t offset, unsigned size, uint64_t value) override;
    void reset(); // the clock runs on

    // A byte of the memory, which is a PC's firmware's: 0x0e to 0x7f. Any thread.
    void set_memory(uint8_t index, uint8_t value);

private:
    uint8_t encode(int value) const;
    int decode(uint8_t value) const;
    void show_time();
    void take_time();

    const std::function<time_t()> now_;
    std::mutex mutex_; // of what follows
    State state_;
};

} // namespace vireo

#endif // VIREO_EMULATED_CMOS_H
