// SPDX-License-Identifier: GPL-2.0-only
#ifndef VIREO_EMULATED_IDE_CHANNEL_H
#define VIREO_EMULATED_IDE_CHANNEL_H

#include <array>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "base/event_fd.h"
#include "base/event_loop.h"
#include "bus/bus.h"
#include "bus/pci_device.h"
#include "emulated/ide/ata_drive.h"
#include "emulated/ide/bus_master.h"
#include "machine/options.h"

namespace vireo {

// One IDE channel: up to two drives, which share registers, an interrupt and a bus master.
//
// The guest's accesses come on vCPU threads and never wait for an image: an operation on one is
// handed to the channel's event loop, and the drive is busy until it has ended there. No more than
// one is under way, since the host gives no command to a channel that is busy.
class IdeChannel final : public AtaHost {
public:
    static constexpr unsigned kCommandPorts = 8;

    // All outlive it.
    IdeChannel(const GuestMemory& memory, EventLoop& loop, InterruptLine& interrupt);
    ~IdeChannel() override; // the loop is not run by the caller

    // A drive, before the guest runs. Throws UsageError, std::system_error.
    void add(unsigned place, const DriveOptions& options);
    bool empty() const { return !places_[0] && !places_[1]; }

    BusDevice& command_ports() { return command_; } // 8 ports
    BusDevice& control_port() { return control_; }  // one
    // Of its half of the bus master's ports.
    uint8_t read_bus_master(unsigned offset);
    void write_bus_master(unsigned offset, uint8_t value);

    // Nothing is under way when it returns. No vCPU runs.
    void wait_idle();
    // As after power-on. No vCPU runs.
    void reset();

    struct Drive {
        std::string id;
        const char* model;
        bool cdrom;
        const AtaDrive::Counters& counters;
    };
    std::optional<Drive> drive(unsigned place) const;

private:
    struct Place {
        Place(AtaHost& host, const DriveOptions& options);

        const std::string id;
        const bool cdrom;
        const AioMode aio;
        const ImageEndpoint image;
        const std::unique_ptr<AtaDrive> drive;
        std::unique_ptr<IoEngine> engine; // the loop's
    };

    class CommandPorts final : public BusDevice {
    public:
        explicit CommandPorts(IdeChannel& channel) : channel_(channel) {}
        uint64_t read(uint64_t offset, unsigned size) override;
        void write(uint64_t offset, unsigned size, uint64_t value) override;
        void read_string(uint64_t offset, unsigned size, std::span<uint8_t> data) override;
        void write_string(uint64_t offset, unsigned size, std::span<const uint8_t> data) override;

    private:
        IdeChannel& channel_;
    };
    class ControlPort final : public BusDevice {
    public:
        explicit ControlPort(IdeChannel& channel) : channel_(channel) {}
        uint64_t read(uint64_t offset, unsigned size) override;
        void write(uint64_t offset, unsigned size, uint64_t value) override;

    private:
        IdeChannel& channel_;
    };

    // AtaHost, and the rest down to the loop's: mutex held.
    void interrupt(AtaDrive& drive) override;
    void begin_io(AtaDrive& drive) override;
    void begin_dma(AtaDrive& drive) override;
    AtaDrive* selected() const;
    AtaDrive* trap();
    uint8_t read_register(unsigned reg);
    void write_register(unsigned reg, uint8_t value);
    void write_control(uint8_t value);
    uint8_t status();
    void command(uint8_t command);
    bool in_io() const;
    void update_line();

    // The loop's.
    void start_engine(Place& place);
    void end_engine(Place& place) noexcept;
    void kicked();
    void harvest(Place& place);

    EventLoop& loop_;
    InterruptLine& line_;
    CommandPorts command_{*this};
    ControlPort control_{*this};
    std::array<std::unique_ptr<Place>, 2> places_;
    EventFd kick_; // an operation waits for the loop

    std::mutex mutex_; // of what follows, and of the drives
    std::condition_variable idle_;
    BusMaster bus_master_;
    AtaDrive* waiting_ = nullptr; // its operation is to be begun
    uint8_t device_ = 0;          // the device register: which drive
    uint8_t control_bits_ = 0;
    bool interrupt_ = false;
    bool raised_ = false;
};

} // namespace vireo

#endif // VIREO_EMULATED_IDE_CHANNEL_H
