// SPDX-License-Identifier: GPL-2.0-only
#include "reference_walk.h"

namespace {

uint32_t because(vq_error error) {
    return 1U << error;
}

// A buffer element. Empty ones carry nothing and are left out.
void add(Meaning& m, const Descriptor& d, Limits limits) {
    if (d.len == 0)
        return;
    const bool writable = d.flags & VQ_DESC_F_WRITE;
    if (!writable && m.nin)
        m.refusals |= because(VQ_ERR_ORDER);
    if (m.nout + m.nin >= limits.max_segs)
        m.refusals |= because(VQ_ERR_TOO_LONG);
    if (m.refusals)
        return;
    m.segs[m.nout + m.nin] = {d.addr, d.len};
    (writable ? m.nin : m.nout)++;
}

// A descriptor of the ring that refers to a table.
void refer(Meaning& m, const Descriptor& d, Limits limits) {
    if (!limits.indirect)
        m.refusals |= because(VQ_ERR_INDIRECT_OFF);
    if (d.flags & VQ_DESC_F_NEXT)
        m.refusals |= because(VQ_ERR_INDIRECT_FLAGS);
    if (d.len == 0 || d.len % 16 || d.len / 16 > 32768)
        m.refusals |= because(VQ_ERR_INDIRECT_LEN);
    m.table = d.addr;
    m.table_len = d.len;
}

// 2.7.5: entries linked by next, in the table of the ring or in an indirect one.
Meaning linked(const ReadDescriptor& read, uint32_t count, uint32_t at, Meaning m, Limits limits,
               bool inside_table) {
    std::array<bool, kMostEntries> visited{};
    for (;;) {
        if (visited[at]) {
            // Going round again may show other faults first.
            m.refusals |= because(VQ_ERR_LOOP) | because(VQ_ERR_TOO_LONG) | because(VQ_ERR_ORDER);
            return m;
        }
        visited[at] = true;
        const Descriptor d = read(at);
        if (d.flags & VQ_DESC_F_INDIRECT) {
            if (inside_table)
                m.refusals |= because(VQ_ERR_INDIRECT_FLAGS);
            else
                refer(m, d, limits);
            return m;
        }
        add(m, d, limits);
        if (!m.good() || !(d.flags & VQ_DESC_F_NEXT))
            return m;
        if (d.link >= count) {
            m.refusals |= because(VQ_ERR_NEXT);
            return m;
        }
        at = d.link;
        m.links++;
    }
}

} // namespace

Meaning split_meaning(const ReadDescriptor& read, uint32_t num, uint32_t head, Limits limits) {
    Meaning m;
    m.id = uint16_t(head);
    m.slots = 1;
    if (head >= num) {
        m.refusals = because(VQ_ERR_HEAD);
        return m;
    }
    return linked(read, num, head, m, limits, false);
}

Meaning split_table_meaning(const ReadDescriptor& read, uint32_t count, Meaning so_far,
                            Limits limits) {
    return linked(read, count, 0, so_far, limits, true);
}

// 2.8.6: a list lies in the ring one behind the other, and the last one names the buffer.
Meaning packed_meaning(const ReadDescriptor& read, uint32_t num, uint32_t at, Limits limits) {
    Meaning m;
    for (uint32_t i = 0; i < num; i++) {
        const Descriptor d = read((at + i) % num);
        m.id = d.link;
        m.slots = i + 1;
        if (d.flags & VQ_DESC_F_INDIRECT) {
            if (i > 0)
                m.refusals |= because(VQ_ERR_INDIRECT_FLAGS);
            refer(m, d, limits);
            return m;
        }
        add(m, d, limits);
        if (!m.good() || !(d.flags & VQ_DESC_F_NEXT))
            return m;
    }
    m.refusals |= because(VQ_ERR_LOOP);
    return m;
}

// 2.8.7: all entries count, in their order; no flag but the write flag does.
Meaning packed_table_meaning(const ReadDescriptor& read, uint32_t count, Meaning so_far,
                             Limits limits) {
    Meaning m = so_far;
    for (uint32_t i = 0; i < count && m.good(); i++)
        add(m, read(i), limits);
    return m;
}
