// SPDX-License-Identifier: GPL-2.0-only
// Images: what may be one, who may have it, and what is found out about it.
#include "block/image.h"

#include <gtest/gtest.h>
#include <linux/loop.h>
#include <sys/ioctl.h>

#include <cstdlib>

#include "base/error.h"
#include "block/disk.h"

namespace vireo::test {
namespace {

class Image : public testing::Test {
protected:
    Image() {
        options_.id = "drive0";
        options_.file = directory_.path("disk.img");
        make_file(options_.file, kImageSize);
    }

    // What is said when it is opened; "" if nothing.
    static std::string opened(const DriveOptions& options) {
        testing::internal::CaptureStderr();
        std::string refusal;
        try {
            const ImageEndpoint image(options);
        } catch (const std::exception& error) {
            refusal = error.what();
        }
        return testing::internal::GetCapturedStderr() + refusal;
    }

    TemporaryDirectory directory_;
    DriveOptions options_;
};

TEST_F(Image, SizeAndUnitsOfAFile) {
    const ImageEndpoint image(options_);
    EXPECT_EQ(image.size(), kImageSize);
    EXPECT_FALSE(image.is_device());
    EXPECT_EQ(image.limits().logical_block, 512U);
    EXPECT_EQ(image.limits().io_unit, 512U);
    EXPECT_EQ(image.limits().memory_unit, 1U);
    EXPECT_EQ(image.name(), "drive0 (" + options_.file + ")");
}

TEST_F(Image, RefusalsNameTheFileAndTheCause) {
    DriveOptions options = options_;
    options.file = directory_.path("missing");
    EXPECT_NE(opened(options).find("No such file"), std::string::npos) << opened(options);
    options.file = directory_.path("");
    options.readonly = true;
    EXPECT_NE(opened(options).find("neither a file nor a block device"), std::string::npos);
    options = options_;
    options.logical_block_size = 1000;
    EXPECT_NE(opened(options).find("powers of two"), std::string::npos) << opened(options);
    options = options_;
    options.file = directory_.path("tiny");
    make_file(options.file, 100);
    EXPECT_NE(opened(options).find("no disk"), std::string::npos) << opened(options);
}

TEST_F(Image, EndThatIsNoBlockIsLeftOut) {
    make_file(options_.file, kImageSize + 700);
    EXPECT_NE(opened(options_).find("last 188 bytes"), std::string::npos) << opened(options_);
    const ImageEndpoint image(options_);
    EXPECT_EQ(image.size(), kImageSize + 512);
}

TEST_F(Image, OneWriterOrManyReaders) {
    DriveOptions reader = options_;
    reader.readonly = true;
    {
        const ImageEndpoint writer(options_);
        EXPECT_NE(opened(options_).find("somebody else uses it"), std::string::npos);
        EXPECT_NE(opened(reader).find("somebody else writes to it"), std::string::npos);
    }
    const ImageEndpoint first(reader);
    EXPECT_EQ(opened(reader), "");
    EXPECT_NE(opened(options_).find("somebody else uses it"), std::string::npos);
}

TEST_F(Image, Qcow2InARawImageIsPointedOut) {
    const Bytes magic = {'Q', 'F', 'I', 0xfb};
    write_file(options_.file, 0, magic);
    EXPECT_NE(opened(options_).find("format=qcow2"), std::string::npos);
    const ImageEndpoint image(options_);
    EXPECT_EQ(image.size(), kImageSize) << "and it is raw nevertheless";
}

TEST_F(Image, GeometryIsThatOfAnAtaDisk) {
    EXPECT_EQ(ImageEndpoint(options_).geometry().cylinders, 16);
    make_file(options_.file, uint64_t{100} << 30);
    const auto large = ImageEndpoint(options_).geometry();
    EXPECT_EQ(large.cylinders, 16383);
    EXPECT_EQ(large.heads, 16);
    EXPECT_EQ(large.sectors, 63);
}

// A loop device on a file.
class Loop {
public:
    explicit Loop(const std::string& file) {
        const Fd control(open("/dev/loop-control", O_RDWR | O_CLOEXEC));
        const int number = control ? ioctl(control.get(), LOOP_CTL_GET_FREE) : -1;
        if (number < 0) {
            return;
        }
        path_ = "/dev/loop" + std::to_string(number);
        fd_ = Fd(open(path_.c_str(), O_RDWR | O_CLOEXEC));
        const Fd backing(open(file.c_str(), O_RDWR | O_CLOEXEC));
        if (!fd_ || ioctl(fd_.get(), LOOP_SET_FD, backing.get()) < 0) {
            fd_.reset();
        }
    }
    ~Loop() {
        if (fd_) {
            ioctl(fd_.get(), LOOP_CLR_FD, 0);
        }
    }
    explicit operator bool() const { return static_cast<bool>(fd_); }
    const std::string& path() const { return path_; }

private:
    Fd fd_;
    std::string path_;
};

TEST_F(Image, BlockDeviceIsADiskToo) {
    const Bytes before = pattern(kMiB, 1);
    write_file(options_.file, 0, before);
    const Loop loop(options_.file);
    if (!loop) {
        GTEST_SKIP() << "no loop device to be had";
    }
    for (const AioMode aio : {AioMode::kIoUring, AioMode::kThreads}) {
        write_file(loop.path(), 0, before);
        Disk::Options options;
        options.drive.file = loop.path();
        options.drive.cache = CacheMode::kNone;
        options.drive.aio = aio;
        Disk disk(options);
        const ImageEndpoint& image = disk.device().image();
        EXPECT_TRUE(image.is_device());
        EXPECT_EQ(image.size(), kImageSize);
        EXPECT_EQ(image.limits().logical_block, 512U);
        EXPECT_NE(image.limits().min_io, 0U);
        disk.start();
        EXPECT_EQ(disk.write(2048, pattern(8192, 2)).status, VIRTIO_BLK_S_OK);
        EXPECT_EQ(disk.flush().status, VIRTIO_BLK_S_OK);
        EXPECT_EQ(disk.read(2048, 8192).in, pattern(8192, 2));
        EXPECT_EQ(disk.ranges(VIRTIO_BLK_T_WRITE_ZEROES, range(8, 8, 0)).status, VIRTIO_BLK_S_OK);
        EXPECT_EQ(disk.ranges(VIRTIO_BLK_T_WRITE_ZEROES, range(16, 8, 1)).status, VIRTIO_BLK_S_OK);
        EXPECT_EQ(disk.read(8, 8192).in, Bytes(8192));
        EXPECT_EQ(disk.read(0, 4096).in, Bytes(before.begin(), before.begin() + 4096));
        if (has_feature(disk.features(), VIRTIO_BLK_F_DISCARD)) {
            EXPECT_EQ(disk.ranges(VIRTIO_BLK_T_DISCARD, range(512, 512, 0)).status,
                      VIRTIO_BLK_S_OK);
            const Fd file(open(options_.file.c_str(), O_RDONLY | O_CLOEXEC));
            EXPECT_EQ(lseek(file.get(), 512 * kSector, SEEK_HOLE), 512 * kSector);
        }
    }
}

bool have(const char* command) {
    return std::system((std::string("command -v ") + command + " >/dev/null").c_str()) == 0;
}

TEST_F(Image, Qcow2IsServedByQemu) {
    if (!have("qemu-storage-daemon") || !have("qemu-img") || access("/dev/fuse", R_OK | W_OK) < 0) {
        GTEST_SKIP() << "qemu-storage-daemon, qemu-img and /dev/fuse are needed";
    }
    // A comma, which QEMU's lists of options would take for their own.
    const std::string file = directory_.path("a,b.qcow2");
    const auto run = [](const std::string& command) { return std::system(command.c_str()); };
    ASSERT_EQ(run("qemu-img create -q -f qcow2 '" + file + "' 8M"), 0);
    Disk::Options options;
    options.drive.file = file;
    options.drive.format = "qcow2";
    {
        Disk disk(options);
        EXPECT_EQ(disk.config().capacity, kImageSize / kSector);
        disk.start();
        EXPECT_EQ(disk.write(128, pattern(200'704, 3)).status, VIRTIO_BLK_S_OK);
        EXPECT_EQ(disk.flush().status, VIRTIO_BLK_S_OK);
        EXPECT_TRUE(disk.read(128, 200'704).in == pattern(200'704, 3));
        EXPECT_TRUE(disk.read(0, 4096).in == Bytes(4096));
    }
    ASSERT_EQ(
        run("qemu-img convert -f qcow2 -O raw '" + file + "' '" + directory_.path("raw") + "'"), 0);
    EXPECT_TRUE(read_file(directory_.path("raw"), 128 * kSector, 200'704) == pattern(200'704, 3));

    options.drive.file = options_.file; // raw, and called qcow2
    EXPECT_NE(opened(options.drive).find("has ended"), std::string::npos);
}

} // namespace
} // namespace vireo::test
