// SPDX-License-Identifier: GPL-2.0-only
#include "net/host_link.h"

#include <net/if.h>
#include <netlink/errno.h>
#include <netlink/netlink.h>
#include <netlink/route/link.h>
#include <netlink/route/link/macvtap.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <memory>

#include "base/error.h"
#include "base/log.h"

namespace vireo {

namespace {

struct FreeSocket {
    void operator()(nl_sock* socket) const { nl_socket_free(socket); }
};
struct PutLink {
    void operator()(rtnl_link* link) const { rtnl_link_put(link); }
};
using Socket = std::unique_ptr<nl_sock, FreeSocket>;
using Link = std::unique_ptr<rtnl_link, PutLink>;

Socket connect_route() {
    Socket socket(nl_socket_alloc());
    const int error = socket ? nl_connect(socket.get(), NETLINK_ROUTE) : -NLE_NOMEM;
    if (error < 0) {
        throw_usage("reach the kernel's network configuration: {}", nl_geterror(error));
    }
    return socket;
}

Link allocated(rtnl_link* link) {
    if (!link) {
        throw std::bad_alloc();
    }
    return Link(link);
}

const char* advice(int error) {
    switch (-error) {
        case NLE_PERM:
            return "; it takes root (CAP_NET_ADMIN), or a tap that is handed over with fd=";
        case NLE_BUSY:
            return "; somebody else uses it: see `ip -d link`";
        case NLE_OPNOTSUPP:
            return "; the kernel has no driver for it: modprobe macvtap, bridge";
        default:
            return "";
    }
}

// The interface of that name.
Link find(nl_sock* socket, const std::string& option, const char* key, const std::string& name) {
    rtnl_link* link = nullptr;
    const int error = rtnl_link_get_kernel(socket, 0, name.c_str(), &link);
    if (error < 0) {
        throw_usage("{}: {}{}: {}; `ip link` shows the interfaces that there are", option, key,
                    name, error == -NLE_OBJ_NOTFOUND ? "no such interface" : nl_geterror(error));
    }
    return Link(link);
}

void change(nl_sock* socket, const std::string& option, const Link& link, const Link& changes,
            const std::string& what) {
    const int error = rtnl_link_change(socket, link.get(), changes.get(), 0);
    if (error < 0) {
        throw_usage("{}: {}: {}{}", option, what, nl_geterror(error), advice(error));
    }
}

void set_master(const std::string& option, const std::string& name, const std::string& master) {
    const Socket socket = connect_route();
    const Link link = find(socket.get(), option, "", name);
    const Link bridge = find(socket.get(), option, "br=", master);
    const char* type = rtnl_link_get_type(bridge.get());
    // Open vSwitch has bridges of its own, whose ports are not set this way.
    if (!type || std::string(type) != "bridge") {
        throw_usage("{}: br={}: it is no bridge; `ip link show type bridge` shows those there are",
                    option, master);
    }
    const Link changes = allocated(rtnl_link_alloc());
    rtnl_link_set_master(changes.get(), rtnl_link_get_ifindex(bridge.get()));
    change(socket.get(), option, link, changes,
           fmt::format("br={}: make {} a port of it", master, name));
}

void run_script(const std::string& option, const std::string& script, const std::string& name) {
    std::string program = script, argument = name;
    char* const args[] = {program.data(), argument.data(), nullptr};
    pid_t child;
    const int error = posix_spawn(&child, script.c_str(), nullptr, nullptr, args, environ);
    if (error) {
        throw_error(error, "{}: run {}", option, script);
    }
    int status;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (!WIFEXITED(status)) {
        throw_usage("{}: {} {}: killed by signal {}", option, script, name, WTERMSIG(status));
    }
    if (WEXITSTATUS(status)) {
        throw_usage("{}: {} {}: exit status {}; what it printed is above", option, script, name,
                    WEXITSTATUS(status));
    }
}

bool wanted(const std::string& script) {
    return !script.empty() && script != "no";
}

} // namespace

HostLink::~HostLink() {
    undo();
}

void HostLink::undo() noexcept {
    while (!undo_.empty()) {
        try {
            undo_.back()();
        } catch (const std::exception& error) {
            say("{}", error.what());
        }
        undo_.pop_back();
    }
}

std::string HostLink::add_macvtap(const std::string& option, const std::string& name,
                                  const std::string& parent) {
    const Socket socket = connect_route();
    const Link below = find(socket.get(), option, "macvtap=", parent);
    std::string chosen = name;
    for (unsigned i = 0; chosen.empty(); i++) {
        const std::string candidate = fmt::format("vt{}", i);
        if (!if_nametoindex(candidate.c_str())) {
            chosen = candidate;
        }
    }
    const Link link = allocated(rtnl_link_macvtap_alloc());
    rtnl_link_set_name(link.get(), chosen.c_str());
    rtnl_link_set_link(link.get(), rtnl_link_get_ifindex(below.get()));
    // Bridge mode: guests on the same interface reach each other.
    rtnl_link_macvtap_set_mode(link.get(), rtnl_link_macvtap_str2mode("bridge"));
    rtnl_link_set_flags(link.get(), IFF_UP);
    const int error = rtnl_link_add(socket.get(), link.get(), NLM_F_CREATE | NLM_F_EXCL);
    if (error < 0) {
        throw_usage("{}: make the macvtap {} on {}: {}{}", option, chosen, parent,
                    nl_geterror(error), advice(error));
    }
    undo_.emplace_back([option, chosen] {
        if (!if_nametoindex(chosen.c_str())) {
            return; // somebody was faster
        }
        const Socket control = connect_route();
        const Link gone = find(control.get(), option, "ifname=", chosen);
        const int failed = rtnl_link_delete(control.get(), gone.get());
        if (failed < 0) {
            throw_usage("{}: remove the macvtap {}: {}; `ip link del {}` does it", option, chosen,
                        nl_geterror(failed), chosen);
        }
    });
    return chosen;
}

void HostLink::join_bridge(const std::string& option, const std::string& name,
                           const std::string& bridge) {
    const Socket socket = connect_route();
    const int before = rtnl_link_get_master(find(socket.get(), option, "ifname=", name).get());
    if (before && static_cast<unsigned>(before) == if_nametoindex(bridge.c_str())) {
        return;
    }
    if (before) {
        char other[IF_NAMESIZE] = "another";
        if_indextoname(static_cast<unsigned>(before), other);
        throw_usage(
            "{}: br={}: {} is a port of {} already; leave br= out, or take it out there: "
            "`ip link set {} nomaster`",
            option, bridge, name, other, name);
    }
    set_master(option, name, bridge);
    undo_.emplace_back([option, name] {
        if (!if_nametoindex(name.c_str())) {
            return;
        }
        const Socket control = connect_route();
        const Link link = find(control.get(), option, "ifname=", name);
        const Link changes = allocated(rtnl_link_alloc());
        rtnl_link_set_master(changes.get(), 0);
        change(control.get(), option, link, changes,
               fmt::format("take {} out of its bridge", name));
    });
}

void HostLink::set_up(const std::string& option, const std::string& name) {
    const Socket socket = connect_route();
    const Link link = find(socket.get(), option, "ifname=", name);
    const Link changes = allocated(rtnl_link_alloc());
    rtnl_link_set_flags(changes.get(), IFF_UP);
    change(socket.get(), option, link, changes, fmt::format("set {} up", name));
}

void HostLink::run_scripts(const std::string& option, const std::string& up,
                           const std::string& down, const std::string& name) {
    if (wanted(up)) {
        run_script(option, up, name);
    }
    if (wanted(down)) {
        undo_.emplace_back([=] { run_script(option, down, name); });
    }
}

} // namespace vireo
