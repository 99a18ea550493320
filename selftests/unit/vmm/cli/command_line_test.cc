// SPDX-License-Identifier: GPL-2.0-only
// Command lines that are right, and the machines that they describe.
#include <gtest/gtest.h>

#include "words.h"

namespace vireo::cli {
namespace {

TEST(CommandLine, WithoutOptionsThereAreDefaults) {
    const auto m = machine("");
    EXPECT_EQ(m.kernel, "bzImage");
    EXPECT_EQ(m.cpus, 1u);
    EXPECT_EQ(m.memory, 128ull << 20);
    EXPECT_FALSE(m.hugetlb || m.paused || m.no_reboot || m.no_shutdown);
    EXPECT_TRUE(m.nics.empty() && m.netdevs.empty() && m.drives.empty() && m.consoles.empty());
    ASSERT_EQ(m.chardevs.size(), 1u);
    EXPECT_EQ(m.chardevs[0].kind, ChardevOptions::Kind::kStdio);
    EXPECT_TRUE(m.chardevs[0].mux);
    EXPECT_EQ(m.serials, std::vector<std::string>({"serial0"}));
}

TEST(CommandLine, TheMachine) {
    const auto m = machine(
        "-smp 4 -m 2G,hugetlb=on -name guest=web,,1 -initrd i -append a,b=c -pidfile p -S "
        "-no-reboot -no-shutdown -enable-kvm -accel kvm -cpu host -monitor none");
    EXPECT_EQ(m.cpus, 4u);
    EXPECT_EQ(m.memory, 2ull << 30);
    EXPECT_TRUE(m.hugetlb);
    EXPECT_EQ(m.name, "web,1");
    EXPECT_EQ(m.initrd, "i");
    EXPECT_EQ(m.append, "a,b=c"); // a whole argument has no pieces
    EXPECT_EQ(m.pidfile, "p");
    EXPECT_TRUE(m.paused && m.no_reboot && m.no_shutdown);
}

TEST(CommandLine, TwoDashesAreOne) {
    EXPECT_EQ(machine("--smp cpus=3 --m size=64").cpus, 3u);
}

TEST(CommandLine, ALaterWordWins) {
    const auto m = machine("-smp 2 -smp 3 -m 64 -m hugetlb=on");
    EXPECT_EQ(m.cpus, 3u);
    EXPECT_EQ(m.memory, 64ull << 20);
    EXPECT_TRUE(m.hugetlb);
}

TEST(CommandLine, ANetworkCardAndItsTap) {
    const auto m = machine(
        "-device virtio-net-pci,netdev=n0,mac=52:54:00:00:00:09,mq=on,packed=on,event_idx=off,"
        "mrg_rxbuf=off,host_mtu=9000,guest_tso4=off,csum=on,vectors=9,queue_size=1024 "
        "-netdev tap,id=n0,ifname=vt0,script=no,vhost=try,vhostdev=/dev/vhost-net,queues=2,"
        "create=on,br=br0,vnet_hdr=off,iothread=t0 -object iothread,id=t0");
    ASSERT_EQ(m.netdevs.size(), 1u);
    const auto& net = m.netdevs[0];
    EXPECT_EQ(net.id, "n0");
    EXPECT_EQ(net.ifname, "vt0");
    EXPECT_EQ(net.script, "no");
    EXPECT_EQ(net.vhost, VhostMode::kTry);
    EXPECT_EQ(net.vhostdev, "/dev/vhost-net");
    EXPECT_EQ(net.queues, 2u);
    EXPECT_TRUE(net.create);
    EXPECT_EQ(net.bridge, "br0");
    EXPECT_EQ(net.vnet_hdr, false);
    EXPECT_EQ(net.iothread, "t0");
    EXPECT_EQ(m.iothreads, std::vector<std::string>({"t0"}));
    ASSERT_EQ(m.nics.size(), 1u);
    const auto& nic = m.nics[0];
    EXPECT_EQ(nic.id, "n0"); // a card without a name is called as its netdev
    EXPECT_EQ(nic.netdev, "n0");
    EXPECT_EQ(nic.model, "virtio-net-pci");
    EXPECT_EQ(nic.mac->at(5), 9);
    EXPECT_TRUE(nic.mq);
    EXPECT_EQ(nic.mtu, 9000);
    EXPECT_EQ(nic.queue_size, 1024);
    EXPECT_FALSE(nic.mrg_rxbuf);
    EXPECT_EQ(nic.csum, true);
    EXPECT_EQ(nic.guest_tso4, false);
    EXPECT_EQ(nic.guest_tso6, std::nullopt);
    EXPECT_TRUE(nic.virtio.packed);
    EXPECT_FALSE(nic.virtio.event_idx);
    EXPECT_TRUE(nic.virtio.indirect_desc);
}

TEST(CommandLine, OpenFilesSayHowManyQueuesThereAre) {
    const auto m =
        machine("-netdev tap,id=n0,fds=3:4,vhost=on,vhostfds=5:6 -device virtio-net-pci,netdev=n0");
    EXPECT_EQ(m.netdevs[0].fds, std::vector<int>({3, 4}));
    EXPECT_EQ(m.netdevs[0].vhostfds, std::vector<int>({5, 6}));
    EXPECT_EQ(m.netdevs[0].queues, 2u);
}

TEST(CommandLine, TheOldSpellingPairsInOrder) {
    const auto m = machine(
        "-net nic -net tap,ifname=a -net tap,ifname=b,vhost=on "
        "-net nic,model=virtio,macaddr=52:54:00:00:00:02,name=second");
    ASSERT_EQ(m.nics.size(), 2u);
    ASSERT_EQ(m.netdevs.size(), 2u);
    EXPECT_EQ(m.nics[0].id, "net0");
    EXPECT_EQ(m.nics[0].netdev, m.netdevs[0].id);
    EXPECT_EQ(m.netdevs[0].ifname, "a");
    EXPECT_EQ(m.nics[1].id, "second");
    EXPECT_EQ(m.nics[1].model, "virtio-net-pci");
    EXPECT_EQ(m.nics[1].netdev, m.netdevs[1].id);
    EXPECT_EQ(m.netdevs[1].ifname, "b");
    EXPECT_EQ(m.netdevs[1].vhost, VhostMode::kOn);
}

TEST(CommandLine, EmulatedCards) {
    const auto m = machine(
        "-netdev tap,id=a -device e1000,netdev=a,mac=52:54:00:00:00:01 "
        "-net nic,model=rtl8139c -net tap -nic tap,model=rtl8139");
    ASSERT_EQ(m.nics.size(), 3u);
    EXPECT_EQ(m.nics[0].model, "e1000");
    EXPECT_EQ(m.nics[0].netdev, "a");
    EXPECT_EQ(m.nics[0].mac->at(5), 1);
    EXPECT_EQ(m.nics[1].model, "rtl8139c");
    EXPECT_EQ(m.nics[2].model, "rtl8139");
}

TEST(CommandLine, SpellingsMix) {
    const auto m = machine(
        "-nic tap,ifname=a,mac=52:54:00:00:00:07 -net nic,netdev=net0 -netdev tap,id=net0,ifname=b "
        "-net nic -net tap,ifname=c -net none -nic none");
    ASSERT_EQ(m.nics.size(), 3u);
    const auto tap_of = [&](const NicOptions& nic) {
        for (const auto& net : m.netdevs) {
            if (net.id == nic.netdev) {
                return net.ifname;
            }
        }
        return std::string("none");
    };
    EXPECT_EQ(tap_of(m.nics[0]), "a");
    EXPECT_EQ(tap_of(m.nics[1]), "b");
    EXPECT_EQ(tap_of(m.nics[2]), "c");
    EXPECT_NE(m.nics[0].id, m.nics[1].id);
    EXPECT_NE(m.nics[1].id, m.nics[2].id);
}

TEST(CommandLine, Disks) {
    const auto m = machine(
        "-drive file=a.img,format=qcow2,cache=none,aio=threads,readonly=on,serial=A1,vhost=try "
        "-device virtio-blk-pci,drive=d1,num-queues=4,queue-size=128,logical_block_size=4096,"
        "serial=B2,packed=on,iothread=t -object iothread,id=t "
        "-drive file=b,,c.img,if=none,id=d1,cache=writeback,discard=ignore,serial=ignored,"
        "vhost=on,vhostdev=/dev/other "
        "-drive if=virtio,file=/dev/vdz,id=last");
    ASSERT_EQ(m.drives.size(), 3u);
    const auto& a = m.drives[0];
    EXPECT_EQ(a.id, "disk0");
    EXPECT_EQ(a.file, "a.img");
    EXPECT_EQ(a.interface, "virtio");
    EXPECT_EQ(a.format, "qcow2");
    EXPECT_EQ(a.cache, CacheMode::kNone);
    EXPECT_EQ(a.aio, AioMode::kThreads);
    EXPECT_TRUE(a.readonly && a.discard);
    EXPECT_EQ(a.serial, "A1");
    EXPECT_EQ(a.vhost, VhostMode::kTry);
    EXPECT_EQ(a.vhostdev, "/dev/vireo-blk");
    const auto& b = m.drives[1]; // in the order of the disks, not of the images
    EXPECT_EQ(b.id, "d1");
    EXPECT_EQ(b.file, "b,c.img");
    EXPECT_EQ(b.interface, "virtio");
    EXPECT_EQ(b.format, "raw");
    EXPECT_EQ(b.cache, CacheMode::kWriteback);
    EXPECT_EQ(b.aio, AioMode::kIoUring);
    EXPECT_FALSE(b.readonly || b.discard);
    EXPECT_EQ(b.serial, "B2");
    EXPECT_EQ(b.vhost, VhostMode::kOn);
    EXPECT_EQ(b.vhostdev, "/dev/other");
    EXPECT_EQ(b.queues, 4u);
    EXPECT_EQ(b.queue_size, 128);
    EXPECT_EQ(b.logical_block_size, 4096u);
    EXPECT_EQ(b.iothread, "t");
    EXPECT_TRUE(b.virtio.packed);
    EXPECT_EQ(m.drives[2].id, "last");
    EXPECT_EQ(m.drives[2].file, "/dev/vdz");
}

TEST(CommandLine, SerialPorts) {
    const auto m = machine(
        "-serial unix:/tmp/a,,b,server=on,wait=off -serial none -serial file:log "
        "-serial chardev:c -chardev pty,id=c");
    ASSERT_EQ(m.serials.size(), 4u);
    EXPECT_EQ(m.serials[1], "");
    EXPECT_EQ(m.serials[3], "c");
    ASSERT_EQ(m.chardevs.size(), 3u);
    EXPECT_EQ(m.chardevs[0].id, "c");
    EXPECT_EQ(m.chardevs[0].kind, ChardevOptions::Kind::kPty);
    EXPECT_EQ(m.chardevs[1].id, m.serials[0]);
    EXPECT_EQ(m.chardevs[1].kind, ChardevOptions::Kind::kSocket);
    EXPECT_EQ(m.chardevs[1].path, "/tmp/a,b");
    EXPECT_TRUE(m.chardevs[1].server);
    EXPECT_FALSE(m.chardevs[1].wait);
    EXPECT_EQ(m.chardevs[2].id, m.serials[2]);
    EXPECT_EQ(m.chardevs[2].kind, ChardevOptions::Kind::kFile);
    EXPECT_EQ(m.chardevs[2].path, "log");
}

TEST(CommandLine, TheDefaultSerialPortGivesWay) {
    EXPECT_EQ(machine("-nographic").serials.size(), 1u);
    EXPECT_EQ(machine("-display none").serials.size(), 0u);
    EXPECT_EQ(machine("-display none -nographic").serials.size(), 1u);
    EXPECT_EQ(machine("-nodefaults").serials.size(), 0u);
    EXPECT_EQ(machine("-serial null").serials.size(), 1u);
    const auto m = machine(
        "-chardev stdio,id=c -device virtio-serial-pci "
        "-device virtconsole,chardev=c");
    EXPECT_TRUE(m.serials.empty());
    EXPECT_FALSE(m.chardevs[0].mux);
}

TEST(CommandLine, ConsolesAndPorts) {
    const auto m = machine(
        "-device virtconsole,chardev=a -device virtio-serial-pci,id=s0,max_ports=4 "
        "-device virtio-serial-pci,packed=on,id=s1 -device "
        "virtserialport,chardev=b,name=org.x,bus=s1.0 "
        "-chardev null,id=a -chardev socket,id=b,path=/s,server,nowait");
    ASSERT_EQ(m.consoles.size(), 2u);
    EXPECT_EQ(m.consoles[0].id, "s0");
    ASSERT_EQ(m.consoles[0].ports.size(), 1u);
    EXPECT_EQ(m.consoles[0].ports[0].chardev, "a");
    EXPECT_EQ(m.consoles[0].ports[0].name, "");
    EXPECT_TRUE(m.consoles[1].virtio.packed);
    ASSERT_EQ(m.consoles[1].ports.size(), 1u);
    EXPECT_EQ(m.consoles[1].ports[0].name, "org.x");
    EXPECT_TRUE(m.chardevs[1].server);
    EXPECT_FALSE(m.chardevs[1].wait); // "nowait" of old
}

TEST(CommandLine, Randomness) {
    const auto m = machine(
        "-device virtio-rng-pci -device virtio-rng-pci,rng=r,disable-legacy=on "
        "-object rng-random,id=r,filename=/dev/hwrng");
    ASSERT_EQ(m.rngs.size(), 2u);
    EXPECT_EQ(m.rngs[0].id, "rng0");
    EXPECT_EQ(m.rngs[0].file, "/dev/urandom");
    EXPECT_EQ(m.rngs[1].id, "r");
    EXPECT_EQ(m.rngs[1].file, "/dev/hwrng");
    EXPECT_TRUE(m.rngs[1].virtio.disable_legacy);
}

TEST(CommandLine, Monitors) {
    const auto m = machine(
        "-qmp unix:/q,server=on,wait=off -qmp unix:/r,server,nowait -qmp none "
        "-qmp unix:/s,server=on");
    ASSERT_EQ(m.monitors.size(), 3u);
    EXPECT_EQ(m.monitors[0].path, "/q");
    EXPECT_TRUE(m.monitors[0].server);
    EXPECT_FALSE(m.monitors[0].wait);
    EXPECT_FALSE(m.monitors[1].wait);
    EXPECT_TRUE(m.monitors[2].wait);
}

TEST(CommandLine, SocketsThatAreConnectedAlready) {
    const auto m = machine(
        "-mon c,mode=control -chardev socket,id=c,fd=5 "
        "-chardev socket,id=s,fd=6 -serial chardev:s");
    ASSERT_EQ(m.monitors.size(), 1u);
    EXPECT_EQ(m.monitors[0].fd, 5);
    ASSERT_EQ(m.chardevs.size(), 1u); // a monitor's is its own
    EXPECT_EQ(m.chardevs[0].id, "s");
    EXPECT_EQ(m.chardevs[0].fd, 6);
}

// Help wins over whatever else is wrong behind it, and prints what was asked for.
TEST(CommandLine, Help) {
    for (const auto* line : {"-h", "-help", "--help", "-smp 2 --help -nonsense"}) {
        EXPECT_NE(read(line).print.find("usage: vireo"), std::string::npos) << line;
    }
    EXPECT_EQ(read("-version").print, "vireo 0.1.0\n");
    for (const auto* line : {"-device help", "-device ?"}) {
        EXPECT_NE(read(line).print.find("virtio-blk-pci"), std::string::npos) << line;
    }
    EXPECT_NE(read("-device virtio-net-pci,help").print.find("host_mtu="), std::string::npos);
    EXPECT_NE(read("-netdev tap,?").print.find("vhostdev="), std::string::npos);
    EXPECT_NE(read("-m help").print.find("hugetlb="), std::string::npos);
    EXPECT_EQ(read("-net nic,model=?").print,
              "model is one of\n  virtio-net-pci\n  virtio\n  e1000\n  rtl8139\n  rtl8139c\n");
    EXPECT_EQ(read("-net nic,model=help").print, read("-net nic,model=?").print);
}

} // namespace
} // namespace vireo::cli
