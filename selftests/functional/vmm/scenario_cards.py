# SPDX-License-Identifier: GPL-2.0-only
"""In the lab: one guest with a card of each kind. It judges nothing."""

import contextlib
import fcntl
import os
import struct
from contextlib import ExitStack
from pathlib import Path
from typing import Iterator

from guests.nested import run
from machine import Report
from plugs import PLUGS, Plug
from scenario import difference
from traffic import endless, serve, tcp, udp
from vireo import PANIC, OwnGuest, ping_both_ways
from wires import IFF_MULTI_QUEUE, IFF_NO_PI, IFF_TAP, IFF_VNET_HDR, TUNSETIFF, VhostDevice

VLAN = 7
SWITCHES = 6


class End:
    """The host's end of a card's wire, there while the object is entered."""

    def __init__(self, number: int, plug: Plug) -> None:
        self.plug = plug
        self.host, self.guest = f"10.98.{number}.1", f"10.98.{number}.2"
        self.interface = f"eth{number}"  # in the guest, which finds the cards in this order
        self.fds: list[int] = []
        # The interface with the host's address.
        self.addressed = {"create": f"bridge{number}", "macvtap": f"peer{number}"}.get(plug.kind, plug.name)

    def __enter__(self) -> "End":
        plug = self.plug
        if plug.kind == "tap":
            run("ip", "tuntap", "add", plug.name, "mode", "tap", *["multi_queue"] * (plug.queues > 1))
        elif plug.kind == "create":
            run("ip", "link", "add", self.addressed, "type", "bridge", "forward_delay", "0", "mcast_snooping", "0")
        elif plug.kind == "fd":
            self.fds = [self._open() for _ in range(plug.queues)]
        else:
            self._parent = f"below-{plug.name}"
            run("ip", "link", "add", self._parent, "type", "veth", "peer", "name", self.addressed)
            run("ip", "link", "set", self._parent, "up")
        run("ip", "link", "set", self.addressed, "mtu", str(plug.mtu))
        run("ip", "addr", "add", f"{self.host}/24", "dev", self.addressed)
        run("ip", "link", "set", self.addressed, "up")
        return self

    def __exit__(self, *_: object) -> None:
        if Path("/sys/class/net", self.addressed).exists():
            run("ip", "link", "del", self.addressed)

    def _open(self) -> int:
        fd = os.open("/dev/net/tun", os.O_RDWR)
        flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | (IFF_MULTI_QUEUE if self.plug.queues > 1 else 0)
        fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", self.plug.name.encode(), flags))
        return fd

    def arguments(self) -> list[str]:
        plug = self.plug
        where = {
            "tap": f"ifname={plug.name}",
            "create": f"ifname={plug.name},create=on,br={self.addressed}",
            "fd": f"{'fds' if plug.queues > 1 else 'fd'}={':'.join(map(str, self.fds))}",
            "macvtap": f"ifname={plug.name},create=on,macvtap={getattr(self, '_parent', '')}",
        }[plug.kind]
        queues = f",queues={plug.queues}" if plug.queues > 1 and plug.kind != "fd" else ""
        vhost = plug.vhost or ("vhost=on" if plug.path == "vhost" else "vhost=off")
        card = f"virtio-net-pci,id={plug.name},netdev=net-{plug.name}"
        card += ",mq=on" if plug.queues > 1 else ""
        card += f",host_mtu={plug.mtu}" if plug.mtu != 1500 else ""
        card += ",packed=on" if plug.packed else ""
        return ["-netdev", f"tap,id=net-{plug.name},{where}{queues},{vhost}", "-device", card]

    def exists(self) -> bool:
        return Path("/sys/class/net", self.plug.name).exists()

    def carried(self) -> int:
        """By the interface's own count, which needs nobody else's word."""
        counts = Path("/sys/class/net", self.plug.name, "statistics")
        return sum(int((counts / f"{way}_packets").read_text(encoding="ascii")) for way in ("rx", "tx"))


def observe(report: Report, program: Path, device: VhostDevice, images: dict) -> None:
    for module in ("tun", "bridge", "veth", "macvtap", "8021q", "vhost_net"):
        run("modprobe", module)
    with ExitStack() as stack:
        ends = {plug.name: stack.enter_context(End(number, plug)) for number, plug in enumerate(PLUGS)}
        guest = OwnGuest(
            program,
            address=",".join(f"{end.interface}:{end.guest}/24" for end in ends.values()),
            arguments=[word for end in ends.values() for word in end.arguments()],
            pass_fds=[fd for end in ends.values() for fd in end.fds],
            append=PANIC, cpus=2, **images,
        )  # fmt: skip
        stack.callback(guest.stop)
        with report.part("boot") as seen:
            guest.start()
            for end in ends.values():
                for fd in end.fds:
                    os.close(fd)
            guest.wait_ready()
            seen["vhost workers"] = {path: worker(path, guest.process.pid) for path in ("vireo", "vhost")}
            seen["there"] = {name: end.exists() for name, end in ends.items()}
        serve(guest)
        for name, end in ends.items():
            with report.part(f"traffic {name}", guest) as seen:
                carry(guest, end, seen)
            if end.plug.queues > 1:
                with report.part(f"queues {name}", guest) as seen:
                    use_queues(guest, end, seen)
            if end.plug.vlan:
                with report.part(f"vlan {name}", guest) as seen:
                    use_vlan(guest, end, seen)
            if end.plug.switched:
                with report.part(f"switch {name}", guest) as seen:
                    switch(guest, end, seen)
        for name, end in ends.items():
            if end.plug.unplugged:
                with report.part(f"unplug {name}", guest) as seen:
                    unplug(guest, end, next(iter(ends.values())), seen)
        report["complaints"] = guest.complaints()
        report["exit status"] = guest.power_off()
        report["said"] = [line for line in guest.console().splitlines() if line.startswith("vireo: ")]
        report["left"] = {name: end.exists() for name, end in ends.items()}


def worker(name: str, owner: int) -> bool:
    return f"{name}-{owner}" in run("ps", "-e", "-T", "-o", "comm=").split()


def carry(guest: OwnGuest, end: End, seen: dict) -> None:
    name = end.plug.name
    seen["bits"] = guest.accepted(f"/sys/class/net/{end.interface}/device")
    seen["vmm"] = guest.features(name)
    seen["mtu"] = int(guest.check(f"cat /sys/class/net/{end.interface}/mtu"))
    before, of_host = guest.carried(name), end.carried()
    seen["ping"] = ping_both_ways(guest, end.host, end.guest, size=end.plug.mtu - 28)
    seen["tcp"] = tcp(end.guest, end.plug.amount, end.plug.amount)
    seen["udp"] = udp(end.guest, count=200, window=16, smallest=32, largest=1472)
    seen["carried"] = difference(before, guest.carried(name))
    seen["carried by the interface"] = end.carried() - of_host
    seen["queues"] = guest.counters(name)


def use_queues(guest: OwnGuest, end: End, seen: dict) -> None:
    """A CPU of the guest sends by the queue pair of its number, and the tap answers by the same."""
    name = end.plug.name
    for cpu in range(end.plug.queues):
        before = [sum_of(queue) for queue in guest.counters(name)]
        guest.check(f"taskset {1 << cpu:x} ping -c 20 -i 0.02 -W 20 {end.host}")
        after = [sum_of(queue) for queue in guest.counters(name)]
        seen[f"cpu {cpu}"] = [now - then for then, now in zip(before, after)]


def sum_of(queue: dict) -> int:
    return queue["counters"].get("packets", 0)


@contextlib.contextmanager
def vlan_of_host(end: End) -> Iterator[tuple[str, str]]:
    """Addresses of host and guest."""
    name = f"{end.addressed[:10]}.{VLAN}"
    host, guest = (address.replace("10.98.", "10.97.") for address in (end.host, end.guest))
    run("ip", "link", "add", "link", end.addressed, "name", name, "type", "vlan", "id", str(VLAN))
    try:
        run("ip", "addr", "add", f"{host}/24", "dev", name)
        run("ip", "link", "set", name, "up")
        yield host, guest
    finally:
        run("ip", "link", "del", name)


def use_vlan(guest: OwnGuest, end: End, seen: dict) -> None:
    with vlan_of_host(end) as (host, address):
        guest.check(
            f"modprobe 8021q; ip link add link {end.interface} name vlan type vlan id {VLAN} &&"
            f" ip addr add {address}/24 dev vlan && ip link set vlan up"
        )
        before = guest.carried(end.plug.name)
        seen["ping"] = ping_both_ways(guest, host, address)
        seen["tcp"] = tcp(address, 1 << 20, 1 << 20)
        seen["carried"] = difference(before, guest.carried(end.plug.name))
        guest.check("ip link del vlan")


def switch(guest: OwnGuest, end: End, seen: dict) -> None:
    """First to the path that it did not begin with."""
    name = end.plug.name
    paths = {"user": ("vhost", "user"), "vhost": ("user", "vhost")}[end.plug.path]
    seen["paths"] = []
    with endless(end.guest) as stream:
        stream.wait_flowing()
        for number in range(SWITCHES):
            path = paths[number % 2]
            guest.monitor("x-vireo-path", device=name, path=path)
            before = guest.carried(name)
            stream.wait_flowing()
            now = [queue["path"] for queue in guest.counters(name)[: 2 * end.plug.queues]]
            seen["paths"].append({"asked": path, "now": now, "carried": difference(before, guest.carried(name))})
        seen["tcp"] = stream.stop()


def unplug(guest: OwnGuest, end: End, other: End, seen: dict) -> None:
    with endless(end.guest) as stream:
        stream.wait_flowing()
        run("ip", "link", "del", end.plug.name)
        guest.wait_for(f"grep -qx 0 /sys/class/net/{end.interface}/carrier")
        seen["carrier"] = int(guest.check(f"cat /sys/class/net/{end.interface}/carrier"))
    seen["switched"] = guest.refused("x-vireo-path", device=end.plug.name, path="user")
    seen["status"] = guest.monitor("query-status")["status"]
    seen["another"] = ping_both_ways(guest, other.host, other.guest)
