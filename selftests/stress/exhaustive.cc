// SPDX-License-Identifier: GPL-2.0-only
// Small scope, all of it: every table that a tiny ring can hold, walked by the engine.
//
// A run makes a ring, pops (or expands an indirect table) and looks at the result; the content of
// each descriptor is chosen when the engine first reads it, and runs are repeated until everything
// has been chosen (choices.h). Twice over: with a driver that keeps still, where the result must be
// what the reference walk says; and with a hostile one that chooses anew at every read, where the
// engine must stay inside the ring, end, and return something sane. The ring watch looks at each
// access.
//
// usage: exhaustive [SCOPE [CHOICES]]      a scope alone; one run of it, as a failure printed it
#include <array>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "choices.h"
#include "reference_walk.h"
#include "ring_watch.h"

namespace {

constexpr uint64_t kRingAddr = 0xa000, kTableAddr = 0xb000;
constexpr std::array<uint32_t, 3> kSegLimits = {1, 2, 4};

struct Scope {
    const char* name;
    bool packed, hostile;
};

class Run : public RingOwner {
public:
    Run(Choices& choices, const Scope& scope)
        : choices_(choices), scope_(scope), hostile_(scope.hostile), watch_(*this) {}

    void explain() const override {
        std::fprintf(stderr, "exhaustive: again: exhaustive %s ", scope_.name);
        choices_.print(stderr);
        std::fprintf(stderr, "\n");
    }

protected:
    uint32_t choose(uint32_t n) { return choices_.choose(n); }
    template <typename T, size_t N>
    T one_of(const std::array<T, N>& values) {
        return values[choose(N)];
    }
    void expect(bool ok, const char* what) const {
        if (!ok)
            watch_.fail(what);
    }

    // An element of a split chain: last, linked on, or a table; `inside` a table already. Values
    // that mean the same are there once, those that mean nothing (a link without its flag) are
    // there good and bad.
    Descriptor choose_split(uint64_t addr, uint32_t count, bool inside) {
        Descriptor d{addr, 0, 0, 0};
        if (choose(2))
            d.flags = VQ_DESC_F_WRITE;
        switch (choose(3)) {
            case 0:
                d.len = choose(2) * 5;
                d.link = uint16_t(choose(2) ? count : 0);
                break;
            case 1:
                d.flags |= VQ_DESC_F_NEXT;
                d.len = choose(2) * 5;
                d.link = uint16_t(choose(count + 1));
                break;
            case 2:
                d.flags |= VQ_DESC_F_INDIRECT;
                d.len = inside ? 16 : choose_table_len();
                d.link = uint16_t(count);
                if (choose(2))
                    d.flags |= VQ_DESC_F_NEXT;
                break;
        }
        return d;
    }

    // An element of a packed chain; what tells available from used is the caller's to add.
    Descriptor choose_packed(uint64_t addr, uint16_t id, bool inside) {
        Descriptor d{addr, 0, 0, id};
        if (choose(2))
            d.flags = VQ_DESC_F_WRITE;
        if (choose(2))
            d.flags |= VQ_DESC_F_NEXT;
        if (choose(2)) {
            d.flags |= VQ_DESC_F_INDIRECT;
            d.len = inside ? choose(2) * 16 : choose_table_len();
        } else {
            d.len = choose(2) * 5;
        }
        return d;
    }

    uint32_t choose_table_len() {
        constexpr std::array<uint32_t, 5> lengths = {0, 8, 16, 48, 16 * 32769};
        return one_of(lengths);
    }

    // Eight bytes of a descriptor, as they lie in memory.
    [[nodiscard]] uint64_t rest_of(const Descriptor& d) const {
        const uint64_t first = scope_.packed ? d.link : d.flags;
        const uint64_t second = scope_.packed ? d.flags : d.link;
        return d.len | first << 32 | second << 48;
    }

    void expect_segments(const vq_chain& chain, const vq_seg* segs, const Meaning& m) const {
        expect(chain.nout == m.nout && chain.nin == m.nin, "the number of segments is another");
        for (uint32_t i = 0; i < m.nout + m.nin; i++)
            expect(segs[i].addr == m.segs[i].addr && segs[i].len == m.segs[i].len,
                   "a segment is another");
    }

    void expect_refused(const vq& vq, int result, uint32_t refusals) const {
        expect(result == -EPROTO, "a bad chain is not refused");
        expect(refusals >> vq.error & 1, "a bad chain is refused for a reason it does not give");
    }

    Choices& choices_;
    const Scope& scope_;
    bool hostile_;
    RingWatch watch_;
};

class RingRun : public Run {
public:
    RingRun(Choices& choices, const Scope& scope) : Run(choices, scope) {
        for (uint32_t i = 0; i < kMostEntries; i++)
            table_[i].addr = kRingAddr + i;
    }

    void run() {
        make_queue();
        // One long chain, or several short ones in several calls: both at once would be too many.
        const bool several = !hostile_ && num_ <= 2;
        if (!scope_.packed)
            avail_.idx = uint16_t(vq_.avail_pos + (several ? choose(num_ + 2) : 1));
        const uint32_t max_chains = several ? 1 + choose(2) : 1;
        const uint32_t max_segs = one_of(kSegLimits);
        const uint32_t calls = several ? 2 : 1;
        for (uint32_t i = 0; i < calls && pop(max_chains, max_segs) > 0; i++)
            ;
    }

    bool before(const Access& access) override {
        const size_t offset = size_t(access.ptr - reinterpret_cast<std::byte*>(&table_));
        if (access.place == Place::kAvailRing)
            (void)head(uint32_t(access.ptr - reinterpret_cast<std::byte*>(&avail_.ring)) / 2, true);
        else if (access.place == Place::kDescRest)
            (void)descriptor(uint32_t(offset / 16), true, watch_.accesses() == 1);
        return true;
    }

private:
    void make_queue() {
        constexpr std::array<uint32_t, 3> split_sizes = {1, 2, 4}, packed_sizes = {1, 2, 3};
        num_ = one_of(scope_.packed ? packed_sizes : split_sizes);
        indirect_ = choose(2);
        uint64_t features = uint64_t(indirect_) << VQ_F_INDIRECT_DESC;
        void* driver = &avail_;
        if (scope_.packed) {
            features |= 1ULL << VQ_F_RING_PACKED;
            driver = &driver_event_;
        }
        const vq_setup setup = {features, num_, table_.data(), driver, &device_area_};
        watch_.watch_ring(setup);
        expect(vq_init(&vq_, &setup) == 0, "a good set-up is refused");
        // Packed: nothing is in flight, so both positions are the same.
        const uint32_t base =
            scope_.packed ? (choose(num_) | choose(2) << 15) * 0x10001 : choose(2) * 0xffff;
        expect(vq_set_base(&vq_, base) == 0, "a good base is refused");
    }

    // What lies in the ring, chosen at the first look, and by a hostile driver at each of the
    // engine's.
    uint16_t head(uint32_t i, bool engine_looks) {
        if (!(heads_chosen_ >> i & 1) || (hostile_ && engine_looks)) {
            heads_chosen_ |= 1U << i;
            const uint32_t chosen = choose(num_ + 2);
            avail_.ring[i] = uint16_t(chosen <= num_ ? chosen : 0xffff);
        }
        return avail_.ring[i];
    }

    Descriptor descriptor(uint32_t i, bool engine_looks, bool for_marks = true) {
        if (!(chosen_ >> i & 1) || (hostile_ && engine_looks)) {
            chosen_ |= 1U << i;
            Descriptor d{};
            if (scope_.packed) {
                d = choose_packed(kRingAddr + i, uint16_t(0x40 + i), false);
                // Available or not, in this lap or the next. Behind the first one looked at it
                // makes no difference; a driver that changes its mind gets by with fewer.
                constexpr std::array<uint16_t, 4> marks = {0, VQ_DESC_F_AVAIL | VQ_DESC_F_USED,
                                                           VQ_DESC_F_AVAIL, VQ_DESC_F_USED};
                d.flags |= marks[choose(hostile_ && !for_marks ? 2 : 4)];
            } else {
                d = choose_split(kRingAddr + i, num_, false);
            }
            descriptors_[i] = d;
            table_[i].rest = rest_of(d);
        }
        return descriptors_[i];
    }

    int pop(uint32_t max_chains, uint32_t max_segs) {
        std::array<vq_chain, 2> chains;
        std::array<vq_seg, 4> segs;
        vq_batch batch = {chains.data(), segs.data(), max_chains, max_segs, 0, 0};
        const vq before = vq_;

        // Two reads for each descriptor visited: those of all chains are in the ring at once, and a
        // chain more may show that they are not. One or two for each chain.
        watch_.begin_call("vq_pop", 1 + 2 * uint64_t(max_chains) + 4 * uint64_t(num_));
        const int n = vq_pop(&vq_, &batch);
        watch_.end_call();

        expect(n <= int(max_chains) && n >= -EPROTO, "an impossible result");
        expect(vq_.inflight <= num_, "more in flight than the ring holds");
        if (n >= 0) {
            expect(batch.nchains == uint32_t(n) && batch.nsegs <= max_segs, "impossible counts");
        } else {
            expect(vq_.avail_pos == before.avail_pos && vq_.avail_wrap == before.avail_wrap &&
                       vq_.inflight == before.inflight,
                   "the state moved in a call that failed");
        }
        if (!hostile_)
            compare(n, batch, before);
        return n;
    }

    // The same again, by the reference.
    void compare(int n, const vq_batch& batch, const vq& before) {
        uint32_t refusals = 0, found = 0, slots = before.inflight, room = batch.max_segs;
        uint32_t links = 0;
        uint32_t at = before.avail_pos;
        bool wrap = before.avail_wrap;
        const auto ready = uint16_t(avail_.idx - before.avail_pos);
        const ReadDescriptor read = [this](uint32_t i) { return descriptor(i, false); };

        if (!scope_.packed && ready > num_)
            refusals = 1U << VQ_ERR_AVAIL_IDX;
        else if (!scope_.packed && ready > num_ - before.inflight && before.inflight == num_)
            refusals = 1U << VQ_ERR_OVERCOMMIT;
        while (!refusals && found < batch.max_chains) {
            Meaning m;
            if (scope_.packed) {
                const uint16_t flags = descriptor(at, false).flags;
                if (bool(flags & VQ_DESC_F_AVAIL) != wrap || bool(flags & VQ_DESC_F_USED) == wrap)
                    break;
                m = packed_meaning(read, num_, at, {room, indirect_});
                // Told of in front of what is wrong further on, or in its stead.
                if (slots + m.slots > num_)
                    m.refusals |= 1U << VQ_ERR_OVERCOMMIT;
            } else {
                if (found == ready || slots == num_)
                    break;
                m = split_meaning(read, num_, head((before.avail_pos + found) % num_, false),
                                  {room, indirect_});
                // More than the ring holds: the rest is for the next call, and its error too.
                links += m.links;
                if (found && links >= num_)
                    break;
            }
            if (!m.good()) {
                refusals = m.refusals;
                break;
            }
            expect(int(found) < n, "a good chain is missing");
            expect_chain(batch, batch.chains[found], m);
            found++;
            slots += m.slots;
            room -= m.nout + m.nin;
            at += m.slots;
            if (scope_.packed && at >= num_) {
                at -= num_;
                wrap = !wrap;
            }
        }
        if (refusals && !found)
            return expect_refused(vq_, n, refusals);
        expect(n == int(found), "more chains than there are");
        expect(vq_.inflight == slots, "what is in flight was miscounted");
        expect(vq_.avail_pos == uint16_t(at) && (!scope_.packed || vq_.avail_wrap == wrap),
               "a wrong position");
    }

    void expect_chain(const vq_batch& batch, const vq_chain& chain, const Meaning& m) const {
        expect(chain.id == m.id && chain.slots == m.slots, "a chain's name or size is another");
        expect(chain.table_len == m.table_len && (!m.table_len || chain.table == m.table),
               "a chain's table is another");
        expect_segments(chain, batch.segs + chain.first, m);
    }

    struct Avail {
        uint16_t flags, idx;
        std::array<uint16_t, 4> ring;
    };
    struct RawDescriptor {
        alignas(16) uint64_t addr;
        uint64_t rest;
    };

    vq vq_{};
    uint32_t num_ = 0;
    bool indirect_ = false;
    std::array<RawDescriptor, kMostEntries> table_{};
    Avail avail_{};
    uint32_t driver_event_ = 0;
    std::array<uint64_t, 8> device_area_{};
    std::array<Descriptor, kMostEntries> descriptors_{};
    uint32_t chosen_ = 0, heads_chosen_ = 0;
};

// An indirect table of one to three entries, in one piece or two cut anywhere, at any alignment,
// behind up to two direct segments.
class TableRun : public Run {
public:
    using Run::Run;

    void run() {
        count_ = 1 + choose(3);
        make_pieces();
        const uint32_t max_segs = one_of(kSegLimits);
        std::array<vq_seg, 2> direct = {vq_seg{1, 1}, vq_seg{2, 2}};
        std::array<vq_seg, 4> segs{};
        const uint32_t nout = scope_.packed ? 0 : choose(2), nin = scope_.packed ? 0 : choose(2);
        const vq_batch batch = {nullptr, direct.data(), 1, 2, 1, nout + nin};
        vq_chain chain = {7, 1, uint16_t(nout), uint16_t(nin), 0, 16 * count_, kTableAddr};
        const vq_chain before = chain;

        vq vq{};
        vq.packed = scope_.packed;
        vq.num = 4;
        vq.indirect = true;
        // A descriptor of the table is read in two halves, or in bytes where it lies askew.
        watch_.begin_call("vq_expand", 16 * uint64_t(count_));
        const int result =
            vq_expand(&vq, &batch, &chain, pieces_.data(), npieces_, segs.data(), max_segs);
        watch_.end_call();

        expect(result == 0 || result == -EPROTO, "an impossible result");
        if (result) {
            expect(std::memcmp(&chain, &before, sizeof(chain)) == 0,
                   "the chain changed in a call that failed");
        } else {
            expect(uint32_t(chain.nout + chain.nin) <= max_segs && chain.table_len == 0,
                   "an impossible chain");
        }
        if (!hostile_)
            compare(vq, result, chain, segs.data(), {max_segs, true}, nout, nin);
    }

    bool before(const Access& access) override {
        const bool second = !in(pieces_[0], access.ptr);
        const vq_piece& piece = pieces_[second];
        const auto offset = (second ? pieces_[0].len : 0) +
                            uint32_t(access.ptr - static_cast<const std::byte*>(piece.ptr));
        // The address says which entry it belongs to; all else is chosen with the second half. Read
        // by bytes, a hostile driver's change comes with the first.
        if (offset % 16 >= 8)
            (void)descriptor(offset / 16, offset % 8 == 0);
        return true;
    }

private:
    static bool in(const vq_piece& piece, const std::byte* ptr) {
        const auto* begin = static_cast<const std::byte*>(piece.ptr);
        return ptr >= begin && ptr < begin + piece.len;
    }

    void make_pieces() {
        const uint32_t len = 16 * count_;
        constexpr std::array<uint32_t, 3> askews = {0, 8, 1};
        // Cut on either side of and in the middle of a half; or not, or after nothing.
        constexpr std::array<uint32_t, 8> cuts = {48, 0, 16, 8, 7, 9, 23, 32};
        const uint32_t askew = one_of(askews), cut = std::min(one_of(cuts), len);
        npieces_ = cut == len ? 1 : 2;
        pieces_[0] = {reinterpret_cast<std::byte*>(memory_[0].data()) + askew, cut};
        pieces_[1] = {reinterpret_cast<std::byte*>(memory_[1].data()) + askew, len - cut};
        watch_.watch_table(pieces_.data(), npieces_);
        for (uint32_t i = 0; i < count_; i++)
            write(16 * i, kTableAddr + i);
    }

    void write(uint32_t offset, uint64_t half) {
        for (uint32_t i = 0; i < 8; i++, offset++) {
            const bool second = offset >= pieces_[0].len;
            auto* to =
                const_cast<std::byte*>(static_cast<const std::byte*>(pieces_[second ? 1 : 0].ptr));
            to[second ? offset - pieces_[0].len : offset] = std::byte(half >> (8 * i));
        }
    }

    Descriptor descriptor(uint32_t i, bool engine_looks) {
        if (!(chosen_ >> i & 1) || (hostile_ && engine_looks)) {
            chosen_ |= 1U << i;
            descriptors_[i] = scope_.packed ? choose_packed(kTableAddr + i, 0, true)
                                            : choose_split(kTableAddr + i, count_, true);
            write(16 * i + 8, rest_of(descriptors_[i]));
        }
        return descriptors_[i];
    }

    void compare(const vq& vq, int result, const vq_chain& chain, const vq_seg* segs, Limits limits,
                 uint32_t nout, uint32_t nin) {
        Meaning m;
        for (uint32_t i = 0; i < nout + nin; i++)
            m.segs[i] = {1 + i, 1 + i};
        m.nout = nout;
        m.nin = nin;
        if (nout + nin > limits.max_segs)
            m.refusals = 1U << VQ_ERR_TOO_LONG;
        const ReadDescriptor read = [this](uint32_t i) { return descriptor(i, false); };
        if (m.good())
            m = scope_.packed ? packed_table_meaning(read, count_, m, limits)
                              : split_table_meaning(read, count_, m, limits);
        if (!m.good())
            return expect_refused(vq, result, m.refusals);
        expect(result == 0, "a good table is refused");
        expect(chain.id == 7 && chain.slots == 1 && chain.first == 0, "a chain's name is another");
        expect_segments(chain, segs, m);
    }

    uint32_t count_ = 0, npieces_ = 0;
    std::array<std::array<uint64_t, 8>, 2> memory_{};
    std::array<vq_piece, 2> pieces_{};
    std::array<Descriptor, kMostEntries> descriptors_{};
    uint32_t chosen_ = 0;
};

template <typename T>
uint64_t explore(const Scope& scope, const std::vector<uint32_t>& way) {
    Choices choices;
    uint64_t runs = 0;
    choices.take(way);
    do {
        T(choices, scope).run();
        runs++;
    } while (choices.next());
    return runs;
}

struct NamedScope {
    Scope scope;
    uint64_t (*explore)(const Scope&, const std::vector<uint32_t>&);
};

constexpr NamedScope kScopes[] = {
    {{"split", false, false}, explore<RingRun>},
    {{"split-hostile", false, true}, explore<RingRun>},
    {{"split-table", false, false}, explore<TableRun>},
    {{"split-table-hostile", false, true}, explore<TableRun>},
    {{"packed", true, false}, explore<RingRun>},
    {{"packed-hostile", true, true}, explore<RingRun>},
    {{"packed-table", true, false}, explore<TableRun>},
    {{"packed-table-hostile", true, true}, explore<TableRun>},
};

std::vector<uint32_t> parse(const char* text) {
    std::vector<uint32_t> way;
    for (char* end = nullptr; text && *text; text = *end == ',' ? end + 1 : end) {
        way.push_back(uint32_t(std::strtoul(text, &end, 10)));
        if (end == text)
            break;
    }
    return way;
}

} // namespace

int main(int argc, char** argv) {
    const std::string only = argc > 1 ? argv[1] : "";
    uint64_t total = 0;
    for (const NamedScope& each : kScopes) {
        if (!only.empty() && only != each.scope.name)
            continue;
        const uint64_t runs = each.explore(each.scope, parse(argc > 2 ? argv[2] : nullptr));
        std::printf("exhaustive: %-20s %10llu rings\n", each.scope.name,
                    static_cast<unsigned long long>(runs));
        total += runs;
    }
    if (!total) {
        std::fprintf(stderr, "exhaustive: scope \"%s\": unknown; known are", only.c_str());
        for (const NamedScope& each : kScopes)
            std::fprintf(stderr, " %s", each.scope.name);
        std::fprintf(stderr, "\n");
        return 2;
    }
    std::printf("exhaustive: %llu rings, all as they should be\n",
                static_cast<unsigned long long>(total));
    return 0;
}
