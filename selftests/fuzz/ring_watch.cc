// SPDX-License-Identifier: GPL-2.0-only
#include "ring_watch.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace {

RingWatch* current;

constexpr std::array<const char*, kPlaces> kPlaceNames = {
    "descriptor address", "descriptor",   "descriptor flags", "avail flags",    "avail index",
    "avail ring",         "used_event",   "driver's event",   "indirect table", "used flags",
    "used index",         "used element", "avail_event",      "device's event",
};

} // namespace

extern "C" {

bool vq_hook_begin(const void* ptr, size_t len) {
    return current->begin_section(ptr, len);
}
void vq_hook_end() {
    current->end_section();
}
bool vq_hook_access(const void* ptr, size_t size, bool write) {
    return current->access(ptr, size, write);
}
void vq_hook_barrier(vq_barrier barrier) {
    current->barrier(barrier);
}

} // extern "C"

RingWatch::RingWatch(RingOwner& owner) : owner_(owner) {
    current = this;
}

RingWatch::~RingWatch() {
    current = nullptr;
}

// Sizes are worked out here from the specification, not asked from the engine.
void RingWatch::watch_ring(const vq_setup& setup) {
    setup_ = setup;
    packed_ = setup.features >> VQ_F_RING_PACKED & 1;
    const size_t event = setup.features >> VQ_F_EVENT_IDX & 1 ? 2 : 0;
    const size_t num = setup.num;
    desc_ = {static_cast<std::byte*>(setup.desc), 16 * num};
    driver_ = {static_cast<std::byte*>(setup.driver), packed_ ? 4 : 4 + 2 * num + event};
    device_ = {static_cast<std::byte*>(setup.device), packed_ ? 4 : 4 + 8 * num + event};
    table_.clear();
}

void RingWatch::watch_table(const vq_piece* pieces, size_t count) {
    table_.clear();
    for (size_t i = 0; i < count; i++)
        table_.push_back({static_cast<const std::byte*>(pieces[i].ptr), pieces[i].len});
}

void RingWatch::begin_call(const char* name, uint64_t limit) {
    call_ = name;
    limit_ = limit;
    accesses_ = 0;
    faulted_ = false;
    now_ = 0;
    read_at_ = {};
    written_at_ = {};
    rmb_at_ = wmb_at_ = mb_at_ = 0;
    commit_ = nullptr;
    committed_ = false;
    last_entry_ = nullptr;
    head_at_ = 0;
    chain_goes_on_ = false;
}

void RingWatch::end_call() {
    if (in_section_)
        fail("returned with an access section open");
    call_ = nullptr;
}

void RingWatch::fail(std::string_view rule) const {
    std::fprintf(stderr,
                 "ring watch: %.*s (%s, access %llu, last known place: %s; %s ring of %u)\n",
                 int(rule.size()), rule.data(), call_ ? call_ : "outside a call",
                 static_cast<unsigned long long>(accesses_), kPlaceNames[size_t(last_)],
                 packed_ ? "packed" : "split", setup_.num);
    owner_.explain();
    std::abort();
}

bool RingWatch::begin_section(const void* ptr, size_t len) {
    if (!call_)
        fail("an access section outside a call");
    if (in_section_)
        fail("an access section inside another");
    const auto* p = static_cast<const std::byte*>(ptr);
    const bool known =
        desc_.holds(p, len) || driver_.holds(p, len) || device_.holds(p, len) ||
        std::any_of(table_.begin(), table_.end(), [&](const Area& a) { return a.holds(p, len); });
    if (!known)
        fail("an access section over memory that is not the ring's");
    in_section_ = owner_.begin_section();
    faulted_ |= !in_section_;
    return in_section_;
}

void RingWatch::end_section() {
    if (!in_section_)
        fail("the end of an access section that was not begun");
    in_section_ = false;
}

Place RingWatch::place_in_desc(size_t offset, size_t size) const {
    const size_t field = offset % 16;
    if (field == 0 && size == 8)
        return Place::kDescAddr;
    if (packed_ && field == 14 && size == 2)
        return Place::kDescFlags;
    if (field < 8 || field + size > 16)
        fail("an access across the fields of a descriptor");
    return Place::kDescRest;
}

Place RingWatch::place_in_driver(size_t offset, size_t size) const {
    if (packed_)
        return Place::kDriverEvent;
    if (size != 2)
        fail("an access across the fields of the avail ring");
    if (offset == 0)
        return Place::kAvailFlags;
    if (offset == 2)
        return Place::kAvailIdx;
    return offset < 4 + 2 * size_t(setup_.num) ? Place::kAvailRing : Place::kUsedEvent;
}

Place RingWatch::place_in_device(size_t offset, size_t size) const {
    if (packed_)
        return Place::kDeviceEvent;
    if (offset >= 4 && offset < 4 + 8 * size_t(setup_.num))
        return Place::kUsedElem;
    if (size != 2)
        fail("an access across the fields of the used ring");
    if (offset == 0)
        return Place::kUsedFlags;
    return offset == 2 ? Place::kUsedIdx : Place::kAvailEvent;
}

Place RingWatch::place_of(const std::byte* ptr, size_t size, bool write) const {
    if (reinterpret_cast<uintptr_t>(ptr) % size)
        fail("an access that is not aligned");
    if (desc_.holds(ptr, size)) {
        if (write && !packed_)
            fail("a write to the descriptor table");
        return place_in_desc(size_t(ptr - desc_.begin), size);
    }
    if (driver_.holds(ptr, size)) {
        if (write)
            fail("a write to the driver's area");
        return place_in_driver(size_t(ptr - driver_.begin), size);
    }
    if (device_.holds(ptr, size))
        return place_in_device(size_t(ptr - device_.begin), size);
    for (const Area& area : table_) {
        if (!area.holds(ptr, size))
            continue;
        if (write)
            fail("a write to an indirect table");
        return Place::kTable;
    }
    fail("an access outside the ring");
}

bool RingWatch::access(const void* ptr, size_t size, bool write) {
    if (!in_section_)
        fail("an access outside a section");
    if (++accesses_ > limit_)
        fail("more accesses than the size of the ring allows: the walk is not bounded");

    const auto* p = static_cast<const std::byte*>(ptr);
    const Access access{place_of(p, size, write), p, size, write};
    last_ = access.place;
    if (!owner_.before(access)) {
        faulted_ = true;
        return false;
    }
    check_order(access);
    check_commit(access);
    if (access.place == Place::kAvailRing)
        last_entry_ = p;
    now_++;
    (write ? written_at_ : read_at_)[size_t(access.place)] = now_;
    if (packed_ && access.place == Place::kDescRest && !write)
        note_link(*reinterpret_cast<const uint64_t*>(p) >> 48);
    return true;
}

// Each chain of a packed ring is seen available by the flags of its first descriptor.
void RingWatch::note_link(uint64_t flags) {
    if (!chain_goes_on_)
        head_at_ = now_;
    chain_goes_on_ = flags & VQ_DESC_F_NEXT;
}

void RingWatch::barrier(vq_barrier barrier) {
    now_++;
    if (barrier != VQ_WRITE_BARRIER)
        rmb_at_ = now_;
    if (barrier != VQ_READ_BARRIER)
        wmb_at_ = now_;
    if (barrier == VQ_FULL_BARRIER)
        mb_at_ = now_;
}

// virtio 1.2, 2.7.13 and 2.8.21: what must not be seen in another order.
void RingWatch::check_order(const Access& access) const {
    const auto unordered = [](uint64_t earlier, uint64_t barrier_at) {
        return earlier && barrier_at <= earlier;
    };
    const auto read = [this](Place place) { return read_at_[size_t(place)]; };
    const auto written = [this](Place place) { return written_at_[size_t(place)]; };
    uint64_t earlier = 0;

    switch (access.place) {
        case Place::kDescRest:
            // Packed: flags of a chain's first descriptor say themselves whether it is available.
            if (access.write || (packed_ && !chain_goes_on_))
                break;
            [[fallthrough]];
        case Place::kDescAddr:
            // What was made available is read after what says so.
            earlier = packed_ ? head_at_ : read(Place::kAvailIdx);
            if (unordered(earlier, rmb_at_))
                fail("a descriptor is read with no read barrier since it was seen available");
            break;
        case Place::kAvailRing:
            if (access.ptr == last_entry_)
                fail("an entry of the avail ring is read twice");
            if (unordered(read(Place::kAvailIdx), rmb_at_))
                fail("the avail ring is read with no read barrier since its index");
            break;
        case Place::kUsedIdx:
            if (access.write && unordered(written(Place::kUsedElem), wmb_at_))
                fail("the used index is written with no write barrier since its elements");
            break;
        // A wish is written before the other side's progress is read, and progress before a wish.
        case Place::kAvailIdx:
            if (read(Place::kAvailIdx))
                fail("the avail index is read twice");
            [[fallthrough]];
        case Place::kDescFlags:
            earlier = std::max({written(Place::kUsedFlags), written(Place::kAvailEvent),
                                written(Place::kDeviceEvent)});
            if (!access.write && unordered(earlier, mb_at_))
                fail("new buffers are looked for with no full barrier since kicks were asked for");
            break;
        case Place::kAvailFlags:
        case Place::kUsedEvent:
        case Place::kDriverEvent:
            earlier = std::max(written(Place::kUsedIdx), written(Place::kDescRest));
            if (unordered(earlier, mb_at_))
                fail("the driver's wish is read with no full barrier since buffers were used");
            break;
        default:
            break;
    }
}

// Several used descriptors become visible with the first of them (virtio 1.2, 2.8.10).
void RingWatch::check_commit(const Access& access) {
    if (!access.write || !commit_ || !desc_.holds(access.ptr, access.size))
        return;
    if (committed_)
        fail("a used descriptor is written behind the one that publishes it");
    if (access.ptr - commit_ < 0 || access.ptr - commit_ >= 16)
        return;
    if (wmb_at_ <= written_at_[size_t(Place::kDescRest)])
        fail("used descriptors are published with no write barrier behind the others");
    committed_ = true;
}
