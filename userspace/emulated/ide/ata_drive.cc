// SPDX-License-Identifier: GPL-2.0-only
#include "emulated/ide/ata_drive.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>

#include "base/counter.h"
#include "emulated/ide/ata.h"

namespace vireo {

using namespace ata;

namespace {

constexpr size_t kAlignment = 4096; // what direct I/O wants at most

void push(AtaDrive::Pair& pair, uint8_t value) {
    pair[1] = pair[0];
    pair[0] = value;
}

} // namespace

AtaDrive::AtaDrive(AtaHost& host, const ImageEndpoint& image, uint32_t sector_size)
    : image_(image),
      sector_size_(sector_size),
      host_(host),
      buffer_(static_cast<std::byte*>(std::aligned_alloc(kAlignment, kBufferSize)), std::free) {
    if (!buffer_) {
        throw std::bad_alloc();
    }
}

// --- registers ---

uint8_t AtaDrive::read(unsigned reg, bool previous) const {
    switch (reg) {
        case kError:
            return registers_.error;
        case kCount:
            return registers_.count[previous];
        case kLow:
            return registers_.low[previous];
        case kMid:
            return registers_.mid[previous];
        case kHigh:
            return registers_.high[previous];
        case kDevice:
            return registers_.device | 0xa0; // bits that are always 1 on old drives
        case kStatus:
            return registers_.status;
        default:
            return 0xff;
    }
}

void AtaDrive::write(unsigned reg, uint8_t value) {
    if (registers_.status & kBusy) {
        return;
    }
    switch (reg) {
        case kFeature:
            push(registers_.feature, value);
            break;
        case kCount:
            push(registers_.count, value);
            break;
        case kLow:
            push(registers_.low, value);
            break;
        case kMid:
            push(registers_.mid, value);
            break;
        case kHigh:
            push(registers_.high, value);
            break;
        case kDevice:
            registers_.device = value;
            break;
        default:
            break;
    }
}

void AtaDrive::command(uint8_t command) {
    if (phase_ == Phase::kIo || abandoned_) {
        return; // busy
    }
    phase_ = Phase::kIdle; // data that nobody fetched are dropped
    receiving_ = false;
    registers_.error = 0;
    registers_.status = kReady | kSeekDone;
    execute(command);
}

void AtaDrive::end_command(uint8_t status) {
    phase_ = Phase::kIdle;
    registers_.status = status;
    host_.interrupt(*this);
}

void AtaDrive::succeed() {
    end_command(kReady | kSeekDone);
}

void AtaDrive::fail(uint8_t error, uint8_t status) {
    count(counters_.errors);
    registers_.error = error;
    end_command(kReady | kSeekDone | kErr | status);
}

bool AtaDrive::manage_power(uint8_t command) {
    switch (command) {
        case kCheckPower:
            registers_.count[0] = 0xff; // active, or idle
            break;
        case kStandbyNow:
        case kIdleNow:
        case kStandby:
        case kIdle:
        case kSleep:
            break;
        default:
            return false;
    }
    succeed();
    return true;
}

// --- reset ---

void AtaDrive::soft_reset() {
    receiving_ = false;
    registers_.status = kBusy;
    if (phase_ == Phase::kIo) {
        abandoned_ = true; // it stays busy until the image has let go of the buffer
    } else {
        become_reset();
    }
}

void AtaDrive::power_on() {
    forget();
    become_reset();
}

void AtaDrive::diagnose() {
    if (phase_ != Phase::kIo) {
        become_reset();
    }
}

void AtaDrive::become_reset() {
    phase_ = Phase::kIdle;
    registers_ = {};
    registers_.error = 1; // the drive is well
    registers_.status = kReady | kSeekDone;
    set_signature();
}

// --- the image ---

void AtaDrive::begin_io(IoOperation::Kind kind, size_t length) {
    piece_ = {.iov_base = buffer_.get(), .iov_len = length};
    operation_ = {};
    operation_.kind = kind;
    operation_.durable = transfer_.durable && kind == IoOperation::Kind::kWrite;
    operation_.offset = transfer_.sector * sector_size_;
    operation_.length = length;
    operation_.pieces = {&piece_, kind == IoOperation::Kind::kFlush ? 0u : 1u};
    phase_ = Phase::kIo;
    registers_.status = kBusy;
    host_.begin_io(*this);
}

uint32_t AtaDrive::part() const {
    return std::min<uint32_t>(transfer_.left, kBufferSize / sector_size_);
}

void AtaDrive::start(const Transfer& transfer) {
    transfer_ = transfer;
    count(transfer.write ? counters_.writes : counters_.reads);
    transfer.write ? fill() : fetch();
}

void AtaDrive::flush() {
    transfer_ = {};
    count(counters_.flushes);
    begin_io(IoOperation::Kind::kFlush, 0);
}

void AtaDrive::fetch() {
    begin_io(IoOperation::Kind::kRead, size_t{part()} * sector_size_);
}

void AtaDrive::store() {
    begin_io(IoOperation::Kind::kWrite, end_);
}

// Let the host fill the buffer with the next part.
void AtaDrive::fill() {
    const bool first = registers_.status != kBusy; // of the command
    at_ = 0;
    end_ = size_t{part()} * sector_size_;
    if (transfer_.dma) {
        begin_dma();
    } else {
        next_write_block(!first);
    }
}

void AtaDrive::io_done() {
    if (abandoned_) {
        abandoned_ = false;
        become_reset();
        return;
    }
    phase_ = Phase::kIdle;
    if (operation_.error) {
        count(counters_.errors);
        io_failed(operation_);
        return;
    }
    if (operation_.kind == IoOperation::Kind::kFlush) {
        succeed();
        return;
    }
    const auto sectors = static_cast<uint32_t>(operation_.length / sector_size_);
    transfer_.sector += sectors;
    transfer_.left -= sectors;
    if (operation_.kind == IoOperation::Kind::kWrite) {
        count(counters_.bytes_written, operation_.length);
        transfer_.left ? fill() : transferred();
        return;
    }
    count(counters_.bytes_read, operation_.length);
    if (transfer_.verify) {
        transfer_.left ? fetch() : succeed();
        return;
    }
    at_ = 0;
    end_ = operation_.length;
    give();
}

// --- the host ---

void AtaDrive::send(std::span<const uint8_t> bytes, bool dma, size_t block) {
    transfer_ = {.dma = dma, .block = block};
    at_ = 0;
    end_ = bytes.size();
    std::memcpy(buffer_.get(), bytes.data(), bytes.size());
    give();
}

// The host is to have what is in the buffer.
void AtaDrive::give() {
    transfer_.dma ? begin_dma() : next_read_block();
}

void AtaDrive::begin_dma() {
    phase_ = Phase::kBusMaster;
    registers_.status = kReady | kSeekDone | kDrq;
    host_.begin_dma(*this);
}

void AtaDrive::receive(size_t bytes) {
    transfer_ = {.write = true, .block = bytes};
    receiving_ = true;
    at_ = 0;
    end_ = bytes;
    next_write_block(false);
}

void AtaDrive::next_read_block() {
    block_end_ = std::min(end_, at_ + transfer_.block);
    phase_ = Phase::kHostReads;
    registers_.status = kReady | kSeekDone | kDrq;
    offer();
    host_.interrupt(*this);
}

void AtaDrive::next_write_block(bool interrupt) {
    block_end_ = std::min(end_, at_ + transfer_.block);
    phase_ = Phase::kHostWrites;
    registers_.status = kReady | kSeekDone | kDrq;
    if (interrupt) {
        host_.interrupt(*this);
    }
}

void AtaDrive::read_data(std::span<uint8_t> to) {
    while (!to.empty() && phase_ == Phase::kHostReads) {
        const size_t n = std::min(to.size(), block_end_ - at_);
        std::memcpy(to.data(), buffer_.get() + at_, n);
        count(counters_.pio_bytes, n);
        at_ += n;
        to = to.subspan(n);
        if (at_ == block_end_) {
            block_read();
            break; // what is read behind a block's end is not of the next
        }
    }
    std::ranges::fill(to, uint8_t{0});
}

void AtaDrive::block_read() {
    if (at_ < end_) {
        next_read_block();
    } else if (transfer_.left) {
        fetch();
    } else {
        phase_ = Phase::kIdle;
        registers_.status = kReady | kSeekDone;
        transferred();
    }
}

void AtaDrive::write_data(std::span<const uint8_t> from) {
    if (phase_ != Phase::kHostWrites) {
        return;
    }
    const size_t n = std::min(from.size(), block_end_ - at_);
    std::memcpy(buffer_.get() + at_, from.data(), n);
    count(counters_.pio_bytes, n);
    at_ += n;
    if (at_ == block_end_) {
        block_written();
    }
}

void AtaDrive::block_written() {
    if (receiving_) {
        receiving_ = false;
        phase_ = Phase::kIdle;
        received();
    } else if (at_ < end_) {
        next_write_block(true);
    } else {
        store();
    }
}

void AtaDrive::dma_done(bool moved) {
    phase_ = Phase::kIdle;
    if (!moved) {
        count(counters_.errors);
        dma_failed();
        return;
    }
    count(counters_.dma_bytes, end_);
    at_ = end_;
    if (transfer_.write) {
        store();
    } else {
        transfer_.left ? fetch() : transferred();
    }
}

} // namespace vireo
