# SPDX-License-Identifier: GPL-2.0-only
"""The caller's terminal while the guest's shell has it."""

import os
import sys
import termios
import tty

# Ctrl-] three times in a row leaves a guest that no longer answers.
ESCAPE = b"\x1d\x1d\x1d"


class RawTerminal:
    """A context in which every key goes to the guest; what was before is restored."""

    def __init__(self, fd: int):
        self._fd = fd
        self._saved: list | None = None
        self._typed = b""

    def __enter__(self) -> "RawTerminal":
        self._saved = termios.tcgetattr(self._fd)
        tty.setraw(self._fd)
        return self

    def __exit__(self, *_) -> None:
        if self._saved is not None:
            termios.tcsetattr(self._fd, termios.TCSADRAIN, self._saved)
            self._saved = None

    def wants_out(self, data: bytes) -> bool:
        self._typed = (self._typed + data)[-len(ESCAPE):]
        return self._typed == ESCAPE


def size() -> tuple[int, int]:
    """Rows and columns."""
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        try:
            columns, rows = os.get_terminal_size(stream.fileno())
            return rows, columns
        except (OSError, ValueError):
            continue
    return 24, 80
