// SPDX-License-Identifier: GPL-2.0-only
#ifndef VIREO_NET_NET_CARD_H
#define VIREO_NET_NET_CARD_H

#include <memory>
#include <vector>

#include "base/event_loop.h"
#include "machine/options.h"
#include "memory/guest_memory.h"
#include "net/net_device.h"

namespace vireo {

// The address that a card was given, else the host's wish, else one by its number. Throws
// UsageError.
MacAddress choose_mac(const NicOptions& nic, const NetEndpoint& endpoint, unsigned number);

// A network card as the command line asks for it, with its tap, on the path that `vhost` says.
// `number` counts the machine's cards, for the address of those that were given none. `loops`:
// those that run its queue pairs on the user path; one for each pair, or fewer. On the main thread.
// Throws UsageError or std::system_error.
std::unique_ptr<NetDevice> make_net_card(const GuestMemory& memory, EventLoop& main,
                                         const std::vector<EventLoop*>& loops,
                                         const NicOptions& nic, const NetdevOptions& netdev,
                                         unsigned number);

} // namespace vireo

#endif // VIREO_NET_NET_CARD_H
