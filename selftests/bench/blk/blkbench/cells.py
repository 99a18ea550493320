# SPDX-License-Identifier: GPL-2.0-only
"""What is measured."""

from __future__ import annotations

from dataclasses import dataclass

OPS = ("read", "write")
DEPTHS = (1, 32)

# By the names that figures have: what the driver program is told of a path.
HOST = "io_uring"  # what the host itself pays
OURS = "vhost-blk"
RAW = {
    HOST: "path=uring",
    "io_uring, registered": "path=uring fixed=on",
    "libaio": "path=aio",
}
KERNEL = {
    OURS: "path=vhost",
    "vhost-blk, packed": "path=vhost ring=packed",
}
USERSPACE = {
    "vireo, io_uring": "path=user",
    "vireo, io_uring, packed": "path=user ring=packed",
    "qemu-storage-daemon, io_uring": "path=vhost-user socket=@io_uring",
    "qemu-storage-daemon, native": "path=vhost-user socket=@native",
}
ALONE = {
    "driver alone": "path=driver",
    "driver alone, packed": "path=driver ring=packed",
}


@dataclass(frozen=True)
class Cell:
    """One run of the driver program."""

    name: str
    words: str
    op: str
    depth: int
    requests: int

    def arguments(self) -> str:
        return f"{self.words} op={self.op} depth={self.depth} requests={self.requests} warm={self.requests // 8}"


def cells(requests: int) -> list[Cell]:
    return [Cell(name, words, op, depth, requests)
            for op in OPS for depth in DEPTHS
            for name, words in (RAW | KERNEL | USERSPACE | ALONE).items()]  # fmt: skip
