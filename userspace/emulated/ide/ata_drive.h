// SPDX-License-Identifier: GPL-2.0-only
#ifndef VIREO_EMULATED_IDE_ATA_DRIVE_H
#define VIREO_EMULATED_IDE_ATA_DRIVE_H

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "block/image.h"
#include "block/io_engine.h"

namespace vireo {

class AtaDrive;

// What a drive asks of the channel that it is on.
class AtaHost {
public:
    virtual ~AtaHost() = default;

    // The drive wants to interrupt.
    virtual void interrupt(AtaDrive& drive) = 0;
    // drive.operation() is to be done, and drive.io_done() to be called afterwards, not from
    // inside.
    virtual void begin_io(AtaDrive& drive) = 0;
    // drive.dma_data() is there to be moved by the bus master, and then drive.dma_done() to be
    // called, from inside if it can be moved at once.
    virtual void begin_dma(AtaDrive& drive) = 0;
};

// What all drives have: registers, and data on their way from the image to the host and back. They
// are in a buffer, a part at a time, which is moved to and from the image asynchronously (busy),
// and to and from the host by its accesses to the data port, or by the bus master.
//
// A subclass knows the commands. All calls have the channel's lock held.
class AtaDrive {
public:
    static constexpr size_t kBufferSize = 128 << 10;

    // Written with the lock held, read by any (relaxed).
    struct Counters {
        std::atomic<uint64_t> traps = 0; // accesses by the guest
        std::atomic<uint64_t> reads = 0, writes = 0, flushes = 0;
        std::atomic<uint64_t> bytes_read = 0, bytes_written = 0;
        std::atomic<uint64_t> pio_bytes = 0, dma_bytes = 0; // copied to and from the guest
        std::atomic<uint64_t> interrupts = 0, errors = 0;
    };

    // Registers of two bytes: the last one written, and the one before.
    using Pair = std::array<uint8_t, 2>;
    struct Registers {
        Pair feature{}, count{}, low{}, mid{}, high{};
        uint8_t device = 0, status = 0, error = 0;
    };

    AtaDrive(AtaHost& host, const ImageEndpoint& image, uint32_t sector_size);
    virtual ~AtaDrive() = default;

    AtaDrive(const AtaDrive&) = delete;
    AtaDrive& operator=(const AtaDrive&) = delete;

    const ImageEndpoint& image() const { return image_; }
    Counters& counters() { return counters_; }

    // Of the command block, but for data.
    uint8_t read(unsigned reg, bool previous) const;
    void write(unsigned reg, uint8_t value);
    void command(uint8_t command);
    // The data port: words, any number of bytes.
    void read_data(std::span<uint8_t> to);
    void write_data(std::span<const uint8_t> from);

    // By the channel, for both drives (SRST); at once, or when what is in flight has ended.
    void soft_reset();
    // As after power-on. Nothing is in flight.
    void power_on();
    // EXECUTE DEVICE DIAGNOSTIC, which both drives obey.
    void diagnose();

    // It waits for the image.
    bool in_io() const { return phase_ == Phase::kIo; }
    IoOperation& operation() { return operation_; }
    void io_done();

    bool wants_dma() const { return phase_ == Phase::kBusMaster; }
    bool dma_to_host() const { return !transfer_.write; }
    std::span<std::byte> dma_data() { return {buffer_.get() + at_, end_ - at_}; }
    void dma_done(bool moved);

    virtual const char* model() const = 0;
    // DEVICE RESET is a command of drives with packets.
    virtual bool obeys_device_reset() const { return false; }

protected:
    // What is done for the command at hand.
    struct Transfer {
        bool write = false;
        bool dma = false;
        bool verify = false;  // read, and kept from the host
        bool durable = false; // write: on stable storage
        uint64_t sector = 0;  // the next one in the image
        uint32_t left = 0;    // sectors that the image has not seen yet
        size_t block = 0;     // bytes that the host moves at a time without DMA
    };

    // Set the registers that tell what kind of drive it is (ATA/ATAPI-6, 9.12).
    virtual void set_signature() = 0;
    // Settings as after power-on.
    virtual void forget() = 0;
    virtual void execute(uint8_t command) = 0;
    // The host is about to read the data from at_ to block_end_.
    virtual void offer() {}
    // All data of a transfer have been moved.
    virtual void transferred() = 0;
    // The image refused an operation.
    virtual void io_failed(const IoOperation& operation) = 0;
    // The bus master could not move the data.
    virtual void dma_failed() = 0;
    // The host has written what receive() asked for.
    virtual void received() {}

    // Done, or not: with an interrupt.
    void succeed();
    void fail(uint8_t error, uint8_t status = 0);
    // The commands of power management, which all drives have alike; false: it is none.
    bool manage_power(uint8_t command);

    void start(const Transfer& transfer);
    // Give the host these bytes; at most the buffer's size.
    void send(std::span<const uint8_t> bytes, bool dma, size_t block);
    // Take bytes from the host, by the data port.
    void receive(size_t bytes);
    std::span<const std::byte> taken() const { return {buffer_.get(), end_}; }
    void flush();

    Registers registers_;
    Transfer transfer_;
    size_t at_ = 0;        // in the buffer: what the host moves next
    size_t block_end_ = 0; // and where it pauses
    Counters counters_;
    const ImageEndpoint& image_;
    const uint32_t sector_size_;

private:
    enum class Phase : uint8_t {
        kIdle,
        kIo,         // busy
        kHostReads,  // by the data port
        kHostWrites, // the same
        kBusMaster,
    };

    void begin_io(IoOperation::Kind kind, size_t length);
    void fetch();
    void store();
    void fill();
    void give();
    void begin_dma();
    void next_read_block();
    void next_write_block(bool interrupt);
    void block_read();
    void block_written();
    void end_command(uint8_t status);
    void become_reset();
    uint32_t part() const; // sectors of the next part

    AtaHost& host_;
    std::unique_ptr<std::byte, void (*)(void*)> buffer_;
    size_t end_ = 0; // of the data in the buffer
    Phase phase_ = Phase::kIdle;
    bool receiving_ = false; // for the subclass, not for the image
    bool abandoned_ = false; // what is in flight is of no interest: a reset waits for its end
    IoOperation operation_;
    iovec piece_ = {};
};

} // namespace vireo

#endif // VIREO_EMULATED_IDE_ATA_DRIVE_H
