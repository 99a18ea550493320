# SPDX-License-Identifier: GPL-2.0-only
"""What is measured."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Iterator

PEER = "/dev/vhost-net"
OURS = "/dev/vireo-net"

SIZES = (64, 1500, 60000)  # bytes of a frame; the last one is a GSO frame (TX), or one of fragments (RX)
LARGE = 2000  # frames from here on take long, so there are fewer of them
DIRECTIONS = ("tx", "rx")


@dataclass(frozen=True)
class Cell:
    """One run of the driver program; its fields are the program's arguments."""

    device: str
    direction: str
    size: int
    ring: str = "split"
    event_idx: bool = True
    mergeable: bool = True
    packets: int = 20000
    load: str = "full"  # or one: a frame at a time

    def arguments(self) -> str:
        words = {name: value for name, value in asdict(self).items() if name != "device"}
        for name, value in words.items():
            if isinstance(value, bool):
                words[name] = "on" if value else "off"
        words["warm"] = min(2048, self.packets)
        # What a source costs alone is measured where nobody receives.
        tap = "dummy0" if self.device == "none" else "tap0"
        return " ".join([f"device={self.device} tap={tap}", *(f"{name}={value}" for name, value in words.items())])


def _shapes(full: bool) -> Iterator[tuple[bool, bool]]:
    """Event index, mergeable buffers."""
    yield True, True
    if full:
        yield False, True
        yield True, False
        yield False, False


def load(full: bool, packets: int) -> list[Cell]:
    """Full load, all sizes; or only what is judged most strictly."""
    cells = []
    for size in SIZES if full else SIZES[:2]:
        count = packets // 10 if size >= LARGE else packets
        for direction in DIRECTIONS:
            # What the driver and the source cost depends on nothing else but the ring's format.
            cells += [Cell("none", direction, size, ring, packets=count) for ring in ("split", "packed")]
            if size >= LARGE:
                cells += [Cell("none", direction, size, ring, mergeable=False, packets=count)
                          for ring in ("split", "packed")]  # fmt: skip
            cells.append(Cell("floor", direction, size, packets=count))
            for event_idx, mergeable in _shapes(full):
                for device, ring in ((PEER, "split"), (OURS, "split"), (OURS, "packed")):
                    cells.append(Cell(device, direction, size, ring, event_idx, mergeable, packets=count))
    return cells


def single(packets: int) -> list[Cell]:
    """One frame at a time."""
    return [Cell(device, direction, 64, ring, packets=packets, load="one")
            for direction in DIRECTIONS
            for device, ring in ((PEER, "split"), (OURS, "split"), (OURS, "packed"))]  # fmt: skip
