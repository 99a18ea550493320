# SPDX-License-Identifier: GPL-2.0-only
"""However a run is ended, no QEMU stays behind."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from runlab import RUN

LIMIT = 60


def wait_for(condition, what):
    deadline = time.monotonic() + LIMIT
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"{what}: not within {LIMIT} s")


def qemu_below(pid):
    """The run's QEMU, once it is one (before exec it is another copy of the run)."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return next((int(c) for c in children
                     if Path(f"/proc/{c}/comm").read_text().startswith("qemu")), None)
    except OSError:
        return None


def is_gone(pid):
    """Dead; a zombie is dead too, and waits for whoever adopted it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


@pytest.fixture
def started(tmp_path):
    run = subprocess.Popen([RUN, "--out", tmp_path, "--", "sleep", "100000"],
                           stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE, text=True)
    qemu = wait_for(lambda: qemu_below(run.pid), "QEMU starts")
    yield run, qemu
    if run.poll() is None:
        run.kill()
        run.wait()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_the_lab(started, number):
    run, qemu = started
    run.send_signal(number)
    _, stderr = run.communicate(timeout=LIMIT)
    assert run.returncode == 128 + number
    assert f"lab: stopped by {number.name}" in stderr
    wait_for(lambda: is_gone(qemu), "QEMU ends")


def test_a_killed_run_takes_its_qemu_with_it(started):
    run, qemu = started
    os.kill(run.pid, signal.SIGKILL)
    run.communicate(timeout=LIMIT)
    wait_for(lambda: is_gone(qemu), "QEMU ends")
