# SPDX-License-Identifier: GPL-2.0-only
"""Names for the addresses of a kernel that runs without KASLR."""

import bisect
import subprocess
from pathlib import Path

from . import paths
from .kernels import Kernel


class Symbols:
    """A symbol table in the form of System.map or /proc/kallsyms, without modules."""

    def __init__(self, table: str = ""):
        self.address: dict[str, int] = {}
        text: list[tuple[int, str]] = []
        for line in table.splitlines():
            value, kind, name, *module = line.split()
            if module:
                continue
            self.address.setdefault(name, int(value, 16))
            if kind in "tTwW":
                text.append((int(value, 16), name))
        text.sort()
        self._starts = [start for start, _ in text]
        self._names = [name for _, name in text]
        self._code = [range(self.address.get(begin, 0), self.address.get(end, 0))
                      for begin, end in (("_stext", "_etext"), ("_sinittext", "_einittext"))]

    def name(self, address: int) -> str | None:
        """As in an oops: function+offset; None for what is not the kernel's code."""
        if not any(address in code for code in self._code):
            return None
        i = bisect.bisect_right(self._starts, address) - 1
        return f"{self._names[i]}+{address - self._starts[i]:#x}"


def load(kernel: Kernel) -> Symbols:
    """From System.map; where a package has only a stand-in for it, from the kernel itself."""
    table = kernel.sysmap.read_text()
    if len(table) < 10000:
        stat = kernel.image.stat()
        key = paths.digest(str(kernel.image).encode(), str(stat.st_mtime_ns).encode())
        table = paths.cached(f"kallsyms-{key}", lambda new: _ask(kernel, new)).read_text()
    return Symbols(table)


def _ask(kernel: Kernel, new: Path) -> None:
    """Boots it once. Its addresses are the same in each boot (nokaslr)."""
    scratch = new.with_name("out")
    with open(new, "wb") as table:
        subprocess.run([paths.LAB / "run", "--kernel", kernel.alias, "--no-kmemleak", "--timeout",
                        "180", "--out", scratch, "--", "cat", "/proc/kallsyms"],
                       stdin=subprocess.DEVNULL, stdout=table, check=True)
