// SPDX-License-Identifier: GPL-2.0-only
#ifndef VIREO_CONSOLE_FD_CHARDEV_H
#define VIREO_CONSOLE_FD_CHARDEV_H

#include <array>
#include <atomic>
#include <mutex>
#include <span>

#include "base/fd.h"
#include "console/chardev.h"

namespace vireo {

// A chardev whose peer is a pair of files that can be waited for. The files come and go with the
// peer. It outlives run() of its loop.
class FdChardev : public CharBackend {
public:
    explicit FdChardev(EventLoop& loop) : loop_(loop) {}
    ~FdChardev() override;

    FdChardev(const FdChardev&) = delete;
    FdChardev& operator=(const FdChardev&) = delete;

    void connect(CharFrontend* frontend) override;
    size_t write(std::span<const uint8_t> bytes) override;
    void accept_input() override;
    bool open() const override { return open_; }

protected:
    // All of it on the loop's thread, or before it runs. The files do not block.
    //
    // The peer is there, reached by these two.
    void attach(Fd in, Fd out);
    // The peer is gone.
    void detach();
    // No more input, but the peer is there.
    void end_input();

    // The input's end was met, or an error: the peer is gone, or has nothing more to say.
    virtual void input_ended() = 0;
    // Nobody would see output now.
    virtual bool deserted(int) const { return false; }
    // What of the input is for the guest, in place; all of it.
    virtual size_t filter(std::span<uint8_t> bytes) { return bytes.size(); }

    EventLoop& loop_;
    CharFrontend* frontend_ = nullptr;

private:
    void watch_input();
    void readable();
    void read_file();
    bool take_input();
    void arm_output();
    void writable();

    Fd in_;
    bool reading_ = false;   // the loop watches in_
    bool unwatched_ = false; // in_ is of a kind that the loop cannot watch
    std::atomic<bool> open_ = false;

    std::mutex mutex_; // of what follows
    Fd out_;
    bool stalled_ = false;  // a write was short: the next waits until out_ is writable
    bool watching_ = false; // the loop watches out_
};

} // namespace vireo

#endif // VIREO_CONSOLE_FD_CHARDEV_H
