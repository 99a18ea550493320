// SPDX-License-Identifier: GPL-2.0-only
#include "emulated/cmos.h"

namespace vireo {

namespace {

enum Register : uint8_t {
    kSeconds = 0,
    kMinutes = 2,
    kHours = 4,
    kWeekday = 6,
    kDay = 7,
    kMonth = 8,
    kYear = 9,
    kA = 10,
    kB = 11,
    kC = 12,
    kD = 13,
};

constexpr uint8_t kDivider = 0x26; // A: 32.768 kHz, 1024 Hz; never in the middle of an update
constexpr uint8_t kSet = 1 << 7;   // B: the guest sets the time
constexpr uint8_t kBinary = 1 << 2;
constexpr uint8_t k24Hours = 1 << 1;
constexpr uint8_t kInterrupts = 0x70;  // B
constexpr uint8_t kValid = 1 << 7;     // D: the battery is good
constexpr uint8_t kAfternoon = 1 << 7; // hours, of 12

bool is_time(uint8_t index) {
    return index <= kYear && (index % 2 == 0 || index >= kWeekday);
}

} // namespace

Cmos::Cmos(std::function<time_t()> now) : now_(std::move(now)) {
    state_.registers[kA] = kDivider;
    state_.registers[kB] = k24Hours;
    state_.registers[kD] = kValid;
}

void Cmos::reset() {
    const std::lock_guard lock(mutex_);
    state_.registers[kB] &= static_cast<uint8_t>(~kInterrupts);
    state_.index = 0;
}

void Cmos::set_memory(uint8_t index, uint8_t value) {
    const std::lock_guard lock(mutex_);
    state_.registers.at(index) = value;
}

uint8_t Cmos::encode(int value) const {
    return static_cast<uint8_t>(state_.registers[kB] & kBinary ? value
                                                               : value / 10 << 4 | value % 10);
}

int Cmos::decode(uint8_t value) const {
    return state_.registers[kB] & kBinary ? value : (value >> 4) * 10 + (value & 15);
}

// Put the time into the registers, where it stands still.
void Cmos::show_time() {
    const time_t now = now_() + state_.offset;
    tm t = {};
    gmtime_r(&now, &t);
    auto& r = state_.registers;
    r[kSeconds] = encode(t.tm_sec);
    r[kMinutes] = encode(t.tm_min);
    if (r[kB] & k24Hours) {
        r[kHours] = encode(t.tm_hour);
    } else {
        const int hour = t.tm_hour % 12 ? t.tm_hour % 12 : 12;
        r[kHours] = static_cast<uint8_t>(encode(hour) | (t.tm_hour >= 12 ? kAfternoon : 0));
    }
    r[kWeekday] = encode(t.tm_wday + 1);
    r[kDay] = encode(t.tm_mday);
    r[kMonth] = encode(t.tm_mon + 1);
    r[kYear] = encode(t.tm_year % 100);
}

// The registers are the time from now on.
void Cmos::take_time() {
    const auto& r = state_.registers;
    tm t = {};
    t.tm_sec = decode(r[kSeconds]);
    t.tm_min = decode(r[kMinutes]);
    if (r[kB] & k24Hours) {
        t.tm_hour = decode(r[kHours]);
    } else {
        t.tm_hour = decode(r[kHours] & 0x7f) % 12 + (r[kHours] & kAfternoon ? 12 : 0);
    }
    t.tm_mday = decode(r[kDay]);
    t.tm_mon = decode(r[kMonth]) - 1;
    const int year = decode(r[kYear]);
    t.tm_year = year < 70 ? year + 100 : year;
    state_.offset = timegm(&t) - now_();
}

uint64_t Cmos::read(uint64_t offset, unsigned size) {
    if (size != 1 || offset == 0) {
        return ~uint64_t{0} >> (64 - 8 * size); // the number cannot be read
    }
    const std::lock_guard lock(mutex_);
    if (is_time(state_.index) && !(state_.registers[kB] & kSet)) {
        show_time();
    }
    return state_.registers[state_.index];
}

void Cmos::write(uint64_t offset, unsigned size, uint64_t value) {
    if (size != 1) {
        return;
    }
    const auto byte = static_cast<uint8_t>(value);
    const std::lock_guard lock(mutex_);
    if (offset == 0) {
        state_.index = byte & 0x7f; // bit 7 is the NMI's
        return;
    }
    auto& r = state_.registers;
    if (state_.index == kC || state_.index == kD) {
        return;
    }
    if (state_.index == kA) {
        r[kA] = byte & 0x7f;
    } else if (state_.index == kB) {
        if (~r[kB] & byte & kSet) {
            show_time();
        }
        const bool done = r[kB] & ~byte & kSet;
        r[kB] = byte;
        if (done) {
            take_time();
        }
    } else if (is_time(state_.index) && !(r[kB] & kSet)) {
        show_time();
        r[state_.index] = byte;
        take_time();
    } else {
        r[state_.index] = byte;
    }
}

} // namespace vireo
