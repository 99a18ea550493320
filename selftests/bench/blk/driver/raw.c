// SPDX-License-Identifier: GPL-2.0-only
/* What the host itself pays: io_uring and libaio, without anybody in between. */
#include <errno.h>
#include <liburing.h>
#include <linux/aio_abi.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bench.h"
#include "error.h"

#define MOST 256

static u8* buffers; /* one for each request in flight */

static int make_buffers(const struct bench* bench) {
    if (posix_memalign((void**)&buffers, BENCH_BYTES, (size_t)bench->options.depth * BENCH_BYTES))
        return failed(-ENOMEM, "memory for %u requests", bench->options.depth);
    return 0;
}

static u8* buffer_of(u64 slot) {
    return buffers + slot * BENCH_BYTES;
}

/* Whether a request did all that it should. */
static int judge(__s64 result) {
    if (result == BENCH_BYTES)
        return 0;
    return failed(result < 0 ? (int)result : -EIO, "a request of %u bytes (%lld done)", BENCH_BYTES,
                  (long long)result);
}

/* io_uring */

static struct io_uring ring;

int uring_open(struct bench* bench) {
    struct iovec iov = {.iov_len = (size_t)bench->options.depth * BENCH_BYTES};
    int ret = make_buffers(bench);

    iov.iov_base = buffers;
    if (!ret)
        ret = io_uring_queue_init(bench->options.depth, &ring, 0);
    if (!ret && bench->options.fixed)
        ret = io_uring_register_files(&ring, &bench->disk, 1);
    if (!ret && bench->options.fixed)
        ret = io_uring_register_buffers(&ring, &iov, 1);
    return ret ? failed(ret, "an io_uring of %u entries", bench->options.depth) : 0;
}

static void uring_add(struct bench* bench, u64 slot) {
    struct io_uring_sqe* sqe = io_uring_get_sqe(&ring);
    u64 offset = bench_offset(bench);
    u8* buffer = buffer_of(slot);

    if (bench->options.fixed) {
        if (bench->options.write)
            io_uring_prep_write_fixed(sqe, 0, buffer, BENCH_BYTES, offset, 0);
        else
            io_uring_prep_read_fixed(sqe, 0, buffer, BENCH_BYTES, offset, 0);
        sqe->flags |= IOSQE_FIXED_FILE;
    } else if (bench->options.write) {
        io_uring_prep_write(sqe, bench->disk, buffer, BENCH_BYTES, offset);
    } else {
        io_uring_prep_read(sqe, bench->disk, buffer, BENCH_BYTES, offset);
    }
    sqe->user_data = slot;
}

int uring_drive(struct bench* bench, u64 requests) {
    struct io_uring_cqe* cqes[MOST];
    u64 end = bench->done + requests;
    u32 slots[MOST];
    u32 idle = bench->options.depth;
    int ret;

    for (u32 i = 0; i < idle; i++)
        slots[i] = i;
    /* As many again as have ended, all that ended together at once. */
    while (bench->done < end) {
        u32 count;

        for (u32 i = 0; i < idle; i++)
            uring_add(bench, slots[i]);
        ret = io_uring_submit_and_wait(&ring, 1);
        if (ret < 0)
            return failed(ret, "submit to io_uring");
        count = io_uring_peek_batch_cqe(&ring, cqes, MOST);
        for (u32 i = 0; i < count; i++) {
            ret = judge(cqes[i]->res);
            if (ret)
                return ret;
            slots[i] = cqes[i]->user_data;
        }
        io_uring_cq_advance(&ring, count);
        bench->done += count;
        idle = count;
    }
    /* The last ones: the next drive() begins with none in flight. */
    for (u32 left = bench->options.depth - idle; left; left--) {
        struct io_uring_cqe* cqe;

        ret = io_uring_wait_cqe(&ring, &cqe);
        if (ret)
            return failed(ret, "wait for io_uring");
        ret = judge(cqe->res);
        if (ret)
            return ret;
        io_uring_cqe_seen(&ring, cqe);
        bench->done++;
    }
    return 0;
}

/* libaio, by its system calls */

static aio_context_t context;
static struct iocb iocbs[MOST];

int aio_open(struct bench* bench) {
    int ret = make_buffers(bench);

    if (ret)
        return ret;
    if (syscall(SYS_io_setup, bench->options.depth, &context))
        return failed_errno("an aio context for %u requests", bench->options.depth);
    return 0;
}

int aio_drive(struct bench* bench, u64 requests) {
    struct io_event events[MOST];
    struct iocb* list[MOST];
    u64 end = bench->done + requests;
    u32 in_flight = 0;
    u32 idle = bench->options.depth;

    for (u32 i = 0; i < idle; i++)
        list[i] = &iocbs[i];
    while (bench->done < end || in_flight) {
        long count;

        if (bench->done >= end)
            idle = 0;
        for (u32 i = 0; i < idle; i++) {
            *list[i] = (struct iocb){
                .aio_lio_opcode = bench->options.write ? IOCB_CMD_PWRITE : IOCB_CMD_PREAD,
                .aio_fildes = bench->disk,
                .aio_buf = (unsigned long)buffer_of(list[i] - iocbs),
                .aio_nbytes = BENCH_BYTES,
                .aio_offset = (__s64)bench_offset(bench),
            };
        }
        if (idle && syscall(SYS_io_submit, context, (long)idle, list) != (long)idle)
            return failed_errno("submit %u requests by aio", idle);
        in_flight += idle;
        count = syscall(SYS_io_getevents, context, 1L, (long)MOST, events, NULL);
        if (count < 0)
            return failed_errno("wait for aio");
        for (long i = 0; i < count; i++) {
            int ret = judge(events[i].res);

            if (ret)
                return ret;
            list[i] = (struct iocb*)(unsigned long)events[i].obj;
        }
        in_flight -= count;
        bench->done += count;
        idle = count;
    }
    return 0;
}
