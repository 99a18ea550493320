// SPDX-License-Identifier: GPL-2.0-only
#include "block/image_server.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <string_view>

#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"

namespace vireo {

namespace {

constexpr const char* kProgram = "qemu-storage-daemon";

// A value in QEMU's key=value lists: a comma is written twice.
std::string escaped(std::string_view value) {
    std::string text;
    for (const char c : value) {
        text.append(c == ',' ? 2 : 1, c);
    }
    return text;
}

// The file that a name of `execvp` stands for is there; said before the fork, whose child can say
// nothing.
bool installed(std::string_view program) {
    const char* path = std::getenv("PATH");
    std::string_view rest = path ? path : "/usr/local/bin:/usr/bin:/bin";
    while (!rest.empty()) {
        const size_t end = std::min(rest.find(':'), rest.size());
        if (access(fmt::format("{}/{}", rest.substr(0, end), program).c_str(), X_OK) == 0) {
            return true;
        }
        rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    return false;
}

} // namespace

ImageServer::ImageServer(const DriveOptions& options) {
    if (!installed(kProgram)) {
        throw_usage(
            "-drive file={},format={}: {} reads that format for us, and is missing; install it "
            "(Debian: qemu-utils), or make a raw image: qemu-img convert -O raw {} OUT",
            options.file, options.format, kProgram, options.file);
    }
    const char* base = std::getenv("XDG_RUNTIME_DIR");
    directory_ = fmt::format("{}/vireo-image-XXXXXX", base && *base ? base : "/tmp");
    if (!mkdtemp(directory_.data())) {
        throw_errno("-drive file={}: make the directory {}", options.file, directory_);
    }
    path_ = directory_ + "/raw";
    try {
        const Fd mount_point(open(path_.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600));
        if (!mount_point) {
            throw_errno("-drive file={}: make the file {}", options.file, path_);
        }
        spawn(options);
        wait_until_ready(options);
    } catch (...) {
        end();
        throw;
    }
    say("-drive file={}: {} is served by {} (process {})", options.file, options.format, kProgram,
        pid_);
}

ImageServer::~ImageServer() {
    end();
}

void ImageServer::spawn(const DriveOptions& options) {
    const char* readonly = options.readonly ? "on" : "off";
    const char* direct = options.cache == CacheMode::kNone ? "on" : "off";
    const std::string file = fmt::format(
        "driver=file,node-name=file,filename={},read-only={},cache.direct={},discard={}",
        escaped(options.file), readonly, direct, options.discard ? "unmap" : "ignore");
    const std::string image =
        fmt::format("driver={},node-name=image,file=file,read-only={},cache.direct={},discard={}",
                    options.format, readonly, direct, options.discard ? "unmap" : "ignore");
    const std::string fuse = fmt::format("fuse,id=raw,node-name=image,mountpoint={},writable={}",
                                         escaped(path_), options.readonly ? "off" : "on");
    const std::array<const char*, 8> arguments = {kProgram,     "--blockdev",  file.c_str(),
                                                  "--blockdev", image.c_str(), "--export",
                                                  fuse.c_str(), nullptr};

    const pid_t parent = getpid();
    pid_ = fork();
    if (pid_ < 0) {
        throw_errno("-drive file={}: start {}", options.file, kProgram);
    }
    if (pid_ == 0) {
        // Between fork and exec of a process with threads: system calls alone. It goes when we go,
        // and a terminal's ^C is for the VMM, which ends it in order.
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        if (getppid() != parent) {
            _exit(127);
        }
        setsid();
        sigset_t none;
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, nullptr);
        execvp(kProgram, const_cast<char* const*>(arguments.data()));
        _exit(127);
    }
}

void ImageServer::wait_until_ready(const DriveOptions& options) {
    struct stat before = {};
    if (stat(directory_.c_str(), &before) < 0) {
        throw_errno("-drive file={}: look at {}", options.file, directory_);
    }
    for (;;) {
        struct stat now = {};
        if (stat(path_.c_str(), &now) == 0 && now.st_dev != before.st_dev) {
            return; // another file system: the export is mounted
        }
        int status = 0;
        if (waitpid(pid_, &status, WNOHANG) == pid_) {
            pid_ = -1;
            throw_usage(
                "-drive file={},format={}: {} has ended; what it says is above (FUSE is needed "
                "too: /dev/fuse, and fusermount3 unless you are root)",
                options.file, options.format, kProgram);
        }
        poll(nullptr, 0, 10); // it takes a moment, and nothing tells when it has passed
    }
}

void ImageServer::end() noexcept {
    if (pid_ > 0) {
        kill(pid_, SIGTERM);
        while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
        }
    }
    if (!path_.empty()) {
        unlink(path_.c_str());
    }
    rmdir(directory_.c_str());
}

} // namespace vireo
