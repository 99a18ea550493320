# SPDX-License-Identifier: GPL-2.0-only
"""Does guest time pass?

PID 1 sends a beat per CPU and second of guest time. Their absence alone proves nothing: on a
loaded machine, or under --icount, they come late. So silence is measured by the CPU time that
QEMU used in it: a guest that got that much CPU without a second passing is frozen. A guest
that neither beats nor uses CPU, nor waits for a CPU, is halted with no timer to wake it.
"""

import os
from dataclasses import dataclass


@dataclass(frozen=True)
class Usage:
    """QEMU's, since it started, in seconds."""

    cpu: float
    waiting: float  # runnable, but another process had the CPU


def usage_of(pid: int) -> Usage:
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as f:
        fields = f.read().rpartition(")")[2].split()
    cpu = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    waiting = 0.0
    for task in os.listdir(f"/proc/{pid}/task"):
        try:
            with open(f"/proc/{pid}/task/{task}/schedstat", encoding="ascii") as f:
                waiting += int(f.read().split()[1]) / 1e9
        except (OSError, IndexError):
            pass  # a thread that has just ended, or a kernel without schedstats
    return Usage(cpu, waiting)


class Watch:
    # Seconds. They keep "within a minute" where QEMU gets half a CPU or more.
    FROZEN_SILENCE = 25.0
    FROZEN_CPU = 15.0
    ICOUNT_CPU = 25.0  # a second of guest time takes two to four of CPU
    BOOT_CPU = 30.0  # early boot has long stretches without a message
    HALTED_SILENCE = 45.0
    HALTED_CPU = 2.0
    STUCK_LAG = 40.0  # of guest time, one CPU behind another

    def __init__(self, now: float, usage: Usage, icount: bool = False):
        self._life = now
        self._usage = usage
        self._icount = icount
        self._beats: dict[int, tuple[float, float]] = {}  # CPU -> guest time, host time

    @property
    def beating(self) -> bool:
        return bool(self._beats)

    def beat(self, cpu: int, guest: float, now: float, usage: Usage) -> None:
        self._beats[cpu] = (guest, now)
        self._life, self._usage = now, usage

    def console(self, now: float, usage: Usage) -> None:
        """Before the first beat the console is the only sign of life; later it proves less."""
        if not self.beating:
            self._life, self._usage = now, usage

    def verdict(self, now: float, usage: Usage) -> str | None:
        """What is wrong, as a sentence, if anything is."""
        silent = now - self._life
        burnt = usage.cpu - self._usage.cpu
        waited = usage.waiting - self._usage.waiting
        if silent >= self.FROZEN_SILENCE and burnt >= self._cpu_limit():
            return (f"frozen: no guest time has passed for {silent:.0f} s "
                    f"while QEMU used {burnt:.0f} s of CPU")
        if silent >= self.HALTED_SILENCE and burnt + waited <= self.HALTED_CPU:
            return (f"halted: no guest time has passed for {silent:.0f} s, and QEMU is idle "
                    f"({burnt:.1f} s of CPU used)")
        return self._stuck(now)

    def _cpu_limit(self) -> float:
        if not self.beating:
            return self.BOOT_CPU
        return self.ICOUNT_CPU if self._icount else self.FROZEN_CPU

    def _stuck(self, now: float) -> str | None:
        if not self._beats:
            return None
        newest = max(guest for guest, _ in self._beats.values())
        for cpu, (guest, host) in sorted(self._beats.items()):
            if newest - guest >= self.STUCK_LAG and now - host >= self.STUCK_LAG:
                return (f"frozen in part: CPU {cpu} has run no process for "
                        f"{newest - guest:.0f} s of guest time")
        return None
