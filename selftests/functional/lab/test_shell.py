# SPDX-License-Identifier: GPL-2.0-only
"""--shell on a real terminal (a pty): size, job control, status, and the terminal as before."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time

import pytest

from runlab import RUN

LIMIT = 300
PROMPT = r"[#$] $"


class Terminal:
    """The person's side of a terminal on which the lab's shell runs."""

    def __init__(self, *options):
        self.leader, self.follower = pty.openpty()
        self.resize(33, 101)
        self.before = termios.tcgetattr(self.follower)
        self.process = subprocess.Popen([RUN, "--shell", *options], stdin=self.follower,
                                        stdout=self.follower, stderr=self.follower,
                                        start_new_session=True)
        self.seen = b""

    def resize(self, rows, columns):
        fcntl.ioctl(self.follower, termios.TIOCSWINSZ, struct.pack("4H", rows, columns, 0, 0))

    def type(self, text):
        os.write(self.leader, text.encode())

    def expect(self, pattern):
        """Waits for the pattern in what has come since the last one."""
        deadline = time.monotonic() + LIMIT
        while not (match := re.search(pattern.encode(), self.seen)):
            assert time.monotonic() < deadline, f"{pattern}: not in {self.seen!r}"
            if select.select([self.leader], [], [], 1.0)[0]:
                self.seen += os.read(self.leader, 65536)
        self.seen = self.seen[match.end():]
        return match

    def status(self):
        deadline = time.monotonic() + LIMIT
        while self.process.poll() is None and time.monotonic() < deadline:
            if select.select([self.leader], [], [], 0.1)[0]:
                self.seen += os.read(self.leader, 65536)
        return self.process.poll()

    def is_as_before(self):
        return termios.tcgetattr(self.follower) == self.before

    def close(self):
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait()
        os.close(self.leader)
        os.close(self.follower)


@pytest.fixture
def terminal(tmp_path):
    opened = Terminal("--out", tmp_path)
    yield opened
    opened.close()


def test_a_session_at_the_terminal(terminal):
    terminal.expect(PROMPT)
    assert not terminal.is_as_before(), "raw while the guest has it"

    terminal.type("stty size; echo $((40 + 2))\r")
    terminal.expect(r"33 101\r\n42\r\n")

    terminal.resize(44, 120)
    os.kill(terminal.process.pid, signal.SIGWINCH)
    terminal.type("while [ \"$(stty size)\" != '44 120' ]; do sleep 0.1; done; echo re''sized\r")
    terminal.expect(r"resized\r\n")

    # Job control: Ctrl-C reaches the foreground job and not the shell, Ctrl-Z stops it.
    terminal.type("sh -c 'echo up''on; exec sleep 100000'\r")
    terminal.expect(r"upon\r\n")
    terminal.type("\x03")
    terminal.expect(PROMPT)
    terminal.type("echo status=$?\r")
    terminal.expect(r"status=130\r\n")
    terminal.type("sh -c 'echo up''on; exec cat'\r")
    terminal.expect(r"upon\r\n")
    terminal.type("\x1a")
    terminal.expect(r"Stopped")
    terminal.expect(PROMPT)
    terminal.type("disown %1; exit 9\r")

    assert terminal.status() == 9, terminal.seen
    assert terminal.is_as_before()


def test_the_way_out_of_a_guest_that_does_not_answer(terminal):
    """During the boot nobody reads the keys: three times Ctrl-] still ends it."""
    deadline = time.monotonic() + LIMIT
    while terminal.is_as_before():  # until the lab has taken the terminal
        assert time.monotonic() < deadline and terminal.process.poll() is None
        time.sleep(0.05)
    terminal.type("\x1d\x1d\x1d")
    assert terminal.status() == 129, terminal.seen
    assert terminal.is_as_before()


def test_a_signal_gives_the_terminal_back(terminal):
    deadline = time.monotonic() + LIMIT
    while terminal.is_as_before():
        assert time.monotonic() < deadline and terminal.process.poll() is None
        time.sleep(0.05)
    terminal.process.terminate()
    assert terminal.status() == 143, terminal.seen
    assert terminal.is_as_before()
