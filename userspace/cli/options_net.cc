// SPDX-License-Identifier: GPL-2.0-only
// Network cards, and the host's side of them.
#include "cli/builder.h"
#include "cli/table.h"

namespace vireo::cli {
namespace {

constexpr Key kIdKey[] = {
    {"id", id(), "name, for netdev= of a card", set<&Draft::netdev, &NetdevOptions::id>},
};

constexpr Key kTapKeys[] = {
    {"ifname", text("the name of a network interface"), "the tap's name (the kernel chooses)",
     set<&Draft::netdev, &NetdevOptions::ifname>},
    {"fd", fds(), "a tap that is open already", set<&Draft::netdev, &NetdevOptions::fds>},
    {"fds", fds(), "the same, one for each queue pair: N:N:...",
     set<&Draft::netdev, &NetdevOptions::fds>},
    {"create", flag(), "make the tap, and remove it at the end",
     set<&Draft::netdev, &NetdevOptions::create>},
    {"br", text("the name of a bridge"), "put the tap into this bridge",
     set<&Draft::netdev, &NetdevOptions::bridge>},
    {"macvtap", text("the name of a network interface"),
     "a macvtap on this interface instead of a tap", set<&Draft::netdev, &NetdevOptions::macvtap>},
    {"script", file(), "run this with the tap's name once it is there (no)",
     set<&Draft::netdev, &NetdevOptions::script>},
    {"downscript", file(), "run this with the tap's name before it goes (no)",
     set<&Draft::netdev, &NetdevOptions::downscript>},
    {"vnet_hdr", flag(), "offloads between guest and tap (on where the tap can)",
     set<&Draft::netdev, &NetdevOptions::vnet_hdr>},
    {"vhost", word("off|on|try"), "a kernel module moves the packets; try: or the VMM (off)",
     set<&Draft::netdev, &NetdevOptions::vhost>},
    {"vhostdev", file(), "the module's device (/dev/vireo-net)",
     set<&Draft::netdev, &NetdevOptions::vhostdev>},
    {"vhostfd", fds(), "that device, open already", set<&Draft::netdev, &NetdevOptions::vhostfds>},
    {"vhostfds", fds(), "the same, one for each queue pair: N:N:...",
     set<&Draft::netdev, &NetdevOptions::vhostfds>},
    {"queues", number(1, 256), "queue pairs (1)", set<&Draft::netdev, &NetdevOptions::queues>},
    {"iothread", id(), "the thread that moves the packets (one for each queue pair)",
     set<&Draft::netdev, &NetdevOptions::iothread>},
};

// virtio has two names.
void set_model(Draft& draft, const Value& value) {
    draft.nic.model = value.text == "virtio" ? "virtio-net-pci" : value.text;
}

constexpr std::string_view kModels = "virtio-net-pci|virtio|e1000|rtl8139|rtl8139c";

constexpr Key kOldNicKeys[] = {
    {"model", word(kModels), "what the guest sees; model=? lists them", set_model},
    {"macaddr", mac(), "its address (52:54:00:12:34:56 and on)",
     set<&Draft::nic, &NicOptions::mac>},
    {"name", id(), "its name", set<&Draft::nic, &NicOptions::id>},
    {"netdev", id(), "the host's side; without, the -net tap in the same place",
     set<&Draft::nic, &NicOptions::netdev>},
};

constexpr Key kJoinedNicKeys[] = {
    {"model", word(kModels), "what the guest sees; model=? lists them", set_model},
    {"mac", mac(), "its address (52:54:00:12:34:56 and on)", set<&Draft::nic, &NicOptions::mac>},
    {"id", id(), "its name", set<&Draft::nic, &NicOptions::id>},
};

constexpr Key kEmulatedNicKeys[] = {
    {"id", id(), "its name (netdev's)", set<&Draft::nic, &NicOptions::id>},
    {"netdev", id(), "the host's side", set<&Draft::nic, &NicOptions::netdev>},
    {"mac", mac(), "its address (52:54:00:12:34:56 and on)", set<&Draft::nic, &NicOptions::mac>},
};

// The model is the form's name, with which the option begins.
template <const Form& kForm>
void add_emulated(Draft& draft) {
    draft.nic.model = kForm.name;
    draft.builder.add_nic(draft);
}

constexpr Key kNicKeys[] = {
    {"id", id(), "its name (netdev's)", set<&Draft::nic, &NicOptions::id>},
    {"netdev", id(), "the host's side", set<&Draft::nic, &NicOptions::netdev>},
    {"mac", mac(), "its address (52:54:00:12:34:56 and on)", set<&Draft::nic, &NicOptions::mac>},
    {"mq", flag(), "all queue pairs of netdev (off)", set<&Draft::nic, &NicOptions::mq>},
    {"host_mtu", number(68, 65535), "MTU that the guest is told",
     set<&Draft::nic, &NicOptions::mtu>},
    {"queue_size", word("64|128|256|512|1024"), "descriptors of a queue (256)",
     [](Draft& draft, const Value& value) {
         draft.nic.queue_size = static_cast<uint16_t>(64u << value.number);
     }},
    {"mrg_rxbuf", flag(), "a packet may take several buffers (on)",
     set<&Draft::nic, &NicOptions::mrg_rxbuf>},
    {"ctrl_vq", flag(), "a control queue (on)", set<&Draft::nic, &NicOptions::ctrl_vq>},
    {"csum", flag(), "the guest may leave checksums to the host (if the tap can)",
     set<&Draft::nic, &NicOptions::csum>},
    {"guest_csum", flag(), "the host may leave checksums to the guest",
     set<&Draft::nic, &NicOptions::guest_csum>},
    {"host_tso4", flag(), "the guest may send TCP/IPv4 segments unsplit",
     set<&Draft::nic, &NicOptions::host_tso4>},
    {"host_tso6", flag(), "the same over IPv6", set<&Draft::nic, &NicOptions::host_tso6>},
    {"host_ufo", flag(), "the guest may send UDP datagrams unsplit",
     set<&Draft::nic, &NicOptions::host_ufo>},
    {"host_uso", flag(), "the guest may send UDP segments unsplit",
     set<&Draft::nic, &NicOptions::host_uso>},
    {"guest_tso4", flag(), "the guest takes TCP/IPv4 segments unsplit",
     set<&Draft::nic, &NicOptions::guest_tso4>},
    {"guest_tso6", flag(), "the same over IPv6", set<&Draft::nic, &NicOptions::guest_tso6>},
    {"guest_ufo", flag(), "the guest takes UDP datagrams unsplit",
     set<&Draft::nic, &NicOptions::guest_ufo>},
    {"guest_uso4", flag(), "the guest takes UDP/IPv4 segments unsplit",
     set<&Draft::nic, &NicOptions::guest_uso4>},
    {"guest_uso6", flag(), "the same over IPv6", set<&Draft::nic, &NicOptions::guest_uso6>},
};

constexpr Form kTapForm = {.name = "tap",
                           .help = "a tap or macvtap of the host",
                           .keys = kIdKey,
                           .more = kTapKeys,
                           .done = [](Draft& draft) { draft.builder.add_netdev(draft); }};
constexpr Form kOldNicForm = {.name = "nic",
                              .help = "a network card, joined to the -net tap in the same place",
                              .keys = kOldNicKeys,
                              .done = [](Draft& draft) { draft.builder.add_old_nic(draft); }};
constexpr Form kOldTapForm = {.name = "tap",
                              .help = "a tap, joined to the -net nic in the same place",
                              .more = kTapKeys,
                              .done = [](Draft& draft) { draft.builder.add_old_tap(draft); }};
constexpr Form kJoinedForm = {.name = "tap",
                              .help = "a network card on a tap or macvtap of the host",
                              .keys = kJoinedNicKeys,
                              .more = kTapKeys,
                              .done = [](Draft& draft) { draft.builder.add_joined_nic(draft); }};
constexpr Form kNoneForm = {.name = "none", .help = "no network card, as without the option"};

constexpr const Form* kNetdevForms[] = {&kTapForm};
constexpr const Form* kNetForms[] = {&kOldNicForm, &kOldTapForm, &kNoneForm};
constexpr const Form* kNicForms[] = {&kJoinedForm, &kNoneForm};

constexpr Option kOptions[] = {
    {.name = "netdev",
     .group = Group::kNetwork,
     .style = Option::Style::kPairs,
     .argument = "tap,id=ID[,ifname=NAME][,vhost=on|off|try]...",
     .help = "the host's side of a network card",
     .forms = kNetdevForms,
     .chooser = "type"},
    {.name = "net",
     .group = Group::kNetwork,
     .style = Option::Style::kPairs,
     .argument = "nic[,model=NAME][,macaddr=MAC]... | tap[,ifname=NAME]...",
     .help = "the old spelling: -net nic -net tap",
     .forms = kNetForms,
     .chooser = "type"},
    {.name = "nic",
     .group = Group::kNetwork,
     .style = Option::Style::kPairs,
     .argument = "tap[,model=NAME][,mac=MAC][,ifname=NAME]...",
     .help = "a network card and the host's side of it in one",
     .forms = kNicForms,
     .chooser = "type"},
};

} // namespace

constinit const Form kE1000Form = {.name = "e1000",
                                   .help = "network card: Intel 82540EM, gigabit, with offloads",
                                   .keys = kEmulatedNicKeys,
                                   .done = add_emulated<kE1000Form>};

constinit const Form kRtl8139Form = {.name = "rtl8139",
                                     .help = "network card: Realtek RTL8139C+",
                                     .keys = kEmulatedNicKeys,
                                     .done = add_emulated<kRtl8139Form>};
constinit const Form kRtl8139CForm = {.name = "rtl8139c",
                                      .help = "the same before the C+, for older drivers",
                                      .keys = kEmulatedNicKeys,
                                      .done = add_emulated<kRtl8139CForm>};

constinit const Form kNicForm = {.name = "virtio-net-pci",
                                 .help = "network card",
                                 .keys = kNicKeys,
                                 .more = kVirtioKeys,
                                 .done = [](Draft& draft) { draft.builder.add_nic(draft); }};

std::span<const Option> net_options() {
    return kOptions;
}

} // namespace vireo::cli
