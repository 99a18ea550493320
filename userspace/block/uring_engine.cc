// SPDX-License-Identifier: GPL-2.0-only
#include "block/uring_engine.h"

#include <sched.h>

#include <cerrno>
#include <cstdlib>

#include "base/error.h"
#include "base/log.h"

namespace vireo {

namespace {

using Kind = IoOperation::Kind;

} // namespace

UringEngine::UringEngine(const ImageEndpoint& image, unsigned depth)
    : image_(image), threads_(image) {
    // Completions wait until this thread asks for them, instead of interrupting it (Linux 6.1).
    const unsigned flags =
        IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_TASKRUN_FLAG;
    int error = io_uring_queue_init(depth, &ring_, flags);
    if (error == -EINVAL) {
        error = io_uring_queue_init(depth, &ring_, 0);
    }
    if (error) {
        throw_error(-error, "set up io_uring");
    }
    error = io_uring_register_eventfd(&ring_, ended_.get());
    if (error) {
        io_uring_queue_exit(&ring_);
        throw_error(-error, "set up io_uring's eventfd");
    }
    // Spares the kernel a reference for each operation; without it all works too.
    const int fd = image.fd();
    fixed_file_ = io_uring_register_files(&ring_, &fd, 1) == 0;
}

UringEngine::~UringEngine() {
    io_uring_queue_exit(&ring_);
}

std::vector<int> UringEngine::files() const {
    std::vector<int> files = threads_.files();
    files.push_back(ended_.get());
    return files;
}

void UringEngine::add(IoOperation& operation) noexcept {
    if (operation.kind == Kind::kDiscard || operation.kind == Kind::kZero) {
        threads_.add(operation);
    } else {
        prepare(operation);
    }
}

void UringEngine::prepare(IoOperation& operation) noexcept {
    io_uring_sqe* sqe = io_uring_get_sqe(&ring_);
    while (!sqe) { // resumed ones come on top of those added
        enter();
        sqe = io_uring_get_sqe(&ring_);
    }
    const int fd = fixed_file_ ? 0 : image_.fd();
    const uint64_t offset = operation.offset + operation.done;
    const auto count = static_cast<unsigned>(operation.pieces.size());
    switch (operation.kind) {
        case Kind::kRead:
            io_uring_prep_readv(sqe, fd, operation.pieces.data(), count, offset);
            break;
        case Kind::kWrite:
            io_uring_prep_writev2(sqe, fd, operation.pieces.data(), count, offset,
                                  operation.durable ? RWF_DSYNC : 0);
            break;
        default:
            io_uring_prep_fsync(sqe, fd, IORING_FSYNC_DATASYNC);
            break;
    }
    if (fixed_file_) {
        io_uring_sqe_set_flags(sqe, IOSQE_FIXED_FILE);
    }
    io_uring_sqe_set_data(sqe, &operation);
}

// Give the kernel what was prepared.
void UringEngine::enter() noexcept {
    for (;;) {
        const int result = io_uring_submit(&ring_);
        if (result >= 0) {
            if (io_uring_sq_ready(&ring_) == 0) {
                return;
            }
        } else if (result == -EAGAIN || result == -EBUSY) {
            sched_yield(); // memory is short
        } else if (result != -EINTR) {
            // The ring is ours, and right: nothing that a guest or a host does leads here.
            say("drive {}: io_uring_enter: error {}", image_.name(), -result);
            std::abort();
        }
    }
}

void UringEngine::submit() noexcept {
    threads_.submit();
    if (io_uring_sq_ready(&ring_)) {
        quiet();
        enter();
    }
}

// The eventfd is for those that end while the owner is waiting: while it submits and reaps it looks
// into the ring by itself, which is cheaper.
void UringEngine::quiet() noexcept {
    __atomic_fetch_or(ring_.cq.kflags, IORING_CQ_EVENTFD_DISABLED, __ATOMIC_RELAXED);
}

void UringEngine::loud() noexcept {
    // Before the ring is looked at again. Pairs with the kernel's: note what has ended, then look
    // whether there is to be a signal.
    __atomic_fetch_and(ring_.cq.kflags, ~IORING_CQ_EVENTFD_DISABLED, __ATOMIC_SEQ_CST);
}

// Take what has ended, and begin the rest of those that came short.
void UringEngine::drain(IoList& ended) noexcept {
    bool resumed = true;
    while (resumed) {
        resumed = false;
        // Looks into memory, and enters the kernel only if completions wait there.
        io_uring_cqe* cqe = nullptr;
        while (io_uring_peek_cqe(&ring_, &cqe) == 0) {
            auto& operation = *static_cast<IoOperation*>(io_uring_cqe_get_data(cqe));
            const int result = cqe->res;
            io_uring_cqe_seen(&ring_, cqe);
            if (operation.kind == Kind::kFlush && result != -EINTR && result != -EAGAIN) {
                operation.error = result < 0 ? -result : 0;
            } else if (!settle_io(operation, result)) {
                prepare(operation);
                resumed = true;
                continue;
            }
            ended.append(operation);
        }
        if (resumed) {
            enter();
        }
    }
}

IoOperation* UringEngine::reap() noexcept {
    IoList ended;
    drain(ended);
    loud();
    drain(ended);
    IoOperation* more = threads_.reap();
    while (more) {
        IoOperation& operation = *more;
        more = more->next;
        ended.append(operation);
    }
    return ended.take_all();
}

} // namespace vireo
