// SPDX-License-Identifier: GPL-2.0-only
// What a chain becomes: the operations of a request, without an engine that does them.
#include "block/request.h"

#include <gtest/gtest.h>

#include <array>

#include "block/disk.h"

namespace vireo::test {
namespace {

class Request : public testing::Test {
protected:
    Request() {
        make_file(directory_.path("disk.img"), kImageSize);
        DriveOptions options;
        options.file = directory_.path("disk.img");
        image_.emplace(options);
        rules_.emplace(BlkRules{.image = *image_,
                                .discard = true,
                                .write_zeroes = true,
                                .serial = {},
                                .write_through = write_through_});
    }

    // The chain is gone when the request goes on, as it is in a queue.
    BlkRequest::Step begin(const Bytes& out, size_t in) {
        out_ = out;
        in_.assign(in, 0xff);
        const iovec pieces[] = {{.iov_base = out_.data(), .iov_len = out_.size()},
                                {.iov_base = in_.data(), .iov_len = in_.size()}};
        const std::span all(pieces);
        return request_.begin({.out = all.subspan(0, 1), .in = all.subspan(1), .id = 5, .slots = 2},
                              *rules_, bounces_);
    }
    BlkRequest::Step advance(int error = 0) {
        request_.operation().error = error;
        request_.operation().done = error ? 0 : request_.operation().length;
        return request_.advance(*rules_, bounces_);
    }
    uint8_t status() const { return in_.back(); }

    TemporaryDirectory directory_;
    std::optional<ImageEndpoint> image_;
    std::atomic<bool> write_through_ = false;
    std::optional<BlkRules> rules_;
    BouncePool bounces_;
    std::vector<iovec> many_ = std::vector<iovec>(Virtqueue::kMaxPieces);
    BlkRequest request_{many_};
    BlkCounters counters_;
    Bytes out_, in_;
};

TEST_F(Request, FlushIsAnOperation) {
    ASSERT_EQ(begin(header(VIRTIO_BLK_T_FLUSH, 0), 1), BlkRequest::Step::kRun);
    EXPECT_EQ(request_.operation().kind, IoOperation::Kind::kFlush);
    EXPECT_EQ(status(), 0xff) << "not answered before it is done";
    ASSERT_EQ(advance(), BlkRequest::Step::kDone);
    EXPECT_EQ(request_.finish(counters_), 1U);
    EXPECT_EQ(status(), VIRTIO_BLK_S_OK);
}

TEST_F(Request, WriteIsDurableWithoutACache) {
    ASSERT_EQ(begin(header(VIRTIO_BLK_T_OUT, 8) + pattern(4096, 1), 1), BlkRequest::Step::kRun);
    EXPECT_FALSE(request_.operation().durable);
    advance();
    write_through_ = true;
    ASSERT_EQ(begin(header(VIRTIO_BLK_T_OUT, 8) + pattern(4096, 1), 1), BlkRequest::Step::kRun);
    EXPECT_TRUE(request_.operation().durable);
    EXPECT_EQ(request_.operation().offset, 4096U);
    EXPECT_EQ(request_.operation().length, 4096U);
    advance();
    ASSERT_EQ(begin(header(VIRTIO_BLK_T_WRITE_ZEROES, 0) + range(8, 8, 1), 1),
              BlkRequest::Step::kRun);
    EXPECT_TRUE(request_.operation().durable);
    EXPECT_TRUE(request_.operation().unmap);
}

TEST_F(Request, RangesAreOperationsOneAfterAnother) {
    ASSERT_EQ(
        begin(header(VIRTIO_BLK_T_DISCARD, 0) + range(8, 16, 0) + range(9, 0, 0) + range(64, 8, 0),
              1),
        BlkRequest::Step::kRun);
    EXPECT_EQ(request_.operation().kind, IoOperation::Kind::kDiscard);
    EXPECT_EQ(request_.operation().offset, 4096U);
    EXPECT_EQ(request_.operation().length, 8192U);
    ASSERT_EQ(advance(), BlkRequest::Step::kRun);
    EXPECT_EQ(request_.operation().offset, 64U * kSector);
    ASSERT_EQ(advance(), BlkRequest::Step::kDone);
    request_.finish(counters_);
    EXPECT_EQ(status(), VIRTIO_BLK_S_OK);
}

TEST_F(Request, FirstErrorEndsIt) {
    begin(header(VIRTIO_BLK_T_DISCARD, 0) + range(8, 16, 0) + range(64, 8, 0), 1);
    ASSERT_EQ(advance(EIO), BlkRequest::Step::kDone);
    request_.finish(counters_);
    EXPECT_EQ(status(), VIRTIO_BLK_S_IOERR);
    EXPECT_EQ(counters_.errors, 1U);
}

TEST_F(Request, HeaderIsReadOnce) {
    ASSERT_EQ(begin(header(VIRTIO_BLK_T_IN, 8), 513), BlkRequest::Step::kRun);
    out_.assign(16, 0xff); // the guest changes its mind
    EXPECT_EQ(request_.operation().offset, 4096U);
    advance();
    EXPECT_EQ(request_.finish(counters_), 513U);
    EXPECT_EQ(counters_.reads, 1U);
}

TEST_F(Request, ReadThatFailedTellsHowFarItCame) {
    begin(header(VIRTIO_BLK_T_IN, 0), 4097);
    request_.operation().error = EIO;
    request_.operation().done = 1024;
    request_.advance(*rules_, bounces_);
    EXPECT_EQ(request_.finish(counters_), 1024U);
    EXPECT_EQ(status(), VIRTIO_BLK_S_IOERR);
}

TEST(DirectRequest, PiecesThatDoNotFitAreBounced) {
    const TemporaryDirectory directory;
    if (!direct_io_works(directory.path(""))) {
        GTEST_SKIP() << "no direct I/O in " << directory.path("");
    }
    DriveOptions options;
    options.file = directory.path("disk.img");
    options.cache = CacheMode::kNone;
    make_file(options.file, kImageSize);
    const ImageEndpoint image(options);
    const std::atomic<bool> write_through = false;
    const BlkRules rules = {.image = image,
                            .discard = false,
                            .write_zeroes = false,
                            .serial = {},
                            .write_through = write_through};
    Bytes ask = header(VIRTIO_BLK_T_IN, 0);
    alignas(4096) static std::array<uint8_t, 3 * 4096> memory;
    uint8_t status = 0xff;
    BouncePool bounces;
    std::vector<iovec> many(Virtqueue::kMaxPieces);
    // Each piece begins well; in the second case the lengths do not fit.
    for (const size_t first : {4096, 100}) {
        const iovec pieces[] = {{ask.data(), ask.size()},
                                {memory.data(), first},
                                {memory.data() + 4096, 8192 - first},
                                {&status, 1}};
        const std::span all(pieces);
        BlkRequest request(many);
        ASSERT_EQ(request.begin({.out = all.first(1), .in = all.subspan(1), .id = 0, .slots = 1},
                                rules, bounces),
                  BlkRequest::Step::kRun);
        const bool bounced = request.operation().pieces[0].iov_base != memory.data();
        EXPECT_EQ(bounced, first == 100);
        EXPECT_EQ(request.operation().pieces.size(), bounced ? 1U : 2U);
        request.operation().done = request.operation().length;
        EXPECT_EQ(request.advance(rules, bounces), BlkRequest::Step::kDone);
    }
}

} // namespace
} // namespace vireo::test
