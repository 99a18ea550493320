// SPDX-License-Identifier: GPL-2.0-only
#ifndef VIREO_MONITOR_MONITOR_H
#define VIREO_MONITOR_MONITOR_H

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "base/event_loop.h"
#include "base/fd.h"
#include "base/unix_socket.h"
#include "machine/control.h"
#include "machine/options.h"

namespace vireo::monitor {

// The QMP server: sockets, and a session for each client. On the main thread, in whose loop it
// waits. A client costs at most kMaxClients times what is bounded here and in Framer: one that
// sends without reading answers is not listened to, and one that reads no events is cut off.
class Monitor {
public:
    static constexpr size_t kMaxClients = 8; // more wait to be accepted
    static constexpr size_t kMaxUnread = 256 << 10;

    // Takes the machine's events.
    Monitor(EventLoop& loop, MachineControl& machine);
    ~Monitor();

    Monitor(const Monitor&) = delete;
    Monitor& operator=(const Monitor&) = delete;

    // Listen or connect; with wait=on return when the first client is there. Throws
    // std::system_error.
    void open(const MonitorOptions& options);

    // Serve a client that is connected already.
    void add_client(Fd socket);

private:
    struct Client;

    void accept_clients(const UnixListener& listener);
    void listen_while_there_is_room();
    void ready(int fd, uint32_t events);
    void read_request(Client& client);
    bool flush(Client& client); // false: it is gone
    void drop(int fd);
    void tell(const MachineEvent& event);

    EventLoop& loop_;
    MachineControl& machine_;
    std::vector<std::unique_ptr<UnixListener>> listeners_;
    std::unordered_map<int, std::unique_ptr<Client>> clients_; // by file descriptor
};

} // namespace vireo::monitor

#endif // VIREO_MONITOR_MONITOR_H
