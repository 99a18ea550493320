// SPDX-License-Identifier: GPL-2.0-only
// Fuzzes a disk's requests: chains of any shape and content on a small image, carried out at once.
// Guest memory is heap blocks of the exact size of each piece, and the guest writes to them between
// any two steps.
//
// Format: what the image and the driver are like (1 byte), then requests: how they are made (see
// one_request()), and their bytes; from the end of the input what the guest writes meanwhile.
#include <fcntl.h>
#include <linux/virtio_blk.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "block/blocking_io.h"
#include "block/request.h"
#include "input.h"

namespace vireo {
namespace {

constexpr uint64_t kImageSize = 1 << 18;
constexpr size_t kMaxPieces = 40;
constexpr int kMaxSteps = 10'000;

void expect(bool ok, const char* what) {
    if (!ok) {
        std::fprintf(stderr, "blk request: %s\n", what);
        std::abort();
    }
}

// The image, made once: a file that only this process has.
const ImageEndpoint& image(bool readonly) {
    static const Fd file = [] {
        Fd fd(memfd_create("image", MFD_CLOEXEC));
        expect(fd && ftruncate(fd.get(), kImageSize) == 0, "no memory file");
        return fd;
    }();
    static const auto open_image = [](bool without_writing) {
        DriveOptions options;
        options.file = "/proc/self/fd/" + std::to_string(file.get());
        options.readonly = without_writing;
        return std::make_unique<ImageEndpoint>(options);
    };
    // One after the other: a writer wants it alone.
    static std::unique_ptr<ImageEndpoint> now;
    if (!now || now->readonly() != readonly) {
        now.reset();
        now = open_image(readonly);
    }
    return *now;
}

class Session {
public:
    explicit Session(Input& input) : input_(input) {
        const uint8_t b = input.u8();
        write_through_ = b & 2;
        rules_.reset(new BlkRules{.image = image(b & 1),
                                  .discard = (b & 4) != 0,
                                  .write_zeroes = (b & 8) != 0,
                                  .serial = {'s', 'e', 'r'},
                                  .write_through = write_through_});
    }

    void run() {
        for (int i = 0; i < 50 && !input_.empty(); i++) {
            one_request();
        }
    }

private:
    // Bytes that a driver would write, if it likes: a header of a known type, a range.
    std::vector<uint8_t> readable() {
        std::vector<uint8_t> bytes;
        const uint8_t how = input_.u8();
        if (how & 1) {
            constexpr uint32_t kTypes[] = {0, 1, 4, 8, 11, 13, 2, 0x80000000};
            BlkHeader header = {
                .type = kTypes[how >> 1 & 7], .reserved = 0, .sector = input_.u16()};
            if (how & 16) {
                header.sector = ~header.sector;
            }
            append(bytes, header);
            for (unsigned ranges = how >> 5; ranges; ranges--) {
                append(bytes, BlkRange{.sector = input_.u16(),
                                       .sectors = input_.u16(),
                                       .flags = input_.u8() & 3U});
            }
        }
        for (unsigned more = input_.u8(); more; more--) {
            bytes.push_back(input_.u8());
        }
        // Whole sectors of data, without an input of that size.
        bytes.resize(bytes.size() + size_t{512} * (input_.u8() & 7));
        return bytes;
    }

    template <class T>
    static void append(std::vector<uint8_t>& bytes, const T& value) {
        const auto* p = reinterpret_cast<const uint8_t*>(&value);
        bytes.insert(bytes.end(), p, p + sizeof(value));
    }

    // Cut bytes into pieces, each in a block of its own.
    size_t cut(const std::vector<uint8_t>& bytes, size_t pieces) {
        size_t from = 0, n = 0;
        while (from < bytes.size()) {
            const size_t left = bytes.size() - from;
            const size_t size = n + 1 < pieces ? std::min<size_t>(left, 1 + input_.u8()) : left;
            blocks_.push_back(std::make_unique<uint8_t[]>(size));
            memcpy(blocks_.back().get(), bytes.data() + from, size);
            vectors_.push_back({.iov_base = blocks_.back().get(), .iov_len = size});
            from += size;
            n++;
        }
        return n;
    }

    // The guest changes a byte of what it gave.
    void meddle() {
        const uint8_t which = input_.back_u8();
        if (which && !vectors_.empty()) {
            const iovec& piece = vectors_[which % vectors_.size()];
            static_cast<uint8_t*>(piece.iov_base)[input_.back_u8() % piece.iov_len] ^= which;
        }
    }

    void one_request() {
        blocks_.clear();
        vectors_.clear();
        const uint8_t pieces = input_.u8();
        const size_t nout = cut(readable(), 1 + pieces % (kMaxPieces / 2));
        const size_t writable = input_.u8() + size_t{512} * (input_.u8() & 7);
        const size_t nin = cut(std::vector<uint8_t>(writable, 0xff), 1 + pieces / 16);
        auto views = vectors_; // as a queue's: gone once begin() has returned
        const std::span<const iovec> all(views);
        auto step = request_.begin(
            {.out = all.first(nout), .in = all.subspan(nout, nin), .id = 1, .slots = 1}, *rules_,
            bounces_);
        views.assign(views.size(), {});
        for (int i = 0; step != BlkRequest::Step::kDone; i++) {
            expect(i < kMaxSteps, "a request without an end");
            expect(step == BlkRequest::Step::kRun, "a buffer is wanted where none is needed");
            meddle();
            IoOperation& operation = request_.operation();
            check(operation);
            perform_io(rules_->image, operation);
            step = request_.advance(*rules_, bounces_);
        }
        const uint32_t used = request_.finish(counters_);
        expect(used <= writable, "more written than there is room for");
        if (writable) {
            const iovec& last = vectors_.back();
            const uint8_t status = static_cast<uint8_t*>(last.iov_base)[last.iov_len - 1];
            expect(status <= VIRTIO_BLK_S_UNSUPP, "no status");
        } else {
            expect(used == 0, "bytes where there are none");
        }
    }

    void check(const IoOperation& operation) const {
        const uint64_t size = rules_->image.size();
        if (operation.kind == IoOperation::Kind::kFlush) {
            return;
        }
        expect(operation.offset <= size && operation.length <= size - operation.offset,
               "past the image's end");
        expect(operation.offset % 512 == 0 && operation.length % 512 == 0, "a part of a sector");
        expect(operation.kind == IoOperation::Kind::kRead || !rules_->image.readonly(),
               "a read-only image is changed");
        uint64_t bytes = 0;
        for (const iovec& piece : operation.pieces) {
            bytes += piece.iov_len;
        }
        expect(operation.pieces.empty() || bytes == operation.length, "pieces of another length");
    }

    Input& input_;
    std::atomic<bool> write_through_;
    std::unique_ptr<const BlkRules> rules_;
    BouncePool bounces_;
    std::vector<iovec> many_ = std::vector<iovec>(Virtqueue::kMaxPieces);
    BlkRequest request_{many_};
    BlkCounters counters_;
    std::vector<std::unique_ptr<uint8_t[]>> blocks_;
    std::vector<iovec> vectors_;
};

} // namespace
} // namespace vireo

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    Input input(data, size);
    vireo::Session(input).run();
    return 0;
}
