// SPDX-License-Identifier: GPL-2.0-only
// A virtio PCI function as PCI sees it: identity, BARs, capabilities (virtio 1.2, 4.1.2 and 4.1.4),
// and the way of an access to the registers.
#include "virtio/pci_transport.h"

#include <linux/pci_regs.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>

#include <cstring>
#include <utility>

#include "base/error.h"
#include "virtio/features.h"
#include "virtio/pci_layout.h"
#include "vq/ring.h"

namespace vireo {

using namespace virtio_pci;

namespace {

constexpr uint16_t kVendor = 0x1af4;        // 4.1.2
constexpr uint16_t kModernDevices = 0x1040; // and the device type
constexpr uint8_t kModernRevision = 1;      // 4.1.2.1

// 4.1.2.3: PCI device IDs of transitional devices; 0: there is no such device.
uint16_t transitional_id(uint16_t type) {
    switch (type) {
        case VIRTIO_ID_NET:
            return 0x1000;
        case VIRTIO_ID_BLOCK:
            return 0x1001;
        case VIRTIO_ID_BALLOON:
            return 0x1002;
        case VIRTIO_ID_CONSOLE:
            return 0x1003;
        case VIRTIO_ID_SCSI:
            return 0x1004;
        case VIRTIO_ID_RNG:
            return 0x1005;
        default:
            return 0;
    }
}

PciDevice::Identity identity(const VirtioDevice::Shape& shape, const VirtioOptions& options) {
    if (options.disable_legacy && options.disable_modern) {
        throw_usage("disable-legacy=on,disable-modern=on: nothing is left; set one of them");
    }
    const uint16_t transitional = transitional_id(shape.type);
    if (options.disable_modern && !transitional) {
        throw_usage("disable-modern=on: the device has no legacy interface");
    }
    const bool modern = options.disable_legacy || !transitional;
    const auto id = static_cast<uint16_t>(kModernDevices + shape.type);
    return {.vendor = kVendor,
            .device = modern ? id : transitional,
            .subsystem_vendor = kVendor,
            // 4.1.2.1: of a transitional device it is the type; else 0x40 or higher.
            .subsystem = modern ? id : shape.type,
            .class_code = shape.pci_class,
            .revision = modern ? kModernRevision : uint8_t{0},
            .interrupt_pin = true};
}

uint64_t offer(uint64_t features, const VirtioOptions& options) {
    const auto without = [&](unsigned bit) { features &= ~feature_bit(bit); };
    if (!options.packed) {
        without(VQ_F_RING_PACKED);
    }
    if (!options.event_idx) {
        without(VQ_F_EVENT_IDX);
    }
    if (!options.indirect_desc) {
        without(VQ_F_INDIRECT_DESC);
    }
    // A legacy driver sees the first 32 bits alone.
    return options.disable_modern ? features & 0xffff'ffff : features;
}

// What follows a capability's ID and next pointer (4.1.4).
virtio_pci_cap place(uint8_t type, uint32_t offset, uint32_t length, uint8_t bytes) {
    virtio_pci_cap cap = {};
    cap.cap_len = bytes;
    cap.cfg_type = type;
    cap.bar = kModernBar;
    cap.offset = offset;
    cap.length = length;
    return cap;
}

template <class Cap>
std::span<const uint8_t> body(const Cap& cap) {
    return std::span(reinterpret_cast<const uint8_t*>(&cap), sizeof(cap)).subspan(PCI_CAP_FLAGS);
}

} // namespace

VirtioPci::VirtioPci(const PciSlot& slot, EventLoop& main, VirtioDevice& device,
                     const VirtioOptions& options, std::string name,
                     std::function<void(const std::string&)> broken)
    : PciDevice(slot, identity(device.shape(), options)),
      main_(main),
      device_(device),
      options_(options),
      name_(std::move(name)),
      broken_(std::move(broken)),
      offered_(offer(device.features(), options)),
      kicks_(device.shape().queues.size()),
      calls_(device.shape().queues.size()),
      msix_(slot.platform, static_cast<uint16_t>(device.shape().queues.size() + 1)),
      legacy_window_(*this, &VirtioPci::read_legacy, &VirtioPci::write_legacy),
      modern_window_(*this, &VirtioPci::read_modern, &VirtioPci::write_modern) {
    if (device.shape().queues.size() > kMaxQueues) {
        throw_usage("{}: {} queues; there may be {}", name_, device.shape().queues.size(),
                    kMaxQueues);
    }
    for (unsigned i = 0; i < calls_.size(); i++) {
        state_.queues.push_back({.size = device.shape().queues[i]});
        msix_.add_source(calls_[i].get());
    }
    if (!options.disable_legacy && transitional_id(device.shape().type)) {
        add_bar(kLegacyBar, BarKind::kPorts, kLegacyBarSize, legacy_window_);
    }
    add_bar(kModernBar, BarKind::kMemory32, kModernBarSize, modern_window_);
    add_msix_capability();
    if (!options.disable_modern) {
        add_modern_capabilities();
    }
    device_.connect(*this);
}

VirtioPci::~VirtioPci() {
    unmap();
    {
        const std::lock_guard lock(device_.lock());
        stop_device();
    }
    watch_calls(false);
}

void VirtioPci::add_msix_capability() {
    struct __attribute__((packed)) {
        uint16_t control;
        uint32_t table, pending;
    } cap = {}, writable = {};
    cap.control = static_cast<uint16_t>(msix_.vectors() - 1); // 6.8.2: one less than there are
    cap.table = kMsixTable | kModernBar;
    cap.pending = kMsixPending | kModernBar;
    writable.control = PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL;
    const auto bytes_of = [](const auto& it) {
        return std::span(reinterpret_cast<const uint8_t*>(&it), sizeof(it));
    };
    msix_capability_ = add_capability(PCI_CAP_ID_MSIX, bytes_of(cap), bytes_of(writable));
}

void VirtioPci::add_modern_capabilities() {
    const auto add = [&](uint8_t type, uint32_t offset) {
        const virtio_pci_cap cap = place(type, offset, kPageSize, sizeof(virtio_pci_cap));
        add_capability(PCI_CAP_ID_VNDR, body(cap));
    };
    add(VIRTIO_PCI_CAP_COMMON_CFG, kCommon);
    add(VIRTIO_PCI_CAP_ISR_CFG, kIsr);
    add(VIRTIO_PCI_CAP_DEVICE_CFG, kDeviceConfig);
    const virtio_pci_notify_cap notify = {
        .cap = place(VIRTIO_PCI_CAP_NOTIFY_CFG, kNotify, kPageSize, sizeof(virtio_pci_notify_cap)),
        .notify_off_multiplier = kNotifyStep};
    add_capability(PCI_CAP_ID_VNDR, body(notify));

    // 4.1.4.9: a way to the BARs for who can only reach the configuration space.
    virtio_pci_cfg_cap config = {};
    config.cap.cap_len = sizeof(config);
    config.cap.cfg_type = VIRTIO_PCI_CAP_PCI_CFG;
    virtio_pci_cfg_cap writable = {};
    writable.cap.bar = 0xff;
    writable.cap.offset = 0xffff'ffff;
    writable.cap.length = 0xffff'ffff;
    memset(writable.pci_cfg_data, 0xff, sizeof(writable.pci_cfg_data));
    config_capability_ = add_capability(PCI_CAP_ID_VNDR, body(config), body(writable));
}

void VirtioPci::bar_moved(unsigned index, std::optional<uint64_t> address) {
    remove_doorbells(index);
    if (address && (index == kLegacyBar || config_capability_)) {
        add_doorbells(index, *address);
    }
}

// What the PCI configuration access capability points at; nullptr: nothing that can be accessed
// (4.1.4.9.1).
VirtioPci::Window* VirtioPci::config_window(uint32_t& offset, unsigned& size) {
    virtio_pci_cfg_cap cap;
    memcpy(&cap, &bytes()[config_capability_], sizeof(cap));
    const std::optional<Bar> there = bar(cap.cap.bar);
    offset = cap.cap.offset;
    size = cap.cap.length;
    if (!there || (size != 1 && size != 2 && size != 4) || offset % size ||
        offset > there->size - size) {
        return nullptr;
    }
    return cap.cap.bar == kLegacyBar ? &legacy_window_ : &modern_window_;
}

void VirtioPci::before_read(unsigned offset, unsigned) {
    const unsigned data = config_capability_ + offsetof(virtio_pci_cfg_cap, pci_cfg_data);
    if (!config_capability_ || offset != data) {
        return;
    }
    uint32_t at;
    unsigned size;
    if (Window* window = config_window(at, size)) {
        const auto value = static_cast<uint32_t>(window->read(at, size));
        memcpy(&bytes()[data], &value, sizeof(value));
    }
}

void VirtioPci::after_write(unsigned offset, unsigned size) {
    const unsigned control = msix_capability_ + PCI_MSIX_FLAGS;
    if (offset < control + 2 && control < offset + size) {
        uint16_t flags;
        memcpy(&flags, &bytes()[control], sizeof(flags));
        msix_.set_control(flags & PCI_MSIX_FLAGS_ENABLE, flags & PCI_MSIX_FLAGS_MASKALL);
        follow_calls();
    }
    const unsigned data = config_capability_ + offsetof(virtio_pci_cfg_cap, pci_cfg_data);
    if (config_capability_ && offset == data) {
        uint32_t at;
        unsigned length;
        if (Window* window = config_window(at, length)) {
            uint32_t value;
            memcpy(&value, &bytes()[data], sizeof(value));
            window->write(at, length, value & (~uint64_t{0} >> (64 - 8 * length)));
        }
    }
}

uint64_t VirtioPci::read_modern(uint64_t offset, unsigned size) {
    if (offset >= kMsixPending) {
        const uint64_t at = offset - kMsixPending;
        return at + size <= msix_.pending_size() ? msix_.read_pending(at, size) : 0;
    }
    if (offset >= kMsixTable) {
        const uint64_t at = offset - kMsixTable;
        return at + size <= msix_.table_size() ? msix_.read_table(at, size) : 0;
    }
    if (!config_capability_ || offset >= kNotify) {
        return 0;
    }
    if (offset >= kDeviceConfig) {
        return read_device_config(offset - kDeviceConfig, size);
    }
    if (offset >= kIsr) {
        return offset == kIsr ? take_isr() : 0;
    }
    const std::lock_guard lock(device_.lock());
    return read_common(offset - kCommon, size);
}

void VirtioPci::write_modern(uint64_t offset, unsigned size, uint64_t value) {
    if (offset >= kMsixTable) {
        const uint64_t at = offset - kMsixTable;
        if (at + size <= msix_.table_size()) {
            msix_.write_table(at, size, value);
        }
        return;
    }
    if (!config_capability_) {
        return;
    }
    if (offset >= kNotify) {
        kick((offset - kNotify) / kNotifyStep);
    } else if (offset >= kDeviceConfig) {
        write_device_config(offset - kDeviceConfig, size, value);
    } else if (offset < kIsr) {
        const std::lock_guard lock(device_.lock());
        write_common(offset - kCommon, size, value);
    }
}

uint64_t VirtioPci::read_device_config(uint64_t offset, unsigned size) {
    std::array<uint8_t, 8> data = {};
    {
        const std::lock_guard lock(device_.lock());
        device_.read_config(static_cast<uint32_t>(offset), std::span(data).first(size));
    }
    uint64_t value;
    memcpy(&value, data.data(), sizeof(value));
    return value;
}

void VirtioPci::write_device_config(uint64_t offset, unsigned size, uint64_t value) {
    std::array<uint8_t, 8> data;
    memcpy(data.data(), &value, sizeof(value));
    const std::lock_guard lock(device_.lock());
    device_.write_config(static_cast<uint32_t>(offset), std::span(data).first(size));
}

} // namespace vireo
