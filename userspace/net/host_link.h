// SPDX-License-Identifier: GPL-2.0-only
#ifndef VIREO_NET_HOST_LINK_H
#define VIREO_NET_HOST_LINK_H

#include <functional>
#include <string>
#include <vector>

namespace vireo {

// What was changed in the host's network for one card, and is undone in reverse order when this
// goes: a macvtap that was made, a port that was put into a bridge, a script that ran. On the main
// thread. What fails to be undone is said, and the rest is undone.
class HostLink {
public:
    HostLink() = default;
    ~HostLink();

    HostLink(const HostLink&) = delete;
    HostLink& operator=(const HostLink&) = delete;

    // All throw std::system_error or UsageError; `option` is what the user wrote, for the message:
    // "-netdev tap,id=n0".

    // A macvtap `name` (empty: the kernel's choice) on the interface `parent`, and up. Returns its
    // name.
    std::string add_macvtap(const std::string& option, const std::string& name,
                            const std::string& parent);
    // Make `name` a port of `bridge`, if it is not.
    void join_bridge(const std::string& option, const std::string& name, const std::string& bridge);
    // Stays so.
    static void set_up(const std::string& option, const std::string& name);
    // Run programs with the interface's name as argument: `up` now, `down` at the end; empty or
    // "no": none.
    void run_scripts(const std::string& option, const std::string& up, const std::string& down,
                     const std::string& name);

    void undo() noexcept;

private:
    std::vector<std::function<void()>> undo_;
};

} // namespace vireo

#endif // VIREO_NET_HOST_LINK_H
