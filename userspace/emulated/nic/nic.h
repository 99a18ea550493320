// SPDX-License-Identifier: GPL-2.0-only
#ifndef VIREO_EMULATED_NIC_NIC_H
#define VIREO_EMULATED_NIC_NIC_H

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/event_loop.h"
#include "base/fd.h"
#include "bus/pci_device.h"
#include "emulated/nic/dma.h"
#include "emulated/nic/wire.h"
#include "memory/guest_memory.h"
#include "net/endpoint.h"
#include "net/link_watch.h"

namespace vireo {

// What network cards have in common that are emulated register by register: a place on the PCI bus,
// DMA, an interrupt line, a cable, one lock. A model (a subclass) knows its registers and its
// rings.
//
// Registers are accessed on vCPU threads; frames, room on the wire and the timer come on the loop's
// thread. A model's functions below are called with the lock held. Thereafter the interrupt line is
// made what interrupt_wanted() says; once for all frames that are received in one go.
class EmulatedNic : public PciDevice, private NicWire::Card {
public:
    struct Parts {
        const PciSlot& slot;
        const GuestMemory& memory;
        EventLoop& main; // where the control side is
        EventLoop& loop; // that carries frames; may be the main one
        std::unique_ptr<NetEndpoint> endpoint;
        MacAddress mac; // as its maker burnt it in
    };
    struct Counter {
        const char* name;
        uint64_t value;
    };

    ~EmulatedNic() override;

    // As after power-on. No vCPU runs.
    void reset() final;

    // On the main thread. Paused (as it is made), it touches no guest memory; no vCPU runs.
    void pause();
    void resume();
    // The cable in or out; to the guest it is out as well when the interface is gone.
    void set_link(bool up);

    // Any thread.
    const std::string& endpoint_name() const { return endpoint_->name(); }
    std::vector<Counter> counters() const; // of the function: what a driver costs
    const NetCounters& received() const { return wire_.received(); }
    const NetCounters& sent() const { return wire_.sent(); }

protected:
    using Readiness = NicWire::Readiness;

    EmulatedNic(Parts parts, const Identity& identity);

    // For the model's constructor: a BAR whose accesses come to read_register().
    void add_registers(unsigned bar, BarKind kind, uint64_t size);
    // Its destructor begins with this: from then on nothing is called.
    void retire();

    // --- of the model ---

    // `size` is 1, 2 or 4 and the access lies inside the BAR; others never come here.
    virtual uint32_t read_register(unsigned bar, uint32_t offset, unsigned size) = 0;
    virtual void write_register(unsigned bar, uint32_t offset, unsigned size, uint32_t value) = 0;
    virtual void reset_chip() = 0;
    virtual bool interrupt_wanted() = 0;
    // Send what the driver has ready, but no more than kTransmitBudget descriptors. True: there is
    // more.
    virtual bool transmit() = 0;
    // A link that goes down or up.
    virtual void link_changed() = 0;
    virtual void timer_expired() {}
    // and NicWire::Card's:
    Readiness readiness() const override = 0;
    bool receive(std::span<const uint8_t> frame, bool checked) override = 0;

    // --- for the model ---

    static constexpr unsigned kTransmitBudget = 128;

    // Let transmit() run: now, if the wire has room.
    void start_transmit();
    // The frame that send() did not take does not come again.
    void forget_frame() { wire_.forget(); }
    // False: the wire is full, and transmit() is called again when it is not.
    bool send(std::span<const uint8_t> frame, const virtio_net_hdr& offload = {}) {
        return wire_.send(frame, offload);
    }
    bool link_up() const { return plugged_ && !gone_; }
    // timer_expired() after so long; an earlier wish is forgotten. 0: never.
    void set_timer(std::chrono::nanoseconds from_now);

    const MacAddress mac_;
    std::mutex lock_;
    Dma dma_;

private:
    // A BAR.
    class Registers final : public BusDevice {
    public:
        Registers(EmulatedNic& nic, unsigned bar) : nic_(nic), bar_(bar) {}
        uint64_t read(uint64_t offset, unsigned size) override;
        void write(uint64_t offset, unsigned size, uint64_t value) override;

    private:
        EmulatedNic& nic_;
        const unsigned bar_;
    };

    void after_write(unsigned offset, unsigned size) override;
    void turn() override;
    void wire_gone() override;
    void look_for_endpoint();
    void set_gone();
    void settle() override;

    EventLoop& loop_;
    const std::unique_ptr<NetEndpoint> endpoint_;
    std::vector<std::unique_ptr<Registers>> registers_;
    Fd timer_;
    bool retired_ = false;
    // With the lock.
    bool plugged_ = true;
    bool gone_ = false;
    bool line_ = false;
    std::atomic<uint64_t> traps_ = 0;
    std::atomic<uint64_t> interrupts_ = 0;
    NicWire wire_;
    LinkWatch link_watch_;
};

// Bits of a register that are there if something is so.
constexpr uint32_t bits_if(bool so, uint32_t bits) {
    return so ? bits : 0;
}

} // namespace vireo

#endif // VIREO_EMULATED_NIC_NIC_H
