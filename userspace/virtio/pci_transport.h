// SPDX-License-Identifier: GPL-2.0-only
#ifndef VIREO_VIRTIO_PCI_TRANSPORT_H
#define VIREO_VIRTIO_PCI_TRANSPORT_H

#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "base/event_fd.h"
#include "base/event_loop.h"
#include "bus/msix.h"
#include "bus/pci_device.h"
#include "machine/options.h"
#include "virtio/device.h"
#include "virtio/pci_state.h"

namespace vireo {

// A virtio device on the PCI bus (virtio 1.2, 4.1): modern, transitional, or legacy alone. It has
// the registers, the kick and call eventfds, and the device's life: reset, negotiation, DRIVER_OK.
//
// The driver is untrusted: whatever it writes at whatever moment, it harms its own device at most.
//
// Locks, in their order: the configuration space's, the device's control lock, isr_mutex_, those
// of Msix and of the interrupt line. Made and destroyed on the main thread; it outlives run() of
// the main loop.
class VirtioPci final : public PciDevice, public VirtioTransport {
public:
    // `name` is for messages ("net0"). `broken` hears of each NEEDS_RESET, control lock held.
    // Throws UsageError for options that cannot be.
    VirtioPci(const PciSlot& slot, EventLoop& main, VirtioDevice& device,
              const VirtioOptions& options, std::string name,
              std::function<void(const std::string& why)> broken = {});
    ~VirtioPci() override;

    // The machine's reset. It takes the control lock, as the two that follow.
    void reset() override;

    // The machine stands still: queues come to rest, and go on from there.
    void pause();
    void resume();

    // Feature bits that were negotiated; 0 without a driver. Control lock held.
    uint64_t features() const { return state_.features; }

    const std::string& name() const { return name_; }
    VirtioDevice& device() { return device_; }

    // VirtioTransport
    void config_changed() override;
    void needs_reset(const std::string& why) override;

private:
    // A BAR is answered by one of the two.
    struct Window final : BusDevice {
        using Read = uint64_t (VirtioPci::*)(uint64_t, unsigned);
        using Write = void (VirtioPci::*)(uint64_t, unsigned, uint64_t);
        Window(VirtioPci& owner, Read read, Write write)
            : owner(owner), on_read(read), on_write(write) {}
        uint64_t read(uint64_t offset, unsigned size) override {
            return (owner.*on_read)(offset, size);
        }
        void write(uint64_t offset, unsigned size, uint64_t value) override {
            (owner.*on_write)(offset, size, value);
        }
        VirtioPci& owner;
        Read on_read;
        Write on_write;
    };
    using Queue = VirtioPciState::Queue;

    // pci_transport.cc: construction, PCI
    void add_modern_capabilities();
    void add_msix_capability();
    void bar_moved(unsigned index, std::optional<uint64_t> address) override;
    void before_read(unsigned offset, unsigned size) override;
    void after_write(unsigned offset, unsigned size) override;
    Window* config_window(uint32_t& offset, unsigned& size);
    uint64_t read_modern(uint64_t offset, unsigned size);
    void write_modern(uint64_t offset, unsigned size, uint64_t value);
    uint64_t read_device_config(uint64_t offset, unsigned size);
    void write_device_config(uint64_t offset, unsigned size, uint64_t value);

    // pci_common.cc: the modern registers; control lock held
    uint64_t read_common(uint64_t offset, unsigned size) const;
    void write_common(uint64_t offset, unsigned size, uint64_t value);
    void write_queue(Queue& queue, uint64_t offset, uint64_t value);

    // pci_legacy.cc: the legacy registers
    uint64_t read_legacy(uint64_t offset, unsigned size);
    void write_legacy(uint64_t offset, unsigned size, uint64_t value);
    uint64_t read_legacy_register(uint64_t offset) const;
    void write_legacy_register(uint64_t offset, uint64_t value);
    void set_legacy_page(uint32_t page);

    // pci_life.cc: from reset to DRIVER_OK and back; control lock held
    uint32_t offered_word(uint32_t select) const;
    void set_status(uint8_t status, bool legacy);
    void start_device();
    void stop_device();
    void reset_by_driver();
    void enable_queue(uint16_t index);
    void disable_queue(uint16_t index);
    Queue* selected();
    QueueSetup setup_of(uint16_t index) const;
    void set_config_vector(uint64_t vector);
    void set_queue_vector(uint64_t vector);

    // pci_interrupt.cc
    uint8_t take_isr();
    void interrupt_config();
    void clear_interrupts();
    void call_seen(unsigned queue);
    void follow_calls();
    void watch_calls(bool wanted);
    void kick(uint64_t queue) const;
    void add_doorbells(unsigned bar, uint64_t address);
    void remove_doorbells(unsigned bar);

    EventLoop& main_;
    VirtioDevice& device_;
    const VirtioOptions options_;
    const std::string name_;
    const std::function<void(const std::string&)> broken_;
    const uint64_t offered_;
    const std::vector<EventFd> kicks_;
    const std::vector<EventFd> calls_;
    Msix msix_;
    unsigned msix_capability_ = 0;
    unsigned config_capability_ = 0; // VIRTIO_PCI_CAP_PCI_CFG; 0: none
    Window legacy_window_;
    Window modern_window_;
    std::array<std::vector<Platform::Doorbell>, 2> doorbells_; // by BAR; configuration's lock
    bool doorbell_failed_ = false;

    // Control lock.
    VirtioPciState state_;
    bool started_ = false; // the device serves its queues
    bool paused_ = false;  // it would, if the machine did not stand still

    std::mutex isr_mutex_;
    uint8_t isr_ = 0;
    bool alive_ = false; // DRIVER_OK: interrupts may be sent

    bool watching_ = false; // the main thread's: calls_ are watched
};

} // namespace vireo

#endif // VIREO_VIRTIO_PCI_TRANSPORT_H
