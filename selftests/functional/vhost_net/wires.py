# SPDX-License-Identifier: GPL-2.0-only
"""In the lab: the vhost device, and the wires from the host to the guest's cards."""

import fcntl
import os
import struct
from pathlib import Path
from typing import Iterator

from cards import Card
from guests.errors import GuestError
from guests.nested import Tap, run

TUNSETIFF = 0x400454CA
IFF_TAP, IFF_NO_PI, IFF_MULTI_QUEUE, IFF_VNET_HDR = 0x0002, 0x1000, 0x0100, 0x4000


class VhostDevice:
    """The device under test, and what shows that it is at work."""

    MODULES = {"/dev/vhost-net": "vhost_net", "/dev/vireo-net": "vireo_net"}
    WORKERS = {"/dev/vhost-net": "vhost-", "/dev/vireo-net": "vireo-"}

    def __init__(self, path: str) -> None:
        if path not in self.MODULES:
            raise GuestError(f"VIREO_VHOSTDEV={path}: unknown; known are {', '.join(self.MODULES)}")
        self.path = path
        self.module = self.MODULES[path]

    def load(self) -> None:
        if self.module == "vhost_net":
            run("modprobe", "vhost_net")
        else:
            run("modprobe", "tun")
            run("modprobe", "tap")
            for name in ("vireo", "vireo_net"):
                run("insmod", f"{os.environ['VIREO_MODULES']}/{name}.ko")

    def open(self) -> int:
        return os.open(self.path, os.O_RDWR)

    def users(self) -> int:
        """How often the module is held, each open device being one."""
        return int(Path(f"/sys/module/{self.module}/refcnt").read_text(encoding="ascii"))

    def workers(self, owner: int) -> list[int]:
        """Threads that serve this process's rings: kernel threads, or threads of its own on newer kernels."""
        name = f"{self.WORKERS[self.path]}{owner}"
        return [thread for thread in _threads() if _name_of(thread) == name]


def _threads() -> Iterator[int]:
    for process in Path("/proc").glob("[0-9]*"):
        try:
            yield from (int(thread.name) for thread in (process / "task").iterdir())
        except OSError:
            pass  # it ended


def _name_of(thread: int) -> str:
    try:
        return Path(f"/proc/{thread}/comm").read_text(encoding="utf-8").strip()
    except OSError:
        return ""


def copied_by(process: int) -> int | None:
    """Bytes that it has read and written with system calls of its own: a packet that a VMM moves itself is among them,
    one that a vhost device moves is not. None from a kernel that does not count them, as the debug kernels."""
    counted = Path(f"/proc/{process}/io")
    if not counted.exists():
        return None
    fields = counted.read_text(encoding="ascii").split()
    counts = dict(zip(fields[::2], fields[1::2], strict=True))
    return int(counts["rchar:"]) + int(counts["wchar:"])


class Wire:
    """A card of the guest, and the tap at its other end, there while the object is entered."""

    def __init__(self, number: int, card: Card, *, bridge: str = "", suffix: str = "") -> None:
        """With a bridge, the tap is one of its ports and has no address; suffix tells taps for the same card apart."""
        self.number, self.card, self.bridge = number, card, bridge
        self.tap_name = card.name + suffix
        self.host, self.guest = f"10.99.{number}.1", f"10.99.{number}.2"
        self.interface = f"eth{number}"  # in the guest, which finds the cards in this order
        self.mac = f"52:54:00:99:00:{number:02x}"
        self._fds: list[int] = []
        self.device_fds: list[int] = []  # their numbers in the VMM, which has inherited them

    @property
    def guest_address(self) -> str:
        """For the guest's command line."""
        return f"{self.interface}:{self.guest}/24"

    def __enter__(self) -> "Wire":
        if self.card.queues > 1:
            run("modprobe", "tun")
            self._queues = [self._open_queue() for _ in range(self.card.queues)]
            if not self.bridge:
                run("ip", "addr", "add", f"{self.host}/24", "dev", self.tap_name)
            run("ip", "link", "set", self.tap_name, "up")
        else:
            self._tap = Tap(self.tap_name, "" if self.bridge else f"{self.host}/24")
            self._tap.__enter__()
        if self.bridge:
            run("ip", "link", "set", self.tap_name, "master", self.bridge)
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
        if self.card.queues > 1:
            for queue in self._queues:
                os.close(queue)
        else:
            self._tap.__exit__()

    def _open_queue(self) -> int:
        queue = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | IFF_MULTI_QUEUE
        fcntl.ioctl(queue, TUNSETIFF, struct.pack("16sH22x", self.tap_name.encode(), flags))
        return queue

    def plug(self, device: VhostDevice | None, options: str = "") -> list[str]:
        """QEMU's arguments; without a device, QEMU serves the rings itself. options are more of the card's."""
        vhost = "vhost=off"
        self._fds = [device.open() for _ in range(self.card.queues)] if device else []
        self.device_fds = list(self._fds)
        if self.card.queues > 1:
            vhost = f"vhost=on,vhostfds={':'.join(map(str, self._fds))}" if device else vhost
            netdev = f"tap,id=net-{self.card.name},fds={':'.join(map(str, self._queues))},{vhost}"
        else:
            vhost = f"vhost=on,vhostfd={self._fds[0]}" if device else vhost
            netdev = f"tap,id=net-{self.card.name},ifname={self.tap_name},script=no,downscript=no,{vhost}"
        properties = [
            "virtio-net-pci", f"id={self.card.name}", f"netdev=net-{self.card.name}", f"addr={self.number + 4:#x}",
            f"mac={self.mac}", "romfile=", self.card.options, options,
        ]  # fmt: skip
        return ["-netdev", netdev, "-device", ",".join(filter(None, properties))]

    @property
    def fds(self) -> list[int]:
        """What the VMM has to inherit."""
        return self._fds + (self._queues if self.card.queues > 1 else [])

    def close(self) -> None:
        """Our copies of the device's files, once the VMM has its own: they would keep the device open."""
        for fd in self._fds:
            os.close(fd)
        self._fds = []


class Bridge:
    """In the host, with the address that a tap has when it is alone."""

    def __init__(self, number: int) -> None:
        self.name, self.address = f"bridge{number}", f"10.99.{number}.1/24"

    def __enter__(self) -> "Bridge":
        run("modprobe", "bridge")
        run("ip", "link", "add", self.name, "type", "bridge", "forward_delay", "0", "mcast_snooping", "0")
        run("ip", "addr", "add", self.address, "dev", self.name)
        run("ip", "link", "set", self.name, "up")
        return self

    def __exit__(self, *_: object) -> None:
        run("ip", "link", "del", self.name)
