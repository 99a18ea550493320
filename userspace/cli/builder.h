// SPDX-License-Identifier: GPL-2.0-only
#ifndef VIREO_CLI_BUILDER_H
#define VIREO_CLI_BUILDER_H

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "cli/table.h"
#include "machine/options.h"

namespace vireo::cli {

// Collects what the options say, in any order, and joins it into a machine at the end: who refers
// to whom, names for what has none, and the checks across options.
class Builder {
public:
    // One for each kind of option. They throw UsageError for what is wrong in itself, or has a name
    // that is there already.
    void add_netdev(Draft& draft);
    void add_nic(Draft& draft);        // -device virtio-net-pci
    void add_old_nic(Draft& draft);    // -net nic
    void add_old_tap(Draft& draft);    // -net tap
    void add_joined_nic(Draft& draft); // -nic tap
    void add_drive(Draft& draft);
    void add_disk(Draft& draft); // -device virtio-blk-pci
    void add_chardev(Draft& draft);
    void add_console(Draft& draft); // -device virtio-serial-pci
    void add_port(Draft& draft);
    void add_rng_source(Draft& draft); // -object rng-random
    void add_rng(Draft& draft);
    void add_iothread(Draft& draft);
    void add_serial(Draft& draft, const Value& value);
    void set_debugcon(Draft& draft, const Value& value);
    void set_boot_order(Draft& draft, const Value& value);
    void add_monitor(Draft& draft, const Value& value);
    void add_mon(Draft& draft); // -mon
    void want_serial() { want_serial_ = true; }
    void want_no_serial() { default_serial_ = false; }

    MachineOptions& machine() { return machine_; }

    // The machine, once all options are in. Throws UsageError. Once.
    MachineOptions finish();

private:
    // Something, the option that it comes from, and to whom it belongs.
    template <class T>
    struct Placed {
        T options;
        std::string where;
        std::string refers = {}; // an id
        bool used = false;       // something refers to it
    };
    template <class T>
    using List = std::vector<Placed<T>>;

    // A serial port, or the debug port, has a chardev of its own, or refers to one; or neither:
    // -serial none.
    struct Serial {
        std::optional<ChardevOptions> own;
        std::string refers;
        std::string where;
    };

    template <class T>
    void add_named(List<T>& list, Placed<T> placed);
    void add_device_id(const std::string& id, const std::string& where);
    std::string name_device(const std::string& wanted, std::string_view kind);

    static Serial read_port(Draft& draft, std::string_view option, std::string_view text);
    void pair_old_nics();
    void join_nics();
    void join_disks();
    void place_ide_drives();
    void join_consoles();
    void join_rngs();
    void add_default_serial();
    void join_serials();
    std::string join_port(Serial& port, std::string_view kind);
    void join_monitors();
    Placed<ChardevOptions>& take_chardev(const std::string& id, const std::string& where);
    void check_chardevs() const;
    void check_iothread(const std::string& id, const std::string& where) const;
    void check_boot() const;

    MachineOptions machine_;
    List<NetdevOptions> netdevs_;
    List<NicOptions> nics_;
    // Places in these lists: -net tap and -net nic, to be paired; and pairs.
    std::vector<size_t> old_taps_, old_nics_;
    struct Pairing {
        size_t nic, netdev;
    };
    std::vector<Pairing> pairings_;
    List<DriveOptions> drives_;
    List<DriveOptions> disks_; // what the guest sees of them: refers to a drive
    List<ChardevOptions> chardevs_;
    List<ConsoleOptions> consoles_;
    List<ConsolePortOptions> ports_;
    List<RngOptions> rng_sources_, rngs_;
    std::vector<Serial> serials_;
    std::optional<Serial> debugcon_;
    std::vector<std::pair<std::string, std::string>> mons_; // a chardev's id, and where it is named
    std::set<std::string, std::less<>> devices_;            // ids
    bool default_serial_ = true;
    bool want_serial_ = false;
};

} // namespace vireo::cli

#endif // VIREO_CLI_BUILDER_H
