// SPDX-License-Identifier: GPL-2.0-only
#ifndef VIREO_BUS_MSIX_H
#define VIREO_BUS_MSIX_H

#include <cstdint>
#include <mutex>
#include <optional>
#include <vector>

#include "bus/platform.h"

namespace vireo {

// MSI-X of a PCI function (PCI Local Bus 3.0, 6.8.2): the table, the pending bits, and the eventfds
// whose signals are interrupts of its vectors.
//
// While a vector can be delivered, its eventfds are irqfds: the hypervisor sends the message and no
// thread of ours runs. While it is masked they are not, and a signal stays in its eventfd: that is
// the pending bit, and it is sent when the mask goes. So no interrupt is lost.
//
// Any thread; its lock is a leaf.
class Msix {
public:
    static constexpr unsigned kEntrySize = 16;
    static constexpr uint16_t kNoVector = 0xffff; // also what virtio calls VIRTIO_MSI_NO_VECTOR

    // What a guest has set, to be saved and loaded.
    struct Entry {
        uint32_t address_low = 0, address_high = 0, data = 0;
        uint32_t control = 1; // bit 0: masked
        bool pending = false; // notify() while it could not be delivered
    };

    Msix(Platform& platform, uint16_t vectors); // 1 to 2048
    ~Msix();

    Msix(const Msix&) = delete;
    Msix& operator=(const Msix&) = delete;

    uint16_t vectors() const { return static_cast<uint16_t>(entries_.size()); }
    uint32_t table_size() const { return vectors() * kEntrySize; }
    uint32_t pending_size() const { return (vectors() + 63u) / 64 * 8; }

    // Message Control, as the guest writes it.
    void set_control(bool enabled, bool function_masked);
    bool enabled() const;

    // Accesses inside the table, and inside the pending bit array (which nobody writes); 4 or 8
    // bytes, aligned. Others read 0 and write nothing.
    uint64_t read_table(uint64_t offset, unsigned size) const;
    void write_table(uint64_t offset, unsigned size, uint64_t value);
    uint64_t read_pending(uint64_t offset, unsigned size) const;

    // An eventfd whose signals are interrupts; it outlives the object. A handle.
    unsigned add_source(int eventfd);
    // Of this vector; kNoVector or one past the table: of none.
    void assign(unsigned source, uint16_t vector);

    // Interrupt once, without an eventfd; the second: of the source's vector.
    void notify(uint16_t vector);
    void notify_source(unsigned source);

    // As after power-on: disabled, every vector masked, nothing pending in the table; sources keep
    // no vector.
    void reset();

private:
    struct Source {
        int eventfd;
        uint16_t vector = kNoVector;
        std::optional<unsigned> route;
        bool attached = false;
    };

    bool deliverable(uint16_t vector) const;
    Platform::Msi message(uint16_t vector) const;
    void update(Source& source);
    void send(uint16_t vector);
    void update_vector(uint16_t vector);
    void update_all();

    Platform& platform_;
    mutable std::mutex mutex_; // of what follows
    std::vector<Entry> entries_;
    std::vector<Source> sources_;
    bool enabled_ = false;
    bool function_masked_ = false;
    bool irqfd_failed_ = false;
};

} // namespace vireo

#endif // VIREO_BUS_MSIX_H
