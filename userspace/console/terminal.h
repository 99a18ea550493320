// SPDX-License-Identifier: GPL-2.0-only
#ifndef VIREO_CONSOLE_TERMINAL_H
#define VIREO_CONSOLE_TERMINAL_H

namespace vireo {

// Standard input's terminal in raw mode, while this lives: what is typed goes to the guest, key by
// key and without an echo. It is put back by the destructor, by exit(), and by any signal that ends
// the process and that nobody else handles; and it is raw again when a stopped process goes on.
//
// There is one at a time. Made and destroyed on the main thread.
class RawTerminal {
public:
    // `signals`: Ctrl-C, Ctrl-\ and Ctrl-Z stay the VMM's. Nothing happens if standard input is no
    // terminal. Throws std::system_error.
    explicit RawTerminal(bool signals);
    ~RawTerminal();

    RawTerminal(const RawTerminal&) = delete;
    RawTerminal& operator=(const RawTerminal&) = delete;
};

} // namespace vireo

#endif // VIREO_CONSOLE_TERMINAL_H
