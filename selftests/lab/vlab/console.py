# SPDX-License-Identifier: GPL-2.0-only
"""The guest kernel's console: kept as a file, and read for reports of trouble.

A report is any message by which the kernel says that something in it is wrong. One is
enough to fail a run, whatever the command's own status.
"""

import fcntl
import os
import re
from dataclasses import dataclass, field
from pathlib import Path

# "[   12.345678] " and, with CONFIG_PRINTK_CALLER, "[   12.345678][  T123] ".
_PREFIX = re.compile(r"^\[\s*(\d+\.\d+)\](?:\[[^]]*\])? ")

# Anchored, so that a line which merely quotes such words ("traps: cat[7] general protection
# fault ip:..." is a process's own) is none.
_START = re.compile(
    r"^(?:watchdog: )?BUG[: ]"  # BUG:, KASAN, KCSAN, KFENCE, sleeping/scheduling in atomic,
    #                             soft lockup, workqueue lockup, slab corruption ("BUG kmalloc-64")
    r"|^WARNING: "  # WARN_ON, every lockdep report, refcount_t, ODEBUG
    r"|^-+\[ cut here \]-+"
    r"|^kernel BUG at "
    r"|^Oops"
    r"|^(?:general protection fault|divide error|invalid opcode|double fault|stack segment"
    r"|int3|bad\w* \w*fault)(?:[:,]|$)"
    r"|^Kernel panic"
    r"|^UBSAN: "
    r"|^INFO: task .* blocked (?:for more than|in I/O wait)"
    r"|^INFO: trying to register non-static key"
    r"|^rcu: INFO: .* (?:detected .*stall|stalls? on )"
    r"|^rcu: .* kthread (?:starved|timer wakeup didn't happen)"
    r"|^(?:watchdog: )?Watchdog detected hard LOCKUP"
    r"|^(?:NMI )?watchdog: .*hard LOCKUP"
    r"|^(?:list_add|list_del) corruption"
    r"|^refcount_t: "
    r"|^ODEBUG: "
    r"|^object_pool|^=+\[ BUG"
)

# The guest makes no progress after these: the run is ended once they are complete.
_ENDS_RUN = re.compile(r"soft lockup|hard LOCKUP|rcu: INFO: .*stall|INFO: task .* blocked for"
                       r"|Kernel panic|workqueue lockup")

# Reports that are over with the end of their stack trace (what lockdep shows before has no TASK).
_ENDS_WITH_STACK = re.compile(r"BUG: sleeping function|BUG: scheduling while atomic"
                              r"|WARNING: (?:possible|inconsistent|suspicious|bad|held|Nested|"
                              r"lock held|.* lock)|INFO: trying to register")

# Messages that look like reports and are none, each with its reason.
_HARMLESS: list[tuple[re.Pattern[str], str]] = []

_MAX_LINES = 400
_GAP_SECONDS = 1.0  # of guest time between two lines of one report


@dataclass
class Report:
    lines: list[str] = field(default_factory=list)
    ends_run: bool = False
    _stack_ends: bool = False
    _last: float = 0.0

    @property
    def title(self) -> str:
        for line in self.lines:
            if not re.match(r"^(?:-+\[ cut here|=+$)", line):
                return line
        return self.lines[0]


class Scanner:
    """Takes the console's text as it comes, and collects reports."""

    def __init__(self) -> None:
        self.reports: list[Report] = []
        self.fatal: str | None = None  # PID 1's reason for giving up
        self.command_ended = False
        self.tail: list[str] = []
        self.listening = True
        self._partial = b""
        self._open: Report | None = None
        self._rule: str | None = None  # a line of ===, which heads the next report

    def feed(self, data: bytes) -> None:
        *lines, self._partial = (self._partial + data).split(b"\n")
        for line in lines:
            self._line(line.decode(errors="replace").rstrip("\r"))

    def finish(self) -> None:
        if self._partial:
            self.feed(b"\n")
        self._close()

    @property
    def collecting(self) -> bool:
        return self._open is not None

    def _line(self, raw: str) -> None:
        self.tail = [*self.tail[-19:], raw]
        match = _PREFIX.match(raw)
        when = float(match.group(1)) if match else None
        text = raw[match.end():] if match else raw
        if text.startswith("vireo-lab: "):
            self._own(text.removeprefix("vireo-lab: "))
            return
        if self._open:
            self._continue(self._open, text, when)
        if not self._open and self.listening:
            self._maybe_start(text, when)

    def _own(self, text: str) -> None:
        if text.startswith("fatal: "):
            self.fatal = text.removeprefix("fatal: ")
        elif text == "end of command":
            self._close()
            self.command_ended = True

    def _maybe_start(self, text: str, when: float | None) -> None:
        if re.match(r"^={20,}$", text):
            self._rule = text
            return
        rule, self._rule = self._rule, None
        if self.reports and text.startswith("Kernel panic - not syncing: Fatal exception"):
            self._add(self.reports[-1], text, when)  # oops=panic: the oops was just reported
            return
        if not _START.search(text) or any(p.search(text) for p, _ in _HARMLESS):
            return
        self._open = Report([rule] if rule else [], _last=when or 0.0)
        self.reports.append(self._open)
        self._add(self._open, text, when)

    def _continue(self, report: Report, text: str, when: float | None) -> None:
        if when is not None and when - report._last > _GAP_SECONDS:
            self._close()
            return
        self._add(report, text, when)
        closing_rule = re.match(r"^={20,}$", text) and len(report.lines) > 3
        stack_over = report._stack_ends and text.strip() == "</TASK>"
        if closing_rule or stack_over or "---[ end " in text or len(report.lines) >= _MAX_LINES:
            self._close()

    def _add(self, report: Report, text: str, when: float | None) -> None:
        report.lines.append(text)
        report._last = when if when is not None else report._last
        report.ends_run = report.ends_run or bool(_ENDS_RUN.search(text))
        report._stack_ends = report._stack_ends or bool(_ENDS_WITH_STACK.search(text))

    def _close(self) -> None:
        self._open = None


class Log:
    """console.log in that directory, or console-2.log, ... if other runs hold theirs.

    QEMU writes the file itself. A socket between would lose bytes whenever we are slow: the
    emulated UART gives up after a few tries.
    """

    def __init__(self, directory: Path):
        number = 1
        while True:
            name = "console.log" if number == 1 else f"console-{number}.log"
            self.path = directory / name
            self._fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            try:
                fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                os.close(self._fd)
                number += 1
        os.ftruncate(self._fd, 0)

    def read(self) -> bytes:
        """What has come since the last time."""
        return os.read(self._fd, 1 << 20)
