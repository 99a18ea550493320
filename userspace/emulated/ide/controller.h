// SPDX-License-Identifier: GPL-2.0-only
#ifndef VIREO_EMULATED_IDE_CONTROLLER_H
#define VIREO_EMULATED_IDE_CONTROLLER_H

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "bus/pci_device.h"
#include "emulated/ide/channel.h"

namespace vireo {

// The IDE function of an Intel 82371SB (PIIX3; data sheet 290550): two channels at the ports and
// interrupts of a PC/AT, 0x1f0 with 14 and 0x170 with 15, and a bus master for each behind BAR 4.
//
//   configuration 0x40, 0x42  timing of a channel; bit 15: it decodes its ports
class IdeController final : public PciDevice {
public:
    static constexpr unsigned kChannels = 2;
    static constexpr unsigned kDrives = 4;

    // `loops`: of the channels. All outlive it.
    IdeController(const PciSlot& slot, const GuestMemory& memory,
                  const std::array<EventLoop*, kChannels>& loops);
    ~IdeController() override;

    // Primary master, primary slave, secondary master, secondary slave. Before the guest runs.
    void add(unsigned drive, const DriveOptions& options);

    // Nothing is under way when it returns. No vCPU runs.
    void pause();
    void reset() override;

    std::optional<IdeChannel::Drive> drive(unsigned drive) const;

private:
    class BusMasterPorts final : public BusDevice {
    public:
        explicit BusMasterPorts(IdeController& ide) : ide_(ide) {}
        uint64_t read(uint64_t offset, unsigned size) override;
        void write(uint64_t offset, unsigned size, uint64_t value) override;

    private:
        IdeController& ide_;
    };

    std::array<std::unique_ptr<InterruptLine>, kChannels> lines_;
    std::array<std::unique_ptr<IdeChannel>, kChannels> channels_;
    BusMasterPorts bus_masters_{*this};
};

} // namespace vireo

#endif // VIREO_EMULATED_IDE_CONTROLLER_H
