// SPDX-License-Identifier: GPL-2.0-only
#include "sides.h"

#include <algorithm>
#include <cstdlib>

namespace {

constexpr uint32_t kRoomForSegs = 64;

uint32_t most_segs(uint32_t num) {
    return std::min(kMostSegs, num);
}

// A moment, some ten to some thousand cycles, that differs from time to time: so the two threads
// meet at ever other points. No pause instruction: it is too long a step.
void linger(Random& random, uint32_t most) {
    for (uint32_t i = random.below(most + 1); i; i--)
        __asm__ volatile("");
}

} // namespace

Round make_round(bool packed, uint64_t seed, uint64_t most_chains, bool tight) {
    Random random(seed);
    Round round{};
    round.seed = seed;
    round.features = uint64_t(packed) << VQ_F_RING_PACKED;
    for (const unsigned feature : {VQ_F_EVENT_IDX, VQ_F_INDIRECT_DESC, VQ_F_IN_ORDER})
        round.features |= uint64_t(random.below(2)) << feature;
    // Small rings are full and wrap all the time, large ones seldom.
    round.num = packed ? 1 + random.below(random.chance(4) ? 1000 : 20) : 1U << random.below(11);
    round.most_popped = 1 + random.below(32);
    round.device_linger = 1U << random.below(12);
    if (tight || random.chance(3)) {
        // One chain goes to and fro. The driver answers at once while the device, which gave the
        // last one back, is about to sleep: where a notification is lost if it can be.
        round.chains = std::min<uint64_t>(most_chains, 10000 + random.below(20000));
        round.window = 1;
        round.driver_spins = 5000;
        round.driver_linger = 0;
        return round;
    }
    // Enough to take the indices of a split ring, which count to 65535, round more than once.
    round.chains = std::min<uint64_t>(most_chains, 100000 + random.below(200000));
    round.window = 1 + random.below(round.num);
    round.driver_linger = 1U << random.below(12);
    round.driver_spins = random.chance(2) ? 0 : random.below(200);
    round.device_spins = random.chance(2) ? 0 : random.below(200);
    return round;
}

std::string Round::describe() const {
    std::string text = has(VQ_F_RING_PACKED) ? "packed" : "split";
    text += " ring of " + std::to_string(num) + ", window " + std::to_string(window);
    text += has(VQ_F_EVENT_IDX) ? ", event index" : "";
    text += has(VQ_F_INDIRECT_DESC) ? ", indirect" : "";
    text += has(VQ_F_IN_ORDER) ? ", in order" : "";
    return text + ", seed " + std::to_string(seed);
}

void Driver::Free::operator()(void* p) const {
    std::free(p);
}

Driver::Driver(const Round& round, Doorbells& bells)
    : round_(round), bells_(bells), random_(round.seed + 1), bufs_(round.num) {
    fd_setup setup{};
    setup.features = round.features;
    setup.num = round.num;
    setup.table_max = round.has(VQ_F_INDIRECT_DESC) ? kMostSegs : 0;
    setup.bufs = bufs_.data();
    setup.arena_bytes = fd_arena_bytes(&setup);
    const size_t pages = (setup.arena_bytes + 4095) / 4096 * 4096;
    arena_.reset(std::aligned_alloc(4096, pages));
    if (!arena_)
        throw std::bad_alloc();
    std::fill_n(static_cast<std::byte*>(arena_.get()), pages, std::byte(0));
    setup.arena = arena_.get();
    setup.arena_device = reinterpret_cast<unsigned long>(arena_.get());
    if (fd_init(&fd_, &setup))
        throw Wrong("the fake driver refuses the round: " + round.describe());
}

void Driver::run() {
    while (back_ < (bells_.enough ? sent_ : round_.chains)) {
        const bool added = add_some();
        uint32_t spins = round_.driver_spins;
        bool reaped = reap_some();
        while (!reaped && spins--) {
            __builtin_ia32_pause();
            reaped = reap_some();
        }
        // With nothing under way there is nothing to wait for: it may be enough just now.
        if (!reaped && !added && back_ < sent_)
            wait_for_call();
        linger(random_, round_.driver_linger);
    }
    bells_.done = true;
    bells_.kick.ring();
}

// False: there is no room, or nothing to add.
bool Driver::add_some() {
    uint32_t added = 0;
    uint32_t wanted = 1 + random_.below(round_.window);
    while (wanted-- && !bells_.enough && sent_ < round_.chains && fd_.in_flight < round_.window &&
           !full_) {
        const Pattern p = pattern(sent_, most_segs(round_.num));
        auto* token = reinterpret_cast<void*>(sent_ + 1);
        const int id =
            fd_add(&fd_, p.segs.data(), p.nout, p.nin, choose_shape(p.nout + p.nin), token);
        if (id == -ENOSPC) {
            full_ = true;
            break;
        }
        if (id < 0)
            throw Wrong("the fake driver refuses chain " + std::to_string(sent_));
        sent_++;
        added++;
    }
    if (added && fd_show(&fd_))
        bells_.kick.ring();
    return added > 0;
}

fd_shape Driver::choose_shape(uint32_t segs) {
    if (!round_.has(VQ_F_INDIRECT_DESC) || random_.chance(2))
        return FD_DIRECT;
    if (!round_.has(VQ_F_RING_PACKED) && segs > 1 && round_.num > 1 && random_.chance(3))
        return FD_MIXED;
    return FD_INDIRECT;
}

bool Driver::reap_some() {
    bool any = false;
    for (;;) {
        fd_used used{};
        const int result = fd_reap(&fd_, &used);
        if (result < 0)
            throw Wrong(std::string("the device broke a rule: ") + fd_.error);
        if (!result)
            break;
        const uint64_t serial = reinterpret_cast<uint64_t>(used.token) - 1;
        const Pattern p = pattern(serial, most_segs(round_.num));
        // A device that uses buffers in order may leave out those that it wrote nothing to.
        if (used.skipped ? p.nin != 0 : used.len != p.written)
            throw Wrong("chain " + std::to_string(serial) + " came back with " +
                        std::to_string(used.len) + " bytes, not " + std::to_string(p.written));
        back_++;
        any = true;
        full_ = false;
    }
    if (any)
        bells_.progress = back_;
    return any;
}

void Driver::wait_for_call() {
    // Now and then, only when most of what is under way has come back.
    const bool later = random_.chance(3) && fd_.in_flight > 1;
    const bool come = later ? fd_enable_call_after(&fd_, uint16_t(random_.below(fd_.in_flight)))
                            : fd_enable_call(&fd_);
    if (!come)
        bells_.call.wait();
    fd_disable_call(&fd_);
}

Device::Device(const Round& round, Doorbells& bells, const Driver& driver)
    : round_(round),
      bells_(bells),
      fd_(driver.state()),
      random_(round.seed + 2),
      chains_(round.most_popped),
      segs_(kRoomForSegs),
      table_segs_(kRoomForSegs) {
    vq_setup setup{};
    fd_describe(&fd_, &setup);
    if (vq_init(&vq_, &setup) || vq_start(&vq_))
        throw Wrong("the engine refuses the round: " + round.describe());
}

void Device::run() {
    for (;;) {
        bool popped = pop_some();
        for (uint32_t spins = round_.device_spins; !popped && spins; spins--) {
            __builtin_ia32_pause();
            popped = pop_some();
        }
        publish_some(!popped);
        linger(random_, round_.device_linger);
        if (!popped && !sleep())
            return;
    }
}

bool Device::pop_some() {
    vq_batch batch = {chains_.data(), segs_.data(), round_.most_popped, kRoomForSegs, 0, 0};
    const int n = vq_pop(&vq_, &batch);
    if (n < 0)
        throw Wrong(std::string("the engine refuses what an honest driver made: ") +
                    vq_strerror(vq_.error));
    for (int i = 0; i < n; i++)
        check(chains_[i], batch);
    return n > 0;
}

void Device::check(vq_chain& chain, const vq_batch& batch) {
    const vq_seg* segs = &segs_[chain.first];
    if (chain.table_len) {
        const vq_piece piece = {fd_translate(&fd_, chain.table, chain.table_len), chain.table_len};
        if (!piece.ptr)
            throw Wrong("an indirect table outside the driver's memory");
        if (vq_expand(&vq_, &batch, &chain, &piece, 1, table_segs_.data(), kRoomForSegs))
            throw Wrong(std::string("the engine refuses an honest driver's table: ") +
                        vq_strerror(vq_.error));
        segs = table_segs_.data();
    }
    const Pattern p = pattern(next_serial_, most_segs(round_.num));
    bool same = chain.nout == p.nout && chain.nin == p.nin;
    for (uint32_t i = 0; same && i < p.nout + p.nin; i++)
        same = segs[i].addr == p.segs[i].addr && segs[i].len == p.segs[i].len;
    if (!same)
        throw Wrong("chain " + std::to_string(next_serial_) + " arrived as something else: " +
                    std::to_string(chain.nout) + "+" + std::to_string(chain.nin) +
                    " segments, the first of chain " + std::to_string(serial_of(segs[0])));
    next_serial_++;
    vq_used used{};
    vq_stage(&used, &chain, p.written);
    held_.push_back(used);
}

void Device::publish_some(bool all) {
    if (held_.empty())
        return;
    const size_t n = all ? held_.size() : random_.below(held_.size() + 1);
    if (!n)
        return;
    // Without in-order a device finishes as it likes.
    if (!round_.has(VQ_F_IN_ORDER))
        for (size_t i = 0; i < n; i++)
            std::swap(held_[i], held_[i + random_.below(held_.size() - i)]);
    const int call = vq_publish(&vq_, held_.data(), uint32_t(n));
    if (call < 0)
        throw Wrong("the engine cannot publish");
    held_.erase(held_.begin(), held_.begin() + long(n));
    if (call)
        bells_.call.ring();
}

// False: the driver is done.
bool Device::sleep() {
    const int come = vq_enable_kick(&vq_, 0);
    if (come < 0)
        throw Wrong("the engine cannot ask for kicks");
    if (!come) {
        sleeps++;
        bells_.kick.wait();
    } else {
        refused_sleeps++;
    }
    if (bells_.done)
        return false;
    if (vq_disable_kick(&vq_))
        throw Wrong("the engine cannot do without kicks");
    return true;
}
