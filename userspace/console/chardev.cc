// SPDX-License-Identifier: GPL-2.0-only
#include "console/chardev.h"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <utility>

#include "base/error.h"
#include "base/log.h"
#include "console/chardevs.h"

namespace vireo {

namespace {

// Nobody: output is lost, and there is no input.
class NullChardev final : public CharBackend {
public:
    void connect(CharFrontend*) override {}
    size_t write(std::span<const uint8_t> bytes) override { return bytes.size(); }
    void accept_input() override {}
    bool open() const override { return true; }
    std::string describe() const override { return "null"; }
};

// A file that output is written to.
class FileChardev final : public CharBackend {
public:
    explicit FileChardev(const std::string& path)
        : path_(path), file_(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666)) {
        if (!file_) {
            throw_errno("open {}", path);
        }
    }

    void connect(CharFrontend*) override {}
    void accept_input() override {}
    bool open() const override { return true; }
    std::string describe() const override { return "file:" + path_; }

    size_t write(std::span<const uint8_t> bytes) override {
        size_t done = 0;
        while (done < bytes.size()) {
            const ssize_t n = ::write(file_.get(), bytes.data() + done, bytes.size() - done);
            if (n > 0) {
                done += static_cast<size_t>(n);
            } else if (n < 0 && errno != EINTR) {
                if (!failed_.exchange(true)) {
                    say("{}: output of the guest is lost: {}", path_,
                        std::generic_category().message(errno));
                }
                break;
            }
        }
        return bytes.size();
    }

private:
    const std::string path_;
    const Fd file_;
    std::atomic<bool> failed_ = false;
};

} // namespace

std::unique_ptr<CharBackend> make_chardev(const ChardevOptions& options, EventLoop& loop,
                                          std::function<void()> quit) {
    switch (options.kind) {
        case ChardevOptions::Kind::kStdio:
            return make_stdio_chardev(loop, options.mux, std::move(quit));
        case ChardevOptions::Kind::kSocket:
            if (options.fd >= 0) {
                return make_socket_client(loop, options.fd);
            }
            return options.server ? make_socket_server(loop, options.path, options.wait)
                                  : make_socket_client(loop, options.path);
        case ChardevOptions::Kind::kPty:
            return make_pty_chardev(loop, options.path);
        case ChardevOptions::Kind::kFile:
            return std::make_unique<FileChardev>(options.path);
        case ChardevOptions::Kind::kNull:
            break;
    }
    return std::make_unique<NullChardev>();
}

} // namespace vireo
