# SPDX-License-Identifier: GPL-2.0-only
"""Which kernel an alias means."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol

from .debug import Debug
from .stock import Stock
from .store import KernelError

WHAT = ("release", "image", "modules", "build", "sysmap", "config")


class Kernel(Protocol):
    built: bool

    def have(self) -> bool: ...
    def ensure(self) -> None: ...
    def update(self) -> None: ...
    def release(self) -> str: ...
    def directory(self) -> Path | None: ...
    def path(self, what: str) -> Path: ...


class Installed:
    """The kernel that runs here. It is nothing the lab boots; modules may be built for it."""

    built = False

    def tree(self) -> Path:
        return Path("/lib/modules", self.release(), "build")

    def have(self) -> bool:
        return self.tree().is_dir()

    def ensure(self) -> None:
        if not self.have():
            raise KernelError(
                f"kernel installed: {self.tree()} is missing; "
                f"as root run: apt-get install linux-headers-{self.release()}, "
                "or choose a kernel that the lab fetches (6.1, 6.12)"
            )

    def update(self) -> None:
        pass

    def release(self) -> str:
        return os.uname().release

    def directory(self) -> Path | None:
        return None

    def path(self, what: str) -> Path:
        if what != "build":
            raise KernelError(
                f"kernel installed: has release and build only, no {what}; "
                "the lab boots 6.1, 6.12, debug and debug-6.12"
            )
        return self.tree()


KERNELS: dict[str, Kernel] = {
    "6.1": Stock("6.1", "linux-image-amd64"),
    "6.12": Stock("6.12", "linux-image-6.12-amd64"),
    "debug": Debug("debug", "6.1", 2600),
    "debug-6.12": Debug("debug-6.12", "6.12", 2500),
    "installed": Installed(),
}


def find(alias: str) -> Kernel:
    if alias not in KERNELS:
        raise KernelError(f'kernel "{alias}": unknown; known are {", ".join(KERNELS)}')
    return KERNELS[alias]
