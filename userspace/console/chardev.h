// SPDX-License-Identifier: GPL-2.0-only
#ifndef VIREO_CONSOLE_CHARDEV_H
#define VIREO_CONSOLE_CHARDEV_H

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "base/event_loop.h"
#include "machine/options.h"

namespace vireo {

// What a serial port or a console is to the chardev behind it. All calls come on the chardev's
// loop.
class CharFrontend {
public:
    virtual ~CharFrontend() = default;

    // How many bytes can be taken now. 0: no more input comes before CharBackend::accept_input().
    virtual size_t char_room() = 0;
    // Input, at most char_room() bytes.
    virtual void char_input(std::span<const uint8_t> bytes) = 0;

    // There is room for output again, after a write() that took less than it was given.
    virtual void char_drained() {}
    // The peer came or went. Only for backends that have peers; open() says how it begins.
    virtual void char_opened() {}
    virtual void char_closed() {}
    // The terminal has another size; size() says which.
    virtual void char_resized() {}
};

// The host's side of a character device: the standard streams, a Unix socket, a pseudo-terminal, a
// file, or nothing. It belongs to one loop, on whose thread (or before it runs) it is connected and
// accept_input() is called; write() may be called on any thread. It never waits.
class CharBackend {
public:
    struct Size {
        uint16_t columns, rows;
    };

    virtual ~CharBackend() = default;

    // Input begins. nullptr: nobody listens any more. The frontend outlives this.
    virtual void connect(CharFrontend* frontend) = 0;

    // Take output. How many bytes were taken: less than given if the peer is slow, and then
    // char_drained() comes. Without a peer all is taken, and lost. Any thread; char_drained() is
    // not called from inside.
    virtual size_t write(std::span<const uint8_t> bytes) = 0;

    // The frontend has room again. No input comes from inside, but soon.
    virtual void accept_input() = 0;

    // There is a peer. Any thread.
    virtual bool open() const = 0;
    // Wait for the first peer (server,wait=on). Before the loop runs.
    virtual void wait_for_peer() {}
    // Of the terminal behind it, if there is one. Any thread.
    virtual std::optional<Size> size() const { return {}; }
    // For people: "/dev/pts/3", "unix:/tmp/x".
    virtual std::string describe() const = 0;
};

// Make what the options say. `quit`: with mux, the user asks to end the VMM by Ctrl-a x; called on
// the loop.
// Throws std::system_error.
//
// kStdio: there may be one. If standard input is a terminal it is in raw mode from now on, and is
// put back when the object goes, and when the process ends, by exit() or by a signal. Make it
// before other threads start (it blocks SIGWINCH), and after handlers of signals are set.
std::unique_ptr<CharBackend> make_chardev(const ChardevOptions& options, EventLoop& loop,
                                          std::function<void()> quit = {});

} // namespace vireo

#endif // VIREO_CONSOLE_CHARDEV_H
