# SPDX-License-Identifier: GPL-2.0-only
"""What all functional tests share: the lab, as a function.

Tests marked `full` run only in `make check-full`.
"""

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parent.parent.parent
RUN = CHECKOUT / "selftests/lab/run"
sys.dont_write_bytecode = True
sys.path.insert(0, str(CHECKOUT / "selftests/lab"))


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "full: only in make check-full")


@dataclass(frozen=True)
class Result:
    """How a run of the lab ended."""

    status: int
    stdout: bytes
    stderr: str
    seconds: float
    out: Path  # the directory that inside and outside share

    @property
    def text(self) -> str:
        return self.stdout.decode(errors="replace")

    def __str__(self) -> str:
        """For a failed assertion: what a person would want to see."""
        return f"status {self.status}\n-- stdout\n{self.text[-4000:]}\n-- stderr\n{self.stderr[-8000:]}"


@pytest.fixture(scope="session")
def lab(tmp_path_factory):
    """lab("cmd", "arg", kernel="6.1", options=[...]) runs a command in the lab."""

    def run(*command: str, kernel: str = "6.1", options: tuple[str, ...] = (),
            env: dict[str, str] | None = None) -> Result:
        out = tmp_path_factory.mktemp("lab")
        started = time.monotonic()
        done = subprocess.run(
            [RUN, "--kernel", kernel, "--out", out, *options, "--", *command],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env={**os.environ, **(env or {})}, check=False)
        return Result(done.returncode, done.stdout, done.stderr.decode(errors="replace"),
                      time.monotonic() - started, out)

    return run


@pytest.fixture(scope="session")
def kernel_path():
    """kernel_path("6.1", "build") is what selftests/lab/kernel prints."""

    def ask(alias: str, what: str) -> Path:
        done = subprocess.run([CHECKOUT / "selftests/lab/kernel", alias, what],
                              stdout=subprocess.PIPE, text=True, check=True)
        return Path(done.stdout.strip())

    return ask
