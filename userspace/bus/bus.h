// SPDX-License-Identifier: GPL-2.0-only
#ifndef VIREO_BUS_BUS_H
#define VIREO_BUS_BUS_H

#include <cstdint>
#include <map>
#include <shared_mutex>
#include <span>

namespace vireo {

// Something that answers accesses to a range of ports or of memory. On a vCPU's thread, several at
// once: it takes its own lock.
class BusDevice {
public:
    virtual ~BusDevice() = default;

    // `offset` from the beginning of the range; `size` is 1, 2, 4 or 8 bytes, and the access lies
    // inside the range. The value is in the low bytes.
    virtual uint64_t read(uint64_t offset, unsigned size) = 0;
    virtual void write(uint64_t offset, unsigned size, uint64_t value) = 0;

    // The same access, again and again, as `rep ins` and `rep outs` make it: data.size() / size
    // times, one value after the other.
    virtual void read_string(uint64_t offset, unsigned size, std::span<uint8_t> data);
    virtual void write_string(uint64_t offset, unsigned size, std::span<const uint8_t> data);
};

// One address space of a machine, ports or memory, and who answers where. Any thread.
class Bus {
public:
    // Let a device answer [start, start + size). Throws std::system_error (EEXIST) if somebody
    // answers there. The device outlives it or is removed.
    void add(uint64_t start, uint64_t size, BusDevice& device);
    // The same; false instead of an exception, for ranges that the guest chooses.
    bool try_add(uint64_t start, uint64_t size, BusDevice& device);
    void remove(uint64_t start);

    // An access by the guest. Where nobody answers, and across the end of a range, reads give ones
    // and writes are lost, as on a PC.
    uint64_t read(uint64_t address, unsigned size);
    void write(uint64_t address, unsigned size, uint64_t value);
    void read_string(uint64_t address, unsigned size, std::span<uint8_t> data);
    void write_string(uint64_t address, unsigned size, std::span<const uint8_t> data);

private:
    struct Range {
        uint64_t size;
        BusDevice* device;
    };

    struct Place {
        BusDevice* device; // nullptr: nobody
        uint64_t offset;
    };

    Place find(uint64_t address, unsigned size);

    std::shared_mutex mutex_;
    std::map<uint64_t, Range> ranges_;
};

} // namespace vireo

#endif // VIREO_BUS_BUS_H
