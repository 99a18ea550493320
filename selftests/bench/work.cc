// SPDX-License-Identifier: GPL-2.0-only
#include "work.h"

#include <stdexcept>

#include "rings.h"
#include "vq/vq.h"
#ifdef VIREO_PEER
#include "peer/peer_vringh.h"
#endif

namespace {

constexpr uint32_t kMostBatch = 64;
constexpr uint32_t kMostSegments = 256;

// What stands for using a segment.
void touch(uint64_t& sum, uint64_t addr, uint32_t len) {
    sum += addr + len;
}

template <typename Ring>
class EngineWork : public Work {
public:
    explicit EngineWork(const Shape& shape)
        : shape_(shape), buffers_(shape.segments, shape.indirect), ring_(new Ring(buffers_)) {
        const uint64_t features = 1ULL << VQ_F_EVENT_IDX | 1ULL << VQ_F_INDIRECT_DESC |
                                  uint64_t(shape.packed) << VQ_F_RING_PACKED;
        vq_setup setup = {features, kRingSize, ring_->desc.data(), nullptr, nullptr};
        if constexpr (std::is_same_v<Ring, PackedRing>) {
            setup.driver = &ring_->driver;
            setup.device = &ring_->device;
        } else {
            setup.driver = &ring_->avail;
            setup.device = &ring_->used;
        }
        if (vq_init(&vq_, &setup) || vq_start(&vq_))
            throw std::runtime_error(shape.name() + ": the engine refuses the ring");
    }

    void refill() override { ring_->offer(buffers_.count()); }

    uint64_t drain() override {
        vq_batch batch = {chains_, segs_, shape_.batch, kMostSegments, 0, 0};
        uint64_t sum = 0;
        for (uint32_t done = 0; done < buffers_.count();) {
            const int n = vq_pop(&vq_, &batch);
            if (n <= 0)
                return 0;
            for (int i = 0; i < n; i++) {
                use(sum, batch, chains_[i]);
                vq_stage(&used_[i], &chains_[i], kSegmentBytes);
            }
            sum += uint64_t(vq_publish(&vq_, used_, uint32_t(n)) != 0);
            done += uint32_t(n);
        }
        return sum;
    }

    [[nodiscard]] uint32_t buffers() const override { return buffers_.count(); }
    [[nodiscard]] uint64_t expected() const override { return buffers_.expected(); }

private:
    void use(uint64_t& sum, const vq_batch& batch, vq_chain& chain) {
        const vq_seg* segs = batch.segs + chain.first;
        if (chain.table_len) {
            const vq_piece piece = {reinterpret_cast<void*>(chain.table), chain.table_len};
            if (vq_expand(&vq_, &batch, &chain, &piece, 1, table_segs_, kMostSegments))
                return;
            segs = table_segs_;
        }
        for (uint32_t s = 0; s < uint32_t(chain.nout + chain.nin); s++)
            touch(sum, segs[s].addr, segs[s].len);
    }

    Shape shape_;
    Buffers buffers_;
    std::unique_ptr<Ring> ring_;
    vq vq_{};
    vq_chain chains_[kMostBatch]{};
    vq_used used_[kMostBatch]{};
    vq_seg segs_[kMostSegments]{}, table_segs_[kMostSegments]{};
};

#ifdef VIREO_PEER
// The kernel's published engine: the same ring, and the same done with it.
class VringhWork : public Work {
public:
    explicit VringhWork(const Shape& shape)
        : shape_(shape),
          buffers_(shape.segments, shape.indirect),
          ring_(new SplitRing(buffers_)),
          peer_(vringh_peer_new(kRingSize, ring_->desc.data(), &ring_->avail, &ring_->used),
                vringh_peer_free) {
        if (!peer_)
            throw std::runtime_error(shape.name() + ": vringh refuses the ring");
    }

    void refill() override { ring_->offer(buffers_.count()); }
    uint64_t drain() override {
        return shape_.engine == "vringh-user"
                   ? vringh_peer_drain_user(peer_.get(), buffers_.count(), shape_.batch,
                                            kSegmentBytes)
                   : vringh_peer_drain_kern(peer_.get(), buffers_.count(), shape_.batch,
                                            kSegmentBytes);
    }
    [[nodiscard]] uint32_t buffers() const override { return buffers_.count(); }
    [[nodiscard]] uint64_t expected() const override { return buffers_.expected(); }

private:
    Shape shape_;
    Buffers buffers_;
    std::unique_ptr<SplitRing> ring_;
    std::unique_ptr<vringh_peer, void (*)(vringh_peer*)> peer_;
};
#endif

} // namespace

std::string Shape::name() const {
    return engine + "/" + (packed ? "packed" : "split") + "/" + std::to_string(segments) + "/" +
           (indirect ? "indirect" : "direct") + "/" + std::to_string(batch);
}

std::vector<Shape> shapes() {
    std::vector<Shape> all;
    const auto add = [&all](const std::string& engine, bool packed) {
        for (const bool indirect : {false, true})
            for (const uint32_t segments : {1U, 4U})
                for (const uint32_t batch : {1U, 8U, kMostBatch})
                    all.push_back({engine, packed, segments, indirect, batch});
    };
    add("vq", false);
    add("vq", true);
#ifdef VIREO_PEER
    add("vringh-kern", false);
    add("vringh-user", false);
#endif
    return all;
}

std::unique_ptr<Work> make_work(const Shape& shape) {
#ifdef VIREO_PEER
    if (shape.engine != "vq")
        return std::make_unique<VringhWork>(shape);
#endif
    if (shape.packed)
        return std::make_unique<EngineWork<PackedRing>>(shape);
    return std::make_unique<EngineWork<SplitRing>>(shape);
}
