// SPDX-License-Identifier: GPL-2.0-only
#include "boot/image_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "base/error.h"

namespace vireo {

ImageFile::ImageFile(std::string option, const std::string& path)
    : name_(std::move(option) + " " + path), fd_(open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
    struct stat status;
    if (!fd_ || fstat(fd_.get(), &status) < 0) {
        throw_errno("{}: open the file", name_);
    }
    if (!S_ISREG(status.st_mode)) {
        throw_usage("{}: not a regular file", name_);
    }
    size_ = static_cast<uint64_t>(status.st_size);
}

uint64_t ImageFile::read(uint64_t offset, void* to, uint64_t size) const {
    size = std::min(size, offset < size_ ? size_ - offset : 0);
    uint64_t done = 0;
    while (done < size) {
        const ssize_t n = pread(fd_.get(), static_cast<char*>(to) + done, size - done,
                                static_cast<off_t>(offset + done));
        if (n == 0) {
            break;
        }
        if (n < 0) {
            if (errno == EINTR) {
                continue;
            }
            throw_errno("{}: read the file", name_);
        }
        done += static_cast<uint64_t>(n);
    }
    return done;
}

void ImageFile::load(const GuestMemory& memory, uint64_t offset, uint64_t size,
                     uint64_t address) const {
    if (size == 0) {
        return;
    }
    if (offset > size_ || size > size_ - offset) {
        throw_usage("{}: cut off: {} bytes where {} were to follow at {}", name_, size_, size,
                    offset);
    }
    std::byte* to = memory.at(address, size);
    if (!to) {
        throw_usage("{}: {} KiB at {:#x} do not fit into {} MiB of memory; give more with -m",
                    name_, size >> 10, address, memory.size() >> 20);
    }
    if (read(offset, to, size) != size) {
        throw_usage("{}: became shorter while it was read", name_);
    }
}

} // namespace vireo
