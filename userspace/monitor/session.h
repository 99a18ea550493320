// SPDX-License-Identifier: GPL-2.0-only
#ifndef VIREO_MONITOR_SESSION_H
#define VIREO_MONITOR_SESSION_H

#include <string>
#include <string_view>

#include "machine/control.h"
#include "monitor/framer.h"

namespace vireo::monitor {

// QMP as one client sees it, from the bytes that it sends to those that it gets: the greeting,
// negotiation, commands and their answers, events. It knows no socket. On the main thread.
class Session {
public:
    explicit Session(MachineControl& machine) : machine_(machine) {}

    std::string greeting() const;

    // Take all of these bytes; what is to be sent is appended to `out`. False: this client is not
    // to be listened to any more.
    bool receive(std::string_view bytes, std::string& out);

    // Something has happened; a client that has not negotiated is told nothing.
    void tell(const MachineEvent& event, std::string& out) const;

private:
    std::string answer(std::string_view request);

    MachineControl& machine_;
    Framer framer_;
    bool negotiated_ = false;
};

} // namespace vireo::monitor

#endif // VIREO_MONITOR_SESSION_H
