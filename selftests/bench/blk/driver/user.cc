// SPDX-License-Identifier: GPL-2.0-only
// The VMM's own path in this process: its block room serves the queue, on a thread of its own as in
// the VMM, from guest memory that is the VMM's too.
#include "user.h"

#include <fmt/core.h>

#include <cerrno>
#include <cstring>
#include <exception>
#include <memory>
#include <string>

#include "base/event_loop.h"
#include "block/user_backend.h"
#include "memory/guest_memory.h"
#include "vq/vq.h"

namespace {

std::unique_ptr<vireo::GuestMemory> memory;

vireo::DriveOptions drive_options(const user_queue& queue) {
    vireo::DriveOptions options;
    options.id = "bench";
    options.file = queue.disk;
    options.cache = vireo::CacheMode::kNone;
    options.aio =
        strcmp(queue.aio, "threads") == 0 ? vireo::AioMode::kThreads : vireo::AioMode::kIoUring;
    return options;
}

// A disk and the thread that serves its queue.
struct Server {
    Server(const vireo::GuestMemory& guest, const vireo::DriveOptions& options)
        : io("blk0"),
          loops{&io.loop()},
          image(options),
          rules{.image = image,
                .discard = false,
                .write_zeroes = false,
                .serial = {},
                .write_through = write_through},
          backend(guest, loops, 1, rules, options.aio, [](unsigned, const std::string& what) {
              fmt::print(stderr, "blk_driver: the queue broke: {}\n", what);
          }) {}

    vireo::LoopThread io;
    vireo::EventLoop* loops[1];
    vireo::ImageEndpoint image;
    std::atomic<bool> write_through = false;
    vireo::BlkRules rules;
    vireo::BlkUserBackend backend;
};

std::unique_ptr<Server> server;

} // namespace

void* user_memory(uint64_t guest, size_t bytes) try {
    memory = std::make_unique<vireo::GuestMemory>(guest + bytes);
    return memory->at(guest, bytes);
} catch (const std::exception& error) {
    fmt::print(stderr, "blk_driver: guest memory: {}\n", error.what());
    return nullptr;
}

int user_serve(const user_queue* queue) try {
    const bool packed = queue->features >> VQ_F_RING_PACKED & 1;
    const vireo::QueueSetup setup = {.index = 0,
                                     .size = queue->size,
                                     .desc = queue->desc,
                                     .driver = queue->driver,
                                     .device = queue->device,
                                     .kick = queue->kick,
                                     .call = queue->call,
                                     .state = vireo::fresh_state(packed)};
    server = std::make_unique<Server>(*memory, drive_options(*queue));
    server->backend.start(queue->features, {&setup, 1});
    return 0;
} catch (const std::exception& error) {
    fmt::print(stderr, "blk_driver: the VMM's path: {}\n", error.what());
    return -EIO;
}
