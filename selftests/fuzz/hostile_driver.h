// SPDX-License-Identifier: GPL-2.0-only
// A ring in memory of exactly its size, and the hostile driver that changes it while the engine
// works on it. For one ring format a binary (FUZZ_PACKED).
#pragma once

#include <algorithm>
#include <cstring>
#include <memory>

#include "input.h"
#include "ring_watch.h"

constexpr bool kPacked = FUZZ_PACKED;
constexpr uint16_t kNext = VQ_DESC_F_NEXT, kWrite = VQ_DESC_F_WRITE, kIndirect = VQ_DESC_F_INDIRECT;

// Heap memory of exactly the size asked for, so that AddressSanitizer sees the byte behind it.
class Block {
public:
    explicit Block(size_t size) : data_(static_cast<std::byte*>(std::calloc(1, size ? size : 1))) {
        if (!data_)
            std::abort();
    }
    [[nodiscard]] std::byte* data() const { return data_.get(); }

private:
    struct Free {
        void operator()(std::byte* p) const { std::free(p); }
    };
    std::unique_ptr<std::byte, Free> data_;
};

template <typename T>
T load(const std::byte* p) {
    T value;
    std::memcpy(&value, p, sizeof(value));
    return value;
}

template <typename T>
void store(std::byte* p, T value) {
    std::memcpy(p, &value, sizeof(value));
}

struct Ring {
    uint64_t features;
    uint32_t num;
    size_t driver_size, device_size;
    Block desc, driver, device;

    Ring(uint64_t f, uint32_t n)
        : features(f),
          num(n),
          driver_size(kPacked ? 4 : 4 + 2 * size_t(n) + (has(VQ_F_EVENT_IDX) ? 2 : 0)),
          device_size(kPacked ? 4 : 4 + 8 * size_t(n) + (has(VQ_F_EVENT_IDX) ? 2 : 0)),
          desc(16 * size_t(n)),
          driver(driver_size),
          device(device_size) {}

    [[nodiscard]] bool has(unsigned bit) const { return features >> bit & 1; }
    [[nodiscard]] vq_setup setup() const {
        return {features, num, desc.data(), driver.data(), device.data()};
    }
    [[nodiscard]] std::byte* desc_at(uint32_t i) const {
        return desc.data() + 16 * size_t(i % num);
    }
    [[nodiscard]] uint16_t avail_idx() const { return load<uint16_t>(driver.data() + 2); }
};

// The driver's hand in the middle of a call. Each turn is a byte for how many accesses to wait and
// a byte for what to do then; with no bytes left the driver keeps still.
class Mischief : public RingOwner {
public:
    Mischief(Input& input, const Ring& ring) : input_(input), ring_(ring) { wait_for_turn(); }

    bool before(const Access& access) override {
        bool ok = true;
        if (active_ && wait_-- == 0) {
            ok = turn(access);
            wait_for_turn();
        }
        last_ = access.write ? nullptr : access.ptr;
        last_size_ = access.size;
        return ok;
    }

    bool begin_section() override {
        if (!active_ || !refuse_section_)
            return true;
        refuse_section_ = false;
        return false;
    }

    // A new call: places of the last one (tables) may be gone, and nothing has been changed yet.
    void begin_call() {
        last_ = nullptr;
        changed_ = false;
    }
    [[nodiscard]] bool changed() const { return changed_; }

private:
    void wait_for_turn() {
        active_ = !input_.empty();
        wait_ = input_.back_u8();
    }

    bool turn(const Access& access) {
        const uint8_t what = input_.back_u8();
        changed_ = true;
        switch (what % 8) {
            case 0:
                return false;
            case 1:
                scribble(access.ptr, access.size);
                break;
            case 2:
                if (last_)
                    scribble(last_, last_size_);
                break;
            case 3:
                if (kPacked)
                    store(ring_.driver.data(), uint32_t(input_.back_u16()) | uint32_t(what) << 13);
                else
                    store(ring_.driver.data() + 2, input_.back_u16());
                break;
            case 4:
                store(ring_.desc_at(input_.back_u8()) + 14, input_.back_u16());
                break;
            case 5:
                store(ring_.desc_at(input_.back_u8()) + 12, input_.back_u16());
                break;
            case 6:
                store(ring_.desc_at(input_.back_u8()) + 8, uint32_t(input_.back_u16()));
                break;
            case 7:
                refuse_section_ = true;
                break;
        }
        return true;
    }

    // Bytes of one access, changed under the engine's eyes: it may be a table, const for the
    // engine.
    void scribble(const std::byte* ptr, size_t size) {
        auto* p = const_cast<std::byte*>(ptr);
        p[input_.back_u8() % size] ^= std::byte(input_.back_u8());
    }

    Input& input_;
    const Ring& ring_;
    bool active_ = false;
    bool refuse_section_ = false;
    bool changed_ = false;
    uint8_t wait_ = 0;
    const std::byte* last_ = nullptr;
    size_t last_size_ = 0;
};
