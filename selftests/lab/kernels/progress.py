# SPDX-License-Identifier: GPL-2.0-only
"""Runs make, keeps what it says in a log, and shows how far it is."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

STEP = re.compile(rb"^  (?:\[M\] )?[A-Z]+ +\S")


class Progress:
    """One line that is renewed: in place on a terminal, now and then elsewhere."""

    def __init__(self, what: str, expected: int) -> None:
        self.what = what
        self.expected = expected
        self.objects = 0
        self.begun = time.monotonic()
        self.terminal = sys.stderr.isatty()
        self.done = threading.Event()
        self.thread = threading.Thread(target=self.tell, daemon=True)

    def __enter__(self) -> "Progress":
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.done.set()
        self.thread.join()
        if self.terminal:
            print(file=sys.stderr)

    def tell(self) -> None:
        while not self.done.wait(2 if self.terminal else 15):
            minutes = (time.monotonic() - self.begun) / 60
            expected = max(self.expected, self.objects)
            line = f"{self.what}: {self.objects} of about {expected} objects, {minutes:.0f} min"
            print(f"\r{line} " if self.terminal else f"{line}\n", end="", file=sys.stderr, flush=True)


def make(command: list[str], tree: Path, log: Path, environment: dict[str, str], shown: Progress | None = None) -> int:
    """make's exit status. If we are interrupted, so is the whole of make: nothing is left running."""
    with open(log, "ab") as file:
        file.write(f"$ {' '.join(command)}\n".encode())
        file.flush()
        child = subprocess.Popen(
            command, cwd=tree, env=environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
        )
        assert child.stdout is not None
        try:
            for line in child.stdout:
                file.write(line)
                if shown and STEP.match(line):
                    shown.objects += 1
            return child.wait()
        finally:
            if child.poll() is None:
                os.killpg(child.pid, signal.SIGTERM)
                child.wait()
