# SPDX-License-Identifier: GPL-2.0-only
"""The VMMs, and how each is told to boot the same machine: one CPU, a serial port, a card on a tap, a disk."""

from __future__ import annotations

from pathlib import Path

from guests.nested import Guest, Tap

OURS = "vireo"
QEMU = {"QEMU q35": "q35", "QEMU microvm": "microvm"}
NAMES = (OURS, *QEMU)


class Machine(Guest):
    def __init__(self, name: str, program: Path, tap: Tap, image: Path, **others) -> None:
        super().__init__(memory=256, **others)
        self.name = name
        self._program = program
        self._tap = tap
        self._image = image

    def wait_line(self, pattern: bytes, limit: float) -> None:
        """Until it says so on its console."""
        self._expect(self._console, pattern, limit, "the first line of its userspace")

    def command(self, console: int, agent: int, monitor: int) -> list[str]:
        words = super().command(console, agent, monitor)
        if self.name == OURS:
            # The same words but for those that only QEMU has.
            words = [str(self._program), *words[words.index("-smp") :]]
            for option, value in (("-no-user-config", ""), ("-display", "none")):
                at = words.index(option)
                del words[at : at + (2 if value else 1)]
        else:
            words += ["-machine", QEMU[self.name]]
        # microvm has no PCI, so its devices are on virtio-mmio.
        bus = "device" if QEMU.get(self.name) == "microvm" else "pci"
        no_rom = ",romfile=" if QEMU.get(self.name) == "q35" else ""
        return [
            *words,
            *self._tap.nic(f"virtio-net-{bus}", device_options=no_rom.lstrip(",")),
            "-drive", f"file={self._image},if=none,id=image,format=raw",
            "-device", f"virtio-blk-{bus},drive=image",
        ]  # fmt: skip
