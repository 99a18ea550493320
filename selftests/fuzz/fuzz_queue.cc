// SPDX-License-Identifier: GPL-2.0-only
// Fuzzes the virtqueue engine, device side, one ring format a binary (FUZZ_PACKED).
//
// The input says how the queue is made and which calls are made on it, and what a hostile driver
// does to the ring *between the engine's accesses*: it changes what is about to be read, what was
// just read, indices, descriptors, and it lets accesses fault. The ring watch checks each access;
// this file checks what the calls return. A call during which the driver kept still has to be right
// as well.
//
// Format: features, size, base (4 bytes), then operations, each a byte and its arguments (see
// step()); the mischief is read from the end of the input: see Mischief.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include "hostile_driver.h"

namespace {

constexpr size_t kMaxOperations = 400;

// What may not differ after a call that failed.
bool same_state(const vq& a, const vq& b) {
    return a.desc == b.desc && a.driver == b.driver && a.device == b.device && a.num == b.num &&
           a.avail_pos == b.avail_pos && a.used_pos == b.used_pos && a.inflight == b.inflight &&
           a.avail_wrap == b.avail_wrap && a.used_wrap == b.used_wrap && a.packed == b.packed &&
           a.event_idx == b.event_idx && a.in_order == b.in_order && a.indirect == b.indirect &&
           a.notify_on_empty == b.notify_on_empty && a.call_first == b.call_first;
}

struct Popped {
    vq_chain chain;
    std::vector<vq_seg> direct;
    uint64_t number; // in the order of popping
};

class Session {
public:
    explicit Session(Input& input)
        : input_(input),
          ring_(read_features(input), read_size(input)),
          mischief_(input, ring_),
          watch_(mischief_) {
        const vq_setup setup = ring_.setup();
        watch_.watch_ring(setup);
        expect(vq_init(&vq_, &setup) == 0, "a good set-up is refused");
        expect(vq_area_bytes(setup.features, setup.num, VQ_AREA_DESC) == 16 * size_t(setup.num) &&
                   vq_area_bytes(setup.features, setup.num, VQ_AREA_DRIVER) == ring_.driver_size &&
                   vq_area_bytes(setup.features, setup.num, VQ_AREA_DEVICE) == ring_.device_size,
               "an area's size is wrong");
        op_set_base();
    }

    void run() {
        for (size_t i = 0; i < kMaxOperations && !input_.empty(); i++)
            step(input_.u8());
    }

private:
    static uint64_t read_features(Input& input) {
        const uint8_t b = input.u8();
        const auto bit = [b](unsigned from, unsigned to) { return uint64_t(b >> from & 1) << to; };
        return uint64_t(kPacked) << VQ_F_RING_PACKED | bit(0, VQ_F_EVENT_IDX) |
               bit(1, VQ_F_INDIRECT_DESC) | bit(2, VQ_F_IN_ORDER) | bit(3, VQ_F_NOTIFY_ON_EMPTY);
    }

    // Small rings mostly: they wrap soon. The top of the range gives the large ones.
    static uint32_t read_size(Input& input) {
        const uint8_t b = input.u8();
        if (!kPacked)
            return 1U << (b < 0xf0 ? b % 7 : b % 16);
        constexpr uint32_t large[] = {VQ_MAX_NUM, VQ_MAX_NUM - 1, 257, 100};
        return b < 0xfc ? 1 + b % 33 : large[b - 0xfc];
    }

    void expect(bool ok, const char* what) const {
        if (!ok)
            watch_.fail(what);
    }

    void begin_call(const char* name, uint64_t limit) {
        before_ = vq_;
        vq_.error = VQ_OK;
        mischief_.begin_call();
        watch_.begin_call(name, limit);
    }

    // What holds for every call that can fail: `good` is the greatest result that is no error.
    void end_call(int result, int good) {
        watch_.end_call();
        expect(result <= good, "a result that is too large");
        expect(vq_.inflight <= vq_.num, "more in flight than the ring holds");
        expect(kPacked ? vq_.avail_pos < vq_.num && vq_.used_pos < vq_.num : true,
               "a position outside the ring");
        if (result >= 0)
            return;
        expect(same_state(vq_, before_), "the state moved in a call that failed");
        if (result == -EFAULT) {
            expect(watch_.faulted(), "a fault where nothing faulted");
            expect(vq_.error == VQ_ERR_FAULT, "a fault that is not named one");
        } else {
            expect(result == -EPROTO, "an error that is not in the API");
            expect(vq_.error > VQ_ERR_FAULT && vq_.error < VQ_ERR_MAX, "no reason for -EPROTO");
        }
        expect(vq_strerror(vq_.error) != nullptr, "an error without words");
    }

    [[nodiscard]] bool quiet() const { return !mischief_.changed(); }

    void step(uint8_t op) {
        switch (op % 16) {
            case 0:
            case 1:
            case 2:
                return driver_adds(op >> 4);
            case 3:
                return driver_writes();
            case 4:
                store(ring_.driver.data() + 2, uint16_t(ring_.avail_idx() + op / 16 - 8));
                return;
            case 5:
            case 6:
                return op_pop();
            case 7:
                return op_expand();
            case 8:
                return op_unpop();
            case 9:
            case 10:
                return op_publish();
            case 11:
                return op_kicks(op >> 4);
            case 12:
                return op_has_avail();
            case 13:
                return op_set_base();
            case 14:
                return op >> 4 ? op_start() : op_reset();
            case 15:
                return op_init_badly();
        }
    }

    // A chain as a driver writes it, except for what its bytes get wrong.
    void driver_adds(unsigned shape) {
        const uint32_t count = 1 + shape % 4;
        const uint8_t flaws = input_.u8();
        if (!kPacked) {
            const uint16_t head = uint16_t(driver_next_ % ring_.num);
            for (uint32_t i = 0; i < count; i++) {
                const uint32_t at = driver_next_++ % ring_.num;
                const uint16_t next = uint16_t(driver_next_ % ring_.num);
                write_desc(at, desc_flags(i, count, flaws), next);
            }
            const uint16_t idx = ring_.avail_idx();
            store(ring_.driver.data() + 4 + 2 * size_t(idx % ring_.num), head);
            store(ring_.driver.data() + 2, uint16_t(idx + 1));
            return;
        }
        for (uint32_t i = 0; i < count; i++) {
            const auto id = uint16_t(driver_next_);
            const uint16_t mark = driver_wrap_ ? VQ_DESC_F_AVAIL : VQ_DESC_F_USED;
            write_desc(driver_next_, uint16_t(desc_flags(i, count, flaws) | mark), id);
            if (++driver_next_ == ring_.num) {
                driver_next_ = 0;
                driver_wrap_ = !driver_wrap_;
            }
        }
    }

    static uint16_t desc_flags(uint32_t i, uint32_t count, uint8_t flaws) {
        uint16_t flags = i + 1 < count ? kNext : 0;
        if (i >= (flaws & 3U))
            flags |= kWrite;
        if ((flaws & 4) && i + 1 == count)
            flags |= kIndirect;
        return flags;
    }

    void write_desc(uint32_t at, uint16_t flags, uint16_t link) {
        std::byte* desc = ring_.desc_at(at);
        const uint8_t len = input_.u8();
        store(desc, uint64_t(at) << 20 | len);
        // Whole tables are likely, and so are empty buffers; odd lengths are possible.
        store(desc + 8, uint32_t(flags & kIndirect ? (len < 0xf0 ? len % 9 * 16 : len) : len));
        store(desc + 12, kPacked ? link : flags);
        store(desc + 14, kPacked ? flags : link);
    }

    // Anything anywhere.
    void driver_writes() {
        const uint8_t where = input_.u8();
        const uint16_t offset = input_.u16(), value = input_.u16();
        if (where % 4 == 0)
            store(ring_.driver.data() + offset % (ring_.driver_size / 2) * 2, value);
        else if (where % 4 == 1)
            store(ring_.device.data() + offset % (ring_.device_size / 2) * 2, value);
        else
            store(ring_.desc.data() + offset % (8 * size_t(ring_.num)) * 2, value);
    }

    void op_pop() {
        const uint32_t max_chains = 1 + input_.u8() % 64, max_segs = 1 + input_.u8() % 140;
        const std::unique_ptr<vq_chain[]> chains(new vq_chain[max_chains]);
        const std::unique_ptr<vq_seg[]> segs(new vq_seg[max_segs]);
        vq_batch batch = {chains.get(), segs.get(), max_chains, max_segs, 0, 0};

        // All good chains together visit each descriptor once, by a few reads, and so does a bad
        // one behind them.
        begin_call("vq_pop", 8 + 2 * uint64_t(max_chains) + 8 * uint64_t(ring_.num));
        const int n = vq_pop(&vq_, &batch);
        end_call(n, int(max_chains));
        const auto ready = uint16_t(ring_.avail_idx() - before_.avail_pos);
        if (!kPacked && quiet() && n != -EFAULT && ready > ring_.num)
            expect(n == -EPROTO && vq_.error == VQ_ERR_AVAIL_IDX,
                   "an index that ran away is taken");
        if (n < 0)
            return;

        expect(batch.nchains == uint32_t(n), "nchains is not the number of chains");
        expect(batch.nsegs <= max_segs, "more segments than there is room for");
        uint32_t slots = 0, segments = 0;
        for (int i = 0; i < n; i++) {
            check_popped(chains[i], batch);
            expect(chains[i].first == segments, "segments that do not follow one another");
            segments += chains[i].nout + chains[i].nin;
            slots += chains[i].slots;
            const vq_seg* first = segs.get() + chains[i].first;
            popped_.push_back(
                {chains[i], {first, first + chains[i].nout + chains[i].nin}, pop_number_++});
        }
        expect(segments == batch.nsegs, "nsegs is not the number of segments");
        expect(vq_.inflight == before_.inflight + slots, "what is in flight was miscounted");
        expect_moved(slots);
    }

    void expect_moved(uint32_t slots) const {
        if (!kPacked) {
            expect(vq_.avail_pos == uint16_t(before_.avail_pos + slots), "a wrong avail position");
            return;
        }
        const uint32_t to = before_.avail_pos + slots;
        expect(vq_.avail_pos == to % vq_.num &&
                   vq_.avail_wrap == (before_.avail_wrap ^ (to >= vq_.num)),
               "a wrong avail position");
    }

    void check_popped(const vq_chain& chain, const vq_batch& batch) const {
        expect(chain.first + chain.nout + chain.nin <= batch.nsegs, "a chain past its segments");
        for (uint32_t i = 0; i < uint32_t(chain.nout + chain.nin); i++)
            expect(batch.segs[chain.first + i].len != 0, "an empty segment");
        if (kPacked) {
            expect(chain.slots >= 1 && chain.slots <= ring_.num, "an impossible number of slots");
            expect(!chain.table_len || !(chain.nout + chain.nin),
                   "a table behind other descriptors");
        } else {
            expect(chain.slots == 1 && chain.id < ring_.num, "a head past the table");
        }
        if (chain.table_len)
            expect(ring_.has(VQ_F_INDIRECT_DESC) && chain.table_len % 16 == 0 &&
                       chain.table_len / 16 <= VQ_MAX_NUM,
                   "a table that may not be");
    }

    // An indirect table in up to four pieces of any length and alignment, ending where the heap
    // block ends. Entries come from the input until it has none left.
    void op_expand() {
        const uint8_t which = input_.u8(), cuts = input_.u8();
        const uint32_t max_segs = 1 + input_.u8();
        if (popped_.empty())
            return;
        Popped& popped = popped_[popped_.size() - 1 - which % popped_.size()];
        const uint32_t entries = popped.chain.table_len / 16;

        std::vector<std::byte> table(popped.chain.table_len);
        for (uint32_t i = 0; i < std::min(entries, 64U); i++) {
            const uint8_t flags = input_.u8(), len = input_.u8(), next = input_.u8();
            std::byte* desc = table.data() + 16 * size_t(i);
            store(desc, 0x7ab1e00000000000ULL + i);
            store(desc + 8, uint32_t(len));
            store(desc + 12, uint16_t(kPacked ? next : flags & 0x87));
            store(desc + 14, uint16_t(kPacked ? flags & 0x87 : next & 0x3f));
        }

        const uint32_t count = 1 + cuts % 4;
        const uint32_t missing = cuts >> 7 ? 1 + (cuts >> 2) % 31 : 0;
        std::vector<Block> blocks;
        std::vector<vq_piece> pieces;
        uint32_t at = 0, left = popped.chain.table_len - std::min(missing, popped.chain.table_len);
        for (uint32_t i = 0; i < count; i++) {
            const uint32_t len = i + 1 == count ? left : std::min<uint32_t>(left, input_.u8() % 40);
            const uint32_t askew = input_.u8() % 16;
            blocks.emplace_back(askew + len);
            if (len)
                std::memcpy(blocks.back().data() + askew, table.data() + at, len);
            pieces.push_back({blocks.back().data() + askew, len});
            at += len;
            left -= len;
        }
        expand(popped, pieces, max_segs, entries, missing && entries);
    }

    void expand(Popped& popped, const std::vector<vq_piece>& pieces, uint32_t max_segs,
                uint32_t entries, bool short_table) {
        vq_batch batch{};
        vq_chain chain = popped.chain;
        chain.first = 0;
        batch.segs = popped.direct.data();
        const vq_chain untouched = chain;
        const std::unique_ptr<vq_seg[]> segs(new vq_seg[max_segs]);

        watch_.watch_table(pieces.data(), pieces.size());
        begin_call("vq_expand", 8 + 16 * uint64_t(entries));
        const int result = vq_expand(&vq_, &batch, &chain, pieces.data(), uint32_t(pieces.size()),
                                     segs.get(), max_segs);
        if (!entries || short_table) {
            expect(result == -EINVAL && watch_.accesses() == 0,
                   "a table that is not there is read");
            expect(same_state(vq_, before_), "the state moved in a call that failed");
            watch_.end_call();
            return;
        }
        end_call(result, 0);
        expect(chain.id == untouched.id && chain.slots == untouched.slots,
               "the chain has a new name");
        if (result < 0) {
            expect(chain.nout == untouched.nout && chain.nin == untouched.nin &&
                       chain.table_len == untouched.table_len && chain.table == untouched.table,
                   "the chain changed in a call that failed");
            return;
        }
        expect(chain.table_len == 0 && chain.first == 0, "an expanded chain with a table");
        const uint32_t total = chain.nout + chain.nin;
        expect(total <= max_segs && total <= popped.direct.size() + entries, "too many segments");
        expect(chain.nout >= untouched.nout && chain.nin >= untouched.nin, "segments were lost");
        for (uint32_t i = 0; i < total; i++)
            expect(segs[i].len != 0, "an empty segment");
        for (uint32_t i = 0; i < popped.direct.size(); i++)
            expect(segs[i].addr == popped.direct[i].addr && segs[i].len == popped.direct[i].len,
                   "a direct segment was lost");
        popped.chain = chain;
        popped.direct.assign(segs.get(), segs.get() + total);
    }

    // Only the chains popped last can be put back, in a row.
    void op_unpop() {
        const size_t wanted = input_.u8() % 8;
        std::vector<vq_chain> chains;
        while (chains.size() < wanted && !popped_.empty() &&
               popped_.back().number + 1 == pop_number_) {
            chains.insert(chains.begin(), popped_.back().chain);
            popped_.pop_back();
            pop_number_--;
        }
        uint32_t slots = 0;
        for (const vq_chain& chain : chains)
            slots += chain.slots;

        begin_call("vq_unpop", 0);
        vq_unpop(&vq_, chains.data(), uint32_t(chains.size()));
        end_call(0, 0);
        // Popping is the inverse: from here, `slots` on, must be where we were.
        std::swap(vq_, before_);
        expect_moved(slots);
        std::swap(vq_, before_);
        expect(vq_.inflight + slots == before_.inflight, "what is in flight was miscounted");
    }

    void op_publish() {
        const uint8_t how = input_.u8();
        const size_t n = std::min<size_t>(1 + how % 16, popped_.size());
        if (!n) {
            begin_call("vq_publish", 0);
            end_call(vq_publish(&vq_, nullptr, 0), 0);
            return;
        }
        // In order from the front; else from any place, since a device may finish as it likes.
        const size_t from = ring_.has(VQ_F_IN_ORDER) ? 0 : (how >> 4) % (popped_.size() - n + 1);
        std::vector<vq_used> used(n);
        uint32_t slots = 0;
        for (size_t i = 0; i < n; i++) {
            vq_stage(&used[i], &popped_[from + i].chain, how);
            slots += used[i].slots;
        }
        begin_call("vq_publish", 8 + 4 * n);
        if (kPacked)
            watch_.publishes_with(ring_.desc_at(vq_.used_pos));
        const int result = vq_publish(&vq_, used.data(), uint32_t(n));
        end_call(result, 1);
        if (result < 0) {
            expect(!watch_.published(), "published, and failed");
            return;
        }
        expect(vq_.inflight + slots == before_.inflight, "what is in flight was miscounted");
        if (quiet())
            check_published(used, slots);
        popped_.erase(popped_.begin() + long(from), popped_.begin() + long(from + n));
    }

    // What the driver finds: each entry, or with in-order at least the last one of each run.
    void check_published(const std::vector<vq_used>& used, uint32_t slots) const {
        if (!kPacked) {
            const auto idx = load<uint16_t>(ring_.device.data() + 2);
            expect(idx == uint16_t(before_.used_pos + used.size()) && idx == vq_.used_pos,
                   "the used index is not what was published");
            for (size_t i = 0; i < used.size() && !ring_.has(VQ_F_IN_ORDER); i++) {
                const std::byte* elem =
                    ring_.device.data() + 4 + 8 * ((before_.used_pos + i) % ring_.num);
                expect(
                    load<uint32_t>(elem) == used[i].id && load<uint32_t>(elem + 4) == used[i].len,
                    "a used element is not what was staged");
            }
            return;
        }
        uint32_t at = before_.used_pos;
        bool wrap = before_.used_wrap;
        for (size_t i = 0; i < used.size() && !ring_.has(VQ_F_IN_ORDER); i++) {
            const std::byte* desc = ring_.desc_at(at);
            const auto flags = load<uint16_t>(desc + 14);
            expect(
                load<uint32_t>(desc + 8) == used[i].len && load<uint16_t>(desc + 12) == used[i].id,
                "a used descriptor is not what was staged");
            expect(!!(flags & VQ_DESC_F_USED) == wrap && !!(flags & VQ_DESC_F_AVAIL) == wrap,
                   "a used descriptor that does not look used");
            at += used[i].slots;
            wrap ^= at >= ring_.num;
            at %= ring_.num;
        }
        const uint32_t to = before_.used_pos + slots;
        expect(vq_.used_pos == to % ring_.num &&
                   vq_.used_wrap == (before_.used_wrap ^ (to >= ring_.num)),
               "a wrong used position");
    }

    // Is there something `skip` positions behind the next one? By the specification.
    [[nodiscard]] bool available(uint32_t skip) const {
        if (!kPacked)
            return ring_.avail_idx() != uint16_t(vq_.avail_pos + skip);
        const uint32_t at = vq_.avail_pos + skip;
        const bool wrap = vq_.avail_wrap ^ (at >= ring_.num);
        const auto flags = load<uint16_t>(ring_.desc_at(at) + 14);
        return !!(flags & VQ_DESC_F_AVAIL) == wrap && !!(flags & VQ_DESC_F_USED) != wrap;
    }

    uint32_t read_skip() { return input_.u8() % (ring_.num + 1); }

    void op_has_avail() {
        const uint32_t skip = read_skip();
        begin_call("vq_has_avail", 8);
        const int result = vq_has_avail(&vq_, skip);
        end_call(result, 1);
        if (result >= 0 && quiet())
            expect(bool(result) == available(skip), "a wrong answer");
    }

    void op_kicks(unsigned how) {
        if (how % 2) {
            begin_call("vq_disable_kick", 8);
            end_call(vq_disable_kick(&vq_), 0);
            return;
        }
        const uint32_t skip = read_skip();
        begin_call("vq_enable_kick", 8);
        const int result = vq_enable_kick(&vq_, skip);
        end_call(result, 1);
        if (result < 0)
            return;
        expect(!vq_.kick_off, "kicks are on and off");
        if (quiet()) {
            expect(bool(result) == available(skip), "a wrong answer");
            check_kick_wish(skip);
        }
    }

    void check_kick_wish(uint32_t skip) const {
        const std::byte* device = ring_.device.data();
        const uint32_t at = vq_.avail_pos + skip;
        if (!kPacked) {
            const auto event = ring_.has(VQ_F_EVENT_IDX)
                                   ? load<uint16_t>(device + ring_.device_size - 2)
                                   : load<uint16_t>(device);
            expect(event == (ring_.has(VQ_F_EVENT_IDX) ? uint16_t(at) : 0),
                   "kicks are not asked for");
            return;
        }
        const auto off_wrap = load<uint16_t>(device), flags = load<uint16_t>(device + 2);
        const bool wrap = vq_.avail_wrap ^ (at >= ring_.num);
        if (ring_.has(VQ_F_EVENT_IDX))
            expect(flags == VQ_EVENT_F_DESC && off_wrap == (at % ring_.num | unsigned(wrap) << 15),
                   "kicks are not asked for");
        else
            expect(flags == VQ_EVENT_F_ENABLE, "kicks are not asked for");
    }

    void op_start() {
        begin_call("vq_start", 8);
        const int result = vq_start(&vq_);
        const uint16_t used_pos = vq_.used_pos;
        if (result >= 0)
            vq_.used_pos = before_.used_pos;
        end_call(result, 0);
        vq_.used_pos = used_pos;
        if (result >= 0 && !kPacked && quiet())
            expect(used_pos == load<uint16_t>(ring_.device.data() + 2), "a wrong used position");
    }

    void op_reset() {
        vq_reset(&vq_);
        expect(vq_get_base(&vq_) == (kPacked ? 1U << 15 | 1U << 31 : 0),
               "a reset queue is elsewhere");
        forget();
    }

    void op_set_base() {
        uint32_t base = input_.u32();
        const vq before = vq_;
        const bool good = kPacked ? (base & 0x7fff) < ring_.num && (base >> 16 & 0x7fff) < ring_.num
                                  : base <= 0xffff;
        const int result = vq_set_base(&vq_, base);
        expect(result == (good ? 0 : -EINVAL), "a base judged wrongly");
        if (!good) {
            expect(same_state(vq_, before), "the state moved in a call that failed");
            // Try the nearest that is good, or most inputs would be spent here.
            base = kPacked ? (base & 0x80008000) | (base & 0x7fff) % ring_.num |
                                 (base >> 16 & 0x7fff) % ring_.num << 16
                           : base & 0xffff;
            expect(vq_set_base(&vq_, base) == 0, "a good base is refused");
        }
        expect(vq_get_base(&vq_) == base, "a base that does not come back");
        forget();
    }

    // The driver begins anew where the device does.
    void forget() {
        popped_.clear();
        driver_next_ = kPacked ? vq_.avail_pos : 0;
        driver_wrap_ = vq_.avail_wrap;
        if (!kPacked)
            store(ring_.driver.data() + 2, vq_.avail_pos);
    }

    void op_init_badly() {
        const uint8_t how = input_.u8();
        vq_setup setup = ring_.setup();
        setup.num = input_.u32();
        auto* const desc = ring_.desc.data();
        if (how & 1)
            setup.desc = desc + how % 16;
        if (how & 2)
            setup.driver = ring_.driver.data() + how % 4;
        if (how & 4)
            setup.device = ring_.device.data() + how % 4;
        const auto askew = [](const void* p, uintptr_t to) {
            return reinterpret_cast<uintptr_t>(p) % to != 0;
        };
        const bool good = setup.num >= 1 && setup.num <= 32768 &&
                          (kPacked || !(setup.num & (setup.num - 1))) && !askew(setup.desc, 16) &&
                          !askew(setup.driver, kPacked ? 4 : 2) && !askew(setup.device, 4);
        vq other;
        expect(vq_init(&other, &setup) == (good ? 0 : -EINVAL), "a set-up judged wrongly");
    }

    Input& input_;
    Ring ring_;
    Mischief mischief_;
    RingWatch watch_;
    vq vq_{}, before_{};
    std::vector<Popped> popped_; // and not yet published
    uint64_t pop_number_ = 0;
    uint32_t driver_next_ = 0; // descriptor that the driver fills next
    bool driver_wrap_ = true;
};

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    Input input(data, size);
    Session(input).run();
    return 0;
}
