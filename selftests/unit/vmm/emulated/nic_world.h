// SPDX-License-Identifier: GPL-2.0-only
// An emulated card on buses, memory and a cable of the test's own, and a driver of the test's own
// for each model, written from the data sheets.
#ifndef VIREO_TESTS_NIC_WORLD_H
#define VIREO_TESTS_NIC_WORLD_H

#include <linux/pci_regs.h>

#include <cstring>
#include <memory>
#include <optional>
#include <string_view>

#include "base/event_loop.h"
#include "bus/bus.h"
#include "emulated/nic/models.h"
#include "memory/guest_memory.h"
#include "net/cable.h"

namespace vireo::test {

inline constexpr MacAddress kNicMac = {0x52, 0x54, 0x00, 0x12, 0x34, 0x56};

class NicWorld {
public:
    static constexpr uint64_t kMemoryBar = 0xd000'0000;
    static constexpr uint32_t kPorts = 0xc000;

    NicWorld(std::string_view model, Platform& platform, bool header)
        : line(platform, 11),
          slot_{.ports = ports, .memory = memory, .platform = platform, .device = 3, .line = line} {
        auto endpoint = std::make_unique<Cable>(1, header);
        cable = endpoint.get();
        nic = make_emulated_nic(model, {.slot = slot_,
                                        .memory = ram,
                                        .main = loop,
                                        .loop = loop,
                                        .endpoint = std::move(endpoint),
                                        .mac = kNicMac});
        if (!nic) {
            throw std::runtime_error("no such model");
        }
        place();
        nic->resume();
    }

    // As firmware does, and a driver that has found its card.
    void place() {
        uint64_t place = kMemoryBar;
        for (unsigned i = 0; i < PciDevice::kBars; i++) {
            if (const auto bar = nic->bar(i)) {
                const bool is_ports = bar->kind == PciDevice::BarKind::kPorts;
                nic->write_config(PCI_BASE_ADDRESS_0 + 4 * i, 4,
                                  is_ports ? kPorts : static_cast<uint32_t>(place));
                place += is_ports ? 0 : 0x100000;
            }
        }
        nic->write_config(PCI_COMMAND, 2, PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
    }

    // Whatever the loop has to do.
    void turn() {
        for (int i = 0; i < 3; i++) {
            loop.post([this] { loop.quit(); });
            loop.run();
        }
    }

    uint32_t in(uint32_t offset, unsigned size) {
        return static_cast<uint32_t>(ports.read(kPorts + offset, size));
    }
    void out(uint32_t offset, unsigned size, uint32_t value) {
        ports.write(kPorts + offset, size, value);
    }
    uint32_t read(uint32_t offset, unsigned size = 4) {
        return static_cast<uint32_t>(memory.read(kMemoryBar + offset, size));
    }
    void write(uint32_t offset, uint32_t value, unsigned size = 4) {
        memory.write(kMemoryBar + offset, size, value);
    }

    template <class T>
    T load(uint64_t address) {
        T value;
        memcpy(&value, ram.at(address, sizeof(value)), sizeof(value));
        return value;
    }
    template <class T>
    void store(uint64_t address, const T& value) {
        memcpy(ram.at(address, sizeof(value)), &value, sizeof(value));
    }
    void put(uint64_t address, const Bytes& bytes) {
        ram.write(address, bytes.data(), bytes.size());
    }
    Bytes get(uint64_t address, size_t size) {
        Bytes bytes(size);
        ram.read(address, bytes.data(), size);
        return bytes;
    }

    Bus ports, memory;
    GuestMemory ram{4 << 20};
    InterruptLine line;
    EventLoop loop;
    Cable* cable; // the card's
    std::unique_ptr<EmulatedNic> nic;

private:
    PciSlot slot_;
};

// What a driver does.
class NicDriver {
public:
    virtual ~NicDriver() = default;

    // The card's own address, as its maker burnt it in.
    virtual MacAddress address() = 0;
    // Resets it and begins.
    virtual void start() = 0;
    virtual void set_filter(bool promiscuous, const std::optional<MacAddress>& group) = 0;
    // False: the ring is full.
    virtual bool send(const Bytes& frame) = 0;
    // The next one, without its checksum; and its buffer goes back.
    virtual std::optional<Bytes> receive() = 0;
    // Interrupt causes that the card has, and no longer.
    virtual uint32_t take_causes() = 0;
    virtual void enable_interrupts() = 0;
    // Descriptors, for those who go round.
    virtual unsigned ring() const = 0;
};

std::unique_ptr<NicDriver> make_nic_driver(std::string_view model, NicWorld& world);

} // namespace vireo::test

#endif // VIREO_TESTS_NIC_WORLD_H
