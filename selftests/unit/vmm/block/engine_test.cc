// SPDX-License-Identifier: GPL-2.0-only
// Both engines: what comes short, what fails, and where io_uring is forbidden.
#include <gtest/gtest.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include <thread>

#include "block/disk.h"
#include "block/io_engine.h"

namespace vireo::test {
namespace {

class Engine : public testing::TestWithParam<AioMode> {
protected:
    Engine() {
        path_ = directory_.path("disk.img");
        make_file(path_, kImageSize);
        options_.drive.id = "drive0";
        options_.drive.file = path_;
        options_.drive.aio = GetParam();
    }

    TemporaryDirectory directory_;
    std::string path_;
    Disk::Options options_;
};

INSTANTIATE_TEST_SUITE_P(Engines, Engine, testing::Values(AioMode::kIoUring, AioMode::kThreads),
                         [](const auto& info) {
                             return info.param == AioMode::kIoUring ? "io_uring" : "threads";
                         });

TEST_P(Engine, IsTheOneThatWasAskedFor) {
    const ImageEndpoint image(options_.drive);
    EXPECT_EQ(make_io_engine(image, GetParam(), 8)->mode(), GetParam());
}

TEST_P(Engine, FileThatWasCutIsAnError) {
    write_file(path_, 0, pattern(8192, 1));
    Disk disk(options_);
    disk.start();
    ASSERT_EQ(truncate(path_.c_str(), 4096 + 512), 0);
    testing::internal::CaptureStderr();
    const Answer answer = disk.read(0, 8192);
    const std::string said = testing::internal::GetCapturedStderr();
    EXPECT_EQ(answer.status, VIRTIO_BLK_S_IOERR);
    EXPECT_EQ(answer.used, 4096U + 512);
    EXPECT_NE(said.find("drive drive0 ("), std::string::npos) << said;
    EXPECT_EQ(disk.read(0, 4096).status, VIRTIO_BLK_S_OK);
}

TEST_P(Engine, OneMessageForManyErrors) {
    Disk disk(options_);
    disk.start();
    ASSERT_EQ(truncate(path_.c_str(), 0), 0);
    testing::internal::CaptureStderr();
    for (unsigned i = 0; i < 50; i++) {
        EXPECT_EQ(disk.read(i * 8, 4096).status, VIRTIO_BLK_S_IOERR);
    }
    const std::string said = testing::internal::GetCapturedStderr();
    // One, and after some seconds on a slow machine another.
    const auto lines = std::count(said.begin(), said.end(), '\n');
    EXPECT_GE(lines, 1);
    EXPECT_LT(lines, 25) << said;
    EXPECT_EQ(disk.counter("errors"), 50U);
}

// The limit is the process's, and comes back.
class FileSizeLimit {
public:
    explicit FileSizeLimit(rlim_t bytes) {
        getrlimit(RLIMIT_FSIZE, &before_);
        const rlimit limit = {.rlim_cur = bytes, .rlim_max = before_.rlim_max};
        EXPECT_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
    }
    ~FileSizeLimit() { setrlimit(RLIMIT_FSIZE, &before_); }

private:
    rlimit before_;
};

TEST_P(Engine, WriteThatComesShortFailsAndTheRestIsGood) {
    Disk disk(options_);
    disk.start();
    const FileSizeLimit limit(64 * 1024);
    EXPECT_EQ(disk.write(0, pattern(64 * 1024, 2)).status, VIRTIO_BLK_S_OK);
    EXPECT_EQ(disk.write(120, pattern(8192, 3)).status, VIRTIO_BLK_S_IOERR);
    EXPECT_EQ(read_file(path_, 60 * 1024, 4096).size(), 4096U);
    EXPECT_EQ(disk.write(0, pattern(4096, 4)).status, VIRTIO_BLK_S_OK);
    EXPECT_EQ(disk.read(0, 4096).in, pattern(4096, 4));
}

TEST_P(Engine, FullFileSystemIsAnError) {
    const TemporaryDirectory mount_point;
    const std::string where = mount_point.path("");
    if (mount("tmpfs", where.c_str(), "tmpfs", 0, "size=1m") < 0) {
        GTEST_SKIP() << "no right to mount a file system";
    }
    {
        options_.drive.file = where + "disk.img";
        make_file(options_.drive.file, kImageSize);
        Disk disk(options_);
        disk.start();
        EXPECT_EQ(disk.write(0, pattern(512 * 1024, 5)).status, VIRTIO_BLK_S_OK);
        EXPECT_EQ(disk.write(4096, pattern(kMiB, 6)).status, VIRTIO_BLK_S_IOERR);
        EXPECT_TRUE(disk.read(0, 512 * 1024).in == pattern(512 * 1024, 5));
        // A discard makes room.
        EXPECT_EQ(disk.ranges(VIRTIO_BLK_T_DISCARD, range(0, kImageSize / kSector, 0)).status,
                  VIRTIO_BLK_S_OK);
        EXPECT_EQ(disk.write(4096, pattern(512 * 1024, 7)).status, VIRTIO_BLK_S_OK);
        // tmpfs cannot zero without holes: it is written.
        EXPECT_EQ(disk.ranges(VIRTIO_BLK_T_WRITE_ZEROES, range(4096, 512, 0)).status,
                  VIRTIO_BLK_S_OK);
        EXPECT_TRUE(disk.read(4096, 256 * 1024).in == Bytes(256 * 1024));
    }
    umount2(where.c_str(), MNT_DETACH);
}

TEST_P(Engine, FewRequestsServeAFullRing) {
    const ImageEndpoint image(options_.drive);
    const GuestMemory memory(FD_GUEST_BASE + Driver::kArena);
    const std::atomic<bool> write_through = false;
    const BlkRules rules = {.image = image,
                            .discard = false,
                            .write_zeroes = false,
                            .serial = {},
                            .write_through = write_through};
    const uint64_t features = feature_bits({VIRTIO_F_VERSION_1, VIRTIO_BLK_F_FLUSH});
    LoopThread thread("blk0");
    BlkQueue queue(
        memory, thread.loop(), 0, rules, GetParam(),
        [](unsigned, const std::string& what) { ADD_FAILURE() << what; }, 2);
    Driver driver(memory, 0, features, 256);
    queue.start(features, driver.setup());
    for (unsigned round = 0; round < 4; round++) {
        driver.rewind();
        size_t n = 0;
        for (; n < 80; n++) {
            ASSERT_TRUE(driver.add(
                header(VIRTIO_BLK_T_OUT, n * 8) + pattern(4096, static_cast<uint32_t>(n + round)),
                1));
        }
        driver.show();
        ASSERT_EQ(driver.wait(n), n);
        for (size_t i = 0; i < n; i++) {
            EXPECT_EQ(read_file(path_, i * 4096, 4096),
                      pattern(4096, static_cast<uint32_t>(i + round)));
        }
    }
    queue.stop();
}

TEST_P(Engine, StopAnswersAllThatWasTaken) {
    Disk disk(options_);
    Driver& driver = disk.driver();
    for (unsigned round = 0; round < 10; round++) {
        disk.start();
        driver.rewind();
        size_t n = 0;
        for (; n < 60; n++) {
            ASSERT_TRUE(driver.add(
                header(VIRTIO_BLK_T_OUT, n * 64) + pattern(8192, static_cast<uint32_t>(n + round)),
                1));
        }
        driver.show();
        // What the device had taken is answered now, and never touched again; the rest waits in
        // the ring.
        disk.stop();
        const size_t before = driver.wait(0);
        EXPECT_EQ(driver.wait(0), 0U);
        disk.start();
        ASSERT_EQ(before + driver.wait(n - before), n);
        disk.stop();
        for (size_t i = 0; i < n; i++) {
            ASSERT_TRUE(read_file(path_, i * 32 * 1024, 8192) ==
                        pattern(8192, static_cast<uint32_t>(i + round)));
        }
    }
    EXPECT_EQ(disk.counter("chains"), 10U * 60);
}

// The thread may not set up an io_uring any more.
void forbid_io_uring(unsigned error) {
    sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const sock_fprog program = {.len = std::size(code), .filter = code};
    ASSERT_EQ(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    ASSERT_EQ(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
}

TEST(EngineFallback, WithoutIoUringThreadsDoItAndSaySo) {
    const TemporaryDirectory directory;
    DriveOptions options;
    options.id = "drive0";
    options.file = directory.path("disk.img");
    make_file(options.file, kImageSize);
    const ImageEndpoint image(options);
    for (const unsigned error : {ENOSYS, EPERM}) {
        testing::internal::CaptureStderr();
        std::thread([&] {
            forbid_io_uring(error);
            EXPECT_EQ(make_io_engine(image, AioMode::kIoUring, 8)->mode(), AioMode::kThreads);
        }).join();
        const std::string said = testing::internal::GetCapturedStderr();
        EXPECT_NE(said.find("drive0"), std::string::npos) << said;
        EXPECT_NE(said.find("io_uring cannot be had"), std::string::npos) << said;
    }
}

TEST(SettleIo, ShortOnesGoOnWhereTheyWere) {
    char bytes[100];
    iovec pieces[] = {{bytes, 10}, {bytes + 10, 20}, {bytes + 30, 70}};
    IoOperation operation;
    operation.kind = IoOperation::Kind::kRead;
    operation.length = 100;
    operation.pieces = pieces;
    EXPECT_FALSE(settle_io(operation, -EINTR));
    EXPECT_EQ(operation.pieces.size(), 3U);
    EXPECT_FALSE(settle_io(operation, 10));
    EXPECT_EQ(operation.pieces.size(), 2U);
    EXPECT_EQ(operation.pieces[0].iov_base, bytes + 10);
    EXPECT_FALSE(settle_io(operation, 25));
    EXPECT_EQ(operation.pieces.size(), 1U);
    EXPECT_EQ(operation.pieces[0].iov_base, bytes + 35);
    EXPECT_EQ(operation.pieces[0].iov_len, 65U);
    EXPECT_TRUE(settle_io(operation, 65));
    EXPECT_EQ(operation.done, 100U);
    EXPECT_EQ(operation.error, 0);
}

} // namespace
} // namespace vireo::test
