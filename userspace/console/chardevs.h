// SPDX-License-Identifier: GPL-2.0-only
// The kinds of chardevs, for make_chardev(). All throw std::system_error.
#ifndef VIREO_CONSOLE_CHARDEVS_H
#define VIREO_CONSOLE_CHARDEVS_H

#include <functional>
#include <memory>
#include <string>

#include "console/chardev.h"

namespace vireo {

std::unique_ptr<CharBackend> make_stdio_chardev(EventLoop& loop, bool mux,
                                                std::function<void()> quit);
std::unique_ptr<CharBackend> make_socket_server(EventLoop& loop, const std::string& path,
                                                bool wait);
std::unique_ptr<CharBackend> make_socket_client(EventLoop& loop, const std::string& path);
// One that is connected already.
std::unique_ptr<CharBackend> make_socket_client(EventLoop& loop, int fd);
// `link`: a symbolic link to the terminal, for those who look for it; empty: none.
std::unique_ptr<CharBackend> make_pty_chardev(EventLoop& loop, const std::string& link);

} // namespace vireo

#endif // VIREO_CONSOLE_CHARDEVS_H
