// SPDX-License-Identifier: GPL-2.0-only
#include "emulated/i8042.h"

namespace vireo {

namespace {

constexpr uint64_t kData = 0;
constexpr uint64_t kCommand = 4;

enum Status : uint8_t {
    kOutputFull = 1 << 0,
    kTested = 1 << 2,
    kCommandLast = 1 << 3,
    kUnlocked = 1 << 4,
};

// Mode: both ports off, the self-test was passed.
constexpr uint8_t kKeyboardOff = 1 << 4, kMouseOff = 1 << 5, kModeTested = 1 << 2;
constexpr uint8_t kFirstMode = kKeyboardOff | kMouseOff | kModeTested;

enum Command : uint8_t {
    kReadMemory = 0x20, // and its 32 bytes
    kWriteMemory = 0x60,
    kMouseDisable = 0xa7,
    kMouseEnable = 0xa8,
    kMouseTest = 0xa9,
    kSelfTest = 0xaa,
    kKeyboardTest = 0xab,
    kKeyboardDisable = 0xad,
    kKeyboardEnable = 0xae,
    kReadInputPort = 0xc0,
    kReadOutputPort = 0xd0,
    kWriteOutputPort = 0xd1,
    kPulse = 0xf0, // 0xf0 to 0xff: lines whose bit is 0
};

constexpr uint8_t kSelfTestGood = 0x55;
constexpr uint8_t kClockStuckHigh = 0x02; // of a port's test: nothing answers there
constexpr uint8_t kOutputPort = 0xcf;     // reset is not pulled, address line 20 is open
constexpr uint8_t kInputPort = 0x80;      // the keyboard is not locked
constexpr uint8_t kResetLine = 1 << 0;

} // namespace

I8042::I8042(std::function<void()> reset) : reset_(std::move(reset)) {
    state_.memory[0] = kFirstMode;
}

void I8042::reset() {
    const std::lock_guard lock(mutex_);
    state_ = {};
    state_.memory[0] = kFirstMode;
}

void I8042::answer(uint8_t value) {
    state_.output = value;
    state_.output_full = true;
}

uint64_t I8042::read(uint64_t offset, unsigned size) {
    if (size != 1 || (offset != kData && offset != kCommand)) {
        return ~uint64_t{0} >> (64 - 8 * size);
    }
    const std::lock_guard lock(mutex_);
    if (offset == kCommand) {
        return kUnlocked | (state_.memory[0] & kModeTested ? kTested : 0) |
               (state_.command_last ? kCommandLast : 0) | (state_.output_full ? kOutputFull : 0);
    }
    state_.output_full = false;
    return state_.output; // an answer that was read stays in the register
}

void I8042::write(uint64_t offset, unsigned size, uint64_t value) {
    if (size != 1 || (offset != kData && offset != kCommand)) {
        return;
    }
    const auto byte = static_cast<uint8_t>(value);
    bool pulled = false;
    {
        const std::lock_guard lock(mutex_);
        state_.command_last = offset == kCommand;
        pulled = offset == kCommand ? take_command(byte) : take_data(byte);
    }
    if (pulled) {
        reset_();
    }
}

bool I8042::take_command(uint8_t command) {
    state_.command = command;
    state_.awaits_data = false;
    if (command >= kPulse) {
        return !(command & kResetLine);
    }
    if (command >= kReadMemory && command < kReadMemory + state_.memory.size()) {
        answer(state_.memory[command - kReadMemory]);
        return false;
    }
    if (command >= kWriteMemory && command < kWriteMemory + state_.memory.size()) {
        state_.awaits_data = true;
        return false;
    }
    uint8_t& mode = state_.memory[0];
    switch (command) {
        case kMouseDisable:
            mode |= kMouseOff;
            break;
        case kMouseEnable:
            mode &= static_cast<uint8_t>(~kMouseOff);
            break;
        case kKeyboardDisable:
            mode |= kKeyboardOff;
            break;
        case kKeyboardEnable:
            mode &= static_cast<uint8_t>(~kKeyboardOff);
            break;
        case kMouseTest:
        case kKeyboardTest:
            answer(kClockStuckHigh);
            break;
        case kSelfTest:
            mode = kFirstMode;
            answer(kSelfTestGood);
            break;
        case kReadInputPort:
            answer(kInputPort);
            break;
        case kReadOutputPort:
            answer(kOutputPort);
            break;
        case kWriteOutputPort:
            state_.awaits_data = true;
            break;
        default: // nobody asks for the rest
            break;
    }
    return false;
}

bool I8042::take_data(uint8_t data) {
    // Without a command that waits for it, a byte is for the keyboard: nobody is there.
    if (!state_.awaits_data) {
        return false;
    }
    state_.awaits_data = false;
    if (state_.command == kWriteOutputPort) {
        return !(data & kResetLine);
    }
    state_.memory[state_.command - kWriteMemory] = data;
    return false;
}

} // namespace vireo
