// SPDX-License-Identifier: GPL-2.0-only
// Watches what the engine does to ring memory, through the environment in ../env/vq_env.h.
//
// Whatever the driver does, the engine keeps these rules; breaking one prints what happened and
// aborts:
//   - it touches only the areas it was given, aligned, and writes only where the device may write;
//   - it does so inside an access section, never nests them, and leaves none open;
//   - a call ends after a number of accesses that the size of the ring bounds;
//   - it reads what the driver may change behind its back, the avail ring, once;
//   - accesses that the specification orders have a barrier of the right kind between them.
// The last is what no run on x86 can show, since the processor keeps most orders unasked.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "vq/vq.h"

// What a place in memory is for. The device reads the first group and writes the second.
enum class Place {
    kDescAddr,
    kDescRest,  // all of a descriptor but its address
    kDescFlags, // flags read alone, packed only
    kAvailFlags,
    kAvailIdx,
    kAvailRing,
    kUsedEvent,
    kDriverEvent, // the driver's event area, packed
    kTable,       // an indirect table
    kUsedFlags,
    kUsedIdx,
    kUsedElem,
    kAvailEvent,
    kDeviceEvent, // the device's event area, packed
};
constexpr size_t kPlaces = 14;

struct Access {
    Place place;
    const std::byte* ptr;
    size_t size;
    bool write;
};

// Who made the ring: told of each access before it happens.
class RingOwner {
public:
    virtual ~RingOwner() = default;
    // False lets the access fault.
    virtual bool before(const Access& access) = 0;
    // False: a section cannot be begun.
    virtual bool begin_section() { return true; }
    // A rule was broken: print how to come here again.
    virtual void explain() const {}
};

class RingWatch {
public:
    // One watch at a time: it is what the environment reports to.
    explicit RingWatch(RingOwner& owner);
    ~RingWatch();
    RingWatch(const RingWatch&) = delete;
    RingWatch& operator=(const RingWatch&) = delete;

    void watch_ring(const vq_setup& setup);
    void watch_table(const vq_piece* pieces, size_t count);

    // Around each call of the engine. `limit`: accesses that the call may make.
    void begin_call(const char* name, uint64_t limit);
    void end_call();
    // In this call, a write to this descriptor is what publishes all others (packed).
    void publishes_with(const void* desc) { commit_ = static_cast<const std::byte*>(desc); }

    // Of the last call: has the driver been shown used buffers?
    [[nodiscard]] bool published() const {
        return committed_ || written_at_[size_t(Place::kUsedIdx)];
    }
    [[nodiscard]] uint64_t accesses() const { return accesses_; }
    [[nodiscard]] bool faulted() const { return faulted_; }

    [[noreturn]] void fail(std::string_view rule) const;

    // For the environment.
    bool begin_section(const void* ptr, size_t len);
    void end_section();
    bool access(const void* ptr, size_t size, bool write);
    void barrier(vq_barrier barrier);

private:
    struct Area {
        const std::byte* begin;
        size_t size;
        [[nodiscard]] bool holds(const std::byte* ptr, size_t len) const {
            return ptr >= begin && len <= size && size_t(ptr - begin) <= size - len;
        }
    };

    [[nodiscard]] Place place_of(const std::byte* ptr, size_t size, bool write) const;
    [[nodiscard]] Place place_in_desc(size_t offset, size_t size) const;
    [[nodiscard]] Place place_in_driver(size_t offset, size_t size) const;
    [[nodiscard]] Place place_in_device(size_t offset, size_t size) const;
    void note_link(uint64_t flags);
    void check_order(const Access& access) const;
    void check_commit(const Access& access);

    RingOwner& owner_;
    vq_setup setup_{};
    bool packed_ = false;
    Area desc_{}, driver_{}, device_{};
    std::vector<Area> table_;

    const char* call_ = nullptr;
    uint64_t limit_ = 0;
    uint64_t accesses_ = 0;
    bool in_section_ = false;
    bool faulted_ = false;

    // Times, in accesses and barriers since the call began; 0 is never.
    uint64_t now_ = 0;
    std::array<uint64_t, kPlaces> read_at_{};
    std::array<uint64_t, kPlaces> written_at_{};
    uint64_t rmb_at_ = 0, wmb_at_ = 0, mb_at_ = 0;
    const std::byte* commit_ = nullptr;
    bool committed_ = false;
    const std::byte* last_entry_ = nullptr; // of the avail ring, read last
    uint64_t head_at_ = 0;       // packed: when the first descriptor of a chain was looked at
    bool chain_goes_on_ = false; // packed: by the flags of the descriptor read last
    Place last_{};
};
