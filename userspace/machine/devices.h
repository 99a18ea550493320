// SPDX-License-Identifier: GPL-2.0-only
#ifndef VIREO_MACHINE_DEVICES_H
#define VIREO_MACHINE_DEVICES_H

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/event_loop.h"
#include "console/chardev.h"
#include "emulated/ide/controller.h"
#include "emulated/nic/nic.h"
#include "machine/board.h"
#include "machine/control.h"
#include "machine/options.h"
#include "memory/guest_memory.h"
#include "virtio/device.h"
#include "virtio/pci_transport.h"

namespace vireo {

class NetDevice;

// A machine's devices as its options ask for them, on its board, with the threads that run their
// queues: an I/O thread where one is named, else one for each queue pair of a card, one for each
// disk, and one for all that is slow. The control thread's, which is the main loop's.
class Devices {
public:
    // `quit`: the user asks for the VMM's end on a terminal. `broken`: a driver broke the device
    // of that id; on any thread, with locks held.
    struct Reports {
        std::function<void()> quit;
        std::function<void(const std::string& id, const std::string& why)> broken;
    };

    // Throws UsageError, std::system_error.
    Devices(const MachineOptions& options, const GuestMemory& memory, EventLoop& main, Board& board,
            Reports reports);
    ~Devices(); // no vCPU runs, nor the main loop

    Devices(const Devices&) = delete;
    Devices& operator=(const Devices&) = delete;

    // Until the first client of each chardev that waits for one is there. Before the main loop
    // runs.
    void wait_for_peers();

    // The machine stands still, and goes on. No vCPU runs.
    void pause();
    void resume();

    // What firmware may boot from, as Open Firmware names it, by kinds: 'c' disks, 'd' CD-ROMs, 'n'
    // networks.
    std::vector<std::string> boot_order(const std::string& kinds) const;

    std::vector<MachineControl::Device> list() const;
    // Throw UsageError if there is no such device, or it is none of that kind.
    void set_link(const std::string& id, bool up);
    void set_path(const std::string& id, const std::string& path);

private:
    struct Entry {
        std::string id, model;
        std::unique_ptr<VirtioDevice> device;
        NetDevice* card; // the same, if it is one
        std::unique_ptr<VirtioPci> transport;
    };
    // A card that is emulated register by register.
    struct Nic {
        std::string id, model;
        std::unique_ptr<EmulatedNic> card;
    };
    struct Chardev {
        std::unique_ptr<CharBackend> backend;
        EventLoop* loop; // that it belongs to
    };

    // None yet. The other constructor goes on from here, so that what it made goes if it throws.
    Devices(const GuestMemory& memory, EventLoop& main, Board& board, Reports reports)
        : memory_(memory), main_(main), board_(board), reports_(std::move(reports)) {}

    EventLoop& slow_loop();
    EventLoop& loop_for(const std::string& iothread, const std::string& name);
    void add(const std::string& id, const std::string& model, std::unique_ptr<VirtioDevice> device,
             NetDevice* card, const VirtioOptions& options);
    void add_chardevs(const MachineOptions& options);
    void add_cards(const MachineOptions& options);
    void add_emulated(const NicOptions& nic, const NetdevOptions& netdev, unsigned number);
    void add_disks(const MachineOptions& options);
    void add_ide(const MachineOptions& options);
    void add_consoles(const MachineOptions& options);
    void add_rngs(const MachineOptions& options);
    Nic* emulated(const std::string& id);
    const Entry& find(const std::string& id) const;

    const GuestMemory& memory_;
    EventLoop& main_;
    Board& board_;
    const Reports reports_;
    std::map<std::string, std::unique_ptr<LoopThread>> iothreads_;
    std::vector<std::unique_ptr<LoopThread>> loops_; // of one device each
    std::unique_ptr<LoopThread> slow_;               // of consoles and entropy sources
    std::map<std::string, Chardev> chardevs_;
    std::vector<Entry> entries_;
    std::vector<Nic> nics_;
    std::unique_ptr<IdeController> ide_; // if there are drives for it
};

} // namespace vireo

#endif // VIREO_MACHINE_DEVICES_H
