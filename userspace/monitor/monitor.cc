// SPDX-License-Identifier: GPL-2.0-only
#include "monitor/monitor.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <string>
#include <string_view>
#include <utility>

#include "base/log.h"
#include "monitor/session.h"

namespace vireo::monitor {

struct Monitor::Client {
    Client(Fd fd, MachineControl& machine) : socket(std::move(fd)), session(machine) {}

    Fd socket;
    Session session;
    std::string out;       // what has not been sent yet
    bool listening = true; // false: it is dropped when all is sent
    bool cut_off = false;  // it does not read what it is told
};

Monitor::Monitor(EventLoop& loop, MachineControl& machine) : loop_(loop), machine_(machine) {
    machine_.on_event([this](const MachineEvent& event) { tell(event); });
}

Monitor::~Monitor() {
    machine_.on_event({});
    for (const auto& listener : listeners_) {
        loop_.remove(listener->get());
    }
    listeners_.clear();
    while (!clients_.empty()) {
        Client& client = *clients_.begin()->second;
        // The last event is that the machine has ended.
        if (flush(client)) {
            drop(client.socket.get());
        }
    }
}

void Monitor::open(const MonitorOptions& options) {
    if (options.fd >= 0) {
        add_client(Fd(options.fd));
        return;
    }
    if (!options.server) {
        add_client(connect_unix(options.path));
        return;
    }
    listeners_.push_back(std::make_unique<UnixListener>(options.path));
    const UnixListener& listener = *listeners_.back();
    loop_.add(listener.get(), EPOLLIN, [this, &listener](uint32_t) { accept_clients(listener); });
    if (options.wait) {
        say("-qmp unix:{}: waiting for a client (wait=off does not)", options.path);
        add_client(listener.wait());
    }
    listen_while_there_is_room();
}

void Monitor::accept_clients(const UnixListener& listener) {
    if (clients_.size() < kMaxClients) {
        if (Fd socket = listener.accept()) {
            add_client(std::move(socket));
        }
    }
}

void Monitor::listen_while_there_is_room() {
    for (const auto& listener : listeners_) {
        loop_.modify(listener->get(), clients_.size() < kMaxClients ? uint32_t{EPOLLIN} : 0);
    }
}

void Monitor::add_client(Fd socket) {
    const int fd = socket.get();
    auto client = std::make_unique<Client>(std::move(socket), machine_);
    client->out = client->session.greeting();
    loop_.add(fd, EPOLLOUT, [this, fd](uint32_t events) { ready(fd, events); });
    clients_.emplace(fd, std::move(client));
    listen_while_there_is_room();
}

void Monitor::ready(int fd, uint32_t events) {
    const auto found = clients_.find(fd);
    if (found == clients_.end()) {
        return;
    }
    Client& client = *found->second;
    if (client.out.empty() && (events & (EPOLLIN | EPOLLHUP | EPOLLERR))) {
        read_request(client);
    } else {
        flush(client);
    }
}

// Answers are bounded by what is read at once: the next is read when all of them are gone.
void Monitor::read_request(Client& client) {
    std::array<char, 1024> bytes;
    const ssize_t n = recv(client.socket.get(), bytes.data(), bytes.size(), MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (n <= 0) {
        drop(client.socket.get());
        return;
    }
    const std::string_view given(bytes.data(), static_cast<size_t>(n));
    client.listening = client.session.receive(given, client.out);
    flush(client);
}

bool Monitor::flush(Client& client) {
    const int fd = client.socket.get();
    bool alive = !client.cut_off;
    while (alive && !client.out.empty()) {
        const ssize_t n =
            send(fd, client.out.data(), client.out.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n >= 0) {
            client.out.erase(0, static_cast<size_t>(n));
        } else if (errno == EAGAIN) {
            break;
        } else {
            alive = errno == EINTR;
        }
    }
    if (!alive || (client.out.empty() && !client.listening)) {
        drop(fd);
        return false;
    }
    loop_.modify(fd, client.out.empty() ? EPOLLIN : EPOLLOUT);
    return true;
}

void Monitor::drop(int fd) {
    loop_.remove(fd);
    clients_.erase(fd);
    listen_while_there_is_room();
}

// A machine tells of what it does while a client's command makes it do so: nobody is dropped here.
void Monitor::tell(const MachineEvent& event) {
    for (auto& [fd, client] : clients_) {
        if (client->out.size() > kMaxUnread) {
            client->cut_off = true;
            shutdown(fd, SHUT_RDWR); // which makes it ready, to be dropped
            continue;
        }
        const bool idle = client->out.empty();
        client->session.tell(event, client->out);
        if (idle && !client->out.empty()) {
            loop_.modify(fd, EPOLLOUT);
        }
    }
}

} // namespace vireo::monitor
