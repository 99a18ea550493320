// SPDX-License-Identifier: GPL-2.0-only
// Disks, and the images behind them.
#include "cli/builder.h"
#include "cli/table.h"

namespace vireo::cli {
namespace {

constexpr Key kDriveKeys[] = {
    {"file", file(), "the image, or a block device", set<&Draft::drive, &DriveOptions::file>},
    {"if", word("virtio|ide|none"), "what the guest sees; none: what a -device says (virtio)",
     set<&Draft::drive, &DriveOptions::interface>},
    {"media", word("disk|cdrom"), "what kind of drive; cdrom: if=ide, read-only (disk)",
     [](Draft& draft, const Value& value) { draft.drive.cdrom = value.number == 1; }},
    {"index", number(0, 3),
     "if=ide: 0 and 1 on the first channel, 2 and 3 on the second (a free one)",
     [](Draft& draft, const Value& value) {
         draft.drive.index = static_cast<unsigned>(value.number);
     }},
    {"id", id(), "name, for drive= of a disk", set<&Draft::drive, &DriveOptions::id>},
    {"format", word("raw|qcow2"), "of the image; it is never guessed (raw)",
     set<&Draft::drive, &DriveOptions::format>},
    {"cache", word("writeback|none"), "none: past the host's page cache (writeback)",
     set<&Draft::drive, &DriveOptions::cache>},
    {"aio", word("io_uring|threads"), "how requests reach the host (io_uring)",
     set<&Draft::drive, &DriveOptions::aio>},
    {"readonly", flag(), "the guest may not write (off)",
     set<&Draft::drive, &DriveOptions::readonly>},
    {"discard", word("ignore|unmap"), "what the guest discards is freed on the host (unmap)",
     [](Draft& draft, const Value& value) { draft.drive.discard = value.number == 1; }},
    {"serial", text("at most 20 characters"), "serial number that the guest reads",
     set<&Draft::drive, &DriveOptions::serial>},
    {"vhost", word("off|on|try"), "a kernel module serves the disk; try: or the VMM (off)",
     set<&Draft::drive, &DriveOptions::vhost>},
    {"vhostdev", file(), "the module's device (/dev/vireo-blk)",
     set<&Draft::drive, &DriveOptions::vhostdev>},
};
constexpr Form kDriveForm = {.keys = kDriveKeys,
                             .done = [](Draft& draft) { draft.builder.add_drive(draft); }};
constexpr const Form* kDriveForms[] = {&kDriveForm};

constexpr Key kDiskKeys[] = {
    {"id", id(), "its name (drive's)", set<&Draft::id>},
    {"drive", id(), "the image, by the id of a -drive with if=none", set<&Draft::refers>},
    {"serial", text("at most 20 characters"), "serial number that the guest reads",
     set<&Draft::drive, &DriveOptions::serial>},
    {"num-queues", number(1, 256), "queues (1)", set<&Draft::drive, &DriveOptions::queues>},
    {"queue-size", word("64|128|256|512|1024"), "descriptors of a queue (256)",
     [](Draft& draft, const Value& value) {
         draft.drive.queue_size = static_cast<uint16_t>(64u << value.number);
     }},
    {"logical_block_size", word("512|1024|2048|4096"), "bytes (the backing device's)",
     [](Draft& draft, const Value& value) {
         draft.drive.logical_block_size = 512u << value.number;
     }},
    {"iothread", id(), "the thread that moves the data (its own)",
     set<&Draft::drive, &DriveOptions::iothread>},
};

constexpr Option kOptions[] = {
    {.name = "drive",
     .group = Group::kDisk,
     .style = Option::Style::kPairs,
     .argument = "file=FILE[,if=virtio|ide|none][,format=raw|qcow2][,vhost=on|off|try]...",
     .help = "a disk, or with if=none the image of a -device",
     .forms = kDriveForms},
    {.name = "cdrom",
     .group = Group::kDisk,
     .style = Option::Style::kWhole,
     .argument = "FILE",
     .help = "a CD-ROM: -drive if=ide,index=2,media=cdrom,file=FILE",
     .type = file(),
     .set =
         [](Draft& draft, const Value& value) {
             value.to(draft.drive.file);
             draft.drive.cdrom = true;
             draft.drive.interface = "ide";
             draft.drive.index = 2;
             draft.builder.add_drive(draft);
         }},
};

} // namespace

constinit const Form kDiskForm = {.name = "virtio-blk-pci",
                                  .help = "disk",
                                  .keys = kDiskKeys,
                                  .more = kVirtioKeys,
                                  .done = [](Draft& draft) { draft.builder.add_disk(draft); }};

std::span<const Option> disk_options() {
    return kOptions;
}

} // namespace vireo::cli
