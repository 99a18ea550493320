// SPDX-License-Identifier: GPL-2.0-only
// Command lines that are wrong, and every word that the user reads then.
#include <gtest/gtest.h>

#include <ostream>

#include "words.h"

namespace vireo::cli {
namespace {

struct Wrong {
    const char* line;
    const char* complaint;
};

void PrintTo(const Wrong& wrong, std::ostream* out) {
    *out << wrong.line;
}

class Complaint : public testing::TestWithParam<Wrong> {};

TEST_P(Complaint, SaysWhatWasGivenAndWhatIsAccepted) {
    EXPECT_EQ(complaint(GetParam().line), GetParam().complaint);
}

constexpr Wrong kOptions[] = {
    {"-nographics", "-nographics: unknown option; did you mean -nographic?"},
    {"--sirial x", "--sirial: unknown option; did you mean -serial?"},
    {"-neddev x", "-neddev: unknown option; did you mean -netdev?"},
    {"-audiodev x", "-audiodev: unknown option; vireo -help lists them"},
    {"-", "-: options begin with '-'; a disk is -drive file=-"},
    {"a.img", "a.img: options begin with '-'; a disk is -drive file=a.img"},
    {"-smp", "-smp: wants an argument: [cpus=]N"},
    {"-cpu max", "-cpu max: -cpu is host"},
    {"-accel tcg", "-accel tcg: -accel is kvm"},
    {"-display gtk", "-display gtk: -display is none"},
};

constexpr Wrong kValues[] = {
    {"-smp 0", "-smp 0: cpus is a number from 1 to 255"},
    {"-smp 256", "-smp 256: cpus is a number from 1 to 255"},
    {"-smp 2,cores=2", "-smp 2,cores=2: cores is unknown; known are cpus"},
    {"-m lots", "-m lots: size is from 16M to 4T; a number without K, M, G or T is in MiB"},
    {"-m 8", "-m 8: size is from 16M to 4T; a number without K, M, G or T is in MiB"},
    {"-m 1G,hugetlb=2", "-m 1G,hugetlb=2: hugetlb is on or off"},
    {"-netdev tap,vhost=maybe", "-netdev tap,vhost=maybe: vhost is off, on or try"},
    {"-netdev tap,vhost", "-netdev tap,vhost: vhost wants a value: off, on or try"},
    {"-netdev tap,vhots=on", "-netdev tap,vhots=on: vhots is unknown; did you mean vhost?"},
    {"-netdev tap,id=0",
     "-netdev tap,id=0: id is a name of letters, digits, '-', '.' and '_', a "
     "letter first"},
    {"-netdev tap,id=n,fds=3,4",
     "-netdev tap,id=n,fds=3,4: 4 is unknown; known are id, ifname, fd, "
     "fds, create, br, macvtap, script, downscript, vnet_hdr, vhost, "
     "vhostdev, vhostfd, vhostfds, queues, iothread"},
    {"-netdev tap,id=n,fd=x",
     "-netdev tap,id=n,fd=x: fd is the number of an open file, or more "
     "with ':' between them"},
    {"-netdev tap,queues=257", "-netdev tap,queues=257: queues is a number from 1 to 256"},
    {"-netdev user,id=n", "-netdev user,id=n: user is unknown; known are tap"},
    {"-netdev id=n,tap", "-netdev id=n,tap: begins with the kind; known are tap"},
    {"-device virtio-net,netdev=n",
     "-device virtio-net,netdev=n: virtio-net is unknown; did you mean virtio-net-pci?"},
    {"-device e100", "-device e100: e100 is unknown; did you mean e1000?"},
    {"-device sb16",
     "-device sb16: sb16 is unknown; known are virtio-net-pci, e1000, rtl8139, rtl8139c, "
     ""
     "virtio-blk-pci, virtio-rng-pci, virtio-serial-pci, virtconsole, virtserialport"},
    {"-device virtio-net-pci,mac=ff:ff:ff:ff:ff:ff",
     "-device virtio-net-pci,mac=ff:ff:ff:ff:ff:ff: mac is the address of one card, such as "
     "52:54:00:12:34:56"},
    {"-device virtio-net-pci,host_mtu=60",
     "-device virtio-net-pci,host_mtu=60: host_mtu is a number from 68 to 65535"},
    {"-device virtio-net-pci,queue_size=300",
     "-device virtio-net-pci,queue_size=300: queue_size is 64, 128, 256, 512 or 1024"},
    {"-net nic,model=e100",
     "-net nic,model=e100: model is virtio-net-pci, virtio, e1000, rtl8139 or rtl8139c; did you "
     "mean e1000?"},
    {"-drive if=scsi,file=a", "-drive if=scsi,file=a: if is virtio, ide or none"},
    {"-drive file=", "-drive file=: file is the name of a file"},
    {"-serial com1",
     "-serial com1: -serial is stdio, mon:stdio, pty, null, none, file:FILE, "
     "unix:FILE[,server=on][,wait=off] or chardev:ID"},
    {"-serial file:",
     "-serial file:: -serial is stdio, mon:stdio, pty, null, none, file:FILE, "
     "unix:FILE[,server=on][,wait=off] or chardev:ID"},
    {"-serial unix:a,serve=on", "-serial unix:a,serve=on: serve is unknown; did you mean server?"},
    {"-qmp tcp:localhost:1",
     "-qmp tcp:localhost:1: -qmp is unix:FILE[,server=on][,wait=off] or none"},
};

constexpr Wrong kWithin[] = {
    {"-netdev tap", "-netdev tap: id is missing"},
    {"-netdev tap,id=n,fd=3,ifname=a",
     "-netdev tap,id=n,fd=3,ifname=a: fd is a tap that is open already; ifname, create, br and "
     "macvtap are for others"},
    {"-netdev tap,id=n,fds=3:4,queues=3",
     "-netdev tap,id=n,fds=3:4,queues=3: queues is 3, and there are 2 files in fds"},
    {"-netdev tap,id=n,macvtap=eth0,br=br0",
     "-netdev tap,id=n,macvtap=eth0,br=br0: a macvtap is in no bridge: macvtap or br, not both"},
    {"-netdev tap,id=n,vhostfd=3",
     "-netdev tap,id=n,vhostfd=3: vhostfd is used with vhost=on or vhost=try"},
    {"-netdev tap,id=n,vhost=on,queues=2,vhostfd=3",
     "-netdev tap,id=n,vhost=on,queues=2,vhostfd=3: there are 1 files in vhostfds; wanted is one "
     "for each queue pair, and queues is 2"},
    {"-device virtio-net-pci",
     "-device virtio-net-pci: netdev is missing; it is the id of a -netdev"},
    {"-device virtio-rng-pci,disable-legacy=on,disable-modern=on",
     "-device virtio-rng-pci,disable-legacy=on,disable-modern=on: disable-legacy and "
     "disable-modern leave nothing"},
    {"-device virtio-rng-pci,packed=on,disable-modern=on",
     "-device virtio-rng-pci,packed=on,disable-modern=on: packed=on needs disable-modern=off: a "
     "legacy driver has no packed rings"},
    {"-drive if=virtio", "-drive if=virtio: file is missing"},
    {"-drive if=none,file=a",
     "-drive if=none,file=a: with if=none the id is missing, for drive= of a -device"},
    {"-drive file=a,serial=123456789012345678901",
     "-drive file=a,serial=123456789012345678901: serial is at most 20 characters"},
    {"-device virtio-blk-pci",
     "-device virtio-blk-pci: drive is missing; it is the id of a -drive with if=none"},
    {"-chardev pty", "-chardev pty: id is missing"},
    {"-chardev socket,id=a", "-chardev socket,id=a: path or fd is wanted, one of them"},
    {"-chardev socket,id=a,path=/a,fd=3",
     "-chardev socket,id=a,path=/a,fd=3: path or fd is wanted, one of them"},
    {"-mon mode=control",
     "-mon mode=control: chardev is missing; it is the id of a -chardev socket"},
    {"-mon c", "-mon c: mode is missing; it is control, as there is no monitor for people"},
    {"-mon c,mode=readline", "-mon c,mode=readline: mode is control"},
    {"-chardev file,id=a", "-chardev file,id=a: path is missing"},
    {"-device virtconsole", "-device virtconsole: chardev is missing; it is the id of a -chardev"},
    {"-device virtserialport,chardev=c",
     "-device virtserialport,chardev=c: name is missing, by which the guest knows the port"},
    {"-object iothread", "-object iothread: id is missing"},
    {"-object rng-random", "-object rng-random: id is missing"},
};

constexpr Wrong kAcross[] = {
    {"-netdev tap,id=n -netdev tap,id=n",
     "-netdev tap,id=n: the id n is taken by -netdev tap,id=n"},
    {"-device virtio-net-pci,netdev=n",
     "-device virtio-net-pci,netdev=n: there is no netdev n; add -netdev tap,id=n"},
    {"-netdev tap,id=n -device virtio-net-pci,netdev=n,id=a -device virtio-net-pci,netdev=n,id=b",
     "-device virtio-net-pci,netdev=n,id=b: another card has the netdev n"},
    {"-netdev tap,id=n", "-netdev tap,id=n: no card has it; add -device virtio-net-pci,netdev=n"},
    {"-netdev tap,id=n,iothread=t -device virtio-net-pci,netdev=n",
     "-netdev tap,id=n,iothread=t: there is no iothread t; add -object iothread,id=t"},
    {"-device virtio-rng-pci,id=a -device virtio-serial-pci,id=a",
     "-device virtio-serial-pci,id=a: another device has the id a"},
    {"-net nic -net nic,name=b -net tap", "-net nic,name=b: no -net tap is left for it; add one"},
    {"-net tap", "-net tap: no -net nic is left for it; add one"},
    {"-drive if=none,id=d,file=a",
     "-drive if=none,id=d,file=a: no disk has it; add -device virtio-blk-pci,drive=d"},
    {"-device virtio-blk-pci,drive=d",
     "-device virtio-blk-pci,drive=d: there is no drive d; add -drive if=none,id=d,file="},
    {"-drive if=virtio,id=d,file=a -device virtio-blk-pci,drive=d",
     "-device virtio-blk-pci,drive=d: the drive d is a disk by itself; add if=none to its -drive"},
    {"-drive if=none,id=d,file=a -device virtio-blk-pci,drive=d -device virtio-blk-pci,drive=d",
     "-device virtio-blk-pci,drive=d: another disk has the drive d"},
    {"-drive if=none,id=d,file=a -device virtio-blk-pci,drive=d,iothread=t",
     "-device virtio-blk-pci,drive=d,iothread=t: there is no iothread t; add -object "
     "iothread,id=t"},
    {"-object iothread,id=t -object iothread,id=t",
     "-object iothread,id=t: another iothread has the id t"},
    {"-device virtio-rng-pci,rng=r",
     "-device virtio-rng-pci,rng=r: there is no source of randomness r; add -object "
     "rng-random,id=r"},
    {"-chardev null,id=c -device virtconsole,chardev=c",
     "-device virtconsole,chardev=c: it belongs to a virtio-serial-pci; add -device "
     "virtio-serial-pci"},
    {"-device virtio-serial-pci -device virtconsole,chardev=c",
     "-device virtconsole,chardev=c: there is no chardev c; add -chardev stdio,id=c"},
    {"-device virtio-serial-pci,id=s -chardev null,id=c -device virtconsole,chardev=c,bus=t.0",
     "-device virtconsole,chardev=c,bus=t.0: there is no virtio-serial-pci t"},
    {"-device virtio-serial-pci -chardev null,id=c -device virtconsole,chardev=c -serial chardev:c",
     "-serial chardev:c: something else has the chardev c"},
    {"-chardev null,id=c",
     "-chardev null,id=c: nothing uses it; add chardev=c to a port, or -serial chardev:c"},
    {"-mon c,mode=control", "-mon c,mode=control: there is no chardev c; add -chardev stdio,id=c"},
    {"-mon c,mode=control -chardev pty,id=c", "-mon c,mode=control: the chardev c is no socket"},
    {"-serial stdio -serial mon:stdio", "-serial mon:stdio: stdio is taken by -serial stdio"},
    {"-nographic -serial null -serial null -serial null -serial null -serial none",
     "-serial none: there are four serial ports already"},
};

std::string number(const testing::TestParamInfo<Wrong>& info) {
    return std::to_string(info.index);
}

INSTANTIATE_TEST_SUITE_P(Options, Complaint, testing::ValuesIn(kOptions), number);
INSTANTIATE_TEST_SUITE_P(Values, Complaint, testing::ValuesIn(kValues), number);
INSTANTIATE_TEST_SUITE_P(Within, Complaint, testing::ValuesIn(kWithin), number);
INSTANTIATE_TEST_SUITE_P(Across, Complaint, testing::ValuesIn(kAcross), number);

// What there is to boot: these lines have no -kernel but their own.
TEST(CommandLine, WithoutAKernelThereIsNothingToBoot) {
    const auto told = [](const char* line) {
        try {
            read(line);
        } catch (const UsageError& error) {
            return std::string(error.what());
        }
        return std::string("accepted");
    };
    EXPECT_EQ(
        told(""),
        "there is nothing to boot; add -drive file=FILE, a disk, or -kernel FILE, a Linux kernel "
        "(vireo -help)");
    EXPECT_EQ(told("-initrd i"), "-initrd i: it belongs to a kernel; add -kernel FILE");
    EXPECT_EQ(told("-append a"), "-append a: it belongs to a kernel; add -kernel FILE");
    EXPECT_EQ(told("-kernel k -bios b"),
              "-bios b: with -kernel no firmware runs; give one of them");
    EXPECT_EQ(told("-drive file=a"), "accepted");
    EXPECT_EQ(told("-cdrom a -boot order=dc"), "accepted");
    for (const std::string order : {"cx", "cc", "a"}) {
        const std::string line = "-boot order=" + order;
        EXPECT_EQ(told(line.c_str()),
                  line + ": order=" + order +
                      ": accepted are letters of c (disks), d (CD-ROMs) and n (networks), each "
                      "once");
    }
}

TEST(CommandLine, IdeDrivesHaveAPlaceEach) {
    const std::string kernel = "-kernel k ";
    const auto told = [&](const std::string& line) {
        try {
            read((kernel + line).c_str());
        } catch (const UsageError& error) {
            return std::string(error.what());
        }
        return std::string("accepted");
    };
    EXPECT_EQ(told("-drive file=a,if=ide,index=2 -cdrom b"),
              "-drive file=b: index=2 is taken by a");
    EXPECT_EQ(told("-drive file=a,if=ide -drive file=b,if=ide -drive file=c,if=ide -cdrom d"),
              "accepted");
    EXPECT_EQ(told("-drive file=a,if=ide -drive file=b,if=ide -drive file=c,if=ide -cdrom d "
                   "-drive file=e,if=ide"),
              "-drive file=e: there are 4 IDE drives already");
    EXPECT_EQ(told("-drive file=a,media=cdrom"),
              "-drive file=a,media=cdrom: media=cdrom belongs to if=ide");
    EXPECT_EQ(
        told("-drive file=a,if=ide,vhost=on"),
        "-drive file=a,if=ide,vhost=on: the VMM alone serves if=ide; vhost=on needs if=virtio");
}

} // namespace
} // namespace vireo::cli
