// SPDX-License-Identifier: GPL-2.0-only
#ifndef VIREO_VIRTIO_BACKEND_H
#define VIREO_VIRTIO_BACKEND_H

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "virtio/queue_setup.h"

namespace vireo {

// Who runs a device's queues: the VMM itself ("user") or a kernel module ("vhost"). The seam
// between the three paths: stopping one backend and starting another with the states that the first
// gave back is a live switch of path.
//
// All calls come from one thread at a time, that of the device's control lock (virtio/device.h),
// never from a thread that runs queues.
class QueueBackend {
public:
    virtual ~QueueBackend() = default;

    virtual const char* path() const = 0; // "user" or "vhost"

    // Feature bits that it can serve: of the ring, and of the device's requests.
    virtual uint64_t features() const = 0;

    // Serve these queues, from the state that each has. What was made available before is found
    // without a kick. Throws std::system_error if it cannot; then none is served.
    virtual void start(uint64_t features, std::span<const QueueSetup> queues) = 0;

    // Serve no more, and return when guest memory is not touched any more and all that was popped
    // has been given back. The states, in the order of start()'s queues. A queue that was broken
    // has the state at which it broke.
    virtual std::vector<uint32_t> stop() = 0;
};

// Says that the driver broke queue `index`: `what` is a phrase for people. Called on any thread,
// once for each break, by a backend that serves the other queues on.
using BrokenQueue = std::function<void(unsigned index, const std::string& what)>;

} // namespace vireo

#endif // VIREO_VIRTIO_BACKEND_H
