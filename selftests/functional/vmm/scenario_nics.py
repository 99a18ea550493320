# SPDX-License-Identifier: GPL-2.0-only
"""In the lab: what is done with a guest that has every emulated card. It judges nothing."""

import socket
from contextlib import ExitStack
from pathlib import Path

from guests.errors import GuestError
from guests.nested import Guest, Tap, run
from machine import Report
from nics import AMOUNT, DATAGRAMS, FRAMES, NICS, Nic
from traffic import endless, serve, tcp, udp, watched
from vireo import BAD_WORDS

FOREIGN = "52:54:00:aa:bb:cc"
GROUP, OTHER_GROUP = "01:00:5e:01:02:03", "01:00:5e:7f:70:11"
EXPERIMENTAL = 0x88B5  # Ethernet type (IEEE 802): nobody in the guest takes these


class Cable:
    """A card of the guest, and the tap at its other end, there while the object is entered."""

    def __init__(self, number: int, nic: Nic) -> None:
        self.nic = nic
        self.host, self.guest = f"10.97.{number}.1", f"10.97.{number}.2"
        self.mac = f"52:54:00:97:00:{number:02x}"
        self.interface = ""  # in the guest, once it is known
        self._tap = Tap(nic.id, f"{self.host}/24")

    def __enter__(self) -> "Cable":
        self._tap.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._tap.__exit__()

    def plug(self) -> list[str]:
        properties = [self.nic.model, f"netdev={self.nic.id}", f"mac={self.mac}", self.nic.properties]
        return ["-netdev", f"tap,id={self.nic.id},ifname={self.nic.id}", "-device", ",".join(filter(None, properties))]

    def send(self, to: str, count: int = FRAMES) -> None:
        """Frames that nobody asked for, straight to the tap."""
        frame = bytes.fromhex(to.replace(":", "") + "525400000001") + EXPERIMENTAL.to_bytes(2, "big") + bytes(100)
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as packets:
            packets.bind((self.nic.id, 0))
            for _ in range(count):
                packets.send(frame)


class NicGuest(Guest):
    def __init__(self, program: Path, cables: list[Cable], **others) -> None:
        self.program = program
        self.cables = cables
        super().__init__(append="softlockup_panic=1 watchdog_thresh=30", **others)

    def command(self, console: int, agent: int, monitor: int) -> list[str]:
        return [
            str(self.program), "-smp", str(self.cpus), "-m", str(self.memory), "-nodefaults",
            "-kernel", str(self.kernel), "-initrd", str(self.initrd), "-append", self.append,
            "-chardev", f"socket,id=console,fd={console}", "-serial", "chardev:console",
            "-chardev", f"socket,id=agent,fd={agent}", "-serial", "chardev:agent",
            "-chardev", f"socket,id=monitor,fd={monitor}", "-mon", "chardev=monitor,mode=control",
            *(word for cable in self.cables for word in cable.plug()),
        ]  # fmt: skip

    def set_up(self) -> None:
        """Which interface is which card, their addresses say."""
        for cable in self.cables:
            found = self.check(f"grep -l {cable.mac} /sys/class/net/*/address || true").split()
            if not found:
                raise GuestError(f"no interface has {cable.mac}, which is {cable.nic.id}'s: {self.console()[-2000:]}")
            cable.interface = found[0].split("/")[4]
            self.check(f"ip addr add {cable.guest}/24 dev {cable.interface}; ip link set {cable.interface} up")
            self.wait_for(f"grep -qx 1 /sys/class/net/{cable.interface}/carrier")
        serve(self)

    def counters(self, cable: Cable) -> dict[str, int]:
        (found,) = self.monitor("x-vireo-counters", device=cable.nic.id)
        ways = ("rx", "tx")
        queues = {f"{ways[queue['index']]}-{name}": value
                  for queue in found["queues"] for name, value in queue["counters"].items()}  # fmt: skip
        return {**found["counters"], **queues}

    def received(self, cable: Cable) -> int:
        """As the driver counts them."""
        return int(self.check(f"cat /sys/class/net/{cable.interface}/statistics/rx_packets"))

    def ping(self, cable: Cable, size: int = 56) -> dict:
        options = f"-c 3 -i 0.1 -W 20 -s {size}"
        return {
            "to guest": run("busybox", "ping", *options.split(), cable.guest),
            "to host": self.check(f"ping {options} {cable.host}"),
        }

    def complaints(self) -> list[str]:
        return self.check(f"dmesg | grep -E '{BAD_WORDS}' || true").splitlines()


def observe(report: Report, program: Path, images: dict, names: list[str]) -> None:
    nics = [nic for nic in NICS if not names or nic.id in names]
    with ExitStack() as stack:
        cables = [stack.enter_context(Cable(number, nic)) for number, nic in enumerate(nics)]
        guest = NicGuest(program, cables, **images)
        stack.callback(guest.stop)
        with report.part("boot"):
            guest.start()
            guest.wait_ready()
            guest.set_up()
        for cable in cables:
            look_at(report, guest, cable)
        with report.part("reset", guest) as seen:
            reset(guest, seen)
        report["complaints"] = guest.complaints()
        report["exit status"] = guest.power_off()


def look_at(report: Report, guest: NicGuest, cable: Cable) -> None:
    name = cable.nic.id
    with report.part(f"identity {name}", guest) as seen:
        identify(guest, cable, seen)
    with report.part(f"traffic {name}", guest) as seen:
        carry(guest, cable, seen)
    with report.part(f"filters {name}", guest) as seen:
        filter_frames(guest, cable, seen)
    if cable.nic.link:
        with report.part(f"link {name}", guest) as seen:
            pull_the_cable(guest, cable, seen)
    if cable.nic.offloads:
        with report.part(f"offloads {name}", guest) as seen:
            offload(guest, cable, seen)
    with report.part(f"restart {name}", guest) as seen:
        restart(guest, cable, seen)
    with report.part(f"stop {name}", guest) as seen:
        stop_and_go_on(guest, cable, seen)


def identify(guest: NicGuest, cable: Cable, seen: dict) -> None:
    where = f"/sys/class/net/{cable.interface}"
    seen["driver"] = guest.check(f"basename $(readlink {where}/device/driver)").strip()
    seen["mac"] = guest.check(f"cat {where}/address").strip()
    seen["wanted mac"] = cable.mac
    seen["told"] = guest.check(f"ethtool {cable.interface} 2>&1 || true")


def carry(guest: NicGuest, cable: Cable, seen: dict) -> None:
    """What comes is compared byte for byte."""
    interrupts = f"grep {cable.interface}$ /proc/interrupts || grep {cable.interface} /proc/interrupts"
    before = guest.counters(cable)
    seen["small"] = guest.ping(cable)
    seen["large"] = guest.ping(cable, 1472)
    seen["tcp"] = tcp(cable.guest, AMOUNT, AMOUNT)
    seen["udp"] = udp(cable.guest, count=DATAGRAMS, window=16, smallest=32, largest=1472)
    after = guest.counters(cable)
    seen["counted"] = {name: after[name] - before[name] for name in after}
    seen["interrupts"] = int(guest.check(interrupts).split()[1])


def filter_frames(guest: NicGuest, cable: Cable, seen: dict) -> None:
    """How many of FRAMES the card has refused, and the driver has got."""

    def refused(to: str) -> dict:
        before = guest.counters(cable), guest.received(cable)
        cable.send(to)
        for _ in range(1000):
            now = guest.counters(cable)
            ways = ("rx-packets", "rx-filtered")
            if sum(now[way] - before[0][way] for way in ways) >= FRAMES:
                break
            guest.check("usleep 10000")
        # Those that were let in reach the driver's count a moment later.
        expected = now["rx-packets"] - before[0]["rx-packets"]
        for _ in range(1000):
            got = guest.received(cable) - before[1]
            if got >= expected:
                break
            guest.check("usleep 10000")
        return {"refused": now["rx-filtered"] - before[0]["rx-filtered"], "driver": got}

    seen["own"] = refused(cable.mac)
    seen["foreign"] = refused(FOREIGN)
    guest.check(f"ip link set {cable.interface} promisc on")
    seen["promiscuous"] = refused(FOREIGN)
    guest.check(f"ip link set {cable.interface} promisc off")
    seen["foreign again"] = refused(FOREIGN)
    seen["group before"] = refused(GROUP)
    guest.check(f"ip maddr add {GROUP} dev {cable.interface}")
    seen["group"] = refused(GROUP)
    seen["other group"] = refused(OTHER_GROUP)
    guest.check(f"ip link set {cable.interface} allmulticast on")
    seen["all groups"] = refused(OTHER_GROUP)
    guest.check(f"ip link set {cable.interface} allmulticast off; ip maddr del {GROUP} dev {cable.interface}")
    seen["broadcast"] = refused("ff:ff:ff:ff:ff:ff")


def pull_the_cable(guest: NicGuest, cable: Cable, seen: dict) -> None:
    seen["carrier"] = []
    for up in (False, True):
        guest.monitor("set_link", name=cable.nic.id, up=up)
        guest.wait_for(f"grep -qx {int(up)} /sys/class/net/{cable.interface}/carrier")
        seen["carrier"].append(up)
    seen["ping"] = guest.ping(cable)


def offload(guest: NicGuest, cable: Cable, seen: dict) -> None:
    for state in ("on", "off"):
        what = seen.setdefault(state, {})
        guest.check(f"ethtool -K {cable.interface} tx {state} tso {state} rx {state}")
        guest.wait_for(f"grep -qx 1 /sys/class/net/{cable.interface}/carrier")
        before = guest.check(f"ethtool -S {cable.interface}")
        with watched(cable.nic.id) as wire:
            what["tcp"] = tcp(cable.guest, AMOUNT, AMOUNT)
            what["udp"] = udp(cable.guest, count=DATAGRAMS, window=16, smallest=32, largest=1472)
        what["wire"] = wire
        after = guest.check(f"ethtool -S {cable.interface}")
        what["sums"] = statistic(after, "rx_csum_offload_good") - statistic(before, "rx_csum_offload_good")
    guest.check(f"ethtool -K {cable.interface} tx on tso on rx on")
    guest.wait_for(f"grep -qx 1 /sys/class/net/{cable.interface}/carrier")


def statistic(text: str, name: str) -> int:
    (value,) = [line.split(":")[1] for line in text.splitlines() if line.split(":")[0].strip() == name]
    return int(value)


def restart(guest: NicGuest, cable: Cable, seen: dict) -> None:
    """The driver resets its card, again and again, while a stream goes each way."""
    interface = cable.interface
    with endless(cable.guest) as stream:
        for _ in range(3):
            stream.wait_flowing(1 << 12)
            guest.check(f"ip link set {interface} down; ip link set {interface} up")
            guest.wait_for(f"grep -qx 1 /sys/class/net/{interface}/carrier")
        stream.wait_flowing(1 << 12)
        seen["tcp"] = stream.stop()


def stop_and_go_on(guest: NicGuest, cable: Cable, seen: dict) -> None:
    with endless(cable.guest) as stream:
        stream.wait_flowing(1 << 12)
        guest.monitor("stop")
        still = [guest.counters(cable) for _ in range(2)]
        seen["stopped"] = still[0] == still[1]
        guest.monitor("cont")
        stream.wait_flowing(1 << 12)
        seen["tcp"] = stream.stop()


def reset(guest: NicGuest, seen: dict) -> None:
    """By the monitor, with traffic under way on all cards; the guest boots as it did first."""
    with ExitStack() as stack:
        for cable in guest.cables:
            stack.enter_context(endless(cable.guest)).wait_flowing(1 << 12)
        guest.monitor("system_reset")
    guest.wait_ready()
    guest.set_up()
    for cable in guest.cables:
        seen[cable.nic.id] = guest.ping(cable)
