# SPDX-License-Identifier: GPL-2.0-only
"""Addresses and names of the lab's kernel, and what the plugin wrote about them."""

from __future__ import annotations

import bisect
import sys
from collections import Counter, defaultdict
from pathlib import Path

from .lab import LAB, BenchError

USER_END = 1 << 63  # addresses below are not the kernel's

sys.path.insert(0, str(LAB))
from vlab import kernels, symbols  # noqa: E402


def addresses(kernel: str, *names: str) -> dict[str, int]:
    """Of the kernel's own functions. GCC may have made a part or a clone of one, with a suffix."""
    table = symbols.load(kernels.find(kernel)).address
    found = {}
    for name in names:
        match = next((each for each in table if each == name or each.startswith(f"{name}.isra.")), None)
        if match is None:
            raise BenchError(f"kernel {kernel} has no function {name}")
        found[name] = table[match]
    return found


def plugin(kernel: str, library: Path, out: Path, *watched: str) -> str:
    """QEMU's arguments."""
    switch = addresses(kernel, "finish_task_switch")["finish_task_switch"]
    at = "".join(f",at={address:x}" for address in addresses(kernel, *watched).values())
    return f"-plugin {library},switch={switch:x},out={out}{at}"


def events(kernel: str, counts: Path, *watched: str) -> list[list[tuple[str, int]]]:
    """For each time that a program was measured: which function was called when."""
    names = {address: name for name, address in addresses(kernel, *watched).items()}
    runs: list[list[tuple[str, int]]] = []
    with open(counts, encoding="ascii") as file:
        for line in file:
            if line == "watch\n":
                runs.append([])
            elif line.startswith("@"):
                _, address, when = line.split()
                runs[-1].append((names[int(address, 16)], int(when)))
    return runs


class Profile:
    """Instructions by task and function."""

    def __init__(self, counts: Path, kallsyms: Path):
        functions = []
        for line in kallsyms.read_text().splitlines():
            address, kind, name, *module = line.split()
            if kind in "tTwW":
                functions.append((int(address, 16), name, module[0].strip("[]") if module else "kernel"))
        functions.sort()
        starts = [start for start, _, _ in functions]
        self.tasks: dict[str, Counter[tuple[str, str]]] = defaultdict(Counter)
        with open(counts, encoding="ascii") as file:
            for line in file:
                if line[0] in "w@":
                    continue
                stack, where, count = line.split()
                address = int(where, 16)
                if address < USER_END:
                    function = ("(its program)", "user")
                else:
                    function = functions[max(0, bisect.bisect_right(starts, address) - 1)][1:]
                self.tasks[stack][function] += int(count)

    def task_of(self, function: str) -> Counter[tuple[str, str]]:
        """The task that executed most of a function: a device's worker is who talks to the tap."""
        name, module = function.split("/")
        task = max(self.tasks.values(), key=lambda each: each[name, module], default=Counter())
        if not task[name, module]:
            raise BenchError(f"nobody called {name}() of {module} while it was counted")
        return task
