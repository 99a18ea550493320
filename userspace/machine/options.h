// SPDX-License-Identifier: GPL-2.0-only
// What a machine is made of, as data: the command line fills it (cli/), Machine builds it. What
// refers to something by its id is checked by then: it is there, and has one user where only one
// can be. Every id of a device, network device, drive, chardev or iothread is set and unique among
// its kind.
#ifndef VIREO_MACHINE_OPTIONS_H
#define VIREO_MACHINE_OPTIONS_H

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace vireo {

// What every virtio device may be told (virtio-*-pci's properties).
struct VirtioOptions {
    bool packed = false;
    bool event_idx = true;
    bool indirect_desc = true;
    bool disable_legacy = false; // modern only
    bool disable_modern = false; // legacy only
};

enum class VhostMode { kOff, kOn, kTry }; // kTry: userspace if the module is missing, and say so

// Where a network card's packets go: the host's side.
struct NetdevOptions {
    std::string id;
    std::string ifname; // of the tap; empty: the kernel chooses vtN
    std::vector<int>
        fds; // open tap queues that were handed over, one for each queue pair; instead of ifname
    bool create = false;          // make the tap, and remove it at the end
    std::string bridge;           // put the tap into this bridge
    std::string macvtap;          // make a macvtap on this device instead of a tap
    std::string script;           // runs with the tap's name once it is there; empty or "no": none
    std::string downscript;       // the same before it goes
    std::optional<bool> vnet_hdr; // unset: on where the tap can
    VhostMode vhost = VhostMode::kOff;
    std::string vhostdev = "/dev/vireo-net";
    std::vector<int> vhostfds;
    unsigned queues = 1; // pairs, 1 to 256
    std::string iothread;
};

struct NicOptions {
    std::string id;
    std::string model = "virtio-net-pci";
    std::string netdev;                        // id
    std::optional<std::array<uint8_t, 6>> mac; // unset: 52:54:00:12:34:56 and on
    bool mq = false;
    uint16_t mtu = 0; // host_mtu; 0: not offered
    uint16_t queue_size = 256;
    bool mrg_rxbuf = true;
    // Offloads; unset: what the tap can.
    std::optional<bool> csum, guest_csum, host_tso4, host_tso6, guest_tso4, guest_tso6, host_ufo,
        guest_ufo, host_uso, guest_uso4, guest_uso6;
    bool ctrl_vq = true;
    VirtioOptions virtio;
};

enum class CacheMode { kWriteback, kNone };
enum class AioMode { kIoUring, kThreads };

struct DriveOptions {
    std::string id;
    std::string file;
    std::string interface = "virtio"; // or ide
    std::string format = "raw";       // raw or qcow2; never probed
    CacheMode cache = CacheMode::kWriteback;
    AioMode aio = AioMode::kIoUring;
    bool readonly = false;
    bool cdrom = false;            // interface ide: a CD-ROM drive, read-only
    std::optional<unsigned> index; // interface ide: 0 to 3, set and unique
    std::string serial;            // at most 20 bytes
    bool discard = true;
    unsigned queues = 1;
    uint16_t queue_size = 256;
    uint32_t logical_block_size = 0; // 0: the backing device's
    VhostMode vhost = VhostMode::kOff;
    std::string vhostdev = "/dev/vireo-blk";
    std::string iothread;
    VirtioOptions virtio;
};

struct ChardevOptions {
    std::string id;
    enum class Kind { kStdio, kSocket, kPty, kNull, kFile } kind = Kind::kStdio;
    std::string path;
    int fd = -1; // kSocket: it is connected already; instead of path
    bool server = false;
    bool wait = true; // for the first client, before the guest starts
    bool mux = false; // of stdio: Ctrl-a x ends the VMM, Ctrl-a Ctrl-a is Ctrl-a
};

// A port of a virtio-console.
struct ConsolePortOptions {
    std::string chardev; // id
    std::string name;    // of a virtserialport; empty: a console (hvc)
};

struct ConsoleOptions {
    std::string id;
    std::vector<ConsolePortOptions> ports;
    VirtioOptions virtio;
};

struct RngOptions {
    std::string id;
    std::string file = "/dev/urandom";
    VirtioOptions virtio;
};

struct MonitorOptions {
    std::string path; // of a Unix socket
    int fd = -1;      // it is connected already; instead of path
    bool server = true;
    bool wait = false;
};

struct MachineOptions {
    std::string name;
    unsigned cpus = 1;              // 1 to 255
    uint64_t memory = 128ull << 20; // bytes
    bool hugetlb = false;
    std::string kernel, initrd, append; // no kernel: firmware boots
    std::string bios;                   // the firmware; empty: SeaBIOS
    std::string boot_order = "cdn";     // kinds of devices: disks, CD-ROMs, networks
    std::vector<NetdevOptions> netdevs;
    std::vector<NicOptions> nics;
    std::vector<DriveOptions> drives;
    std::vector<ChardevOptions> chardevs;
    std::vector<std::string> serials; // chardev ids, by port, empty: no such port; at most 4
    std::string debugcon;             // chardev id of the debug port; empty: no such port
    std::vector<ConsoleOptions> consoles;
    std::vector<RngOptions> rngs;
    std::vector<std::string> iothreads; // ids
    std::vector<MonitorOptions> monitors;
    std::string pidfile;
    bool no_reboot = false;   // a reset of the guest ends the VMM
    bool no_shutdown = false; // a power-off stops the machine, and the VMM stays
    bool paused = false;      // -S
};

} // namespace vireo

#endif // VIREO_MACHINE_OPTIONS_H
