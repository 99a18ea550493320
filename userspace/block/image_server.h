// SPDX-License-Identifier: GPL-2.0-only
#ifndef VIREO_BLOCK_IMAGE_SERVER_H
#define VIREO_BLOCK_IMAGE_SERVER_H

#include <sys/types.h>

#include <string>

#include "machine/options.h"

namespace vireo {

// Makes a raw file of an image in another format: a qemu-storage-daemon that exports the image
// through FUSE, as the file path(). It ends with this object, and with the thread that made it.
// Control thread.
class ImageServer {
public:
    // Returns when path() can be opened. Throws UsageError if the daemon is missing or refuses the
    // image, std::system_error.
    explicit ImageServer(const DriveOptions& options);
    ~ImageServer(); // what was written is flushed to the image first

    ImageServer(const ImageServer&) = delete;
    ImageServer& operator=(const ImageServer&) = delete;

    const std::string& path() const { return path_; }

private:
    void spawn(const DriveOptions& options);
    void wait_until_ready(const DriveOptions& options);
    void end() noexcept;

    std::string directory_;
    std::string path_;
    pid_t pid_ = -1;
};

} // namespace vireo

#endif // VIREO_BLOCK_IMAGE_SERVER_H
