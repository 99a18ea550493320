# SPDX-License-Identifier: GPL-2.0-only
"""In the lab: a guest with several cards on vhost devices, and what is asked of it again and again."""

import contextlib
import json
import os
import tempfile
from pathlib import Path
from typing import Iterator, Sequence

import counters
from guests.errors import GuestError, say
from guests.nested import BOOT_LIMIT, COMMAND_LIMIT, Guest, Result, run
from vlab.cpio import Archive
from wires import VhostDevice, Wire

BAD_WORDS = "WARNING:|BUG:|Oops|Call Trace|NETDEV WATCHDOG|is not a head|virtio.*(rror|nexpected)|DMAR:.*fault"


# A guest that hangs ends, and its console says where it hung.
APPEND = "softlockup_panic=1 watchdog_thresh=60"


# Debian's root, and its services have as long to start as a slow machine takes.
DEBIAN = "vireo.root=/dev/vda1 systemd.default_timeout_start_sec=900"
PROMPT = rb"root@debian-guest:~# "


class Report:
    """What was seen, by topic, in a JSON file. A part that fails is told, and the next one tried while there is a guest
    to try it on."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.seen: dict = {"failures": {}}

    def __setitem__(self, what: str, value: object) -> None:
        self.seen[what] = value

    def write(self) -> None:
        self.path.write_text(json.dumps(self.seen, indent=1) + "\n", encoding="utf-8")

    @contextlib.contextmanager
    def part(self, name: str, guest: "Machine | None" = None) -> Iterator[dict]:
        say(name)
        seen = self.seen.setdefault(name, {})
        try:
            yield seen
        except (GuestError, OSError) as error:
            say(f"{name}: {error}")
            self.seen["failures"][name] = str(error)
            if guest:
                seen["state"] = guest.state()
            if not guest or guest.process.poll() is not None:
                raise GuestError(f"{name}: {error}") from error
        finally:
            self.write()  # the lab may not live to see the end


def initrd_with(base: Path, program: Path) -> Path:
    """The small initrd, with the traffic program added; the kernel unpacks archives that follow one another."""
    archive = Archive()
    archive.file("bin/traffic", program.read_bytes(), 0o755)
    both = Path(tempfile.mkdtemp(prefix="initrd-"), "initrd")
    both.write_bytes(base.read_bytes() + archive.finish())
    return both


class Machine(Guest):
    """With cards. There may be others that wait for a migration, so it does not say when it is ready."""

    def __init__(
        self, device: VhostDevice | None, wires: Sequence[Wire], *, options: str = "", append: str = "", **others
    ) -> None:
        """options are of each card; without a device, QEMU serves their rings itself."""
        self.device = device
        self.wires = {wire.card.name: wire for wire in wires}
        plugs = [word for wire in wires for word in wire.plug(device, options)]
        super().__init__(
            append=f"{APPEND} {append}",
            address=",".join(wire.guest_address for wire in wires),
            pass_fds=[fd for wire in wires for fd in wire.fds],
            **{**others, "arguments": [*others.pop("arguments", ()), *plugs]},
        )

    def start(self) -> None:
        super().start()
        for wire in self.wires.values():
            wire.close()

    def status(self, name: str) -> dict:
        return self.monitor("x-query-virtio-status", path=_path(name))

    def queue(self, name: str, number: int) -> dict:
        return self.monitor("x-query-virtio-queue-status", path=_path(name), queue=number)

    def negotiated(self, name: str) -> dict:
        """The bits of a card as the guest's driver, QEMU, and the vhost device have them."""
        wire = self.wires[name]
        status = self.status(name)
        vhost = status.get("vhost-dev") or {}
        return {
            "guest": self.check(f"cat /sys/class/net/{wire.interface}/device/features").strip(),
            "mac": self.check(f"cat /sys/class/net/{wire.interface}/address").strip(),
            "qemu": _names(status["guest-features"]),
            "acked": _names(vhost.get("acked-features", {})),
            "vhost started": status["vhost-started"],
        }

    def counters(self, name: str) -> list[dict]:
        """The device's own, for each queue pair of a card. The kernel's own device has none."""
        if not self.device or self.device.module != "vireo_net":
            return []
        return [counters.read(self.process.pid, fd) for fd in self.wires[name].device_fds]

    def state(self) -> dict:
        """For whoever looks for the cause of a failure: of each card what QEMU and the device have to say."""
        if self.process.poll() is not None:
            return {}
        return {"registers": [self.registers() for _ in range(2)]} | {
            name: {
                "counters": self.counters(name),
                "queues": [self.queue(name, number) for number in range(2 * wire.card.queues)],
            }
            for name, wire in self.wires.items()
        }

    def registers(self) -> list[str]:
        """Of each CPU; twice the same are those of a guest that stands still."""
        return self.monitor("human-monitor-command", **{"command-line": "info registers -a"}).splitlines()

    def carried(self, name: str, what: str = "packets") -> list[dict[str, int]]:
        """How much the device has moved each way, for each queue pair of a card."""
        return [{way: pair[way][what] for way in pair} for pair in self.counters(name)]

    def ping(self, name: str, count: int = 3, size: int = 56) -> dict:
        wire = self.wires[name]
        options = f"-c {count} -i 0.1 -W 20 -s {size}"
        return {
            "to guest": run("busybox", "ping", *options.split(), wire.guest),
            "to host": self.check(f"ping {options} {wire.host}"),
        }

    def complaints(self) -> list[str]:
        return self.check(f"dmesg | grep -E '{BAD_WORDS}' || true").splitlines()


class Debian(Machine):
    """Debian's root disk; commands go to the shell that systemd leaves on the console."""

    def __init__(self, device: VhostDevice, wires: Sequence[Wire], program: Path, **images) -> None:
        # A disk is the shortest way for a file into a guest, when nobody else is asked to help.
        disks = ((images.pop("disk"), "snapshot=on"), (program, "readonly=on"))
        drives = [f"file={path},format=raw,if=virtio,{options}" for path, options in disks]
        arguments = [word for drive in drives for word in ("-drive", drive)]
        super().__init__(device, wires, arguments=arguments, append=DEBIAN, memory=768, **images)

    def wait_ready(self, timeout: float = BOOT_LIMIT) -> None:
        self._expect(self._console, PROMPT, timeout, "the shell on the console")

    def set_up(self) -> None:
        """What the small initrd does by itself."""
        self.check("stty -echo; dmesg -n 1; cat /dev/vdb >/bin/traffic; chmod +x /bin/traffic")
        for wire in self.wires.values():
            card = f"$(basename $(dirname $(grep -l {wire.mac} /sys/class/net/*/address)))"
            self.check(
                f"ip link set dev {card} down; ip link set dev {card} name {wire.interface}; "
                f"ip addr add {wire.guest}/24 dev {wire.interface}; ip link set {wire.interface} up"
            )

    def run(self, command: str, timeout: float = COMMAND_LIMIT) -> Result:
        # The marks are put together by the shell, so that an echo of the command is not taken for them.
        self._send(self._console, f"echo BE''GIN; ( {command}\n); echo EN''D=$?\n".encode(), f'the command "{command}"')
        match = self._expect(self._console, rb"BEGIN\r\n(.*?)END=(\d+)\r\n", timeout, f'the command "{command}"')
        return Result(int(match[2]), match[1].decode(errors="replace").replace("\r\n", "\n"))

    def power_off(self, timeout: float = BOOT_LIMIT) -> int:
        self._send(self._console, b"poweroff\n", "the guest to power off")
        return self.process.wait(timeout)


def _path(name: str) -> str:
    return f"/machine/peripheral/{name}/virtio-backend"


def _names(features: dict) -> list[str]:
    """The monitor's list of features, without what it tells of each."""
    known = features.get("transports", []) + features.get("dev-features", [])
    unknown = [f"{kind}={value:#x}" for kind, value in features.items() if kind.startswith("unknown") and value]
    return [name.split(":")[0] for name in known] + unknown


def device_under_test() -> VhostDevice:
    return VhostDevice(os.environ.get("VIREO_VHOSTDEV", "/dev/vireo-net"))
