# SPDX-License-Identifier: GPL-2.0-only
"""In the lab: a guest under our own VMM, with what a setup asks for."""

import hashlib
import os
import subprocess
from pathlib import Path

from guests.channel import Channel
from guests.errors import GuestError
from guests.nested import COMMAND_LIMIT, Guest, Tap, run
from setups import DISK_SIZE, Card, Devices, Setup
from wires import VhostDevice

# A guest that hangs ends, and its console says where it hung.
PANIC = "softlockup_panic=1 watchdog_thresh=30"
BAD_WORDS = "WARNING:|BUG:|Oops|Call Trace|NETDEV WATCHDOG|is not a head|virtio.*(rror|nexpected)|I/O error"


class Cable:
    """A card of the guest, and the tap at its other end, there while the object is entered."""

    def __init__(self, number: int, card: Card) -> None:
        self.card = card
        self.host, self.guest = f"10.98.{number}.1", f"10.98.{number}.2"
        self.interface = f"eth{number}"  # in the guest, which finds the cards in this order
        self._tap = Tap(card.name, f"{self.host}/24")

    @property
    def guest_address(self) -> str:
        return f"{self.interface}:{self.guest}/24"

    def __enter__(self) -> "Cable":
        self._tap.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._tap.__exit__()

    def plug(self, device: VhostDevice) -> list[str]:
        vhost = f"vhost=on,vhostdev={device.path}" if self.card.path == "vhost" else "vhost=off"
        properties = ["virtio-net-pci", f"netdev={self.card.name}", self.card.properties]
        return [
            "-netdev", f"tap,id={self.card.name},ifname={self.card.name},script=no,downscript=no,{vhost}",
            "-device", ",".join(filter(None, properties)),
        ]  # fmt: skip


class Disk:
    """An image of random bytes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.write_bytes(os.urandom(DISK_SIZE))

    def digest(self, offset: int = 0, size: int = DISK_SIZE) -> str:
        with open(self.path, "rb") as image:
            image.seek(offset)
            return hashlib.sha256(image.read(size)).hexdigest()


class OwnGuest(Guest):
    """A guest under our own VMM."""

    def __init__(self, program: Path, **others) -> None:
        self.program = program
        super().__init__(**others)

    def devices_of(self) -> list[str]:
        """Arguments, for a subclass to add to."""
        return []

    def boots(self) -> list[str]:
        return ["-kernel", str(self.kernel), "-initrd", str(self.initrd), "-append", self.append]

    def command(self, console: int, agent: int, monitor: int) -> list[str]:
        return [
            str(self.program), "-smp", str(self.cpus), "-m", str(self.memory), "-nodefaults", *self.boots(),
            "-chardev", f"socket,id=console,fd={console}", "-serial", "chardev:console",
            "-chardev", f"socket,id=agent,fd={agent}", "-serial", "chardev:agent",
            "-chardev", f"socket,id=monitor,fd={monitor}", "-mon", "chardev=monitor,mode=control",
            *self.devices_of(), *self.arguments,
        ]  # fmt: skip

    def counters(self, device: str) -> list[dict]:
        """Of each of its queues: who serves it, and what was done."""
        (found,) = self.monitor("x-vireo-counters", device=device)
        return found["queues"]

    def features(self, device: str) -> int:
        """What was negotiated, as the VMM has it."""
        (found,) = self.monitor("x-vireo-counters", device=device)
        return found["features"]

    def carried(self, card: str) -> dict[str, int]:
        """Packets of a card, both ways, by who carried them."""
        queues = [queue["counters"] for queue in self.counters(card)]
        return {path: sum(queue.get(f"{path}-packets", 0) for queue in queues) for path in ("user", "vhost")}

    def accepted(self, directory: str) -> list[int]:
        """The feature bits that a driver in the guest has accepted."""
        bits = self.check(f"cat {directory}/features").strip()
        return [number for number, bit in enumerate(bits) if bit == "1"]

    def state(self) -> dict:
        """For whoever looks for the cause of a failure."""
        if self.process.poll() is not None:
            return {}
        return {"status": self.monitor("query-status"), "devices": self.monitor("x-vireo-counters")}

    def complaints(self) -> list[str]:
        return self.check(f"dmesg | grep -E '{BAD_WORDS}' || true").splitlines()

    def event(self, name: str) -> None:
        """Until the monitor tells of it; what it told before is forgotten."""
        self._expect(self._monitor, rb'^\{[^\n]*"%s".*?\n' % name.encode(), COMMAND_LIMIT, f"the event {name}")

    def refused(self, command: str, **arguments: object) -> str:
        """Why the monitor refuses it; empty if it does not."""
        try:
            self.monitor(command, **arguments)
        except GuestError as error:
            return str(error)
        return ""

    def wait_end(self) -> int:
        """The VMM's exit status, when it has been asked to end."""
        try:
            return self.process.wait(COMMAND_LIMIT)
        except subprocess.TimeoutExpired:
            raise GuestError(self._explain(f"the VMM did not end within {COMMAND_LIMIT} s")) from None


class Vireo(OwnGuest):
    """The guest of a setup: its cards, a disk, a source of randomness, and a console whose other end is talk."""

    devices = Devices()

    def __init__(
        self, program: Path, setup: Setup, cables: list[Cable], device: VhostDevice, disk: Path, **others
    ) -> None:
        self.setup = setup
        self.cables = {cable.card.name: cable for cable in cables}
        self.talk = Channel()
        self._disk = disk
        self._device = device
        super().__init__(
            program,
            address=",".join(cable.guest_address for cable in cables),
            append=f"{PANIC} {setup.append}",
            cpus=setup.cpus,
            memory=setup.memory,
            **others,
        )

    def devices_of(self) -> list[str]:
        more = f",{self.setup.properties}" if self.setup.properties else ""
        talk = self.talk.theirs.fileno()
        self.pass_fds.append(talk)
        return [
            *(word for cable in self.cables.values() for word in cable.plug(self._device)),
            "-drive", f"file={self._disk},if=none,id=image,format=raw,serial=VIREO-1",
            "-device", f"virtio-blk-pci,drive=image,id={self.devices.disk}{more}",
            "-device", f"virtio-rng-pci,id={self.devices.rng}{more}",
            "-device", f"virtio-serial-pci,id={self.devices.console}{more}",
            "-chardev", f"socket,id=talk,fd={talk}", "-device", "virtconsole,chardev=talk",
        ]  # fmt: skip

    def start(self) -> None:
        super().start()
        self.talk.start()

    def stop(self) -> None:
        super().stop()
        self.talk.close()

    def ping(self, card: str, count: int = 3, size: int = 56) -> dict:
        cable = self.cables[card]
        return ping_both_ways(self, cable.host, cable.guest, count, size)


def ping_both_ways(guest: Guest, host: str, address: str, count: int = 3, size: int = 56) -> dict:
    options = f"-c {count} -i 0.1 -W 20 -s {size}"
    return {
        "to guest": run("busybox", "ping", *options.split(), address),
        "to host": guest.check(f"ping {options} {host}"),
    }
