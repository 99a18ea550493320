// SPDX-License-Identifier: GPL-2.0-only
#include "block/disk.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

namespace vireo::test {

Bytes pattern(size_t size, uint32_t seed) {
    Bytes bytes(size);
    uint32_t x = seed * 2654435761U + 1;
    for (uint8_t& byte : bytes) {
        x = x * 1664525U + 1013904223U;
        byte = static_cast<uint8_t>(x >> 24);
    }
    return bytes;
}

TemporaryDirectory::TemporaryDirectory(const std::string& parent)
    : path_((parent.empty() ? testing::TempDir() : parent + "/") + "vireo-block-XXXXXX") {
    EXPECT_NE(mkdtemp(path_.data()), nullptr) << path_;
}

TemporaryDirectory::~TemporaryDirectory() {
    std::filesystem::remove_all(path_);
}

void make_file(const std::string& path, uint64_t size) {
    const Fd fd(open(path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600));
    ASSERT_TRUE(fd);
    ASSERT_EQ(ftruncate(fd.get(), static_cast<off_t>(size)), 0);
}

Bytes read_file(const std::string& path, uint64_t offset, size_t size) {
    const Fd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
    Bytes bytes(size);
    const ssize_t n = pread(fd.get(), bytes.data(), size, static_cast<off_t>(offset));
    bytes.resize(n < 0 ? 0 : static_cast<size_t>(n));
    return bytes;
}

void write_file(const std::string& path, uint64_t offset, const Bytes& bytes) {
    const Fd fd(open(path.c_str(), O_WRONLY | O_CLOEXEC));
    EXPECT_EQ(pwrite(fd.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset)),
              static_cast<ssize_t>(bytes.size()));
}

bool direct_io_works(const std::string& directory) {
    const std::string path = directory + "/direct";
    const Fd fd(open(path.c_str(), O_CREAT | O_RDWR | O_DIRECT | O_CLOEXEC, 0600));
    unlink(path.c_str());
    return static_cast<bool>(fd);
}

namespace {

constexpr uint32_t kTableMax = 16;

// Where the parts of a queue's memory begin: rings and tables, then data.
fd_setup setup_of(uint64_t features, uint16_t size, std::byte* arena, size_t bytes,
                  std::vector<fd_buf>& buffers) {
    fd_setup setup = {};
    setup.features = features;
    setup.num = size;
    setup.table_max = features >> VQ_F_INDIRECT_DESC & 1 ? kTableMax : 0;
    setup.arena = arena;
    setup.arena_device = FD_GUEST_BASE; // so that fd_describe() gives guest addresses
    setup.arena_bytes = bytes;
    setup.bufs = buffers.data();
    return setup;
}

} // namespace

Driver::Driver(const GuestMemory& memory, unsigned index, uint64_t features, uint16_t size)
    : memory_(memory),
      index_(index),
      size_(size),
      base_(FD_GUEST_BASE),
      buffers_(size),
      state_(fresh_state(has_feature(features, VQ_F_RING_PACKED))) {
    // One arena for all, since the fake driver's guest addresses begin at the same place.
    fd_setup setup = setup_of(features, size, memory.at(FD_GUEST_BASE, kArena * (index + 1)),
                              kArena * (index + 1), buffers_);
    setup.offset = kArena * index;
    EXPECT_EQ(fd_init(&ring_, &setup), 0);
    first_ = next_ = (fd_arena_bytes(&setup) + 4095) / 4096 * 4096;
}

QueueSetup Driver::setup() const {
    vq_setup setup = {};
    fd_describe(&ring_, &setup);
    return {.index = static_cast<uint16_t>(index_),
            .size = size_,
            .desc = reinterpret_cast<uint64_t>(setup.desc),
            .driver = reinterpret_cast<uint64_t>(setup.driver),
            .device = reinterpret_cast<uint64_t>(setup.device),
            .kick = kick_.get(),
            .call = call_.get(),
            .state = state_};
}

uint64_t Driver::allocate(size_t size, size_t align, size_t off) {
    next_ = (next_ + align - 1) / align * align + off;
    const uint64_t address = base_ + next_;
    next_ += size;
    EXPECT_LE(next_, kArena * (index_ + 1)) << "the test's guest memory is too small";
    return address;
}

uint8_t* Driver::at(uint64_t address) const {
    return reinterpret_cast<uint8_t*>(memory_.at(address, 1));
}

std::optional<size_t> Driver::add(const Bytes& out, size_t in, const Layout& layout) {
    // Data begins at a page, or off it, whatever is in front of it.
    const uint64_t out_at = allocate(out.size(), 4096, 4096 - sizeof(BlkHeader) + layout.misalign);
    const uint64_t in_at = allocate(std::max<size_t>(in, 1), 4096, layout.misalign);
    if (!out.empty()) {
        memcpy(at(out_at), out.data(), out.size());
    }
    memset(at(in_at), 0xff, std::max<size_t>(in, 1));

    std::vector<vq_seg> segments;
    const auto cut = [&](uint64_t address, size_t size, std::vector<size_t> cuts) {
        const size_t before = segments.size();
        cuts.push_back(size);
        size_t from = 0;
        for (const size_t to : cuts) {
            if (to > from && to <= size) {
                segments.push_back({.addr = address + from, .len = static_cast<u32>(to - from)});
                from = to;
            }
        }
        return static_cast<u32>(segments.size() - before);
    };
    const u32 nout = cut(out_at, out.size(), layout.out_cuts);
    const u32 nin = cut(in_at, in, layout.in_cuts);
    slots_.push_back({.in = in_at, .in_size = in, .used = 0, .done = false});
    // Numbers from 1 on: a token is not NULL.
    if (fd_add(&ring_, segments.data(), nout, nin, layout.shape,
               reinterpret_cast<void*>(slots_.size())) < 0) {
        slots_.pop_back();
        return std::nullopt;
    }
    return slots_.size() - 1;
}

void Driver::show() {
    if (fd_show(&ring_)) {
        kick_.signal();
    }
}

size_t Driver::wait(size_t at_least) {
    size_t n = 0;
    for (;;) {
        fd_used used = {};
        int result = 0;
        while ((result = fd_reap(&ring_, &used)) > 0) {
            Slot& slot = slots_[reinterpret_cast<size_t>(used.token) - 1];
            EXPECT_FALSE(slot.done) << "answered twice";
            slot.done = true;
            slot.used = used.len;
            n++;
        }
        EXPECT_EQ(result, 0) << ring_.error;
        if (n >= at_least || result < 0) {
            return n;
        }
        if (fd_enable_call(&ring_)) {
            continue;
        }
        pollfd file = {.fd = call_.get(), .events = POLLIN, .revents = 0};
        if (poll(&file, 1, kPatience) <= 0) {
            ADD_FAILURE() << "no answer: " << n << " of " << at_least;
            return n;
        }
        call_.take();
        calls_++;
    }
}

Answer Driver::answer(size_t number) {
    const Slot& slot = slots_[number];
    EXPECT_TRUE(slot.done);
    Answer answer;
    answer.used = slot.used;
    if (slot.in_size) {
        const uint8_t* in = at(slot.in);
        answer.in.assign(in, in + slot.in_size - 1);
        answer.status = in[slot.in_size - 1];
    }
    return answer;
}

Answer Driver::run(const Bytes& out, size_t in, const Layout& layout) {
    rewind();
    const auto number = add(out, in, layout);
    if (!number) {
        ADD_FAILURE() << "the ring is full";
        return {};
    }
    show();
    if (!wait(1)) {
        return {};
    }
    return answer(*number);
}

Bytes header(uint32_t type, uint64_t sector) {
    const BlkHeader header = {.type = type, .reserved = 0, .sector = sector};
    const auto* bytes = reinterpret_cast<const uint8_t*>(&header);
    return {bytes, bytes + sizeof(header)};
}

Bytes operator+(Bytes a, const Bytes& b) {
    a.insert(a.end(), b.begin(), b.end());
    return a;
}

Bytes range(uint64_t sector, uint32_t sectors, uint32_t flags) {
    const BlkRange range = {.sector = sector, .sectors = sectors, .flags = flags};
    const auto* bytes = reinterpret_cast<const uint8_t*>(&range);
    return {bytes, bytes + sizeof(range)};
}

Disk::Disk(const Options& options)
    : memory_(FD_GUEST_BASE + Driver::kArena * options.drive.queues) {
    main_.loop().call([&] {
        EventLoop* const loops[] = {&io_.loop()};
        device_ = std::make_unique<BlockDevice>(memory_, main_.loop(), loops, options.drive);
    });
    device_->connect(transport_);
    features_ = device_->features() & ~options.without;
    if (!options.packed) {
        features_ &= ~feature_bits({VQ_F_RING_PACKED});
    }
    for (unsigned i = 0; i < options.drive.queues; i++) {
        drivers_.push_back(
            std::make_unique<Driver>(memory_, i, features_, options.drive.queue_size));
    }
}

Disk::~Disk() {
    stop();
    main_.loop().call([&] { device_.reset(); });
}

void Disk::set_path(VirtioDevice::Path path) {
    main_.loop().call([&] {
        const std::lock_guard lock(device_->lock());
        device_->set_path(path);
    });
}

void Disk::start() {
    std::vector<QueueSetup> setups;
    for (const auto& driver : drivers_) {
        setups.push_back(driver->setup());
    }
    const std::lock_guard lock(device_->lock());
    device_->start(features_, setups);
    started_ = true;
}

void Disk::stop() {
    if (!std::exchange(started_, false)) {
        return;
    }
    const std::lock_guard lock(device_->lock());
    for (const QueueSetup& setup : device_->stop()) {
        drivers_[setup.index]->set_state(setup.state);
    }
}

BlkConfig Disk::config() const {
    BlkConfig config;
    device_->read_config(0, {reinterpret_cast<uint8_t*>(&config), sizeof(config)});
    return config;
}

uint64_t Disk::counter(const char* name, unsigned queue) {
    const std::lock_guard lock(device_->lock());
    for (const auto& counter : device_->counters(queue)) {
        if (counter.name == name) {
            return counter.value;
        }
    }
    ADD_FAILURE() << "no counter " << name;
    return 0;
}

} // namespace vireo::test
